"""Funders' envelopes in the admin: opened, filled, granted from, taken back; each has its journal line."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import JournalEntry
from rights import integrity
from rights.kinds import FunderKind
from rights.models import Envelope, Pocket
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.dotations import EnvelopeFactory, GrantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def do(client, envelope, what, **data):
    return client.post(reverse("admin:rights_envelope_do", args=[envelope.pk, what]), data)


def balance(pocket):
    return Pocket.objects.get(pk=pocket.pk).balance


def test_an_envelope_is_opened_filled_granted_from_taken_back_and_paid_back(admin):
    page = reverse("admin:rights_envelope_add")
    said = {"reference": "RH-2026", "funder_name": "Atelier Nord", "funder_kind": FunderKind.EMPLOYER}
    assert "Ouvrir une enveloppe" in admin.get(page).text
    assert admin.post(page, said | {"certifications": "RNCP1, RNCP2"}).status_code == 302
    envelope = Envelope.objects.get(reference="RH-2026")
    holder = HolderFactory()
    assert do(admin, envelope, "fund", amount="1 000,00", reference="VIR-1").status_code == 302
    wish = {"holder": holder.reference, "amount": "300", "origin": "voluntary", "reference": "A-1"}
    for _click in range(2):
        assert do(admin, envelope, "grant", **wish, certifications="RNCP1").status_code == 302
    assert balance(envelope) == 700_00
    change = admin.get(reverse("admin:rights_envelope_change", args=[envelope.pk])).text
    assert "Rappeler ce qui n’a pas servi" in change
    key = "0d3cf5a2-2f7c-4e0c-9a57-6a3c7c5b8d11"
    assert do(admin, envelope, "recall", reason="Départ", key=key).status_code == 302
    assert do(admin, envelope, "pay-back", amount="1000", reason="Fin", key=key).status_code == 302
    assert balance(envelope) == 0
    actions = JournalEntry.objects.order_by("at", "pk").values_list("action", flat=True)
    assert set(actions) >= {
        "envelope_open",
        "envelope_fund",
        "envelope_grant",
        "envelope_recall",
        "envelope_pay-back",
    }
    assert integrity.check() == []


@pytest.mark.parametrize(
    ("what", "data", "words"),
    [
        ("grant", {"amount": "2000"}, "n’a plus assez"),
        ("grant", {"amount": "10", "certifications": "CPF200"}, "n’est pas un code de certification"),
        ("grant", {"amount": "10", "levels": "douze"}, "Un niveau est un nombre"),
        ("grant", {"amount": "10", "expires_on": "2020-01-01"}, "déjà passé"),
        ("grant", {"amount": "10", "holder": "X-9"}, "Aucun compte n’a cette référence"),
        ("grant", {"amount": "10", "origin": "top_up"}, "Sélectionnez un choix valide"),
        ("fund", {"amount": "0", "reference": "V"}, "supérieur à zéro"),
        ("pay-back", {"amount": "2000"}, "Il n’y a pas assez"),
    ],
)
def test_what_is_refused_stands_on_the_form_and_nothing_moves(admin, what, data, words):
    envelope = EnvelopeFactory(cents=1_000_00)
    said = {
        "holder": HolderFactory().reference,
        "origin": "voluntary",
        "reference": "A-1",
        "reason": "x",
        "key": "0d3cf5a2-2f7c-4e0c-9a57-6a3c7c5b8d11",
    }
    answer = do(admin, envelope, what, **(said | data))
    assert answer.status_code == 422
    assert words in answer.text
    assert balance(envelope) == 1_000_00
    assert not JournalEntry.objects.filter(action=f"envelope_{what}").exists()


def test_managing_envelopes_needs_its_own_permission(client):
    envelope = EnvelopeFactory()
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_envelope"))
    client.force_login(clerk)
    change = reverse("admin:rights_envelope_change", args=[envelope.pk])
    assert "Alimenter" not in client.get(change).text
    assert do(client, envelope, "fund", amount="1", reference="V").status_code == 403
    assert client.get(reverse("admin:rights_envelope_add")).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="manage_envelopes"))
    assert "Alimenter" in client.get(change).text
    assert do(client, envelope, "fund", amount="1", reference="V").status_code == 302


def test_what_nobody_can_do_is_not_found(admin):
    assert do(admin, EnvelopeFactory(), "burn").status_code == 404


def test_lists_cost_the_same_queries_with_1_and_with_3_rows(admin, django_assert_num_queries):
    page = reverse("admin:rights_envelope_changelist")
    asked = []
    for number in (1, 3):
        while Envelope.objects.count() < number:
            GrantFactory(envelope=EnvelopeFactory())
        admin.get(page)
        with django_assert_num_queries(4) as found:
            assert admin.get(page).status_code == 200
        asked.append(len(found))
    assert asked[0] == asked[1]
