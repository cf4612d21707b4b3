"""A confirmed session that cannot be held: other dates, which its holder agrees to or leaves free of charge.

The verbs go on from workflow.py and have the same six steps. While a proposal waits nothing can cost its
holder anything (docs/decisions.md, 58): no entry, no absence, no late cancellation; leaving is free, and so
is silence. Locks: dossier, holder (to agree), the session proposed (so that its last seat is offered once).
"""

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from accounts.permissions import freeze_in_words
from catalog import eligibility
from catalog.models import Session
from dossiers import clocks, guards, inbox, moves
from dossiers.models import Deadline, Dossier, Postponement, Transition
from dossiers.states import ClockKind, State
from rulebook import Rules, workdays
from ui import french
from ui.refusals import Refused

# An organisation may hide an offer from newcomers or be suspended, an offer be withheld, a number be unknown
# to us: what is confirmed goes on all the same.
ONLY_FOR_NEWCOMERS = eligibility.OWN_CHOICES | {
    eligibility.Code.PROVIDER_SUSPENDED,
    eligibility.Code.WITHHELD,
    eligibility.Code.ACTIVITY_UNDECLARED,
}


def postpone(
    dossier_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    session_id: UUID,
    starts_on: date,
    ends_on: date,
    reason: str,
) -> Dossier:
    """Propose other dates before the first day, and say why. By the organisation.

    `session_id`: another open session of the same offer, on its own dates, or the same one on other dates.
    Effects: a Postponement; POSTPONED, the clock of the holder's answer; a notice to them. No money moves.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("postpone", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        if dossier.state == State.POSTPONED:
            raise Refused(
                _("Un report attend déjà la réponse du titulaire. Reprenez-le avant d’en proposer un.")
            )
        guards.check_move(dossier, "postpone")
        today = workdays.paris_day(at)
        guards.check_not_started(dossier, on=today)
        if dossier.starts_on is None or dossier.ends_on is None:
            raise ValueError("a confirmed registration has its dates")
        rules = rulebook.on(today)
        check_dates(dossier, starts_on, ends_on, on=today, rules=rules)
        session = lock_session(dossier, session_id)
        check_session(dossier, session, starts_on, ends_on, at=at)
        guards.check_reason(reason)
        old = {"was_starts_on": dossier.starts_on, "was_ends_on": dossier.ends_on}
        new = {"starts_on": starts_on, "ends_on": ends_on}
        Postponement.objects.create(
            dossier=dossier, session=session, reason=reason.strip(), proposed_at=at, **new, **old
        )
        moves.make(
            dossier,
            "postpone",
            State.POSTPONED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            outcome=Deadline.Outcome.MOOT,
            reason=reason.strip(),
            details={name: str(day) for name, day in (new | old).items()}
            | {"session": session.number, "was_session": dossier.session.number},
        )
    return dossier


def keep_dates(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """Take the proposal back while nobody has answered: the dates agreed before stand. By the organisation.

    Effects: ACCEPTED; cancelling is free again for as long as the holder had to answer; a notice to them.
    Refused where that would go beyond the eve of the first day: who was told not to come may not see it.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("keep_dates", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "keep_dates")
        check_unanswered_in_time(dossier, at=at)
        rules = rulebook.on(workdays.paris_day(at))
        dossier.free_until = free_until_if_kept(dossier, at=at, rules=rules)
        dossier.save(update_fields=["free_until"])
        moves.make(
            dossier,
            "keep_dates",
            State.ACCEPTED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            outcome=Deadline.Outcome.MOOT,
        )
    return dossier


