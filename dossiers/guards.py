"""Is it possible now? Each check says, in one French sentence, why not and what to do.

"Who may" is in permissions.py. Called by the verbs of workflow.py, never by a form.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.permissions import NotAllowed, enrolment_obstacle
from catalog import eligibility
from catalog.models import Session
from dossiers import terms
from dossiers.models import Deadline, Dossier, Transition
from dossiers.states import ANSWER_CLOCKS, CLOCK_OF, MOVES, TO_ANSWER, ClockKind, CompletionCause, State
from rulebook import Rules, workdays
from ui import french, prepared
from ui.refusals import Refused

# None is law: they stop slips and abuse.
DRAFTS_MAX = 20
SENDS_A_DAY_MAX = 20
FURTHEST_YEARS = 5
EVIDENCE_MAX = 3
LONGEST_MINUTES = 10_000 * 60


def check_move(dossier: Dossier, verb: str) -> None:
    """The dossier is in a state from which this verb can be done."""
    if dossier.state not in MOVES[verb].sources:
        raise Refused(
            _("Ce dossier a changé d’état : « %(state)s ». Cette action n’est plus possible.")
            % {"state": State(dossier.state).label}
        )


def check_in_time(dossier: Dossier, *, at: datetime) -> None:
    """The answer the dossier waits for is not overdue. The job may not have passed yet: this judges."""
    kind = CLOCK_OF.get(State(dossier.state))
    if kind not in ANSWER_CLOCKS:
        return
    if dossier.past is not None:
        check_due(dossier.past.due.get(kind), at=at)
        return
    clock = Deadline.objects.filter(dossier=dossier, kind=kind, closed_at__isnull=True).first()
    check_due(clock.due_at if clock else None, at=at)


def check_due(due_at: datetime | None, *, at: datetime) -> None:
    """This first too-late instant has not come; None: no clock runs."""
    if due_at and due_at <= at:
        raise Refused(
            _("Le délai est dépassé : il fallait répondre avant %(due)s. Ce dossier est sans suite.")
            % {"due": french.last_minute(due_at)}
        )


def check_can_enrol(dossier: Dossier, *, on: date, rules: Rules) -> None:
    """Age and professional situation allow this holder to enrol."""
    if obstacle := enrolment_obstacle(dossier.holder, on=on, rules=rules):
        raise Refused(obstacle)


def check_offer_open(dossier: Dossier, *, on: date, rules: Rules) -> None:
    """The offer is still visible and open (certification, entitlement, Qualiopi)."""
    check_no_reason(eligibility.refusals(eligibility.facts_of(dossier.offer), on=on, rules=rules))


def check_no_reason(reasons: Sequence[eligibility.Reason]) -> None:
    if reasons:
        raise Refused(
            _("Cette offre n’est plus ouverte aux inscriptions : %(why)s") % {"why": reasons[0].sentence}
        )


def check_session_reachable(session: Session, *, on: date, rules: Rules) -> None:
    """The session recruits, and starts late enough for the organisation to propose it today."""
    if session.recruitment != Session.Recruitment.OPEN:
        raise Refused(_("Cette session n’accepte plus d’inscription. Choisissez-en une autre."))
    if session.starts_on is not None:
        check_earliest_start(session.starts_on, on=on, rules=rules, field="")


@dataclass(frozen=True, slots=True)
class Judged:
    """What an organisation's answer to a request is judged by, beside its own terms. See `judge_each`.

    `asked`: as in `terms`; `due_at`: of its running answer clock; `closed`: why the offer is not open.
    """

    asked: Mapping[str, Any]
    due_at: datetime | None
    closed: Sequence[eligibility.Reason]


def judge(dossier: Dossier, *, on: date, rules: Rules) -> Judged:
    """For the one dossier of a verb, whose past was read under its lock."""
    if dossier.past is None:
        raise ValueError("moves.begin reads the past of a dossier")
    closed = eligibility.refusals(eligibility.facts_of(dossier.offer), on=on, rules=rules)
    running = (dossier.past.due.get(CLOCK_OF[state]) for state in TO_ANSWER)
    return Judged(dossier.past.asked, next(filter(None, running), None), closed)


def judge_each(dossiers: Iterable[Dossier], *, on: date, rules: Rules) -> dict[UUID, Judged]:
    """Read for one answer or for many, by key. As many queries for one as for all.

    Offers come with `select_related("provider__organisation", "certification")`, or cost a query each.
    """
    dossiers = list(dossiers)
    facts = eligibility.facts_of_each({dossier.offer_id: dossier.offer for dossier in dossiers}.values())
    closed = {offer_id: eligibility.refusals(each, on=on, rules=rules) for offer_id, each in facts.items()}
    asked = terms.asked_each(dossiers)
    clocks = Deadline.objects.filter(
        dossier__in=dossiers, kind__in=[CLOCK_OF[state] for state in TO_ANSWER], closed_at__isnull=True
    )
    due = {clock.dossier_id: clock.due_at for clock in clocks}
    return {
        dossier.pk: Judged(asked.get(dossier.pk, {}), due.get(dossier.pk), closed[dossier.offer_id])
        for dossier in dossiers
    }


def proposal_obstacles(
    dossier: Dossier,
    judged: Judged,
    *,
    price_cents: int,
    starts_on: date,
    ends_on: date,
    change_reason: str,
    at: datetime,
    rules: Rules,
) -> Iterator[Refused]:
    """All that stands against an organisation's yes: the page asks before the click, the verb at it."""
    today = workdays.paris_day(at)
    changed = terms.changed(judged.asked, terms.of(price_cents, starts_on, ends_on))
    for check in (
        partial(check_move, dossier, "propose"),
        partial(check_due, judged.due_at, at=at),
        partial(check_no_reason, judged.closed),
        partial(check_price, price_cents),
        partial(check_dates, starts_on, ends_on, on=today),
        partial(check_earliest_start, starts_on, on=today, rules=rules),
        partial(check_changes_explained, changed, change_reason),
    ):
        try:
            check()
        except Refused as refusal:
            yield refusal


