"""Dossiers brought to a state by the verbs people use: DossierFactory(proposed=True) replays the moves."""

import uuid
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import factory
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from factory.django import DjangoModelFactory

import rulebook
from accounts.actors import SYSTEM, Actor, Role
from accounts.models import HolderProfile, Membership
from dossiers import clocks, force_majeure, postponement, training, workflow
from dossiers.models import Dossier
from dossiers.states import CLOCK_OF, MOVES, ClockKind, CompletionCause, ExitReason, State
from rights import ledger
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import SessionFactory
from tests.factories.rights import CreditFactory

PARIS = ZoneInfo("Europe/Paris")
RICH_CENTS = 500_000
FAR = date(2099, 12, 31)
VERB_MODULES = (workflow, force_majeure, postponement, training)


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


STEPS = (
    *("requested", "proposed", "awaiting_payment", "accepted", "refused", "lapsed", "in_training", "ended"),
    *("completion_declared", "completion_validated", "absent", "claimed", "no_show", "postponed"),
)


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
    in_training = False
    ended = False
    completion_declared = False
    completion_validated = False
    absent = False
    claimed = False
    no_show = False
    postponed = False
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
        if wanted["is_exempt"]:  # written whatever memory says: a test may have undone the row
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
        for step in STEPS:
            if wanted.get(step):
                dossier = bring(
                    dossier, State.REFUSED_BY_PROVIDER if step == "refused" else State(step), at=at
                )
        return Dossier.objects.get(pk=dossier.pk)


def bring(dossier: Dossier, state: State, *, at: datetime) -> Dossier:
    """Take a draft to this state by the moves that lead there, all at `at`.

    Silence: when its clock ends. What happens on the first or the last day: that day, at noon in Paris, or at
    `at` when it is later.
    """
    if dossier.state == state:
        return dossier
    before = {
        State.REQUESTED: State.DRAFT,
        State.PREREQUISITES_CHECK: State.REQUESTED,
        State.PROPOSED: State.REQUESTED,
        State.FUNDER_REVIEW: State.PROPOSED,
        State.REFUSED_BY_PROVIDER: State.REQUESTED,
        State.CANCELLED_BY_HOLDER: State.REQUESTED,
        State.REFUSED_BY_HOLDER: State.PROPOSED,
        State.AWAITING_PAYMENT: State.PROPOSED,
        State.ACCEPTED: State.PROPOSED,
        State.CANCELLED_BY_PROVIDER: State.PROPOSED,
        State.LAPSED: State.REQUESTED,
        State.CLOSED_BY_PLATFORM: State.REQUESTED,
        State.CANCELLED_BY_FUNDER: State.ACCEPTED,
        State.POSTPONED: State.ACCEPTED,
        State.ABSENT: State.ACCEPTED,
        State.CLAIMED: State.ABSENT,
        State.NO_SHOW: State.ABSENT,
        State.IN_TRAINING: State.ACCEPTED,
        State.ENDED: State.IN_TRAINING,
        State.COMPLETION_DECLARED: State.ENDED,
        State.COMPLETION_VALIDATED: State.COMPLETION_DECLARED,
    }[state]
    if state == State.FUNDER_REVIEW and dossier.state in (State.DRAFT, State.REQUESTED):
        dossier = _propose_beyond_rights(bring(dossier, State.REQUESTED, at=at), at=at)
    if state == State.LAPSED and dossier.state in CLOCK_OF:
        before = State(dossier.state)
    dossier = bring(dossier, before, at=at)
    return _STEPS[state](dossier, at)


def act(verb: str, dossier: Dossier, *, at: datetime, **kwargs) -> Dossier:
    """One verb of the workflow by whoever does it, with a request of its own."""
    by = kwargs.pop("by", None)
    if by is None:
        if Role.PROVIDER in MOVES[verb].roles:
            by = provider_actor(dossier.provider)
        elif Role.SYSTEM in MOVES[verb].roles:
            by = SYSTEM
        elif Role.ADMIN in MOVES[verb].roles:
            by = admin_actor()
        else:
            by = holder_actor(dossier.holder)
    kwargs.setdefault("request_id", uuid.uuid4())
    return verb_named(verb)(dossier.pk, by=by, at=at, **kwargs)


