"""What the statement by hand reads is what the models say."""

import pytest
from django.db import transaction

from dossiers import locking
from dossiers.models import Dossier
from tests.factories.dossiers import DossierFactory

pytestmark = pytest.mark.django_db
JOINED = ("holder__user", "provider__organisation", "offer__certification", "offer__provider", "session")


@pytest.mark.parametrize("name, model, _key", locking.AROUND)
def test_each_table_is_read_as_by_the_orm(name, model, _key):
    made = DossierFactory(proposed=True)
    with transaction.atomic():
        locked = locking.lock(made.pk)
    read = Dossier.objects.select_related(*JOINED).get(pk=made.pk)
    way = {
        "dossier": lambda each: each,
        "organisation": lambda each: each.provider.organisation,
        "certification": lambda each: each.offer.certification,
        "reader": lambda each: each.holder.user,
    }.get(name, lambda each: getattr(each, name))
    for field in locking._FIELDS[name]:
        assert getattr(way(locked), field) == getattr(way(read), field), field


def test_one_statement_gives_all_that_verbs_read(django_assert_num_queries):
    made = DossierFactory(proposed=True)
    with transaction.atomic(), django_assert_num_queries(1):
        locked = locking.lock(made.pk)
        assert locked.offer.provider.organisation.name and locked.offer.certification.code
        assert locked.holder.user.email and locked.session.recruitment


def test_a_holder_without_sign_in_and_an_offer_without_certification_are_read_too():
    made = DossierFactory()
    made.holder.user, made.holder.activated_at = None, None
    made.holder.save(update_fields=["user", "activated_at"])
    made.offer.certification = None
    made.offer.kind = "vae"
    made.offer.portal_code = "200"
    made.offer.save()
    with transaction.atomic():
        locked = locking.lock(made.pk)
        locking.lock_holder(locked)
    assert locked.holder.user is None and locked.offer.certification is None


def test_the_past_is_what_has_happened_so_far(at):
    draft = DossierFactory(at=at)
    with transaction.atomic():
        past = locking.past_of(draft)
    assert (past.requests, past.asked, past.due, past.last_round) == ({}, {}, {}, 0)
    accepted = DossierFactory(at=at, accepted=True)
    with transaction.atomic():
        past = locking.past_of(accepted)
    moves = accepted.transitions.order_by("id")
    assert past.requests == {move.request_id: move.verb for move in moves}
    assert past.asked == moves.get(verb="submit").details
    assert past.due == {"withdrawal": accepted.deadlines.get(closed_at=None).due_at}
    assert past.last_round == 1
