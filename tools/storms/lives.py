"""People of a simulated year, who do what they like with what is possible; what must be true every day."""

import os
import random
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from django.db import connections, transaction
from django.db.models import Q, Sum

from dossiers import controls, deadlines
from dossiers.models import Control, Deadline, Dossier
from dossiers.states import CLOCK_OF, DECLARATION_CLOCKS, FINAL_STATES, MOVES, State
from rights import integrity
from rights.kinds import PocketKind
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    act,
    admin_actor,
    holder_actor,
    in_business_days,
    meant,
)
from tests.factories.rights import CreditFactory
from ui.refusals import Refused

BEGINS = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAY = timedelta(days=1)
PRICES = (30_000, 85_000, 120_000, 260_000)
HASTE = {
    State.REQUESTED: 0.6,
    State.PROPOSED: 0.4,
    State.AWAITING_PAYMENT: 0.4,
    State.ABSENT: 0.3,
    State.POSTPONED: 0.3,
}
"""How likely somebody acts on a dossier on a day; in any other state, once in six days."""
AT_EASE = 1 / 6
MEANT_WELL = {
    State.REQUESTED: ["propose"] * 8,
    State.PROPOSED: ["accept"] * 6,
    State.AWAITING_PAYMENT: ["confirm_payment"] * 4,
    State.ACCEPTED: ["enter"] * 8,
    State.COMPLETION_DECLARED: ["contest", "release"],
}
"""What people do more often than anything else that is possible; the last two are no moves."""
NEVER = {"submit", "propose", "lapse", "close", "settle_absence", "validate", "undo_unanswered", "reinstate"}
WEATHER = {"calm": 68, "killed": 12, "off": 8, "twice": 6, "behind": 6}
"""How the worker does on a day, in percent."""


