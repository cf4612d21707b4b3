"""Two persons and a reason: the only way to change by hand what somebody holds."""

import datetime
import uuid
from functools import partial

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from notices.models import Notice
from portal import duty
from rights import adjustments, integrity, statements
from rights.kinds import MovementKind, PocketKind, Unit
from rights.models import Adjustment, Movement, Pocket
from tests.concurrency.crowd import together
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.rights import CreditFactory, PurseFactory
from tests.rights.away import switched_off
from tests.rights.test_ledger import reserve
from ui.refusals import Refused

pytestmark = pytest.mark.django_db
UP, DOWN = Adjustment.Direction.UP, Adjustment.Direction.DOWN
AT = datetime.datetime(2026, 5, 12, 10, tzinfo=datetime.UTC)


def an_admin():
    return Actor(role=Role.ADMIN, user=UserFactory(is_staff=True, is_superuser=True))


@pytest.fixture
def jeanne():
    return an_admin()


@pytest.fixture
def paul():
    return an_admin()


@pytest.fixture
def purse():
    return PurseFactory(amount=100_00, at=AT)


def propose(purse, by, *, direction=UP, amount=30_00, reason="Heures de 2024 oubliées", at=AT, **fields):
    request_id = fields.pop("request_id", None) or uuid.uuid4()
    return adjustments.propose(
        purse.pk, direction=direction, amount=amount, reason=reason, by=by, at=at, request_id=request_id
    )


def balance(purse):
    return Pocket.objects.get(pk=purse.pk).balance


# --- What happens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "after"), [(UP, 130_00), (DOWN, 70_00)])
def test_one_proposes_another_confirms_and_one_movement_is_posted(purse, jeanne, paul, direction, after):
    proposed = propose(purse, jeanne, direction=direction)
    assert balance(purse) == 100_00
    adjustments.confirm(proposed.pk, by=paul, at=AT)
    assert balance(purse) == after
    movement = Movement.objects.get(key=f"adjustment:{proposed.pk}")
    assert (movement.kind, movement.amount, movement.reason) == (direction, 30_00, "Heures de 2024 oubliées")
    assert movement.recorded_by == paul.user
    assert [line[0] for line in movement.formula] == ["Proposée le", "Confirmée par une autre personne le"]
    assert integrity.check() == []


def test_what_a_funder_gave_comes_from_and_goes_back_to_that_funder(jeanne, paul):
    dotation = PurseFactory(kind=PocketKind.DOTATION, label="Région", amount=50_00, at=AT)
    for direction in (UP, DOWN):
        adjustments.confirm(propose(dotation, jeanne, direction=direction, amount=10_00).pk, by=paul, at=AT)
        movement = Movement.objects.latest("pk")
        world = movement.source if direction == UP else movement.target
        assert (world.kind, world.label) == (PocketKind.FUNDER, "Région")


def test_hours_are_adjusted_in_hours(jeanne, paul):
    hours = PurseFactory(unit=Unit.HOUR, amount=25, at=AT)
    adjustments.confirm(propose(hours, jeanne, direction=DOWN, amount=5).pk, by=paul, at=AT)
    assert balance(hours) == 20
    assert Movement.objects.latest("pk").target.unit == Unit.HOUR


def test_the_holder_is_told_and_reads_it_on_their_statement(purse, jeanne, paul):
    adjustments.confirm(propose(purse, jeanne, direction=DOWN).pk, by=paul, at=AT)
    notice = Notice.objects.get(kind="rights_adjusted")
    assert notice.user == purse.holder.user
    assert notice.facts["reason"] == "Heures de 2024 oubliées"
    [line, _credit] = statements.statement(purse.holder, at=AT).history[:]
    assert line.words == "Régularisation : des droits ont été repris par l’administration"
    assert (line.effect, line.balance, line.reason) == (-30_00, 70_00, "Heures de 2024 oubliées")


