"""Beat and the worker were off for three days; they come back, then four beats and two workers run at once.

    python3 dev.py run tools/storms/scheduler_off.py --clocks 120

Real moves, done in the past: clocks ran out, reminders came due and a certification ended while nobody
swept. All of it must be settled, once each. Beat finds a schedule that says it last ran three days ago.
"""

import argparse
import sys
import time
from datetime import timedelta

from tools.storms import proof
from tools.storms.load import Memory, a_past_dossier, a_reminder_that_was_missed, end_a_certification
from tools.storms.stage import Stage, old_schedule

DAYS_OFF = 3
STATES = ("requested", "proposed", "awaiting_payment", "accepted")
BEATS, WORKERS = 4, 2
REMINDERS = 5
ONE_MORE_ROUND = 32  # seconds in which every frequent job runs again, and must find nothing
LIMIT = 180


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clocks", type=int, default=60, help="how many dossiers wait in each of two acts")
    options = parser.parse_args(words)
    with Stage() as stage:
        return storm(stage, options.clocks)


def storm(stage, clocks):
    memory = Memory()
    end_a_certification(memory)
    leave(memory, clocks)
    waiting = proof.waiting()
    print(f"  off for {DAYS_OFF} days    {waiting}")
    old_schedule("beat", age=timedelta(days=DAYS_OFF))
    stage.start("worker")
    stage.start("beat")
    calm = wait_until_settled()
    print(
        f"  one beat again        everything settled and mailed after {calm:.1f} s, start included",
        flush=True,
    )

    for part in ("beat", "worker"):
        stage.stop(part)
    leave(memory, clocks)
    print(f"  {BEATS} beats, {WORKERS} workers    {proof.waiting()}")
    for number in range(BEATS):
        old_schedule(f"beat-{number}", age=timedelta(days=DAYS_OFF))
        stage.start_another("beat", f"beat-{number}")
    for number in range(WORKERS):
        stage.start_another("worker", f"worker-{number}")
    calm = wait_until_settled()
    print(
        f"  all at once           everything settled and mailed after {calm:.1f} s, start included",
        flush=True,
    )
    time.sleep(ONE_MORE_ROUND)
    found = [
        *proof.breaches(stage, memory),
        *proof.reminders_sent_once(),
        *proof.ended_ones_are_closed(memory),
    ]
    return proof.tell(stage, memory, found, blows=0)


def leave(memory, clocks):
    """Dossiers whose clocks ran out on different days of the absence, and some that only need a reminder."""
    for number in range(clocks):
        a_past_dossier(memory, STATES[number % len(STATES)], days=12 + number % 12)
    for _number in range(REMINDERS):
        a_reminder_that_was_missed()


def wait_until_settled():
    begun = time.monotonic()
    while time.monotonic() - begun < LIMIT and not (proof.is_calm() and not proof.due_reminders()):
        time.sleep(0.3)
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
