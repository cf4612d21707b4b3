"""What must hold after a storm, whatever broke: read from the database, the mail server and the clients."""

import time
from collections import Counter
from datetime import timedelta
from statistics import median

from django.db import connection
from django.db.models import Count
from django.db.models.functions import Lower
from django.utils import timezone

from dossiers.announcements import NOTICES
from dossiers.models import Deadline, Dossier, FundingLine, Transition
from dossiers.states import FINAL_STATES, State
from notices import outbox
from notices.models import Notice
from portal import figures
from rights import integrity
from rights.kinds import Unit
from tools.storms.load import patiently

DELIVERY, SWEEP = "notices.tasks.deliver_due", figures.SWEEP
CALM_SECONDS = 400  # a mail whose deliverer was killed comes again after one minute, then two


def wait_for_calm(*, limit=CALM_SECONDS):
    """Until no clock is overdue and no notice waits; seconds waited. Whoever keeps waiting is stuck."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit and not patiently(is_calm):
        time.sleep(0.5)
    return time.monotonic() - begun


def is_calm():
    at = timezone.now()
    return not (figures.overdue_clocks(at=at).count or figures.waiting_notices(at=at).count)


def waiting():
    """« 80 overdue clocks, 12 reminders, 200 mails »."""
    at = timezone.now()
    clocks, mails = figures.overdue_clocks(at=at).count, figures.waiting_notices(at=at).count
    return f"{clocks} overdue clocks, {due_reminders()} reminders due, {mails} mails waiting"


def mail_counts():
    """How many notices wait, and how many were given up."""
    return Notice.objects.waiting().count(), Notice.objects.exclude(given_up_at=None).count()


def mail_everything():
    """As time would: each notice that waits is tried at its moment, those given up once more by hand."""
    given_up = list(Notice.objects.exclude(given_up_at=None))
    for notice in given_up:
        outbox.retry(notice, at=timezone.now())
    for hours in range(1, 40):
        outbox.deliver_due(at=timezone.now() + timedelta(hours=hours), limit=100_000)
        if not Notice.objects.waiting().exists():
            break
        time.sleep(0.5)  # the worker is at it too: one of the two delivers
    return len(given_up)


def cut_connections():
    """Every connection to the database but ours ends at once."""
    patiently(is_calm)  # ours may be of before a restart
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def drill_databases():
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'drill%'")
        return [name for (name,) in cursor.fetchall()]


def due_reminders():
    at = timezone.now()
    return Deadline.objects.filter(closed_at__isnull=True, next_reminder_at__lte=at, due_at__gt=at).count()


def reminders_sent_once():
    """A reminder missed for days is sent once, not once for each moment that went by."""
    keys = Counter(
        key.split(":")[1] for key in Notice.objects.filter(event_key__startswith="reminder:")
        .values_list("event_key", flat=True)
    )  # fmt: skip
    if not keys:
        yield "no reminder was sent"
    yield from (f"clock {clock} was reminded {times} times" for clock, times in keys.items() if times > 1)


def ended_ones_are_closed(memory):
    closed = Transition.objects.filter(dossier__in=memory.ended, verb="close")
    if (found := closed.count()) != len(memory.ended):
        yield f"{found} of {len(memory.ended)} dossiers of an ended certification were closed"


def last_run(task):
    """When this job last came to its end (time.time()), or None."""
    at = timezone.now()
    age = figures.age_of(task, at=at)
    return None if age is None else at.timestamp() - age


def breaches(stage, memory, *, most_repeats=0):
    """Every promise that was not kept, in words; empty when all were."""
    return [
        *memory.breaches,
        *_acknowledged_is_there_once(memory),
        *_nothing_was_invented(memory),
        *_money_follows_states(),
        *_clocks_were_settled_once(memory),
        *_everybody_was_told(stage, most_repeats=most_repeats),
        *_nothing_answered_500(memory),
        *_everything_still_runs(stage),
    ]


def _acknowledged_is_there_once(memory):
    moves = Counter(
        (str(dossier_id), str(request_id), verb)
        for dossier_id, request_id, verb in Transition.objects.values_list("dossier_id", "request_id", "verb")
    )
    made = {str(name) for name in Dossier.objects.values_list("creation_request_id", flat=True)}
    for act in memory.acknowledged:
        if act.verb == "create":
            if str(act.request_id) not in made:
                yield f"an acknowledged dossier is missing: {act.request_id}"
            continue
        found = moves[str(act.dossier_id), str(act.request_id), act.verb]
        if found != 1:
            yield f"an acknowledged {act.verb} of {act.dossier_id} is there {found} times"


def _nothing_was_invented(memory):
    """A move by a person that nobody asked for; a verb twice on one dossier."""
    asked = {str(act.request_id) for act in memory.acts}
    ours = {act.dossier_id for act in memory.acts if act.dossier_id}
    for dossier_id, request_id, verb in Transition.objects.filter(dossier__in=ours).values_list(
        "dossier_id", "request_id", "verb"
    ):
        if str(request_id) not in asked:
            yield f"nobody asked for this {verb} of {dossier_id}"
    twice = Transition.objects.values("dossier_id", "verb").annotate(times=Count("pk")).filter(times__gt=1)
    for row in twice:
        yield f"{row['verb']} happened {row['times']} times to {row['dossier_id']}"
    for act in memory.acts:
        if act.verb == "create" and act.tries and not act.acknowledged:
            yield f"a click was never answered: {act}"


def _money_follows_states():
    for finding in integrity.audit().findings:
        yield f"ledger: {finding.rule} {finding.subject} {finding.details}"
    reserved = FundingLine.objects.filter(reserved__isnull=False)
    for dossier_id in (
        reserved.filter(dossier__state__in=FINAL_STATES, reserved__balance__gt=0)
        .order_by()
        .values_list("dossier_id", flat=True)
        .distinct()
    ):
        yield f"rights still reserved for a dossier that is over: {dossier_id}"
    living = reserved.filter(dossier__state__in=[State.ACCEPTED, State.POSTPONED, State.AWAITING_PAYMENT])
    for line in living.exclude(kind=FundingLine.Kind.PAYMENT).select_related("reserved"):
        if line.reserved.balance != line.amount_cents:
            yield f"{line.dossier_id}: {line.reserved.balance} reserved instead of {line.amount_cents}"


def _clocks_were_settled_once(memory):
    at = timezone.now()
    lapses = Counter(
        Transition.objects.filter(dossier__in=memory.overdue, verb="lapse").values_list(
            "dossier_id", flat=True
        )
    )
    for dossier_id in memory.overdue:
        if lapses[dossier_id] != 1:
            yield f"the overdue dossier {dossier_id} was settled {lapses[dossier_id]} times"
    if stuck := Deadline.objects.filter(closed_at__isnull=True, due_at__lte=at).count():
        yield f"{stuck} clocks are over and still open"
    late = Deadline.objects.filter(
        closed_at__isnull=True, next_reminder_at__lte=at - timedelta(minutes=3), due_at__gt=at
    )
    if late.exists():
        yield f"{late.count()} reminders were not sent"


def _everybody_was_told(stage, *, most_repeats):
    written = Counter(Notice.objects.values_list("event_key", flat=True))
    for pk, verb in Transition.objects.values_list("pk", "verb"):
        if NOTICES.get(verb) and not written[f"{verb}:{pk}"]:
            yield f"nobody was told of {verb}:{pk}"
    twice = (
        Notice.objects.annotate(address=Lower("email")).values("address", "event_key").order_by()
        .annotate(times=Count("pk")).filter(times__gt=1)
    )  # fmt: skip
    yield from (f"told twice: {row}" for row in twice)
    undelivered = Notice.objects.filter(delivered_at=None)
    if undelivered.exists():
        errors = set(undelivered.values_list("last_error", flat=True)[:5])
        yield f"{undelivered.count()} notices were not mailed: {errors}"
    sent = {name.strip("<>").partition("@")[0] for name in stage.mailbox.taken}
    delivered = {str(pk) for pk in Notice.objects.exclude(delivered_at=None).values_list("pk", flat=True)}
    if lost := delivered - sent:
        yield f"{len(lost)} notices are marked as mailed and never were"
    if stage.mailbox.repeats > most_repeats:
        yield f"{stage.mailbox.repeats} repeated mails, {most_repeats} allowed"


def _nothing_answered_500(memory):
    if count := memory.statuses[500]:
        yield f"{count} answers were 500"


def _everything_still_runs(stage):
    for name, child in stage.children.items():
        if child.process.poll() is not None:
            yield f"{name} died by itself, code {child.process.returncode}"


def tell(stage, memory, found, *, blows):
    """The last lines of every storm; its exit code. `blows`: how many times something was broken."""
    audit = integrity.audit()
    verbs = Counter(act.verb for act in memory.acknowledged)
    facts = {
        "acknowledged changes": f"{len(memory.acknowledged)} {dict(sorted(verbs.items()))}",
        "sent more than once": sum(act.tries > 1 for act in memory.acts),
        "answers": dict(sorted(memory.statuses.items(), key=str)),
        "overdue clocks": f"{len(memory.overdue)} left by their people",
        "ledger": f"{audit.movements} movements, {audit.owned[Unit.EUR_CENT] / 100:.2f} EUR owned",
        "mails": f"{len(stage.mailbox.taken)} different, {stage.mailbox.repeats} repeated, {blows} blows",
    }
    print()
    for name, value in facts.items():
        print(f"  {name:22} {value}")
    for words in found[:20]:
        print(f"  BREACH: {words}")
    if found:
        print(f"  logs: {stage.keep_logs()}")
    print(f"{len(found)} breaches" if found else "Every promise was kept.")
    return 1 if found else 0


def spread(seconds):
    """« median 0.80 s, 95 % 1.20 s, longest 2.00 s »."""
    ordered = sorted(seconds)
    if not ordered:
        return "none"
    almost_all = ordered[round(0.95 * (len(ordered) - 1))]
    return f"median {median(ordered):.2f} s, 95 % {almost_all:.2f} s, longest {ordered[-1]:.2f} s"