def test_a_holder_without_login_finds_it_later(jeanne, paul):
    purse = PurseFactory(holder=HolderFactory(user=None), at=AT)
    adjustments.confirm(propose(purse, jeanne).pk, by=paul, at=AT)
    assert not Notice.objects.exists()


def test_every_step_is_in_the_journal(purse, jeanne, paul):
    adjustments.confirm(propose(purse, jeanne).pk, by=paul, at=AT)
    adjustments.reject(propose(purse, jeanne).pk, reason="Déjà fait", by=paul, at=AT)
    adjustments.withdraw(propose(purse, jeanne).pk, by=jeanne, at=AT)
    lines = JournalEntry.objects.order_by("pk")
    assert [(line.action, line.user) for line in lines] == [
        ("adjustment_proposed", jeanne.user),
        ("adjustment_confirmed", paul.user),
        ("adjustment_proposed", jeanne.user),
        ("adjustment_rejected", paul.user),
        ("adjustment_proposed", jeanne.user),
        ("adjustment_withdrawn", jeanne.user),
    ]
    assert {line.subject for line in lines} == {f"holderprofile:{purse.holder_id}"}


def test_the_same_click_again_changes_nothing(purse, jeanne, paul):
    request_id = uuid.uuid4()
    first = propose(purse, jeanne, request_id=request_id)
    assert propose(purse, jeanne, request_id=request_id) == first
    for _click in range(2):
        adjustments.confirm(first.pk, by=paul, at=AT)
    assert balance(purse) == 130_00
    assert Notice.objects.filter(kind="rights_adjusted").count() == 1


# --- What is refused ----------------------------------------------------------------------------------


def test_nobody_confirms_or_refuses_what_they_proposed(purse, jeanne):
    proposed = propose(purse, jeanne)
    with pytest.raises(NotAllowed, match="autre personne"):
        adjustments.confirm(proposed.pk, by=jeanne, at=AT)
    with pytest.raises(NotAllowed, match="retirer"):
        adjustments.reject(proposed.pk, reason="Non", by=jeanne, at=AT)
    assert balance(purse) == 100_00


def test_only_who_proposed_withdraws(purse, jeanne, paul):
    proposed = propose(purse, jeanne)
    with pytest.raises(NotAllowed):
        adjustments.withdraw(proposed.pk, by=paul, at=AT)


def test_nobody_adjusts_their_own_account(jeanne, paul):
    mine = PurseFactory(holder=HolderFactory(user=jeanne.user), at=AT)
    with pytest.raises(NotAllowed, match="propre compte"):
        propose(mine, jeanne)
    proposed = propose(mine, paul)
    with pytest.raises(NotAllowed, match="propre compte"):
        adjustments.confirm(proposed.pk, by=jeanne, at=AT)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": 0}, "supérieur à zéro"),
        ({"amount": -5}, "supérieur à zéro"),
        ({"amount": 100_000_01}, "ne dépasse pas"),
        ({"amount": 100_01, "direction": DOWN}, "Il ne reste que"),
        ({"reason": "  "}, "motif"),
    ],
)
def test_a_slip_is_refused_in_words(purse, jeanne, fields, words):
    with pytest.raises(Refused, match=words):
        propose(purse, jeanne, **fields)
    assert not Adjustment.objects.exists()


def test_only_what_a_holder_owns_is_adjusted(purse, jeanne):
    [reserved] = reserve((purse, 10_00))
    state = Movement.objects.get(target=purse).source
    for other in (Pocket.objects.get(pk=reserved), state):
        with pytest.raises(Refused, match="droits d’un titulaire"):
            propose(other, jeanne)


def test_nothing_is_added_where_it_could_not_pay(jeanne):
    ended = PurseFactory(
        kind=PocketKind.DOTATION, label="Région", expires_on=datetime.date(2026, 5, 11), at=AT
    )
    with pytest.raises(Refused, match="plus utilisable"):
        propose(ended, jeanne)
    assert propose(ended, jeanne, direction=DOWN)


