"""Warning, suspending, reinstating an organisation: graduated, told, and answered before it is decided.

The law (Code des relations entre le public et l'administration, art. L. 121-1, L. 122-1 and L. 211-2):
an unfavourable decision says why, and comes after its addressee could answer; urgency alone allows to
act first (art. L. 121-2). So a suspension is announced, then decided; an urgent one is answered after.
Dossiers already confirmed go on (catalog.publishing).
"""

import logging
from datetime import date, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

import rulebook
from accounts import journal
from accounts.actors import SYSTEM, Actor
from admissions import announcements, guards, permissions
from admissions.models import Measure, MeasureStep
from admissions.states import MEASURE_MOVES, OPEN_MEASURES, MeasureState, Side
from catalog import publishing
from catalog.models import Provider
from rulebook import Rules, workdays
from ui.refusals import Refused, StalePage

log = logging.getLogger(__name__)


def warn(provider_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Measure:
    """Say what is wrong, without effect on the offers. By an admin."""
    return _open("warn", provider_id, by=by, at=at, request_id=request_id, words=words)


def intend(provider_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Measure:
    """Announce a suspension and let the organisation answer. By an admin. Effects: the delay runs."""
    return _open("intend", provider_id, by=by, at=at, request_id=request_id, words=words)


def suspend_at_once(
    provider_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
    ends_on: date | None = None,
) -> Measure:
    """Suspend first, in an emergency that `words` explain. By an admin.

    Effects: all offers closed at once; the organisation can answer; the decision is then confirmed or lifted.
    """
    return _open(
        "suspend_at_once", provider_id, by=by, at=at, request_id=request_id, words=words, ends_on=ends_on
    )


def answer(measure_id: int, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Measure:
    """What the organisation has to say, in several times if it likes, until the decision. By a manager."""
    with transaction.atomic():
        measure, side, is_done = _begin("answer", measure_id, by=by, request_id=request_id)
        if not is_done:
            guards.check_measure_move(measure, "answer")
            guards.check_words(words, missing=_("Écrivez votre réponse."))
            guards.check_answers_today(measure, at=at)
            _move(measure, "answer", side=side, by=by, at=at, request_id=request_id, words=words)
    return measure


def suspend(
    measure_id: int,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
    ends_on: date | None = None,
    is_urgent: bool = False,
) -> Measure:
    """Decide the suspension that was announced, once it could be answered, or in an emergency. By an admin.

    Effects: all offers closed, until `ends_on` included when it is given; a decision told with its reasons.
    """
    with transaction.atomic():
        measure, side, is_done = _begin("suspend", measure_id, by=by, request_id=request_id)
        if is_done:
            return measure
        guards.check_measure_move(measure, "suspend")
        guards.check_words(words)
        guards.check_end(ends_on, on=workdays.paris_day(at))
        if not is_urgent:
            guards.check_could_answer(measure, has_answered=has_answered(measure), at=at)
        measure.is_urgent, measure.ends_on = is_urgent, ends_on
        measure.save(update_fields=["is_urgent", "ends_on"])
        publishing.suspend(measure.provider_id, by=by, at=at, reason=words)
        _move(measure, "suspend", side=side, by=by, at=at, request_id=request_id, words=words)
    return measure


def confirm(
    measure_id: int,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
    ends_on: date | None = None,
) -> Measure:
    """Keep an urgent suspension, once its organisation could answer. By an admin."""
    with transaction.atomic():
        measure, side, is_done = _begin("confirm", measure_id, by=by, request_id=request_id)
        if is_done:
            return measure
        guards.check_measure_move(measure, "confirm")
        if not measure.is_urgent:
            raise Refused(_("Cette suspension est déjà décidée."))
        guards.check_words(words)
        guards.check_end(ends_on, on=workdays.paris_day(at))
        guards.check_could_answer(measure, has_answered=has_answered(measure), at=at)
        measure.is_urgent, measure.ends_on = False, ends_on
        measure.save(update_fields=["is_urgent", "ends_on"])
        _move(measure, "confirm", side=side, by=by, at=at, request_id=request_id, words=words)
    return measure


def drop(measure_id: int, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Measure:
    """Take a warning back, or give up a suspension that was announced. By an admin."""
    with transaction.atomic():
        measure, side, is_done = _begin("drop", measure_id, by=by, request_id=request_id)
        if not is_done:
            guards.check_measure_move(measure, "drop")
            guards.check_words(words)
            _move(measure, "drop", side=side, by=by, at=at, request_id=request_id, words=words)
    return measure


def lift(measure_id: int, *, by: Actor, at: datetime, request_id: UUID, words: str) -> Measure:
    """End a suspension: offers are shown again, as far as the rules open them. By an admin or the clock."""
    with transaction.atomic():
        measure, side, is_done = _begin("lift", measure_id, by=by, request_id=request_id)
        if is_done:
            return measure
        guards.check_measure_move(measure, "lift")
        guards.check_words(words)
        publishing.restore(measure.provider_id, by=by, at=at, reason=words)
        _move(measure, "lift", side=side, by=by, at=at, request_id=request_id, words=words)
    return measure


def lift_ended(*, at: datetime) -> int:
    """Lift every suspension whose last day is over; how many. Twice does nothing more, and what refuses is
    set aside: the others do not wait for it."""
    today = workdays.paris_day(at)
    ended = Measure.objects.filter(state=MeasureState.SUSPENDED, ends_on__lt=today).order_by("pk")
    lifted = 0
    for measure_id in list(ended.values_list("pk", flat=True)):
        request_id = uuid5(NAMESPACE_URL, f"measure:end:{measure_id}")
        words = _("La durée de la suspension est terminée.")
        try:
            lift(measure_id, by=SYSTEM, at=at, request_id=request_id, words=words)
            lifted += 1
        except Exception:  # a fault of ours on one measure must not keep an organisation closed
            log.exception("measure %s set aside", measure_id)
    return lifted


def has_answered(measure: Measure) -> bool:
    return MeasureStep.objects.filter(measure=measure, verb="answer").exists()


# --- Inside -------------------------------------------------------------------------------------------


@transaction.atomic
def _open(
    verb: str,
    provider_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
    ends_on: date | None = None,
) -> Measure:
    side = permissions.check_measure(verb, by)
    # Locked: two admins at once would open two suspensions, or one click two warnings.
    provider = (
        Provider.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=provider_id)
    )
    done = MeasureStep.objects.filter(measure__provider=provider, request_id=request_id).first()
    if done is not None:
        return done.measure
    guards.check_words(words)
    today = workdays.paris_day(at)
    guards.check_end(ends_on, on=today)
    if verb != "warn" and Measure.objects.filter(provider=provider, state__in=OPEN_MEASURES).exists():
        raise Refused(_("Une suspension est déjà en cours ou envisagée pour cet organisme."))
    rules: Rules = rulebook.on(today)
    measure = Measure.objects.create(
        provider=provider,
        is_urgent=verb == "suspend_at_once",
        reason=words.strip(),
        opened_at=at,
        answer_due_at=workdays.period(at, *rules.term("measure_answer")).expires_at,
        ends_on=ends_on,
    )
    if verb == "suspend_at_once":
        publishing.suspend(provider.pk, by=by, at=at, reason=words)
    _move(measure, verb, side=side, by=by, at=at, request_id=request_id, words=words)
    return measure


def _begin(verb: str, measure_id: int, *, by: Actor, request_id: UUID) -> tuple[Measure, Side, bool]:
    """Lock the measure, check who acts, and tell whether the same click came before."""
    measure = (
        Measure.objects.select_for_update(of=("self",))
        .select_related("provider__organisation")
        .get(pk=measure_id)
    )
    side = permissions.check_measure(verb, by, measure)
    done = MeasureStep.objects.filter(measure=measure, request_id=request_id).first()
    if done is not None and done.verb != verb:
        raise StalePage
    return measure, side, done is not None


def _move(
    measure: Measure,
    verb: str,
    *,
    side: Side,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
) -> MeasureStep:
    target = MeasureState(MEASURE_MOVES[verb].target_of(measure.state))
    step = MeasureStep.objects.create(
        measure=measure,
        verb=verb,
        from_state=measure.state,
        to_state=target,
        side=side,
        user_id=by.user.pk if by.user else None,
        at=at,
        request_id=request_id,
        words=words.strip(),
    )
    measure.state = target
    # publishing writes « suspend » and « restore », which change what the public sees.
    if side != Side.ORGANISATION:
        journal.record(
            by=by, action=f"measure_{verb}", subject=measure.provider, at=at, details={"measure": measure.pk}
        )
    announcements.announce_measure(measure, step, at=at)
    return step
