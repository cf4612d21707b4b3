"""Dossiers brought to a state by the verbs people use: DossierFactory(proposed=True) replays the moves."""

import uuid
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import Membership
from dossiers import clocks, workflow
from dossiers.models import Dossier
from dossiers.states import CLOCK_OF, State
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import SessionFactory
from tests.factories.rights import CreditFactory

PARIS = ZoneInfo("Europe/Paris")
RICH_CENTS = 500_000
FAR = date(2099, 12, 31)


def holder_actor(holder) -> Actor:
    return Actor(role=Role.HOLDER, user=holder.user, holder=holder)


def provider_actor(provider) -> Actor:
    """A member of that organisation, made when there is none."""
    organisation = provider.organisation
    member = Membership.objects.filter(organisation=organisation).order_by("pk").first()
    member = member or MembershipFactory(organisation=organisation)
    return Actor(role=Role.PROVIDER, user=member.user, organisation=organisation)


def admin_actor(**fields) -> Actor:
    return Actor(role=Role.ADMIN, user=UserFactory(is_staff=True, is_superuser=True, **fields))


def in_business_days(at: datetime, days: int) -> date:
    return workdays.add_workdays(workdays.paris_day(at), days)


class DossierFactory(DjangoModelFactory):
    """A draft; each trait brings it further. `at`: the moment of every move (now, unless given)."""

    class Meta:
        model = Dossier

    requested = False
    proposed = False
    awaiting_payment = False
    accepted = False
    refused = False
    lapsed = False
    at = factory.LazyFunction(timezone.now)
    holder = factory.SubFactory(HolderFactory)
    session = factory.LazyAttribute(
        lambda o: SessionFactory(
            starts_on=in_business_days(o.at, 30),
            ends_on=in_business_days(o.at, 30) + timedelta(days=4),
            offer__price_cents=o.price_cents,
            offer__certification__registered_until=FAR,
        )
    )
    price_cents = 100_000
    balance_cents = factory.LazyAttribute(lambda o: 10_000 if o.awaiting_payment else RICH_CENTS)
    # A job seeker pays no participation: with rights enough, nothing is left to pay.
    is_exempt = factory.LazyAttribute(lambda o: not o.awaiting_payment)

    @classmethod
    def _create(cls, model_class, *args, **wanted):
        at, holder = wanted["at"], wanted["holder"]
        if wanted["is_exempt"] and holder.status != "job_seeker":
            holder.status = "job_seeker"
            holder.save(update_fields=["status"])
        if wanted["balance_cents"]:
            CreditFactory(holder=holder, amount=wanted["balance_cents"], at=at)
        by = holder_actor(holder)
        dossier = workflow.create(wanted["session"].pk, by=by, at=at, request_id=uuid.uuid4())
        fields = {"project": "Changer de métier."}
        if wanted["session"].starts_on is None:
            fields["wished_start"] = in_business_days(at, 30)
        dossier = workflow.edit(dossier.pk, by=by, fields=fields)
        for step in ("requested", "proposed", "awaiting_payment", "accepted", "refused", "lapsed"):
            if wanted.get(step):
                dossier = bring(
                    dossier, State.REFUSED_BY_PROVIDER if step == "refused" else State(step), at=at
                )
        return Dossier.objects.get(pk=dossier.pk)


def bring(dossier: Dossier, state: State, *, at: datetime) -> Dossier:
    """Take a draft to this state by the moves that lead there, all at `at` (silence: when its clock ends)."""
    if dossier.state == state:
        return dossier
    before = {
        State.REQUESTED: State.DRAFT,
        State.PROPOSED: State.REQUESTED,
        State.REFUSED_BY_PROVIDER: State.REQUESTED,
        State.CANCELLED_BY_HOLDER: State.REQUESTED,
        State.REFUSED_BY_HOLDER: State.PROPOSED,
        State.AWAITING_PAYMENT: State.PROPOSED,
        State.ACCEPTED: State.PROPOSED,
        State.CANCELLED_BY_PROVIDER: State.PROPOSED,
        State.LAPSED: State.REQUESTED,
        State.CLOSED_BY_PLATFORM: State.REQUESTED,
    }[state]
    if state == State.LAPSED and dossier.state in CLOCK_OF:
        before = State(dossier.state)
    dossier = bring(dossier, before, at=at)
    return _STEPS[state](dossier, at)


def act(verb: str, dossier: Dossier, *, at: datetime, **kwargs) -> Dossier:
    """One verb of the workflow by whoever does it, with a request of its own."""
    by = kwargs.pop("by", None)
    if by is None:
        if verb in {"propose", "refuse", "call_off"}:
            by = provider_actor(dossier.provider)
        elif verb in {"lapse", "close", "confirm_payment", "refuse_payment"}:
            by = SYSTEM
        else:
            by = holder_actor(dossier.holder)
    kwargs.setdefault("request_id", uuid.uuid4())
    return getattr(workflow, verb)(dossier.pk, by=by, at=at, **kwargs)


def propose_as_asked(dossier: Dossier, *, at: datetime, **changes) -> Dossier:
    """The organisation says yes to what was asked."""
    starts_on = dossier.session.starts_on or dossier.wished_start
    terms = {
        "price_cents": dossier.asked_price_cents,
        "starts_on": starts_on,
        "ends_on": dossier.session.ends_on or starts_on,
        "change_reason": "",
    } | changes
    return act("propose", dossier, at=at, **terms)


def _lapse(dossier: Dossier, at: datetime) -> Dossier:
    clock = clocks.running(dossier, CLOCK_OF[State(dossier.state)])
    return act("lapse", dossier, at=clock.due_at)


def _close(dossier: Dossier, at: datetime) -> Dossier:
    certification = dossier.offer.certification
    certification.registered_until = workdays.paris_day(at) - timedelta(days=1)
    certification.save(update_fields=["registered_until"])
    return act("close", dossier, at=at)


_STEPS = {
    State.REQUESTED: lambda dossier, at: act("submit", dossier, at=at),
    State.PROPOSED: lambda dossier, at: propose_as_asked(dossier, at=at),
    State.REFUSED_BY_PROVIDER: lambda dossier, at: act("refuse", dossier, at=at, reason="Session complète."),
    State.CANCELLED_BY_HOLDER: lambda dossier, at: act("cancel", dossier, at=at),
    State.REFUSED_BY_HOLDER: lambda dossier, at: act("decline", dossier, at=at),
    State.AWAITING_PAYMENT: lambda dossier, at: act("accept", dossier, at=at),
    State.ACCEPTED: lambda dossier, at: act("accept", dossier, at=at),
    State.CANCELLED_BY_PROVIDER: lambda dossier, at: act(
        "call_off", dossier, at=at, reason="Formateur absent."
    ),
    State.LAPSED: _lapse,
    State.CLOSED_BY_PLATFORM: _close,
}