def verb_named(verb: str):
    """The function of a verb of MOVES, wherever it lives."""
    return next(getattr(module, verb) for module in VERB_MODULES if hasattr(module, verb))


def least(verb: str, *, at: datetime) -> dict:
    """The least that this verb is told beside who, when and which request."""
    hours = {"total_minutes": 60, "done_minutes": 60, "cause": CompletionCause.COMPLETE}
    return {
        "propose": {"price_cents": 100, "starts_on": at.date(), "ends_on": at.date()},
        "refuse": {"reason": "x"},
        "call_off": {"reason": "x"},
        "call_off_for_funder": {"reason": "x"},
        "confirm_payment": {"reference": "x", "amount_cents": 1},
        "refuse_payment": {"reference": "x", "reason": "x"},
        "ask_funder": {"amount_cents": 1},
        "refuse_top_up": {"reason": "x"},
        "reinstate": {"reason": "x"},
        "give_all_back": {"reason": "x"},
        "postpone": {
            "session_id": uuid.UUID(int=0),
            "starts_on": at.date(),
            "ends_on": at.date(),
            "reason": "x",
        },
        "enter": {"entered_on": at.date()},
        "annul_entry": {"reason": "x"},
        "claim": {"words": "x", "files": [a_proof()]},
        "grant_claim": {"reason": "x"},
        "reject_claim": {"reason": "x"},
        "end": {"exited_on": at.date(), "exit_reason": ExitReason.FINISHED},
        "declare_completion": hours,
        "correct_completion": hours | {"force_majeure": False, "reason": "x"},
    }.get(verb, {})


def meant(verb: str, dossier: Dossier, *, at: datetime, percent: int, agent: Actor) -> dict:
    """What somebody who means well would say with this verb. `percent`: what was followed of the training."""
    if verb == "enter":
        return {"entered_on": max(dossier.starts_on, min(workdays.paris_day(at), dossier.ends_on))}
    if verb == "end":
        return {"exited_on": workdays.paris_day(at), "exit_reason": ExitReason.FINISHED}
    if verb in ("declare_completion", "correct_completion"):
        cause = CompletionCause.COMPLETE if percent == 100 else CompletionCause.LEFT
        said = {"total_minutes": 6_000, "done_minutes": 60 * percent, "cause": cause, "force_majeure": False}
        if verb == "correct_completion":
            return said | {"reason": "Vu.", "by": agent}
        is_excused = cause == CompletionCause.LEFT and percent % 2 == 0
        files = [a_proof()] if is_excused else []
        return said | {"words": "Parti.", "force_majeure": is_excused, "files": files}
    if verb == "confirm_payment":
        line = dossier.funding_lines.filter(kind="payment").order_by("-round").first()
        reference = f"VIR-{dossier.number}-{at:%Y%m%d}"
        return {"reference": reference, "amount_cents": line.amount_cents if line else 1}
    if verb == "propose":
        days = {"starts_on": dossier.session.starts_on, "ends_on": dossier.session.ends_on}
        return {"price_cents": dossier.asked_price_cents} | days
    if verb == "postpone":
        starts_on = in_business_days(at, 11 + percent)
        days = {"starts_on": starts_on, "ends_on": starts_on + timedelta(days=percent % 5)}
        return {"session_id": dossier.session_id, "reason": "Formateur souffrant."} | days
    if verb == "ask_funder":
        return {"amount_cents": 1 + percent * 10}
    if verb == "refuse_top_up":
        return {"reason": "Vu.", "by": agent}
    if verb in (
        "grant_claim",
        "reject_claim",
        "annul_entry",
        "call_off_for_funder",
        "give_all_back",
        "reinstate",
    ):
        return {"reason": "Vu.", "by": agent}
    return least(verb, at=at)


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


def put_off(dossier: Dossier, *, at: datetime, **changes) -> Dossier:
    """The organisation proposes the same session, twenty business days later."""
    starts_on = workdays.add_workdays(dossier.starts_on, 20)
    terms = {
        "session_id": dossier.session_id,
        "starts_on": starts_on,
        "ends_on": starts_on + (dossier.ends_on - dossier.starts_on),
        "reason": "Le formateur est souffrant.",
    }
    return act("postpone", dossier, at=at, **terms | changes)