class Year:
    def __init__(self, asked):
        self.asked, self.luck = asked, random.Random(asked.seed)  # noqa: S311, the same seed plays the same year
        self.done, self.weather, self.refused = Counter(), Counter(), 0
        self.agent = admin_actor()
        self.offers = [OfferFactory(sessions=0, price_cents=price, hours=35) for price in PRICES]
        for offer in self.offers:
            offer.certification.registered_until = FAR
            offer.certification.save(update_fields=["registered_until"])
        self.born = sorted(self.luck.randrange(asked.days) for _number in range(asked.dossiers))

    def play(self) -> int:
        begun = time.monotonic()
        for number in range(self.asked.days):
            at = BEGINS + number * DAY
            for _newcomer in range(self.born.count(number)):
                self.somebody_asks(at)
            self.people_act(at)
            self.sweep(at + timedelta(hours=12))
            if breaches := self.breaches(at):
                print(f"day {number + 1}, seed {self.asked.seed}: {breaches[:5]}")
                return 1
            if (number + 1) % 30 == 0:
                print(f"  day {number + 1}: {sum(self.done.values())} acts, the ledger is right", flush=True)
        took = time.monotonic() - begun
        states = Counter(Dossier.objects.values_list("state", flat=True))
        print(f"{self.asked.dossiers} dossiers, {self.asked.days} days, seed {self.asked.seed}: {took:.0f} s")
        for title, counted in (("acts", self.done), ("sweeps", self.weather), ("states", states)):
            print(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counted.items())))
        print(f"  refused in words: {self.refused}; movements: {Movement.objects.count()}")
        print("Every promise kept, every day.")
        return 0

    # --- People ----------------------------------------------------------------------------------

    def somebody_asks(self, at):
        offer = self.luck.choice(self.offers)
        starts_on = in_business_days(at, self.luck.randrange(13, 60))
        ends_on = starts_on + timedelta(days=self.luck.randrange(0, 40))
        session = SessionFactory(offer=offer, starts_on=starts_on, ends_on=ends_on)
        # Nobody signs in here: a password takes longer to keep than all the rest of a day.
        status = self.luck.choice(["job_seeker", "private_employee"])
        holder = HolderFactory(status=status, user__password=None)
        rights = self.luck.randrange(1, 300_000)
        if self.luck.random() < 0.3:
            fields = {"kind": PocketKind.TOP_UP, "label": "Région", "funder_kind": "region"}
            CreditFactory(holder=holder, amount=self.luck.randrange(1, 50_000), at=at, **fields)
        dossier = DossierFactory(
            at=at, holder=holder, session=session, balance_cents=rights, is_exempt=False, requested=True
        )
        self.done["submit"] += 1
        return dossier

    def people_act(self, at):
        living = Dossier.objects.exclude(state__in=FINAL_STATES).order_by("number")
        for dossier in living.select_related("holder", "provider", "session"):
            state = State(dossier.state)
            if self.luck.random() > HASTE.get(state, AT_EASE):
                continue
            verbs = [verb for verb, move in MOVES.items() if state in move.sources and verb not in NEVER]
            verbs += MEANT_WELL.get(state, [])
            if not verbs:
                continue
            self.do(
                self.luck.choice(sorted(verbs)), dossier, at + timedelta(minutes=self.luck.randrange(600))
            )

    def do(self, verb, dossier, at):
        try:
            with transaction.atomic():
                if verb == "contest":
                    controls.open_control(dossier.pk, by=holder_actor(dossier.holder), at=at, words="Non.")
                elif verb == "release":
                    controls.release_control(
                        dossier.pk, by=self.agent, at=at, request_id=dossier.pk, outcome="Vu."
                    )
                else:
                    percent = self.luck.choice([100, 100, 100, 40, 81, 12])
                    said = meant(verb, dossier, at=at, percent=percent, agent=self.agent)
                    act(verb, dossier, at=at, **said)
        except Refused:
            self.refused += 1
        else:
            self.done[verb] += 1

    # --- The worker ----------------------------------------------------------------------------------

    def sweep(self, at):
        name = self.luck.choices(list(WEATHER), list(WEATHER.values()))[0]
        self.weather[name] += 1
        if name == "off":
            return
        after = self.luck.random() * 0.3 if name == "killed" else None
        moment = at - timedelta(hours=1) if name == "behind" else at
        for _run in range(2 if name == "twice" else 1):
            self.in_a_process(
                lambda: (deadlines.settle_overdue(at=moment), deadlines.send_reminders(at=moment)), after
            )

    def in_a_process(self, work, killed_after):
        """A worker of its own, with its own connection; killed after so many seconds."""
        connections.close_all()
        child = os.fork()
        if not child:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        if killed_after is not None:
            time.sleep(killed_after)
            os.kill(child, signal.SIGKILL)
        _child, status = os.waitpid(child, 0)
        if killed_after is None and status:
            sys.exit(f"the sweep ended with {status}")

    # --- What must be true every day ----------------------------------------------------------------

    def breaches(self, at):
        found = [f"{each.rule}: {each.subject}" for each in integrity.check()]
        outside = Movement.objects.aggregate(
            came=Sum("amount", filter=Q(source__balance=None), default=0),
            gone=Sum("amount", filter=Q(target__balance=None), default=0),
        )
        came, gone = outside["came"], outside["gone"]
        held = Pocket.objects.aggregate(held=Sum("balance", default=0))["held"]
        if came - gone != held:
            found.append(f"{came} came, {gone} left, {held} are there")
        over = Dossier.objects.filter(state__in=FINAL_STATES)
        for column in ("reserved", "spent"):
            left = over.filter(**{f"funding_lines__{column}__balance__gt": 0})
            found += [f"{number} is over and holds money" for number in left.values_list("number", flat=True)]
        ticking = Deadline.objects.filter(closed_at__isnull=True).values("dossier")
        looked_at = Control.objects.filter(released_at__isnull=True).values("dossier")
        # Said once, and overdue: their organisation, or the administration, is waited for.
        missed = Deadline.objects.filter(outcome=Deadline.Outcome.MISSED, kind__in=DECLARATION_CLOCKS)
        waiting = Dossier.objects.filter(state__in=CLOCK_OF).exclude(pk__in=ticking).exclude(pk__in=looked_at)
        nothing = waiting.exclude(pk__in=missed.values("dossier"))
        found += [f"{number} waits for nothing" for number in nothing.values_list("number", flat=True)]
        return found
