"""What the clock does for requests: remind once, say when the administration is late, forget documents."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

import rulebook
from accounts.actors import SYSTEM
from admissions import announcements, clocks, documents, workflow
from admissions.models import FOLDER, Document, JoinRequest, JoinStep
from admissions.states import EDITABLE, FINAL_STATES, State
from rulebook import workdays
from ui.documents import private_storage

log = logging.getLogger(__name__)

# Ours: long enough to gather papers, short enough to remember why.
REMIND_AFTER = timedelta(days=14)
# A draft holds an identity document: nobody's forgotten papers stay here for ever.
FORGET_DRAFTS_AFTER = timedelta(days=180)
# A file whose request was never committed; younger ones may be on their way.
ORPHAN_AFTER = timedelta(days=1)


def remind(*, at: datetime) -> int:
    """Remind, once, the author of every request left for two weeks; how many."""
    left = JoinRequest.objects.filter(
        state__in=EDITABLE, reminded_at__isnull=True, touched_at__lte=at - REMIND_AFTER
    )

    def one(asked: JoinRequest) -> None:
        announcements.remind(asked, at=at)
        JoinRequest.objects.filter(pk=asked.pk).update(reminded_at=at)

    return _each(left, one)


def tell_lateness(*, at: datetime) -> int:
    """Tell the administration, once each, which requests it left without an answer in time; how many."""

    def one(asked: JoinRequest) -> None:
        announcements.tell_lateness(asked, at=at)
        JoinRequest.objects.filter(pk=asked.pk).update(lateness_told_at=at)

    return _each(late(at=at).filter(lateness_told_at__isnull=True), one)


def late(*, at: datetime):
    """The requests whose delay has passed without the administration's word. Nothing refuses them."""
    is_late = Q(state=State.SENT, receivable_due_at__lte=at) | Q(
        state=State.RECEIVABLE, decision_due_at__lte=at
    )
    return JoinRequest.objects.filter(is_late)


def clear_away(*, at: datetime) -> int:
    """Forget the documents of requests that are over and can no longer be contested, drafts that were
    abandoned, and files without a row; how many things went."""

    def forget_documents(asked: JoinRequest) -> None:
        last = JoinStep.objects.filter(join_request=asked).latest("id")
        rules = rulebook.on(workdays.paris_day(last.at))
        if clocks.contest_until(last.at, rules=rules) <= at:
            documents.remove_all(asked)

    over = JoinRequest.objects.filter(state__in=FINAL_STATES, documents__isnull=False).distinct()
    abandoned = JoinRequest.objects.filter(state=State.DRAFT, touched_at__lte=at - FORGET_DRAFTS_AFTER)
    done = _each(JoinRequest.objects.filter(pk__in=over.values("pk")), forget_documents)
    done += _each(abandoned, lambda asked: workflow.discard(asked.pk, by=SYSTEM))
    return done + _remove_orphans(at=at)


def _each(found, act: Callable[[JoinRequest], None]) -> int:
    """Each in a transaction of its own, looked at again once it is locked; a fault stops nobody else."""
    done = 0
    for pk in list(found.order_by("pk").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                asked = found.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
                if asked is not None:
                    act(asked)
                    done += 1
        except Exception:  # a fault of ours on one request must not keep the others back
            log.exception("join request %s set aside", pk)
    return done


def _remove_orphans(*, at: datetime) -> int:
    storage = private_storage()
    if not storage.exists(FOLDER):
        return 0
    _folders, names = storage.listdir(FOLDER)
    paths = {f"{FOLDER}/{name}" for name in names}
    known = set(Document.objects.filter(file__in=paths).values_list("file", flat=True))
    gone = 0
    for path in sorted(paths - known):
        if storage.get_modified_time(path) <= at - ORPHAN_AFTER:
            storage.delete(path)
            gone += 1
    return gone
