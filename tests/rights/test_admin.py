"""The ledger in the admin: everything to read, one thing to do."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import JournalEntry
from rights import integrity
from rights.kinds import MovementKind, PocketKind
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.rights import CreditFactory, PurseFactory
from tests.rights.test_ledger import reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_user():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def admin(client, admin_user):
    client.force_login(admin_user)
    return client


@pytest.fixture
def credit():
    return CreditFactory(holder=HolderFactory(birth_name="Zadkine", reference="R-77"), key="annual:2025:77")


@pytest.mark.parametrize("query", ["Zadkine", "R-77"])
def test_pockets_are_found_by_holder_and_shown_in_euros(admin, credit, query):
    PurseFactory(amount=999_00)
    page = admin.get(reverse("admin:rights_pocket_changelist"), {"q": query}).text
    assert "500,00" in page
    assert "999,00" not in page
    assert "Droits annuels" in page


@pytest.mark.parametrize("query", ["Zadkine", "R-77", "annual:2025:77"])
def test_movements_are_found_by_holder_reference_and_key(admin, credit, query):
    CreditFactory(amount=999_00)
    page = admin.get(reverse("admin:rights_movement_changelist"), {"q": query}).text
    assert "500,00" in page
    assert "999,00" not in page


@pytest.mark.parametrize("filters", [{"contenu": "plein"}, {"contenu": "vide"}, {"kind__exact": "annual"}])
def test_pockets_are_filtered(admin, credit, filters):
    reserve((credit.target, 500_00))
    found = admin.get(reverse("admin:rights_pocket_changelist"), filters).context["cl"].queryset
    expected = Pocket.objects.filter(
        **{
            "plein": {"balance__gt": 0},
            "vide": {"balance": 0},
            "annual": {"kind": PocketKind.ANNUAL},
        }[next(iter(filters.values()))]
    )
    assert set(found) == set(expected) != set()


@pytest.mark.parametrize("model", ["pocket", "movement"])
def test_nothing_is_added_changed_or_deleted(admin, credit, model):
    pk = {"pocket": credit.target_id, "movement": credit.pk}[model]
    assert admin.get(reverse(f"admin:rights_{model}_add")).status_code == 403
    assert admin.get(reverse(f"admin:rights_{model}_delete", args=[pk])).status_code == 403
    page = reverse(f"admin:rights_{model}_change", args=[pk])
    assert admin.get(page).status_code == 200
    assert admin.post(page, {"amount": 1, "label": "x", "balance": 1}).status_code == 403
    assert "500,00" in admin.get(page).text


def test_lists_cost_the_same_queries_with_1_and_with_3_rows(admin, credit, django_assert_max_num_queries):
    for _more in range(2):
        for name in ("pocket", "movement"):
            with django_assert_max_num_queries(12):
                assert admin.get(reverse(f"admin:rights_{name}_changelist")).status_code == 200
        CreditFactory()
        CreditFactory()


def test_a_credit_is_corrected_by_a_counter_movement_with_its_reason_in_the_journal(
    admin, admin_user, credit
):
    assert "contre-mouvement" in admin.get(reverse("admin:rights_movement_change", args=[credit.pk])).text
    page = reverse("admin:rights_movement_reverse", args=[credit.pk])
    assert "500,00" in admin.get(page).text
    answer = admin.post(page, {"reason": "Crédité deux fois"})
    assert answer.status_code == 302
    counter = Movement.objects.get(kind=MovementKind.REVERSAL)
    assert (counter.reverses, counter.reason, counter.recorded_by) == (
        credit,
        "Crédité deux fois",
        admin_user,
    )
    assert Pocket.objects.get(pk=credit.target_id).balance == 0
    entry = JournalEntry.objects.get(action="reverse_movement")
    assert (entry.user, entry.details["reason"]) == (admin_user, "Crédité deux fois")
    assert "corriger/" not in admin.get(reverse("admin:rights_movement_change", args=[credit.pk])).text
    assert integrity.check() == []


def test_a_correction_needs_a_reason_and_the_money(admin, credit):
    page = reverse("admin:rights_movement_reverse", args=[credit.pk])
    assert admin.post(page, {"reason": " "}).status_code == 422
    reserve((credit.target, 1))
    answer = admin.post(page, {"reason": "Doublon"})
    assert answer.status_code == 422
    assert "Il n’y a pas assez sur « Droits annuels »" in answer.text
    assert not Movement.objects.filter(kind=MovementKind.REVERSAL).exists()
    assert not JournalEntry.objects.filter(action="reverse_movement").exists()


def test_a_reservation_is_not_corrected_here(admin, credit):
    reserve((credit.target, 1))
    reservation = Movement.objects.get(kind=MovementKind.RESERVE)
    assert "corriger/" not in admin.get(reverse("admin:rights_movement_change", args=[reservation.pk])).text
    answer = admin.post(
        reverse("admin:rights_movement_reverse", args=[reservation.pk]), {"reason": "Doublon"}
    )
    assert answer.status_code == 422
    assert "Seul un crédit se corrige ici" in answer.text


def test_correcting_needs_its_own_permission(client, credit):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_movement"))
    client.force_login(clerk)
    page = reverse("admin:rights_movement_reverse", args=[credit.pk])
    assert client.get(reverse("admin:rights_movement_change", args=[credit.pk])).status_code == 200
    assert client.post(page, {"reason": "Doublon"}).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="reverse_movement"))
    assert client.post(page, {"reason": "Doublon"}).status_code == 302


def test_a_movement_that_does_not_exist_is_not_found(admin):
    assert admin.get(reverse("admin:rights_movement_reverse", args=[404])).status_code == 404