def check_proposal(dossier: Dossier, judged: Judged, **proposal: Any) -> None:
    """Nothing stands against this yes: see `proposal_obstacles`."""
    for refusal in proposal_obstacles(dossier, judged, **proposal):
        raise refusal


def check_not_own(dossier: Dossier, by: Actor) -> None:
    """Nobody of the administration acts on their own dossier."""
    if by.is_admin and by.user is not None and dossier.holder.user == by.user:
        raise NotAllowed(_("Personne de l’administration n’agit sur son propre dossier."))


def check_funder_in_time(dossier: Dossier, *, at: datetime) -> None:
    """The funder's clock still runs: over, its silence has granted all (docs/decisions.md, 14)."""
    clock = Deadline.objects.filter(
        dossier=dossier, kind=ClockKind.FUNDER_ANSWER, closed_at__isnull=True
    ).first()
    if clock is not None and clock.due_at <= at:
        raise Refused(
            _("Le délai du financeur est dépassé depuis le %(due)s : son silence a tout accordé.")
            % {"due": french.last_minute(clock.due_at)}
        )


def check_not_counted_absent(dossier: Dossier, *, at: datetime) -> None:
    """An absence that nobody explained in time is settled, whether or not the job has passed."""
    clock = Deadline.objects.filter(dossier=dossier, kind=ClockKind.ABSENCE, closed_at__isnull=True).first()
    if clock is not None and clock.due_at <= at:
        raise Refused(
            _("Le délai est dépassé depuis le %(due)s : l’absence est réglée.")
            % {"due": french.last_minute(clock.due_at)}
        )


def check_prerequisites(dossier: Dossier) -> None:
    """There is something to check before the organisation says yes or no."""
    if not dossier.offer.has_prerequisites:
        raise Refused(_("Cette formation n’a pas de prérequis à examiner : répondez à la demande."))


