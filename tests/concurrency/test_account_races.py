"""A freeze and a validation, two managers who leave, one invitation accepted twice: at the same moment.

Each is first shown to go wrong without its lock.
"""

from functools import partial
from threading import Event

import pytest
from django.db import connection, transaction

from accounts import freezing, sign_ins, teams
from accounts.actors import Actor, Role
from accounts.models import HolderProfile, Membership
from accounts.permissions import NotAllowed
from dossiers.states import State
from notices.models import Notice
from tests.concurrency.conftest import taking_no_lock
from tests.concurrency.crowd import PATIENCE_SECONDS, met_after, together
from tests.factories.accounts import HolderFactory, MembershipFactory, OrganisationFactory, UserFactory
from tests.factories.dossiers import DossierFactory, act, holder_actor
from tests.waiting import somebody_waits_for_a_lock, wait_for
from ui.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 12


@pytest.fixture
def without_locks(transactional_db):
    """New connections take no lock."""
    with taking_no_lock():
        yield
    connection.close()


def two_managers():
    organisation = OrganisationFactory()
    return [MembershipFactory(organisation=organisation, role="manager") for _ in range(2)]


def leave_together(at):
    """Two managers leave at once; how many stay."""
    managers = two_managers()
    calls = [
        partial(
            teams.remove,
            one.pk,
            by=Actor(role=Role.PROVIDER, user=one.user, organisation=one.organisation),
            at=at,
        )
        for one in managers
    ]
    outcomes = together(calls)
    return Membership.objects.filter(organisation=managers[0].organisation).count(), outcomes


def test_two_managers_who_leave_at_once_do_not_both(at):
    for _ in range(ROUNDS):
        left, outcomes = leave_together(at)
        assert left == 1
        assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", "Refused"]


def test_without_the_lock_they_would(at, without_locks, monkeypatch):
    met_after(monkeypatch, teams, "_check_not_last", crowd=2)
    assert leave_together(at)[0] == 0


def test_two_managers_who_remove_each_other_leave_one(at):
    for _ in range(ROUNDS):
        managers = two_managers()
        calls = [
            partial(
                teams.remove,
                other.pk,
                by=Actor(role=Role.PROVIDER, user=one.user, organisation=one.organisation),
                at=at,
            )
            for one, other in (managers, managers[::-1])
        ]
        outcomes = together(calls)
        assert Membership.objects.filter(organisation=managers[0].organisation).count() == 1
        assert sum(isinstance(one, NotAllowed) for one in outcomes) == 1


def test_one_invitation_accepted_many_times_at_once_is_one_membership(at):
    manager = MembershipFactory(role="manager")
    by = Actor(role=Role.PROVIDER, user=manager.user, organisation=manager.organisation)
    for number in range(ROUNDS):
        user = UserFactory(email=f"invite{number}@exemple.fr")
        found = teams.invite(manager.organisation_id, by=by, at=at, email=user.email, role="member")
        accept = partial(teams.accept, found.pk, by=Actor(role=Role.HOLDER, user=user), at=at)
        outcomes = together([accept] * 4)
        assert {one.pk for one in outcomes} == {Membership.objects.get(user=user).pk}
        assert Notice.objects.filter(user=user, kind="membership_given").count() == 1


def test_an_invitation_is_not_accepted_while_it_is_taken_back(at):
    manager = MembershipFactory(role="manager")
    by = Actor(role=Role.PROVIDER, user=manager.user, organisation=manager.organisation)
    for number in range(ROUNDS):
        user = UserFactory(email=f"invite{number}@exemple.fr")
        found = teams.invite(manager.organisation_id, by=by, at=at, email=user.email, role="member")
        accepted, revoked = together(
            [
                partial(teams.accept, found.pk, by=Actor(role=Role.HOLDER, user=user), at=at),
                partial(teams.revoke, found.pk, by=by, at=at),
            ]
        )
        is_member = Membership.objects.filter(user=user).exists()
        assert is_member != isinstance(accepted, Refused)
        assert is_member == isinstance(revoked, Refused)


def freeze_and_accept(at):
    """The holder freezes while somebody validates in their name. In which order each was done."""
    holder = HolderFactory()
    dossier = DossierFactory(at=at, holder=holder, proposed=True)
    holder.refresh_from_db()
    _frozen, accepted = together(
        [
            partial(freezing.freeze, holder.pk, by=holder_actor(holder), at=at),
            partial(act, "accept", dossier, at=at),
        ]
    )
    dossier.refresh_from_db()
    assert HolderProfile.objects.get(pk=holder.pk).frozen_at
    return dossier, accepted


def test_a_validation_comes_before_the_freeze_or_not_at_all(at):
    for _ in range(ROUNDS):
        dossier, accepted = freeze_and_accept(at)
        if isinstance(accepted, Exception):
            assert "gelé" in str(accepted)
            assert dossier.state == State.PROPOSED
        else:
            assert dossier.state == State.ACCEPTED


def accept_while_a_freeze_is_written(at):
    """The freeze is done, and not committed before the validation has ended or waits for its lock."""
    holder = HolderFactory()
    dossier = DossierFactory(at=at, holder=holder, proposed=True)
    holder.refresh_from_db()

    written, answered = Event(), Event()

    def freeze_slowly():
        with transaction.atomic():
            freezing.freeze(holder.pk, by=holder_actor(holder), at=at)
            written.set()
            wait_for(lambda: answered.is_set() or somebody_waits_for_a_lock(), limit=PATIENCE_SECONDS)

    def accept_meanwhile():
        written.wait(PATIENCE_SECONDS)
        try:
            return act("accept", dossier, at=at)
        finally:
            answered.set()

    accepted = together([freeze_slowly, accept_meanwhile])[1]
    dossier.refresh_from_db()
    return dossier.state, accepted


def test_a_validation_judges_the_account_as_it_is_under_its_lock(at):
    state, accepted = accept_while_a_freeze_is_written(at)
    assert isinstance(accepted, Exception) and "gelé" in str(accepted)
    assert state == State.PROPOSED


def test_without_the_lock_it_would_judge_the_account_of_before(at, without_locks):
    state, _accepted = accept_while_a_freeze_is_written(at)
    assert state == State.ACCEPTED


def test_two_sign_ins_at_once_from_one_new_browser_are_told_once(at):
    for number in range(ROUNDS):
        user = UserFactory()
        sign_ins.record(user, at=at, place=sign_ins.Place(browser="Firefox", mark="A" * 22))
        place = sign_ins.Place(browser="Chrome", network=f"192.0.{number}.0/24", mark="B" * 22)
        together([partial(sign_ins.record, user, at=at, place=place)] * 4)
        assert Notice.objects.filter(user=user, kind="new_sign_in").count() == 1
