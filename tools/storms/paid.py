"""kill -9 of the worker between the card service's word that somebody paid and the move it makes.

    python3 dev.py run tools/storms/paid.py --rounds 10 --seed 1

Each round a few people pay by card at a card service on this machine, which tells the portal so with signed
events. Once their events are kept, at a random moment, the worker is killed (with all its processes, or one
of them) and started again as a supervisor would. Then every payment must have confirmed its registration,
once, to the cent; after that each event is sent five times more, shuffled, and must change nothing.
"""

import argparse
import random
import sys
import time

from tools.storms import payers, proof
from tools.storms.load import Memory
from tools.storms.stage import Stage

LONGEST_CALM = 1.5  # seconds from the first event that is kept to the kill


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--payers", type=int, default=6, help="people who pay in one round")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    with Stage() as stage:
        return storm(stage, options, random.Random(options.seed))  # noqa: S311 - to be played again


def storm(stage, options, chance):
    cards = payers.open_card_service(stage)
    stage.start_everything()
    stage.wait_for("worker")
    payers.announce(cards)
    memory, recoveries, between, paid = Memory(), [], 0, []
    print(f"{'round':>5}  {'how':4}  {'kept':>4}  {'in between':>10}  {'all confirmed after':>19}")
    for number in range(1, options.rounds + 1):
        tries = payers.pay(cards, options.payers)
        calm, how = chance.uniform(0, LONGEST_CALM), chance.choice(("all", "one"))
        if not payers.wait(lambda tries=tries: payers.kept(tries).exists()):
            memory.breach(f"no event of round {number} came")
            break
        time.sleep(calm)
        must_start = stage.kill("worker", how)
        killed_at = time.monotonic()
        events = payers.kept(tries).count()
        waiting = payers.unsettled(tries).count()
        between += waiting
        if must_start:
            stage.start("worker")
        if not payers.wait(lambda tries=tries: payers.is_over(tries)):
            memory.breach(f"round {number} was not settled within {payers.SETTLE_LIMIT} s of the kill")
        recoveries.append(time.monotonic() - killed_at)
        paid += tries
        memory.breaches += payers.wrong(tries)
        print(f"{number:5}  {how:4}  {events:4}  {waiting:10}  {recoveries[-1]:17.2f} s", flush=True)
    before = payers.facts(paid)
    sent = payers.replay(cards, paid, chance)
    payers.wait(lambda: not payers.waiting_events().exists())
    if payers.facts(paid) != before:
        memory.breach(f"{sent} events that came again changed something")
    memory.breaches += payers.wrong(paid)
    calm = proof.wait_for_calm()
    found = proof.breaches(stage, memory, most_repeats=len(recoveries))
    code = proof.tell(stage, memory, found, blows=len(recoveries))
    print(f"  payments               {len(paid)}, {between} of them between event and move at the kill")
    print(f"  events                 {len(paid)} kept, {sent} sent again")
    print(f"  recovery               {proof.spread(recoveries)}; calm {calm:.1f} s after the end")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
