"""One answer for many requests: prepared, looked at, confirmed, then carried out line by line.

`prepare` writes down what each line would do and why some cannot; nothing is answered before
`confirm`. `carry_out` then gives each line to the verb of an answer given alone, in a transaction of
its own and under a request id drawn when the line was written: a line is done once, whoever runs it
again. A request that changed meanwhile is refused by its verb, with the reason, and stops no other.

Locks: the line, then the dossier and what follows it (docs/locks.md).
"""

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import assert_never
from uuid import UUID

from celery import current_app
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from accounts.listing import roles_of
from accounts.permissions import NotAllowed
from dossiers import clocks, guards, workflow
from dossiers.guards import Judged
from dossiers.models import Batch, BatchLine, Motive
from dossiers.permissions import visible_dossiers
from dossiers.states import ClockKind
from rulebook import Rules, workdays
from ui.refusals import Refused, StalePage

log = logging.getLogger(__name__)

CARRY_OUT_TASK = "dossiers.tasks.carry_out_batches"

# What a person can still look over before they confirm it.
LINES_MAX = 200
# Nobody answers so often: it stops a machine from filling the table.
BATCHES_A_DAY_MAX = 100
# A preview that nobody confirmed names people: it does not stay.
UNCONFIRMED_FOR = timedelta(days=1)
# An access of three years is the longest that offers of the catalogue name.
LASTING_DAYS_MAX = 1_100
NEEDS_WORDS = frozenset({Motive.PREREQUISITES, Motive.UNSUITED, Motive.OTHER})

Outcome = BatchLine.Outcome


def visible_batches(actor: Actor) -> QuerySet[Batch]:
    """The batches of the organisation this actor acts for; nobody else's business."""
    return (
        Batch.objects.filter(provider_id=actor.organisation_id) if actor.is_provider else Batch.objects.none()
    )


def refusal_reason(motive: str, words: str) -> str:
    """What the holder reads: the motive, then the organisation's own words. Refused: one is missing."""
    if motive not in Motive.values:
        raise Refused(_("Choisissez le motif : il sera dit au titulaire."), field="motive")
    if not words.strip() and motive in NEEDS_WORDS:
        raise Refused(_("Expliquez en quelques mots : ce motif seul ne suffit pas."), field="words")
    return "\n".join(part for part in (str(Motive(motive).label), words.strip()) if part)


# --- Before the click ------------------------------------------------------------------------------


def prepare(answer: str, *, dossiers: Iterable[UUID], by: Actor, at: datetime, request_id: UUID) -> Batch:
    """Write down a batch and what each line would do now. Answers nothing. By the organisation."""
    if not by.is_provider:
        raise NotAllowed(_("Seul un organisme de formation répond à des demandes."))
    chosen = list(dict.fromkeys(dossiers))
    if not chosen:
        raise Refused(_("Cochez au moins une demande."))
    if len(chosen) > LINES_MAX:
        raise Refused(_("Choisissez %s demandes au plus à la fois.") % LINES_MAX)
    with transaction.atomic():
        done = visible_batches(by).filter(creation_request_id=request_id).first()
        if done:
            return done
        if visible_batches(by).filter(prepared_at__gt=at - timedelta(days=1)).count() >= BATCHES_A_DAY_MAX:
            raise Refused(_("Trop de réponses groupées en un jour. Vous pourrez reprendre demain."))
        found = list(visible_dossiers(by).filter(pk__in=chosen).values_list("pk", flat=True))
        if len(found) != len(chosen):
            # Another organisation's, or no one's: said the same way. Two tabs, two roles does it too.
            raise Refused(_("Une de ces demandes n’est pas dans cette boîte. Rechargez la page."))
        batch, is_new = Batch.objects.get_or_create(
            creation_request_id=request_id,
            defaults={
                "provider_id": by.organisation_id,
                "answer": Batch.Answer(answer),
                "prepared_by": by.user,
                "prepared_at": at,
            },
        )
        if not is_new:
            # The same click from another connection was faster; else the name is taken.
            if batch.provider_id != by.organisation_id:
                raise StalePage
            return batch
        BatchLine.objects.bulk_create(
            BatchLine(batch=batch, position=position, dossier_id=dossier_id)
            for position, dossier_id in enumerate(chosen, start=1)
        )
        _look(batch, at=at)
    return batch


