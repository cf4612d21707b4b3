"""The broker is emptied under load, again and again; now and then it is also killed, or stops answering.

    python3 dev.py run tools/storms/broker_flush.py --rounds 50

No business effect may be lost: what is due is found again in PostgreSQL. People must not notice: the slowest
click of each round is shown.
"""

import argparse
import os
import random
import signal
import sys
import time

from tools.storms import proof
from tools.storms.load import Crowd
from tools.storms.stage import Stage, broker_client

OVERDUE_EACH_ROUND = 2
SILENCE_SECONDS = 4
RECOVERY_LIMIT = 60
# One click in a while waits for a broker that is silent; the others do not ask it.
SLOWEST_CLICK = 12


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    with Stage() as stage:
        return storm(stage, options.rounds, random.Random(options.seed))  # noqa: S311 - to be played again


def storm(stage, rounds, chance):
    stage.start_everything()
    stage.wait_for("worker")
    recoveries = []
    with Crowd(stage) as crowd:
        print(f"{'round':>5}  {'what':8}  {'a job ran again after':>21}  acknowledged  slowest click")
        for number in range(1, rounds + 1):
            crowd.leave_overdue(OVERDUE_EACH_ROUND)
            time.sleep(chance.uniform(0.1, 2))
            crowd.memory.slowest = 0.0
            what = {3: "killed", 6: "silent"}.get(number % 10, "flushed")
            wall = time.time()
            break_it(stage, what)
            took = recovery(wall)
            if took is None:
                crowd.memory.breach(f"no job ran within {RECOVERY_LIMIT} s of round {number} ({what})")
                break
            recoveries.append(took)
            slowest = crowd.memory.slowest
            if slowest > SLOWEST_CLICK:
                crowd.memory.breach(f"a click took {slowest:.1f} s while the broker was {what}")
            done = len(crowd.memory.acknowledged)
            print(f"{number:5}  {what:8}  {took:19.2f} s  {done:12}  {slowest:11.2f} s", flush=True)
    calm = proof.wait_for_calm()
    found = proof.breaches(stage, crowd.memory)
    code = proof.tell(stage, crowd.memory, found, blows=rounds)
    print(f"  recovery               {proof.spread(recoveries)}; calm {calm:.1f} s after the end")
    return code


def break_it(stage, what):
    if what == "flushed":
        with broker_client() as client:
            client.flushall()
    elif what == "killed":
        stage.kill("broker")
        time.sleep(1)
        stage.start("broker")
    else:
        pid = stage.children["broker"].process.pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(SILENCE_SECONDS)
        os.kill(pid, signal.SIGCONT)


def recovery(wall):
    begun = time.monotonic()
    while time.monotonic() - begun < RECOVERY_LIMIT:
        ran = proof.last_run(proof.DELIVERY)
        if ran is not None and ran > wall:
            return ran - wall
        time.sleep(0.05)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