def check_funder_may_be_asked(
    dossier: Dossier, *, amount_cents: int, missing_cents: int, on: date, rules: Rules
) -> None:
    """Once, by who may, early enough, for what is missing at most (the agency's own terms, rulebook)."""
    if dossier.holder.status not in rules.funder_request_statuses:
        raise Refused(_("Cette aide est réservée aux demandeurs d’emploi."))
    if Transition.objects.filter(dossier=dossier, verb="ask_funder").exists():
        raise Refused(_("Une aide a déjà été demandée pour ce dossier."))
    if dossier.starts_on is None or dossier.starts_on < workdays.earliest_start(
        on, rules.funder_request_days_before
    ):
        raise Refused(
            _("Trop tard : cette aide se demande au moins %s jours ouvrés avant le premier jour.")
            % rules.funder_request_days_before
        )
    most = min(missing_cents, rules.funder_top_up_max_cents)
    if not 0 < amount_cents <= most:
        raise Refused(
            _("Demandez de 0,01 € à %(most)s : ce qui manque, au plus.") % {"most": french.euros(most)}
            if most
            else _("Vos droits suffisent : il ne manque rien à demander."),
            field="amount",
        )


def check_refusal(dossier: Dossier, *, reason: str, at: datetime) -> None:
    """The organisation may still say no, and says why."""
    check_move(dossier, "refuse")
    check_in_time(dossier, at=at)
    check_reason(reason)


def check_price(price_cents: int) -> None:
    if price_cents <= 0:
        raise Refused(_("Donnez un prix supérieur à zéro."), field="price_cents")


def check_changes_explained(changed: Sequence[str], reason: str) -> None:
    """A price or dates that differ from what was asked are explained."""
    if changed:
        check_reason(reason, field="change_reason")


def check_earliest_start(starts_on: date, *, on: date, rules: Rules, field: str = "starts_on") -> None:
    """At least so many business days between today and the start, equality allowed (docs/decisions.md, 5)."""
    earliest = workdays.earliest_start(on, rules.earliest_start_days)
    if starts_on < earliest:
        raise Refused(
            _("La formation ne peut pas commencer avant %(day)s : la loi laisse %(count)s jours ouvrés.")
            % {"day": french.day(earliest), "count": rules.earliest_start_days},
            field=field,
        )


def check_dates(starts_on: date, ends_on: date, *, on: date) -> None:
    """In their order, and not dated by a slip of the finger: they are frozen, and money waits for them."""
    check_year(starts_on, on=on, field="starts_on")
    check_year(ends_on, on=on, field="ends_on")
    if ends_on < starts_on:
        raise Refused(_("La fin ne peut pas venir avant le début."), field="ends_on")


def check_year(day: date, *, on: date, field: str) -> None:
    if day.year > on.year + FURTHEST_YEARS:
        raise Refused(
            _("Cette date est dans plus de %s ans : vérifiez l’année.") % FURTHEST_YEARS, field=field
        )


def check_counts(dossier: Dossier, *, at: datetime, rules: Rules) -> None:
    """So many requests waiting for one training action (docs/decisions.md, 4), so many sent in a day: each is
    a mail to every member of an organisation. Holder is locked."""
    holder = dossier.holder_id
    day = at - timedelta(days=1), at
    [(waiting, sent)] = prepared.rows(
        _COUNTS, [dossier.offer_id, State.REQUESTED.value, holder, *day, holder]
    )
    if waiting >= rules.simultaneous_requests_max:
        raise Refused(
            _("Vous avez déjà %(count)s demandes en attente pour cette formation. Attendez une réponse.")
            % {"count": waiting}
        )
    if sent >= SENDS_A_DAY_MAX:
        raise Refused(
            _("Vous avez envoyé %(count)s demandes en un jour. Vous pourrez reprendre demain.")
            % {"count": sent}
        )


