"""What the dossier page shows, the same for both sides: one sentence, the clock, the money, the history."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from dossiers import listing, permissions, workflow
from dossiers.models import Deadline, Dossier, FundingLine
from dossiers.states import ANSWER_CLOCKS, CLOCK_OF, FINAL_STATES, MOVES, State
from rulebook import workdays
from ui import french

FORECAST_STATES = frozenset({State.DRAFT, State.REQUESTED, State.PROPOSED})


@dataclass
class Screen:
    """Everything templates/dossiers/{holder,provider}/_dossier.html read."""

    dossier: Dossier
    at: datetime
    sentence: str
    is_overdue: bool
    clock: Deadline | None
    skipped: list[tuple[date, str]]
    verbs: set[str]
    facts_title: str
    facts: list[tuple[str, str]]
    timeline: list[tuple[str, str, datetime | None, str]]
    price_cents: int
    reason: str = ""
    money_caption: str = ""
    money: list[tuple[str, int, str]] = field(default_factory=list)
    to_pay_cents: int = 0
    fingerprint: str = ""
    exemption: str = ""


def of(dossier: Dossier, *, actor: Actor, at: datetime) -> Screen:
    """The screen of a dossier for one reader. Writes nothing."""
    clock = None
    for running in Deadline.objects.filter(dossier=dossier, closed_at__isnull=True):
        if running.kind == CLOCK_OF.get(State(dossier.state)):
            clock = running
    is_overdue = clock is not None and clock.kind in ANSWER_CLOCKS and clock.due_at <= at
    verbs = set() if is_overdue else {verb for verb in MOVES if permissions.can(verb, dossier, actor)}
    if dossier.free_until is None or dossier.free_until <= at:
        verbs.discard("withdraw")
    if dossier.starts_on is not None and dossier.starts_on <= workdays.paris_day(at):
        verbs.discard("call_off")
    past = listing.history(dossier)
    screen = Screen(
        dossier=dossier,
        at=at,
        sentence=_sentence(dossier, clock, is_overdue, at),
        is_overdue=is_overdue,
        clock=None if is_overdue else clock,
        skipped=[(date.fromisoformat(skip["day"]), skip["why"]) for skip in clock.skipped] if clock else [],
        verbs=verbs,
        facts_title=_facts_title(dossier),
        facts=_facts(dossier),
        timeline=_timeline(dossier, past, clock, is_overdue),
        reason=past[-1].reason if dossier.state in FINAL_STATES else "",
        price_cents=dossier.current_price_cents,
    )
    if not actor.is_provider:
        # What a holder owns is not the organisation's business.
        _show_money(screen, at=at)
    return screen


def _show_money(screen: Screen, *, at: datetime) -> None:
    dossier = screen.dossier
    lines = listing.funding_lines(dossier)
    if lines:
        is_given_back = dossier.state in FINAL_STATES
        screen.money_caption = (
            _("Ce qui était prévu, et vous est rendu")
            if is_given_back
            else _("Comment cette formation est payée")
        )
        screen.money = [(_label(line), line.amount_cents, line.reason) for line in lines]
        screen.to_pay_cents = sum(line.amount_cents for line in lines if line.source is None)
    elif dossier.state in FORECAST_STATES:
        # At the rulebook of the day it would be accepted: today.
        plan = workflow.plan_for(dossier, at=at, rules=rulebook.on(workdays.paris_day(at)))
        screen.money_caption = _("Comment cette formation serait payée")
        screen.money = [(line.label, line.amount_cents, line.reason) for line in plan.lines]
        if plan.remainder_cents:
            note = (
                _("Participation obligatoire de %(amount)s comprise.")
                % {"amount": french.euros(plan.participation_cents)}
                if plan.participation_cents
                else ""
            )
            screen.money.append((_("Il vous reste à payer"), plan.remainder_cents, note))
        screen.to_pay_cents = plan.remainder_cents
        screen.fingerprint = plan.fingerprint
        screen.exemption = plan.exemption


def _label(line: FundingLine) -> str:
    """Whose money a line is. What the holder pays has a pocket once it is received."""
    if line.source is not None:
        return line.source.label or str(line.source.get_kind_display())
    return _("Payé par vous") if line.reserved_id else _("À payer par vous")


def _sentence(dossier: Dossier, clock: Deadline | None, is_overdue: bool, at: datetime) -> str:
    """Whose turn, until when: the first line of the page."""
    state = State(dossier.state)
    due = french.last_minute(clock.due_at) if clock else ""
    organisation, holder = dossier.provider.organisation.name, dossier.holder.display_name
    names = {"organisation": organisation, "holder": holder, "due": due, "reason": ""}
    if is_overdue and clock is not None:
        return _("Le délai est dépassé depuis le %(due)s : ce dossier est sans suite.") % names
    sentences = {
        State.DRAFT: _("Ce brouillon n’est pas encore envoyé à %(organisation)s."),
        State.REQUESTED: _("%(organisation)s doit répondre à cette demande au plus tard le %(due)s."),
        State.PROPOSED: _("%(holder)s doit valider ou refuser la proposition au plus tard le %(due)s."),
        State.AWAITING_PAYMENT: _("%(holder)s doit payer ce qui reste au plus tard le %(due)s."),
        State.ACCEPTED: _(
            "L’inscription est confirmée. %(organisation)s accueille %(holder)s au premier jour."
        ),
        State.REFUSED_BY_PROVIDER: _("%(organisation)s a refusé cette demande."),
        State.REFUSED_BY_HOLDER: _("%(holder)s a refusé la proposition."),
        State.CANCELLED_BY_HOLDER: _("%(holder)s a annulé. Tout ce qui était réservé a été rendu."),
        State.CANCELLED_BY_PROVIDER: _("%(organisation)s a annulé. Tout ce qui était réservé a été rendu."),
        State.CLOSED_BY_PLATFORM: _("Le portail a clos ce dossier : la formation n’est plus ouverte."),
    }
    if state == State.LAPSED:
        silent = holder if dossier.silent_party == "holder" else organisation
        return _(
            "Sans réponse de %(silent)s dans le délai, ce dossier est sans suite. Rien n’a été débité."
        ) % {"silent": silent}
    return sentences[state] % names


def _facts_title(dossier: Dossier) -> str:
    """Asked, proposed or agreed: how far both sides have come."""
    if dossier.price_cents is None:
        return _("Ce qui est demandé")
    if dossier.state in {State.ACCEPTED, State.AWAITING_PAYMENT}:
        return _("Ce qui est convenu")
    return _("Ce qui est proposé")


def _facts(dossier: Dossier) -> list[tuple[str, str]]:
    starts_on = dossier.starts_on or dossier.session.starts_on or dossier.wished_start
    ends_on = dossier.ends_on or dossier.session.ends_on
    offer = dossier.offer
    return [
        (_("Formation"), offer.title),
        (_("Organisme"), dossier.provider.organisation.name),
        (_("Titulaire"), dossier.holder.display_name),
        (_("Premier jour"), french.day(starts_on) if starts_on else ""),
        (_("Dernier jour"), french.day(ends_on) if ends_on else ""),
        (
            _("Lieu"),
            _("À distance") if offer.mode == "distance" else f"{offer.postal_code} {offer.town_name}".strip(),
        ),
        (_("Durée"), _("%(hours)s heures") % {"hours": offer.hours} if offer.hours else ""),
        (_("E-mail du titulaire"), dossier.contact_email),
        (_("Téléphone du titulaire"), dossier.contact_phone),
        (_("Numéro de dossier"), dossier.number),
    ]


def _timeline(
    dossier: Dossier, past: list[listing.Step], clock: Deadline | None, is_overdue: bool
) -> list[tuple[str, str, datetime | None, str]]:
    """Past, now, next. The step that ended a dossier is not shown as something achieved."""
    steps: list[tuple[str, str, datetime | None, str]] = [
        (
            "lost" if step is past[-1] and dossier.state in FINAL_STATES else "done",
            step.title,
            step.at,
            " — ".join(x for x in (step.by, step.reason) if x),
        )
        for step in past
    ]
    if clock is not None and not is_overdue:
        steps.append(
            (
                "now",
                str(clock.get_kind_display()),
                None,
                _("jusqu’au %(due)s") % {"due": french.last_minute(clock.due_at)},
            )
        )
    elif is_overdue and clock is not None:
        steps.append(("lost", str(State.LAPSED.label), clock.due_at, ""))
    if dossier.state == State.ACCEPTED and dossier.starts_on is not None:
        steps.append(
            (
                "next",
                _("Premier jour de la formation : %(day)s") % {"day": french.day(dossier.starts_on)},
                None,
                "",
            )
        )
    return steps


def context(screen: Screen, **more: Any) -> dict[str, Any]:
    return {"screen": screen, "dossier": screen.dossier, "at": screen.at, **more}