def agree_to_dates(
    dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, seen_postponement: int | None = None
) -> Dossier:
    """Say yes to the other dates. By the holder.

    Effects: the dossier has the new dates and their session, and keeps its money; ACCEPTED; `free_until` is
    computed as at a confirmation, and is never earlier than it was, but at the new first day; notices.
    `seen_postponement`: the proposal that the person saw; another one today is refused.
    """
    with transaction.atomic():
        dossier, is_done = moves.begin("agree_to_dates", dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, "agree_to_dates")
        check_unanswered_in_time(dossier, at=at)
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        moves.lock_holder(dossier)
        if dossier.holder.is_frozen(on=today):
            raise Refused(freeze_in_words(dossier.holder))
        proposed = waiting(dossier)
        if seen_postponement not in (None, proposed.pk):
            raise Refused(
                _("L’organisme propose d’autres dates que celles affichées. Relisez-les avant de répondre.")
            )
        check_still_taught(dossier, proposed.ends_on, rules=rules)
        dossier.free_until = free_until_if_agreed(dossier, proposed, at=at, rules=rules)
        dossier.session = proposed.session
        dossier.starts_on, dossier.ends_on = proposed.starts_on, proposed.ends_on
        guards.check_enrolled_once(dossier)
        dossier.save(update_fields=["session", "starts_on", "ends_on", "free_until"])
        moves.make(
            dossier,
            "agree_to_dates",
            State.ACCEPTED,
            by=by,
            at=at,
            request_id=request_id,
            rules=rules,
            details={
                "starts_on": str(proposed.starts_on),
                "ends_on": str(proposed.ends_on),
                "was_starts_on": str(proposed.was_starts_on),
                "was_ends_on": str(proposed.was_ends_on),
            },
        )
    return dossier


def leave_free(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str = "") -> Dossier:
    """Leave instead of taking other dates, whatever `free_until` says. By the holder, until undone.

    Effects: everything reserved goes back where it came from, what was paid is owed; CANCELLED_BY_PROVIDER,
    cause "postponed"; notices to both sides.
    """
    return _undo(
        "leave_free", dossier_id, by=by, at=at, request_id=request_id, cause="postponed", reason=reason
    )