def test_never_below_zero_even_when_it_was_used_meanwhile(purse, jeanne, paul):
    proposed = propose(purse, jeanne, direction=DOWN, amount=80_00)
    reserve((purse, 50_00))
    with pytest.raises(Refused, match="Il n’y a pas assez"):
        adjustments.confirm(proposed.pk, by=paul, at=AT)
    proposed.refresh_from_db()
    assert (proposed.state, balance(purse)) == ("proposed", 50_00)
    assert not JournalEntry.objects.filter(action="adjustment_confirmed").exists()


def test_a_proposal_expires(purse, jeanne, paul):
    proposed = propose(purse, jeanne)
    late = proposed.expires_at
    assert list(adjustments.to_decide(at=late - datetime.timedelta(seconds=1))) == [proposed]
    assert list(adjustments.to_decide(at=late)) == []
    for decide in (adjustments.confirm, partial(adjustments.reject, reason="Non")):
        with pytest.raises(Refused, match="expirée"):
            decide(proposed.pk, by=paul, at=late)
    adjustments.withdraw(proposed.pk, by=jeanne, at=late)


def test_what_is_decided_stays_so(purse, jeanne, paul):
    proposed = propose(purse, jeanne)
    adjustments.reject(proposed.pk, reason="Déjà fait", by=paul, at=AT)
    with pytest.raises(Refused, match="déjà décidée : refusée"):
        adjustments.confirm(proposed.pk, by=paul, at=AT)
    with pytest.raises(Refused, match="déjà décidée"):
        adjustments.withdraw(proposed.pk, by=jeanne, at=AT)


@pytest.mark.parametrize("by", [SYSTEM, Actor(role=Role.HOLDER)])
def test_only_admins_with_the_right_to(purse, jeanne, by):
    proposed = propose(purse, jeanne)
    for verb in (
        partial(propose, purse),
        partial(adjustments.confirm, proposed.pk, at=AT),
        partial(adjustments.reject, proposed.pk, reason="Non", at=AT),
        partial(adjustments.withdraw, proposed.pk, at=AT),
    ):
        with pytest.raises(NotAllowed):
            verb(by=by)


def test_staff_without_the_permission_cannot(purse):
    with pytest.raises(NotAllowed):
        propose(purse, Actor(role=Role.ADMIN, user=UserFactory(is_staff=True)))


# --- What the database refuses --------------------------------------------------------------------------


def constraint_of(refusal):
    return refusal.value.__cause__.diag.constraint_name


def decided(proposed, **fields):
    Adjustment.objects.filter(pk=proposed.pk).update(**({"decided_at": AT} | fields))


def test_the_database_wants_two_persons_whatever_the_code_says(purse, jeanne):
    proposed = propose(purse, jeanne)
    for state in ("confirmed", "rejected"):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            decided(proposed, state=state, decided_by=jeanne.user)
        assert constraint_of(refusal) == "adjustment_takes_two_persons"
    with connection.cursor() as cursor:  # without the guard, one would do
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE rights_adjustment DROP CONSTRAINT adjustment_takes_two_persons")
    decided(proposed, state="rejected", decided_by=jeanne.user)
    assert "adjustment_takes_two_persons" in {finding.rule for finding in integrity.check()}


@pytest.mark.parametrize(
    ("fields", "guard"),
    [
        ({"amount": 1}, "adjustment_stays_as_proposed"),
        ({"direction": "adjust_down"}, "adjustment_stays_as_proposed"),
        ({"reason": "Autre"}, "adjustment_stays_as_proposed"),
        ({"expires_at": AT}, "adjustment_stays_as_proposed"),
        ({"state": "confirmed"}, "adjustment_decision_is_whole"),
        ({"state": "autre"}, "adjustment_decision_is_whole"),
    ],
)
def test_what_was_proposed_does_not_change(purse, jeanne, fields, guard):
    proposed = propose(purse, jeanne)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Adjustment.objects.filter(pk=proposed.pk).update(**fields)
    assert constraint_of(refusal) == guard