_COUNTS = """
    SELECT count(*) FILTER (WHERE offer_id = %s AND state = %s), (
        SELECT count(*) FROM dossiers_transition JOIN dossiers_dossier sent ON sent.id = dossier_id
        WHERE sent.holder_id = %s AND verb = 'submit' AND at > %s AND at <= %s
    ) FROM dossiers_dossier WHERE holder_id = %s"""


def check_enrolled_once(dossier: Dossier) -> None:
    """Nobody pays twice for one seat. Holder is locked."""
    seat = [dossier.holder_id, dossier.session_id, dossier.starts_on, dossier.pk]
    if same := prepared.rows(_SAME_SEAT, [*seat, HAVE_A_SEAT]):
        raise Refused(_("Vous êtes déjà inscrit à cette session par le dossier %s.") % same[0][0])


HAVE_A_SEAT = [
    state.value
    for state in (State.AWAITING_PAYMENT, State.ACCEPTED, State.POSTPONED, State.ABSENT, State.IN_TRAINING)
]
_SAME_SEAT = """
    SELECT number FROM dossiers_dossier
    WHERE holder_id = %s AND session_id = %s AND starts_on = %s AND id <> %s AND state = ANY(%s)
    ORDER BY created_at, id LIMIT 1"""


def check_draft_count(dossier: Dossier) -> None:
    """A limit against abuse, not a right to count to the last one: nothing is locked."""
    if Dossier.objects.filter(holder=dossier.holder, state=State.DRAFT).count() >= DRAFTS_MAX:
        raise Refused(
            _("Vous avez déjà %s brouillons. Envoyez-en ou supprimez-en dans « Mes dossiers ».") % DRAFTS_MAX
        )


def check_project(dossier: Dossier) -> None:
    if not dossier.project.strip():
        raise Refused(_("Dites à l’organisme pourquoi vous choisissez cette formation."), field="project")


def check_withdrawal(dossier: Dossier, *, at: datetime) -> None:
    """`free_until` still runs. After it, a cancellation is no longer free, and is another verb."""
    if dossier.free_until is None or at >= dossier.free_until:
        due = french.last_minute(dossier.free_until) if dossier.free_until else ""
        raise Refused(
            _(
                "L’annulation sans frais n’est plus possible : elle l’était jusqu’au %(due)s. "
                "Rechargez la page : elle dit ce qu’une annulation vous coûterait."
            )
            % {"due": due}
        )


def check_no_longer_free(dossier: Dossier, *, at: datetime) -> None:
    """`free_until` is over: before it, a cancellation costs nothing and needs no excuse."""
    if dossier.free_until is not None and at < dossier.free_until:
        raise Refused(
            _("Jusqu’au %(due)s, l’annulation est sans frais : rétractez-vous, tout vous sera rendu.")
            % {"due": french.last_minute(dossier.free_until)}
        )


def check_entry(dossier: Dossier, entered_on: date, *, on: date) -> None:
    """The real first day: neither before the session nor in the future."""
    if dossier.starts_on is None or dossier.ends_on is None:
        raise ValueError("a confirmed registration has its dates")
    if entered_on > on:
        raise Refused(_("L’entrée ne peut pas être dans le futur."), field="entered_on")
    if entered_on < dossier.starts_on:
        raise Refused(
            _("L’entrée ne peut pas venir avant le premier jour convenu, le %(day)s.")
            % {"day": french.day(dossier.starts_on)},
            field="entered_on",
        )
    if entered_on > dossier.ends_on:
        raise Refused(
            _("L’entrée ne peut pas venir après le dernier jour convenu, le %(day)s.")
            % {"day": french.day(dossier.ends_on)},
            field="entered_on",
        )


def check_first_day_is_over(dossier: Dossier, *, on: date) -> None:
    """Somebody may still come on the first day: only the day after can they be said to be absent."""
    if dossier.starts_on is None or on <= dossier.starts_on:
        raise Refused(_("Attendez la fin du premier jour : la personne peut encore venir."))