def undo_unanswered(dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Dossier:
    """Nobody answered in time, and the dates agreed before are not held: as if they had left. By the system.

    Effects: those of `leave_free`, cause "silence".
    """
    return _undo("undo_unanswered", dossier_id, by=by, at=at, request_id=request_id, cause="silence")


def or_free(verb: Callable[..., Dossier]) -> Callable[..., Dossier]:
    """A verb by which a holder leaves a confirmed registration: done from a page that does not know yet that
    other dates are proposed, it is the free way out that is taken."""

    def leave(
        dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, reason: str = "", **seen: int
    ) -> Dossier:
        with transaction.atomic():
            dossier = moves.lock(dossier_id)
            left = Transition.objects.filter(dossier=dossier, request_id=request_id, verb="leave_free")
            if dossier.state == State.POSTPONED or left.exists():
                return leave_free(dossier_id, by=by, at=at, request_id=request_id, reason=reason)
            return verb(dossier_id, by=by, at=at, request_id=request_id, reason=reason, **seen)

    return leave


# --- What is proposed, and what becomes of the free time ------------------------------------------------


def waiting(dossier: Dossier) -> Postponement:
    """The proposal that a postponed dossier waits with."""
    return Postponement.objects.filter(dossier=dossier).select_related("session").latest("id")


def free_until_if_agreed(dossier: Dossier, proposed: Postponement, *, at: datetime, rules: Rules) -> datetime:
    """A yes to other dates is a new yes: the free time of a confirmation, never less than there was."""
    fresh = clocks.free_period(accepted_at=at, starts_on=proposed.starts_on, rules=rules).expires_at
    longest = max(fresh, dossier.free_until or fresh)
    return min(longest, workdays.midnight_of(proposed.starts_on))


def free_until_if_kept(dossier: Dossier, *, at: datetime, rules: Rules) -> datetime:
    """What the holder was promised, to leave free, is given again. Refused: the first day is too near."""
    again = workdays.period(at, *rules.term(ClockKind.POSTPONEMENT)).expires_at
    if dossier.starts_on is None or workdays.midnight_of(dossier.starts_on) < again:
        raise Refused(
            _(
                "Les dates d’avant sont trop proches pour y revenir : la personne compte sur le report. "
                "Attendez sa réponse, ou annulez l’inscription."
            )
        )
    return max(again, dossier.free_until or again)


def sessions_to_offer(dossier: Dossier, *, at: datetime) -> list[tuple[Session, inbox.Places]]:
    """The other sessions of this offer that could be proposed today, soonest first, with their places.

    Where one may come in at any time the days are typed: that needs no other session.
    """
    today = workdays.paris_day(at)
    open_now = dossier.offer.sessions.obtainable(today, rulebook.on(today)).filter(starts_on__isnull=False)
    sessions = list(open_now.exclude(pk=dossier.session_id).order_by("starts_on", "number"))
    places = inbox.places_of(sessions, at=at)
    return [(session, places[session.pk]) for session in sessions]


# --- Guards -----------------------------------------------------------------------------------------------


def check_dates(dossier: Dossier, starts_on: date, ends_on: date, *, on: date, rules: Rules) -> None:
    """Other dates than those agreed, in their order, as far away as the law wants, while it may be taught."""
    guards.check_dates(starts_on, ends_on, on=on)
    if (starts_on, ends_on) == (dossier.starts_on, dossier.ends_on):
        raise Refused(_("Ce sont les dates déjà convenues : choisissez-en d’autres."), field="starts_on")
    guards.check_earliest_start(starts_on, on=on, rules=rules)
    check_still_taught(dossier, ends_on, rules=rules)


def check_still_taught(dossier: Dossier, ends_on: date, *, rules: Rules) -> None:
    """What it prepares for, and who may prepare for it, hold until the new last day."""
    facts = eligibility.facts_of(dossier.offer)
    for why in eligibility.refusals(facts, on=ends_on, rules=rules):
        if why.code not in ONLY_FOR_NEWCOMERS:
            raise Refused(
                _("À ces dates, cette formation ne serait plus ouverte : %(why)s") % {"why": why.sentence},
                field="ends_on",
            )


def lock_session(dossier: Dossier, session_id: UUID) -> Session:
    """A session of the same offer; two proposals for its last seat come one after the other."""
    found = Session.objects.select_for_update(no_key=True).filter(pk=session_id, offer_id=dossier.offer_id)
    session = found.first()
    if session is None:
        raise Refused(_("Cette session n’est pas une session de cette formation."), field="session")
    return session


def check_session(
    dossier: Dossier, session: Session, starts_on: date, ends_on: date, *, at: datetime
) -> None:
    """Another session is open, has a seat, and is held on its own dates."""
    if session.pk == dossier.session_id:
        return
    if not session.is_open:
        raise Refused(
            _("Cette session n’accepte plus d’inscription. Choisissez-en une autre."), field="session"
        )
    if not session.is_permanent and (session.starts_on, session.ends_on) != (starts_on, ends_on):
        raise Refused(
            _("Cette session a ses propres dates. Rechargez la page pour les lire."), field="session"
        )
    if inbox.places_of([session], at=at)[session.pk].left == 0:
        raise Refused(_("Cette session est pleine. Choisissez-en une autre."), field="session")


def check_unanswered_in_time(dossier: Dossier, *, at: datetime) -> None:
    """The time to answer still runs, whether or not the job has passed."""
    clock = clocks.running(dossier, ClockKind.POSTPONEMENT)
    if clock is None or clock.due_at <= at:
        raise Refused(
            _(
                "Le délai de réponse à ce report est dépassé depuis le %(due)s : "
                "l’inscription est défaite sans frais, et tout est rendu."
            )
            % {"due": french.last_minute(clock.due_at) if clock else ""}
        )


# --- What the verbs are made of ---------------------------------------------------------------------------


def _undo(
    verb: str, dossier_id: UUID, *, by: Actor, at: datetime, request_id: UUID, cause: str, reason: str = ""
) -> Dossier:
    """The registration is undone because its dates were: everything goes back."""
    with transaction.atomic():
        dossier, is_done = moves.begin(verb, dossier_id, by=by, request_id=request_id)
        if is_done:
            return dossier
        guards.check_move(dossier, verb)
        if by.is_system:
            moves.check_over(dossier, ClockKind.POSTPONEMENT, at=at)
        moves.release(dossier, by=by, at=at)
        moves.make(
            dossier,
            verb,
            State.CANCELLED_BY_PROVIDER,
            by=by,
            at=at,
            request_id=request_id,
            outcome=Deadline.Outcome.MISSED if by.is_system else Deadline.Outcome.MET,
            cause=cause,
            reason=reason.strip(),
        )
    return dossier
