"""kill -9 of one part at random moments, under load; the rest of the portal goes on.

    python3 dev.py run tools/storms/kills.py --target worker --rounds 200 --seed 1

`--target` worker, postgres, web, beat, broker, or "any". Each round: people work, some clocks are already
over, a random moment later the part is killed (with all its processes, or one of them; of PostgreSQL also
the postmaster alone), started again as a supervisor would, and the first work done after it is timed.
Ends with 1 when a promise was broken, and says which. An interrupt (SIGINT) ends it after the round at hand,
and what was done is counted all the same.
"""

import argparse
import random
import signal
import sys
import time

from tools.storms import proof
from tools.storms.load import Crowd
from tools.storms.stage import PARTS, Stage

OVERDUE_EACH_ROUND = 3
LONGEST_CALM = 2.5  # seconds of work before the kill
RECOVERY_LIMIT = 120
# Whose end shows that this part works again; for the others, a click that is answered.
JOBS = {"worker": proof.DELIVERY, "broker": proof.DELIVERY, "beat": proof.SWEEP}
WAYS = {"postgres": ("all", "one", "postmaster"), "beat": ("all",), "broker": ("all",)}


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", choices=[*PARTS, "any"], default="worker")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument(
        "--pause", type=float, default=0.8, help="longest pause of a client between two clicks, in seconds"
    )
    options = parser.parse_args(words)
    with Stage() as stage:
        return storm(stage, options, random.Random(options.seed))  # noqa: S311 - to be played again


def storm(stage, options, chance):
    stage.start_everything()
    stage.wait_for("worker")
    recoveries = []
    interrupts = []
    signal.signal(signal.SIGINT, lambda *_signal: interrupts.append(True))
    with Crowd(stage, clients=options.clients, pause=options.pause) as crowd:
        print(f"{'round':>5}  {'part':8}  {'how':10}  {'again after':>11}  acknowledged  repeated mails")
        for number in range(1, options.rounds + 1):
            if interrupts:
                print(f"Ended by an interrupt after {number - 1} rounds of {options.rounds}.")
                break
            part = chance.choice(PARTS) if options.target == "any" else options.target
            how = chance.choice(WAYS.get(part, ("all", "one")))
            crowd.leave_overdue(OVERDUE_EACH_ROUND)
            time.sleep(chance.uniform(0.1, LONGEST_CALM))
            killed_at = time.monotonic()
            must_start = stage.kill(part, how)
            wall = time.time()
            if must_start:
                stage.start(part)
            took = recovery(part, crowd.memory, killed_at=killed_at, wall=wall)
            if took is None:
                crowd.memory.breach(f"{part} did not come back within {RECOVERY_LIMIT} s of kill {number}")
                break
            recoveries.append(took)
            done, repeats = len(crowd.memory.acknowledged), stage.mailbox.repeats
            print(f"{number:5}  {part:8}  {how:10}  {took:9.2f} s  {done:12}  {repeats:14}", flush=True)
    calm = proof.wait_for_calm()
    found = proof.breaches(stage, crowd.memory, most_repeats=len(recoveries))
    code = proof.tell(stage, crowd.memory, found, blows=len(recoveries))
    print(f"  recovery               {proof.spread(recoveries)}; calm {calm:.1f} s after the end")
    return code


def recovery(part, memory, *, killed_at, wall):
    """Seconds from the kill to the first work done after it; None: nothing was done."""
    begun_again = time.monotonic() + (0.2 if part in {"postgres", "web"} else 0)  # past what was on its way
    while time.monotonic() - killed_at < RECOVERY_LIMIT:
        if part in JOBS:
            ran = proof.last_run(JOBS[part])
            if ran is not None and ran > wall:
                return ran - wall
        elif memory.last_at > begun_again:
            return memory.last_at - killed_at
        time.sleep(0.05)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
