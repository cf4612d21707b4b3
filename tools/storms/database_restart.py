"""PostgreSQL is restarted under load, as an upgrade does it; in between, all its connections are cut.

    python3 dev.py run tools/storms/database_restart.py --rounds 10

A click is answered, or told to come back (503, calm page, Retry-After). Never 500, neither during nor after.
"""

import argparse
import random
import sys
import time

from tools.storms import proof
from tools.storms.load import Crowd
from tools.storms.stage import Stage

RECOVERY_LIMIT = 60
OVERDUE_EACH_ROUND = 2


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    with Stage() as stage:
        return storm(stage, options.rounds, random.Random(options.seed))  # noqa: S311 - to be played again


def storm(stage, rounds, chance):
    stage.start_everything()
    stage.wait_for("worker")
    recoveries = []
    with Crowd(stage) as crowd:
        print(f"{'round':>5}  {'what':9}  {'answers again after':>19}  acknowledged  told to come back")
        for number in range(1, rounds + 1):
            crowd.leave_overdue(OVERDUE_EACH_ROUND)
            time.sleep(chance.uniform(0.5, 2.5))
            what = "restarted" if number % 2 else "cut"
            begun = time.monotonic()
            if what == "restarted":
                stage.stop("postgres")
                stage.start("postgres")
            else:
                proof.cut_connections()
            healed = time.monotonic() + 0.2
            while crowd.memory.last_at < healed and time.monotonic() - begun < RECOVERY_LIMIT:
                time.sleep(0.05)
            took = crowd.memory.last_at - begun
            if crowd.memory.last_at < healed:
                crowd.memory.breach(f"nothing was answered within {RECOVERY_LIMIT} s of round {number}")
                break
            recoveries.append(took)
            done, later = len(crowd.memory.acknowledged), crowd.memory.statuses[503]
            print(f"{number:5}  {what:9}  {took:17.2f} s  {done:12}  {later:17}", flush=True)
    calm = proof.wait_for_calm()
    found = proof.breaches(stage, crowd.memory)
    code = proof.tell(stage, crowd.memory, found, blows=rounds)
    print(f"  recovery               {proof.spread(recoveries)}; calm {calm:.1f} s after the end")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
