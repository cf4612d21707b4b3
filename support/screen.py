"""What the page of a ticket shows, the same for who signs in and for a visitor."""

from dataclasses import dataclass, field
from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from accounts.actors import Actor
from support import guards, listing
from support.forms import ReopenForm, ReplyForm
from support.models import ScamReport, Ticket
from support.states import MOVES, WAITING, State
from ui import french


@dataclass
class Screen:
    """Everything templates/support/_ticket.html reads. `actions`: verb → address."""

    ticket: Ticket
    sentence: str
    is_late: bool
    thread: list[listing.Message]
    facts: list[tuple[str, str]]
    actions: dict[str, str]
    reply_form: ReplyForm
    reopen_form: ReopenForm
    to_do: list[str] = field(default_factory=list)


def of(
    ticket: Ticket, *, by: Actor, at: datetime, actions: dict[str, str], form: ReplyForm | None = None
) -> Screen:
    """The screen of a ticket for who asked. `form`: what could not be sent. Writes nothing."""
    state = State(ticket.state)
    possible = {verb: url for verb, url in actions.items() if state in MOVES[verb]}
    if not guards.can_reopen(ticket, at=at):
        possible.pop("reopen", None)
    report = getattr(ticket, "scam_report", None)
    return Screen(
        ticket=ticket,
        sentence=_sentence(ticket, at=at),
        is_late=state in WAITING and ticket.due_at <= at,
        thread=listing.thread(ticket, reader=by),
        facts=_facts(ticket, report, by),
        actions=possible,
        reply_form=form if form and not isinstance(form, ReopenForm) else ReplyForm(),
        reopen_form=form if isinstance(form, ReopenForm) else ReopenForm(),
        to_do=_to_do(report) if report else [],
    )


def _sentence(ticket: Ticket, *, at: datetime) -> str:
    """Whose turn, until when: the first line of the page."""
    if ticket.state == State.CLOSED:
        return _("Cette demande est close depuis le %(day)s.") % {"day": french.day(ticket.closed_at)}
    if ticket.state == State.ANSWERED:
        return _("Nous vous avons répondu. Il manque quelque chose ? Répondez plus bas.")
    due = french.last_minute(ticket.due_at)
    if ticket.due_at <= at:
        return _("Nous devions vous répondre au plus tard le %(due)s. Nous sommes en retard.") % {"due": due}
    return _("Nous vous répondons au plus tard le %(due)s.") % {"due": due}


def _facts(ticket: Ticket, report: ScamReport | None, by: Actor) -> list[tuple[str, str]]:
    facts = [
        (_("Numéro"), ticket.number),
        (_("Sujet"), ticket.get_topic_display()),
        (_("Au nom de"), ticket.organisation.name if ticket.organisation else ""),
        (_("Dossier"), _dossier_link(ticket, by)),
        (_("Envoyée"), french.moment(ticket.opened_at)),
    ]
    if report:
        facts += [
            (_("Jour du démarchage"), french.day(report.happened_on)),
            (_("Moyen"), report.get_channel_display()),
            (_("Numéro, adresse ou site"), report.contact),
            (_("Au nom de qui"), report.organisation),
            (_("Ce que vous avez donné"), ", ".join(given_words(report))),
        ]
    return facts


def _dossier_link(ticket: Ticket, by: Actor) -> str:
    if ticket.dossier is None:
        return ""
    url = reverse("provider_dossier" if by.is_provider else "dossier", args=[ticket.dossier_id])
    return format_html('<a href="{}">{}</a>', url, ticket.dossier.number)


def given_words(report: ScamReport) -> list[str]:
    return [str(ScamReport.Given(kind).label) for kind in report.given]


def _to_do(report: ScamReport) -> list[str]:
    """What protects someone who was talked into giving something, the most pressing first."""
    advice = {
        ScamReport.Given.PASSWORD: _(
            "Choisissez tout de suite un nouveau mot de passe : l’ancien ne sert plus."
        ),
        ScamReport.Given.BANK: _("Appelez votre banque : elle peut bloquer la carte ou refuser un paiement."),
        ScamReport.Given.NUMBER: _(
            "Gardez ce signalement : il prouve la date si quelqu’un use de votre numéro."
        ),
        ScamReport.Given.IDENTITY: _(
            "Portez plainte : le récépissé vous protège si l’on use de votre identité."
        ),
    }
    return [words for kind, words in advice.items() if kind in report.given]