def check_exit(dossier: Dossier, exited_on: date, *, on: date) -> None:
    """The real last day: not before the first, not in the future."""
    if dossier.entered_on is None:
        raise ValueError("who is in training has entered")
    if exited_on > on:
        raise Refused(_("La fin ne peut pas être dans le futur."), field="exited_on")
    if exited_on < dossier.entered_on:
        raise Refused(
            _("La fin ne peut pas venir avant l’entrée, le %(day)s.")
            % {"day": french.day(dossier.entered_on)},
            field="exited_on",
        )


def check_hours(total_minutes: int, done_minutes: int) -> None:
    """What was done is between nothing and the whole, and the whole is something."""
    if not 0 < total_minutes <= LONGEST_MINUTES:
        raise Refused(
            _("Donnez la durée prévue : de 15 minutes à %s heures.") % (LONGEST_MINUTES // 60),
            field="total_hours",
        )
    if done_minutes < 0:
        raise Refused(_("La durée suivie ne peut pas être négative."), field="done_hours")
    if done_minutes > total_minutes:
        raise Refused(
            _("La durée suivie dépasse la durée prévue : le taux de réalisation serait de plus de 100 %."),
            field="done_hours",
        )


def check_completion(
    *, total_minutes: int, done_minutes: int, cause: CompletionCause, force_majeure: bool, words: str
) -> None:
    """Hours that make sense; less than the whole has a cause, told in words; only who left is excused."""
    check_hours(total_minutes, done_minutes)
    is_complete = cause == CompletionCause.COMPLETE
    if is_complete and done_minutes < total_minutes:
        raise Refused(_("Tout n’a pas été suivi : dites pourquoi."), field="cause")
    if not is_complete and done_minutes == total_minutes:
        raise Refused(_("Tout a été suivi : il n’y a pas de cause à donner."), field="cause")
    if force_majeure and cause != CompletionCause.LEFT:
        raise Refused(
            _("La force majeure n’excuse que le départ ou l’absence de la personne."), field="force_majeure"
        )
    if not is_complete:
        check_reason(words, field="words")


def check_explained_in_time(dossier: Dossier, *, at: datetime) -> None:
    """The time to explain an absence still runs, whether or not the job has passed."""
    clock = Deadline.objects.filter(dossier=dossier, kind=ClockKind.ABSENCE, closed_at__isnull=True).first()
    if clock is None or clock.due_at <= at:
        raise Refused(
            _("Le délai pour expliquer votre absence est dépassé depuis le %(due)s.")
            % {"due": french.last_minute(clock.due_at)}
            if clock
            else _("Le délai pour expliquer votre absence est dépassé.")
        )


def check_not_validated(dossier: Dossier, *, at: datetime) -> None:
    """The time to contest a completion still runs, whether or not the job has passed."""
    clock = Deadline.objects.filter(
        dossier=dossier, kind=ClockKind.VALIDATION, closed_at__isnull=True
    ).first()
    if clock is None or clock.due_at <= at:
        raise Refused(_("Le délai pour contester est dépassé : le service fait est validé."))


def check_evidence_count(files: int, *, field: str = "evidence") -> None:
    """Force majeure is proved, by a few files."""
    if not files:
        raise Refused(_("Joignez un justificatif : une photo nette suffit."), field=field)
    if files > EVIDENCE_MAX:
        raise Refused(_("Joignez %s fichiers au plus.") % EVIDENCE_MAX, field=field)


def check_not_started(dossier: Dossier, *, on: date) -> None:
    """Its first day is still to come. Nobody begins on dates that are being moved (docs/decisions.md, 58)."""
    if dossier.state == State.POSTPONED:
        return
    if dossier.starts_on is not None and on >= dossier.starts_on:
        raise Refused(_("La formation a commencé : cette action n’est plus possible."))


def check_reason(reason: str, *, field: str = "reason") -> None:
    if not reason.strip():
        raise Refused(_("Donnez une raison : elle sera dite à l’autre personne."), field=field)