def _lapse(dossier: Dossier, at: datetime) -> Dossier:
    clock = clocks.running(dossier, CLOCK_OF[State(dossier.state)])
    return act("lapse", dossier, at=clock.due_at)


def _close(dossier: Dossier, at: datetime) -> Dossier:
    certification = dossier.offer.certification
    certification.registered_until = workdays.paris_day(at) - timedelta(days=1)
    certification.save(update_fields=["registered_until"])
    return act("close", dossier, at=at)


def noon(day: date, *, at: datetime) -> datetime:
    """That day at noon in Paris, or `at` when it is later."""
    return max(datetime.combine(day, time(12), PARIS), at)


def the_day_after(dossier: Dossier, *, at: datetime) -> datetime:
    return noon(dossier.starts_on + timedelta(days=1), at=at)


def a_proof(name: str = "certificat.pdf") -> SimpleUploadedFile:
    """A small PDF that is one from its first byte to its last."""
    return SimpleUploadedFile(name, b"%PDF-1.4\n1 0 obj <<>> endobj\n%%EOF\n", content_type="application/pdf")


def _in_training(dossier: Dossier, at: datetime) -> Dossier:
    return act("enter", dossier, at=noon(dossier.starts_on, at=at), entered_on=dossier.starts_on)


def _ended(dossier: Dossier, at: datetime) -> Dossier:
    reason = ExitReason.FINISHED
    return act("end", dossier, at=noon(dossier.ends_on, at=at), exited_on=dossier.ends_on, exit_reason=reason)


def _declared(dossier: Dossier, at: datetime, *, done: int = 100, **more) -> Dossier:
    """`done`: percent of 35 hours; less than the whole is somebody who left, unless said."""
    fields = {"total_minutes": 2_100, "done_minutes": 2_100 * done // 100}
    if done < 100:
        fields |= {"cause": CompletionCause.LEFT, "words": "N’est plus venue."}
    return act("declare_completion", dossier, at=noon(dossier.ends_on, at=at), **fields | more)


def _when_over(verb: str, kind: ClockKind):
    return lambda dossier, at: act(verb, dossier, at=clocks.running(dossier, kind).due_at)


def _acknowledge(dossier: Dossier, at: datetime) -> Dossier:
    type(dossier.offer).objects.filter(pk=dossier.offer_id).update(has_prerequisites=True)
    return act("acknowledge", dossier, at=at)


def _propose_beyond_rights(dossier: Dossier, *, at: datetime) -> Dossier:
    """To a job seeker, at a price that all their rights do not pay."""
    HolderProfile.objects.filter(pk=dossier.holder_id).update(status="job_seeker")
    owned = sum(purse.balance for purse in ledger.purses(dossier.holder, at=at))
    return propose_as_asked(dossier, at=at, price_cents=owned + 150_000, change_reason="Matériel compris.")


def _ask_funder(dossier: Dossier, at: datetime) -> Dossier:
    """For all that is missing: its holder is a job seeker whose rights do not suffice."""
    missing = workflow.plan_for(dossier, at=at, rules=rulebook.on(workdays.paris_day(at))).remainder_cents
    return act("ask_funder", dossier, at=at, amount_cents=missing)


_STEPS = {
    State.PREREQUISITES_CHECK: _acknowledge,
    State.FUNDER_REVIEW: _ask_funder,
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
    State.CANCELLED_BY_FUNDER: lambda dossier, at: act(
        "call_off_for_funder", dossier, at=at, reason="Convention rompue."
    ),
    State.POSTPONED: lambda dossier, at: put_off(dossier, at=at),
    State.ABSENT: lambda dossier, at: act("report_absence", dossier, at=the_day_after(dossier, at=at)),
    State.CLAIMED: lambda dossier, at: act(
        "claim", dossier, at=the_day_after(dossier, at=at), words="Hospitalisation.", files=[a_proof()]
    ),
    State.NO_SHOW: _when_over("settle_absence", ClockKind.ABSENCE),
    State.IN_TRAINING: _in_training,
    State.ENDED: _ended,
    State.COMPLETION_DECLARED: _declared,
    State.COMPLETION_VALIDATED: _when_over("validate", ClockKind.VALIDATION),
    State.LAPSED: _lapse,
    State.CLOSED_BY_PLATFORM: _close,
}