def test_a_decision_does_not_change_and_is_in_time(purse, jeanne, paul):
    proposed = propose(purse, jeanne)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        decided(proposed, state="confirmed", decided_by=paul.user, decided_at=proposed.expires_at)
    assert constraint_of(refusal) == "adjustment_is_confirmed_in_time"
    adjustments.reject(proposed.pk, reason="Non", by=paul, at=AT)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        decided(proposed, state="confirmed", decided_by=paul.user)
    assert constraint_of(refusal) == "adjustment_is_decided_once"


def test_no_movement_passes_for_an_adjustment_without_its_two_persons(purse, jeanne, paul):
    """Straight into the table, past every verb."""
    proposed = propose(purse, jeanne)
    source = Movement.objects.get(target=purse).source

    def post(key=f"adjustment:{proposed.pk}", amount=30_00):
        return Movement.objects.create(
            source=source,
            target=purse,
            amount=amount,
            kind=MovementKind.ADJUST_UP,
            key=key,
            value_date=AT.date(),
            recorded_at=AT,
        )

    for arguments in ({}, {"key": "adjustment:x"}, {"key": "adjustment:999999"}, {"key": "autre"}):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            post(**arguments)
        assert constraint_of(refusal) == "movement_adjusts_by_two_persons"
    decided(proposed, state="confirmed", decided_by=paul.user)
    assert "adjustment_is_posted_once" in {finding.rule for finding in integrity.check()}
    with pytest.raises(IntegrityError), transaction.atomic():
        post(amount=31_00)
    post()
    assert integrity.check() == []
    with switched_off("movement_moves_balances"):
        post(key="autre")
    assert "movement_adjusts_by_two_persons" in {finding.rule for finding in integrity.check()}


@pytest.mark.django_db(transaction=True)
def test_ten_confirmations_at_once_post_once():
    purse, jeanne = PurseFactory(amount=100_00, at=AT), an_admin()
    proposed = propose(purse, jeanne)
    outcomes = together(
        [
            partial(adjustments.confirm, proposed.pk, by=by, at=AT)
            for by in [an_admin() for _each in range(10)]
        ]
    )
    assert all(isinstance(outcome, Adjustment) for outcome in outcomes), outcomes
    assert Movement.objects.filter(kind=MovementKind.ADJUST_UP).count() == 1
    assert balance(purse) == 130_00


# --- The admin ------------------------------------------------------------------------------------------


@pytest.fixture
def jeanne_s(client_for, jeanne):
    return client_for(jeanne.user)


@pytest.fixture
def paul_s(client_for, paul):
    return client_for(paul.user)


def address(name, row):
    return reverse(f"admin:rights_{name}", args=[row.pk])


def typed(**fields):
    return {
        "direction": "adjust_up",
        "amount": "30,50",
        "reason": "Oubli",
        "request_id": uuid.uuid4(),
    } | fields


def test_from_the_pocket_to_the_second_person(purse, jeanne_s, paul_s):
    assert "Proposer une régularisation" in jeanne_s.get(address("pocket_change", purse)).text
    page = jeanne_s.get(address("pocket_adjust", purse)).text
    assert "Montant en euros" in page and "100,00" in page
    answer = jeanne_s.post(address("pocket_adjust", purse), typed(), follow=True)
    assert "Une autre personne doit la confirmer" in answer.text
    proposed = Adjustment.objects.get()
    assert ">Retirer</a>" in answer.text and ">Confirmer</a>" not in answer.text
    page = paul_s.get(address("adjustment_change", proposed)).text
    assert ">Confirmer</a>" in page and ">Refuser</a>" in page and ">Retirer</a>" not in page
    assert "30,50" in paul_s.get(address("adjustment_confirm", proposed)).text
    assert balance(purse) == 100_00  # looking changes nothing
    answer = paul_s.post(address("adjustment_confirm", proposed), follow=True)
    assert "C’est fait" in answer.text and "Confirmée" in answer.text
    assert balance(purse) == 130_50


