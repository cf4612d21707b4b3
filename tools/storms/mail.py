"""The mail server is slow, drops, hangs in the middle of a message, says later, says never, or is dead.

    python3 dev.py run tools/storms/mail.py --seconds 8

Nobody who clicks may notice; every notice must be mailed in the end, none twice. What is postponed is tried
as its time comes (here at once: a later moment is given to the same verb).
"""

import argparse
import sys
import time

from tools.storms import proof
from tools.storms.load import Crowd
from tools.storms.mailbox import MOODS
from tools.storms.stage import Stage

SLOWEST_CLICK = 10


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6, help="how long each mood lasts")
    options = parser.parse_args(words)
    with Stage() as stage:
        return storm(stage, options.seconds)


def storm(stage, seconds):
    stage.start_everything()
    stage.wait_for("worker")
    with Crowd(stage, clients=3) as crowd:
        time.sleep(seconds)
        print(f"{'server':10}  acknowledged  slowest click  mailed  waiting  given up")
        for mood in (*MOODS, "dead", "fine"):
            told, mailed = len(crowd.memory.acknowledged), len(stage.mailbox.taken)
            crowd.memory.slowest = 0.0
            if mood == "dead":
                stage.mailbox.stop()
            elif mood == "fine":
                stage.open_mailbox()
            else:
                stage.mailbox.mood = mood
            time.sleep(seconds)
            acknowledged, slowest = len(crowd.memory.acknowledged) - told, crowd.memory.slowest
            waiting, given_up = proof.mail_counts()
            mailed = len(stage.mailbox.taken) - mailed
            print(f"{mood:10}  {acknowledged:12}  {slowest:11.2f} s  {mailed:6}  {waiting:7}  {given_up:8}")
            sys.stdout.flush()
            if not acknowledged:
                crowd.memory.breach(f"nobody could work while the mail server was {mood}")
            if slowest > SLOWEST_CLICK:
                crowd.memory.breach(f"a click took {slowest:.1f} s while the mail server was {mood}")
    again = proof.mail_everything()
    print(f"  mailed again by hand   {again} that had been refused for good")
    found = proof.breaches(stage, crowd.memory)
    return proof.tell(stage, crowd.memory, found, blows=len(MOODS) + 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
