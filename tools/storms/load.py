"""People at work while things break: several clients at once, each remembering what it was told is done.

A client clicks through the pages over HTTP, and calls the verbs for what has no page here (payments). What is
not answered is sent again with the same `request_id`, as a person clicks again: it must count once.
"""

import http.client
import random
import re
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.test import Client as Browser
from django.utils import timezone

from dossiers import workflow
from dossiers.models import Deadline, Dossier
from dossiers.states import State
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    DossierFactory,
    admin_actor,
    in_business_days,
    provider_actor,
)
from tests.factories.rights import CreditFactory

PRICE_CENTS, RICH_CENTS, POOR_CENTS = 100_000, 500_000_00, 60_000
CSRF = "c" * 32  # the cookie and the field must agree; both are ours
DOSSIERS_EACH = 12  # fewer than one person may send a day
PATIENCE_SECONDS = 120
LONG_AGO = timedelta(days=20)
AWAY = (OperationalError, InterfaceError)

# What a registration goes through, at random. "stay" leaves it as it is.
STORIES = (
    ("submit", "cancel"),
    ("submit", "refuse"),
    ("submit", "propose", "decline"),
    ("submit", "propose", "accept", "withdraw"),
    ("submit", "propose", "accept", "call_off"),
    ("submit", "propose", "accept", "confirm_payment", "withdraw"),
    ("submit", "propose", "accept", "cancel"),
    ("submit", "propose"),
)
NEEDS_PAYMENT = {STORIES[5], STORIES[6]}