def test_refusing_asks_why_and_withdrawing_does_not(purse, jeanne, jeanne_s, paul_s):
    first, second = propose(purse, jeanne, at=timezone.now()), propose(purse, jeanne, at=timezone.now())
    assert paul_s.post(address("adjustment_reject", first)).status_code == 422
    paul_s.post(address("adjustment_reject", first), {"reason": "Déjà fait"})
    jeanne_s.post(address("adjustment_withdraw", second))
    assert [(each.state, each.answer) for each in Adjustment.objects.order_by("pk")] == [
        ("rejected", "Déjà fait"),
        ("withdrawn", ""),
    ]


def test_refusals_are_said_on_the_page(purse, jeanne, jeanne_s, paul_s):
    answer = jeanne_s.post(address("pocket_adjust", purse), typed(direction="adjust_down", amount="900"))
    assert answer.status_code == 422 and "Il ne reste que" in answer.text
    assert jeanne_s.post(address("pocket_adjust", purse), typed(amount="abc")).status_code == 422
    expired = propose(purse, jeanne, at=AT - datetime.timedelta(days=300))
    assert "Expirée" in paul_s.get(address("adjustment_change", expired)).text
    answer = paul_s.post(address("adjustment_confirm", expired))
    assert answer.status_code == 422 and "expirée depuis" in answer.text
    own = propose(purse, jeanne, at=timezone.now())
    answer = jeanne_s.post(address("adjustment_confirm", own))
    assert answer.status_code == 422 and "autre personne" in answer.text


def test_hours_are_asked_in_hours(jeanne_s):
    hours = PurseFactory(unit=Unit.HOUR, amount=25)
    assert "Nombre d’heures" in jeanne_s.get(address("pocket_adjust", hours)).text
    jeanne_s.post(address("pocket_adjust", hours), typed(amount="5"))
    assert Adjustment.objects.get().amount == 5


def test_one_who_only_looks_is_offered_nothing(client_for, purse, jeanne):
    reader = UserFactory(is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__in=["view_pocket", "view_adjustment"]))
    client, proposed = client_for(reader), propose(purse, jeanne, at=timezone.now())
    assert "Proposer une régularisation" not in client.get(address("pocket_change", purse)).text
    assert ">Confirmer</a>" not in client.get(address("adjustment_change", proposed)).text
    for page, row in (
        ("pocket_adjust", purse),
        ("adjustment_confirm", proposed),
        ("adjustment_reject", proposed),
        ("adjustment_withdraw", proposed),
    ):
        assert client.post(address(page, row)).status_code == 403


def test_it_waits_on_the_desk_of_everybody_but_its_author(purse, jeanne, paul):
    now = timezone.now()
    proposed = propose(purse, jeanne, direction=DOWN, at=now)
    propose(purse, jeanne, at=now - datetime.timedelta(days=31))  # expired
    assert duty.count(jeanne.user, at=now)["regularisation"].count == 0
    [row] = duty.decisions(paul.user, at=now, kind="regularisation")[:10]
    assert row.words.replace("\u00a0", " ").startswith("−30,00 €")
    assert (row.until, row.url) == (proposed.expires_at, address("adjustment_change", proposed))


def test_proposals_are_filtered_by_what_waits(paul_s, purse, jeanne):
    now = timezone.now()
    waiting = propose(purse, jeanne, at=now)
    expired = propose(purse, jeanne, at=now - datetime.timedelta(days=31))
    page = reverse("admin:rights_adjustment_changelist")
    for value, found in (("attend", [waiting]), ("expiree", [expired])):
        assert list(paul_s.get(page, {"attente": value}).context["cl"].result_list) == found
    CreditFactory()
    assert paul_s.get(page, {"q": "Heures de 2024"}).context["cl"].result_count == 2
