"""A year of real people through the real verbs, while the worker crashes, stops, and its clock jumps.

    python3 dev.py run tools/storms/year.py [--dossiers 1000] [--days 365] [--seed 1]

Every simulated day people do what they like with what is possible, then the deadlines are swept by a process
of its own: some days it is killed (kill -9) at a random moment, some days it does not run, some days twice,
some days with a clock an hour behind. Every day the ledger is right, money in is money out to the cent, a
dossier that is over holds nothing, what lives waits for a clock, a person or a control. The same seed plays
the same people.
"""

import argparse
import sys

from tools.storms.lives import Year
from tools.storms.stage import Stage


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dossiers", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    with Stage():
        return Year(asked).play()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