def patiently(call):
    """The answer of the database, however often it goes away meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call()
        except AWAY:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


class Breach(AssertionError):
    """The portal did what it must never do."""


@dataclass
class Act:
    """One thing a client did: `acknowledged` once it was told that it is done."""

    verb: str
    dossier_id: uuid.UUID | None
    request_id: uuid.UUID
    acknowledged: bool = False
    tries: int = 0


@dataclass
class Memory:
    """What all clients know. `last_at`: when something was last acknowledged (time.monotonic).

    `slowest`: seconds that the slowest answered click took; whoever watches sets it back to zero.
    """

    acts: list[Act] = field(default_factory=list)
    overdue: list[uuid.UUID] = field(default_factory=list)
    ended: list[uuid.UUID] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)
    last_at: float = 0.0
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def acknowledged(self):
        return [act for act in self.acts if act.acknowledged]

    def begin(self, verb, dossier_id):
        act = Act(verb, dossier_id, uuid.uuid4())
        with self.lock:
            self.acts.append(act)
        return act

    def done(self, act):
        with self.lock:
            act.acknowledged = True
            self.last_at = time.monotonic()

    def breach(self, words):
        with self.lock:
            self.breaches.append(words)


class Crowd:
    """`with Crowd(stage, clients=4) as crowd:` keeps clients busy until the block ends.

    `pause`: the longest one between two clicks, in seconds. Without any, four clients make more mails than
    a deliverer sends that is dead half of the time: the storm would measure that queue, not its blows.
    """

    def __init__(self, stage, *, clients=4, pause=0.05):
        self.stage, self.pause, self.memory = stage, pause, Memory()
        self.ending = threading.Event()
        self.clients = [Client(self, number) for number in range(clients)]
        self.threads = [threading.Thread(target=client.work, daemon=True) for client in self.clients]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error):
        """Each client ends the act it has begun: whatever was asked has its answer afterwards."""
        self.ending.set()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS + 30)
            if thread.is_alive():
                self.memory.breach("a client was never answered")

    def leave_overdue(self, count):
        """Requests nobody answered in time: the clock job must settle each of them, once."""
        for number in range(count):
            state = {"requested": True} if number % 2 else {"awaiting_payment": True}
            dossier = patiently(lambda state=state: an_overdue_dossier(**state))
            with self.memory.lock:
                self.memory.overdue.append(dossier.pk)


def an_overdue_dossier(**state):
    """In one transaction: its clocks are over from the first, and the job is faster than these lines."""
    now = timezone.now()
    with transaction.atomic():
        session = SessionFactory(starts_on=in_business_days(now, 60), ends_on=in_business_days(now, 65))
        return DossierFactory(at=now - LONG_AGO, session=session, **state)


def a_past_dossier(memory, state, *, days):
    """A dossier that real moves brought to `state` so many days ago. Overdue ones are remembered.

    A confirmed one lost its free withdrawal meanwhile: nothing moves, its clock is closed.
    """
    now = timezone.now()
    with transaction.atomic():
        # A confirmed one can be left freely until seven business days before its start: those are over too.
        starts_on = in_business_days(now, 5 if state == "accepted" else 60)
        session = SessionFactory(starts_on=starts_on, ends_on=starts_on)
        dossier = DossierFactory(at=now - timedelta(days=days), session=session, **{state: True})
        is_over = Deadline.objects.filter(dossier=dossier, closed_at=None, due_at__lte=now).exists()
    if is_over and dossier.state != State.ACCEPTED:
        memory.overdue.append(dossier.pk)
    return dossier


def a_reminder_that_was_missed():
    """A proposal whose reminder came due while nobody swept, and whose clock still runs."""
    now = timezone.now()
    for hours in range(12, 400, 12):
        with transaction.atomic():
            dossier = DossierFactory(at=now - timedelta(hours=hours), proposed=True)
            clocks = Deadline.objects.filter(dossier=dossier, closed_at=None)
            if clocks.filter(next_reminder_at__lte=now, due_at__gt=now).exists():
                return dossier
            transaction.set_rollback(True)
    raise Breach("no proposal of the last weeks has a reminder due now")


def end_a_certification(memory):
    """A request whose certification ended yesterday: the hourly job closes it, once."""
    now = timezone.now()
    with transaction.atomic():
        dossier = DossierFactory(at=now, requested=True)
        certification = dossier.offer.certification
        certification.registered_until = workdays.paris_day(now) - timedelta(days=1)
        certification.save(update_fields=["registered_until"])
    memory.ended.append(dossier.pk)


class Client:
    """One holder after another, and the organisation that answers them."""

    def __init__(self, crowd, number):
        self.crowd, self.memory, self.address = crowd, crowd.memory, crowd.stage.address
        self.random = random.Random(number)  # noqa: S311
        self.sessions = [self._make_session() for _ in range(3)]
        self.admin = admin_actor()
        self.members = {
            session.pk: MembershipFactory(organisation=session.offer.provider.organisation).user
            for session in self.sessions
        }
        self.cookies = {}
        self.holders, self.left = {}, 0

    def _make_session(self):
        at = timezone.now()
        session = SessionFactory(starts_on=in_business_days(at, 40), ends_on=in_business_days(at, 45))
        session.offer.price_cents = PRICE_CENTS
        session.offer.save(update_fields=["price_cents"])
        return session

    # --- Working --------------------------------------------------------------------------------

    def work(self):
        try:
            while not self.crowd.ending.is_set():
                self.insist(self.renew_holders)
                self.play(self.random.choice(STORIES), self.random.choice(self.sessions))
        except Exception as error:
            self.memory.breach(f"a client stopped: {type(error).__name__}: {error}")
        finally:
            connection.close()

    def renew_holders(self):
        if self.left:
            self.left -= 1
            return
        rich, poor = HolderFactory(status="job_seeker"), HolderFactory(status="job_seeker")
        CreditFactory(holder=rich, amount=RICH_CENTS, key=f"storm:{rich.pk}")
        CreditFactory(holder=poor, amount=POOR_CENTS, key=f"storm:{poor.pk}")
        self.holders, self.left = {False: rich, True: poor}, DOSSIERS_EACH - 1

    def play(self, story, session):
        holder = self.holders[story in NEEDS_PAYMENT]
        act = self.memory.begin("create", None)
        path = f"/mes-dossiers/creer/{session.pk}"
        where = self.insist(lambda: self.post(act, holder.user, path))
        if where is None:
            return
        act.dossier_id = uuid.UUID(where.rpartition("/")[2])
        self.memory.done(act)
        for verb in story:
            if self.crowd.ending.is_set():
                return
            act = self.memory.begin(verb, act.dossier_id)
            if self.insist(lambda verb=verb, act=act: getattr(self, verb)(act, holder, session)) is None:
                return
            self.memory.done(act)
            time.sleep(self.crowd.pause * self.random.random())

    def insist(self, call):
        """The same click until it is answered; None when the answer is not the one hoped for."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                return call() or True
            except Away:
                time.sleep(0.2)
            except AWAY:
                connection.close()
                time.sleep(0.2)
            except Breach as breach:
                self.memory.breach(str(breach))
                return None
        self.memory.breach(f"no answer in {PATIENCE_SECONDS} s")
        return None

    # --- Over HTTP ------------------------------------------------------------------------------

    def submit(self, act, holder, session):
        words = {"project": "Changer de métier.", "contact_email": holder.user.email, "terms": "on"}
        words["seen_price_cents"] = session.offer.price_cents
        return self.post(act, holder.user, f"/mes-dossiers/{act.dossier_id}/envoyer", **words)

    def propose(self, act, holder, session):
        terms = {"price_cents": "1000,00", "starts_on": session.starts_on, "ends_on": session.ends_on}
        path = f"/demandes/{act.dossier_id}/proposer"
        return self.post(act, self.members[session.pk], path, **terms)

    def accept(self, act, holder, session):
        page = self.ask("GET", holder.user, f"/mes-dossiers/{act.dossier_id}")[2]
        found = re.search(r'name="seen_plan" value="([^"]*)"', page)
        seen = found[1] if found else ""  # a page after the fact: the same click again must still be one
        return self.post(act, holder.user, f"/mes-dossiers/{act.dossier_id}/valider", seen_plan=seen)

    def decline(self, act, holder, session):
        return self.post(act, holder.user, f"/mes-dossiers/{act.dossier_id}/refuser")

    def cancel(self, act, holder, session):
        return self.post(act, holder.user, f"/mes-dossiers/{act.dossier_id}/annuler")

    def withdraw(self, act, holder, session):
        return self.post(act, holder.user, f"/mes-dossiers/{act.dossier_id}/se-retracter")

    def post(self, act, user, path, **words):
        """Where the answer leads. Away: no answer, or 503. Breach: any other answer."""
        act.tries += 1
        form = {"csrfmiddlewaretoken": CSRF, "request_id": act.request_id, **words}
        status, where, page = self.ask("POST", user, path, urlencode(form))
        if status == 302 and not where.startswith("/connexion"):
            return where
        said = re.findall(r'class="[^"]*(?:error)[^"]*"[^>]*>\s*([^<]{10,200})', page)
        raise Breach(f"{act.verb} answered {status} {where} (try {act.tries}): {said[:2]}")

    def ask(self, method, user, path, body=None):
        address = urlsplit(self.address)
        peer = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        begun = time.monotonic()
        headers = {"Cookie": f"sessionid={self.session_of(user)}; csrftoken={CSRF}", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            peer.request(method, path, body=body, headers=headers)
            answer = peer.getresponse()
            page = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            with self.memory.lock:
                self.memory.statuses["no answer"] += 1
            raise Away from error
        finally:
            peer.close()
        with self.memory.lock:
            self.memory.statuses[answer.status] += 1
            self.memory.slowest = max(self.memory.slowest, time.monotonic() - begun)
        if answer.status == 503:
            if "Retry-After" not in answer.headers:
                raise Breach("a 503 that does not say when to come back")
            raise Away
        return answer.status, answer.headers.get("Location", ""), page

    def session_of(self, user):
        """The cookie of somebody who signed in; made once, without the form."""
        if user.pk not in self.cookies:
            browser = Browser()
            browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            self.cookies[user.pk] = browser.cookies["sessionid"].value
        return self.cookies[user.pk]

    # --- By the verbs ---------------------------------------------------------------------------

    def refuse(self, act, holder, session):
        return self.call(act, provider_actor(session.offer.provider), reason="Session complète.")

    def call_off(self, act, holder, session):
        return self.call(act, provider_actor(session.offer.provider), reason="Formateur absent.")

    def confirm_payment(self, act, holder, session):
        remainder = workflow.remainder_line(Dossier.objects.get(pk=act.dossier_id)).amount_cents
        reference = f"VIR-{act.request_id}"
        return self.call(act, self.admin, reference=reference, amount_cents=remainder)

    def call(self, act, by, **words):
        act.tries += 1
        close_old_connections()
        verb = getattr(workflow, act.verb)
        try:
            verb(act.dossier_id, by=by, at=timezone.now(), request_id=act.request_id, **words)
        except workflow.Refused as refusal:
            raise Breach(f"{act.verb} refused (try {act.tries}): {refusal}") from refusal


class Away(Exception):
    """Nobody answered, or the portal said to come back."""