def review(batch_id: UUID, *, by: Actor, at: datetime, lasting_days: int | None = None) -> Batch:
    """Write down again what each line would do: on a new day, or once a duration is given."""
    with transaction.atomic():
        batch = _lock(batch_id, by=by)
        if batch.confirmed_at is None:
            if lasting_days is not None and not 1 <= lasting_days <= LASTING_DAYS_MAX:
                raise Refused(_("Donnez une durée de 1 à %s jours.") % LASTING_DAYS_MAX, field="lasting_days")
            batch.lasting_days = lasting_days or batch.lasting_days
            batch.prepared_at = at
            batch.save(update_fields=["lasting_days", "prepared_at"])
            _look(batch, at=at)
    return batch


def discard(batch_id: UUID, *, by: Actor) -> None:
    """Throw a preview away: nothing was answered. Once confirmed, nothing is thrown away."""
    with transaction.atomic():
        batch = _lock(batch_id, by=by)
        if batch.confirmed_at is not None:
            raise Refused(_("Cette réponse groupée est déjà confirmée."))
        batch.delete()


def discard_forgotten(*, at: datetime) -> int:
    """Throw away the previews that nobody confirmed. Gives how many."""
    forgotten = Batch.objects.filter(confirmed_at__isnull=True, prepared_at__lt=at - UNCONFIRMED_FOR)
    return forgotten.delete()[1].get("dossiers.Batch", 0)


def _look(batch: Batch, *, at: datetime) -> None:
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    lines = list(
        batch.lines.select_related(
            "dossier__offer__provider__organisation", "dossier__offer__certification", "dossier__session"
        ).order_by("position")
    )
    judged = guards.judge_each([line.dossier for line in lines], on=today, rules=rules)
    for line in lines:
        line.outcome, line.obstacle = Outcome.WAITING, ""
        facts = judged[line.dossier_id]
        try:
            guards.check_move(line.dossier, batch.answer)
            guards.check_due(facts.due_at, at=at)
            if batch.answer == Batch.Answer.PROPOSE:
                _plan_proposal(line, facts, lasting_days=batch.lasting_days, at=at, rules=rules)
        except Refused as refusal:
            line.outcome, line.obstacle = Outcome.SET_ASIDE, refusal.message
    BatchLine.objects.bulk_update(
        lines, ["price_cents", "starts_on", "ends_on", "holder_until", "outcome", "obstacle"]
    )


def _plan_proposal(
    line: BatchLine, judged: Judged, *, lasting_days: int | None, at: datetime, rules: Rules
) -> None:
    """What was asked for, as a proposal. Refused: it cannot be proposed as it stands."""
    dossier = line.dossier
    asked = judged.asked
    line.price_cents = asked["price_cents"]
    line.starts_on, line.ends_on = _day(asked.get("starts_on")), _day(asked.get("ends_on"))
    line.holder_until = None
    if dossier.session.starts_on not in {None, line.starts_on} or (
        dossier.session.starts_on and dossier.session.ends_on != line.ends_on
    ):
        raise Refused(
            _("La session a changé de dates depuis la demande : répondez-y à part, en disant pourquoi.")
        )
    if line.starts_on is None:
        raise Refused(_("La demande ne dit pas le premier jour : répondez-y à part."))
    if line.ends_on is None:
        if lasting_days is None:
            raise Refused(_("Entrée à tout moment : indiquez ci-dessus la durée de la formation."))
        line.ends_on = line.starts_on + timedelta(days=lasting_days - 1)
    guards.check_proposal(
        dossier,
        judged,
        price_cents=line.price_cents,
        starts_on=line.starts_on,
        ends_on=line.ends_on,
        change_reason="",
        at=at,
        rules=rules,
    )
    line.holder_until = clocks.period_of(
        ClockKind.HOLDER_ANSWER, at=at, rules=rules, starts_on=line.starts_on
    ).expires_at


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


# --- The click -------------------------------------------------------------------------------------


def confirm(batch_id: UUID, *, by: Actor, at: datetime, motive: str = "", words: str = "") -> Batch:
    """Answer. Effects: confirmed, once; a worker is asked to carry it out. By the organisation.

    Refused: the preview is of another day, whose deadlines are others; nothing is left to do; a
    refusal without its motive.
    """
    with transaction.atomic():
        batch = _lock(batch_id, by=by)
        if batch.confirmed_at is not None:
            return batch
        if batch.answer == Batch.Answer.REFUSE:
            refusal_reason(motive, words)
            batch.motive, batch.words = motive, words.strip()
        if workdays.paris_day(batch.prepared_at) != workdays.paris_day(at):
            raise Refused(_("Cet aperçu date d’un autre jour : les délais ont changé. Refaites-le."))
        if not batch.lines.filter(outcome=Outcome.WAITING).exists():
            raise Refused(_("Aucune de ces demandes ne peut recevoir cette réponse."))
        batch.confirmed_by, batch.confirmed_at = by.user, at
        batch.save(update_fields=["motive", "words", "confirmed_by", "confirmed_at"])
        # Robust: beat finds the batch anyway, so a broker that is down must not undo the click.
        transaction.on_commit(_ask_a_worker, robust=True)
    return batch


def _ask_a_worker() -> None:
    current_app.send_task(CARRY_OUT_TASK, expires=60, retry=False, ignore_result=True)


def _lock(batch_id: UUID, *, by: Actor) -> Batch:
    batch = visible_batches(by).select_for_update(of=("self",)).filter(pk=batch_id).first()
    if batch is None:
        raise NotAllowed(_("Cette réponse groupée n’est pas celle de votre organisme."))
    return batch


# --- After it --------------------------------------------------------------------------------------


def to_carry_out() -> list[UUID]:
    """The batches confirmed and not finished, the oldest first."""
    found = Batch.objects.filter(confirmed_at__isnull=False, finished_at__isnull=True)
    return list(found.order_by("confirmed_at", "pk").values_list("pk", flat=True))


def carry_out(batch_id: UUID, *, at: datetime, limit: int) -> int:
    """Do the next `limit` lines at most, each for itself; gives how many. Several may run at once.

    `at` is the moment they are done, not that of the click: lateness is judged by the verb.
    """
    batch = Batch.objects.select_related("confirmed_by").get(pk=batch_id)
    if batch.confirmed_by is None:
        raise ValueError("a batch is confirmed before it is carried out")
    done = 0
    while done < limit and _do_next(batch, at=at):
        done += 1
    if not batch.lines.filter(outcome=Outcome.WAITING).exists():
        Batch.objects.filter(pk=batch_id, finished_at__isnull=True).update(finished_at=at)
    return done


def _do_next(batch: Batch, *, at: datetime) -> bool:
    """One line that nobody else holds, in a transaction of its own. False: there is none."""
    with transaction.atomic():
        waiting = batch.lines.filter(outcome=Outcome.WAITING).order_by("position")
        line = waiting.select_for_update(skip_locked=True, of=("self",)).first()
        if line is None:
            return False
        try:
            # A savepoint: what a fault half did is undone, and the line still says so.
            with transaction.atomic():
                _do(batch, line, at=at)
            line.outcome, line.obstacle = Outcome.DONE, ""
        except (Refused, NotAllowed) as refusal:
            line.outcome, line.obstacle = Outcome.REFUSED, refusal.message
        except OperationalError:
            raise  # a lock held too long, a server that stops: the line waits for the next run
        except Exception:
            log.exception("line %s of batch %s", line.pk, batch.pk)
            line.outcome = Outcome.REFUSED
            line.obstacle = _("Une erreur est survenue : rien n’a été fait. Répondez à cette demande à part.")
        line.done_at = at
        line.save(update_fields=["outcome", "obstacle", "done_at"])
    return True


def _do(batch: Batch, line: BatchLine, *, at: datetime) -> None:
    by = _who_confirmed(batch)
    answer = Batch.Answer(batch.answer)
    if answer == Batch.Answer.PROPOSE:
        if line.price_cents is None or line.starts_on is None or line.ends_on is None:
            raise ValueError("a line that waits to be proposed has its price and days")
        workflow.propose(
            line.dossier_id,
            by=by,
            at=at,
            request_id=line.request_id,
            price_cents=line.price_cents,
            starts_on=line.starts_on,
            ends_on=line.ends_on,
        )
    elif answer == Batch.Answer.REFUSE:
        workflow.refuse(
            line.dossier_id,
            by=by,
            at=at,
            request_id=line.request_id,
            reason=refusal_reason(batch.motive, batch.words),
            cause=batch.motive,
        )
    else:
        assert_never(answer)


def _who_confirmed(batch: Batch) -> Actor:
    """As they are now: who has left the organisation since the click answers for it no more."""
    user = batch.confirmed_by
    roles = roles_of(user) if user and user.is_active else []
    by = next((actor for actor in roles if actor.organisation_id == batch.provider_id), None)
    if by is None:
        raise NotAllowed(_("La personne qui a confirmé n’agit plus pour cet organisme."))
    return by
