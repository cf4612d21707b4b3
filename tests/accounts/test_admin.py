"""The administration: found, readable, and every look at a holder written down."""

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, transaction
from django.urls import reverse

from accounts import journal, nir
from accounts.actors import SYSTEM
from accounts.models import HolderProfile, JournalEntry, Organisation, User
from notices.models import Notice
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief(client):
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def change_page(thing):
    return reverse(f"admin:accounts_{thing._meta.model_name}_change", args=[thing.pk])


@pytest.mark.parametrize(
    "model", ["user", "holderprofile", "organisation", "membership", "activationattempt", "journalentry"]
)
@pytest.mark.parametrize("size", [1, 3])
def test_every_list_stands_and_can_be_searched(client, chief, at, model, size):
    for _ in range(size):
        membership, holder = MembershipFactory(), HolderFactory()
        holder.user.activation_attempts.create(at=at, identity_digest="0" * 64)
        journal.record(by=SYSTEM, action="essai", subject=membership, at=at)
    page = reverse(f"admin:accounts_{model}_changelist")
    assert client.get(page).status_code == 200
    assert client.get(page, {"q": "exemple"}).status_code == 200


def test_the_number_is_masked_and_the_look_is_written_down(client, chief):
    holder = HolderFactory()
    page = client.get(change_page(holder))
    assert nir.masked(holder.nir_encrypted) in page.text
    assert nir.decrypt(holder.nir_encrypted) not in page.text
    line = JournalEntry.objects.get()
    assert (line.user, line.role, line.action) == (chief, "admin", "holder_viewed")
    assert line.subject == f"holderprofile:{holder.pk}"


def test_who_may_not_look_leaves_no_line(client):
    client.force_login(UserFactory(is_staff=True))
    assert client.get(change_page(HolderFactory())).status_code == 403
    assert not JournalEntry.objects.exists()


def test_a_correction_goes_through_the_verb(client, chief):
    holder = HolderFactory(birth_name="Lefevre", birth_name_key="lefevre")
    form = {
        "birth_name": "D’Œuvre",
        "first_names": "Zoé",
        "birth_date": "31/05/1985",
        "sex": "F",
        "status": holder.status,
    }
    assert client.post(change_page(holder), form).status_code == 302
    holder.refresh_from_db()
    assert (holder.birth_name, holder.birth_name_key) == ("D’Œuvre", "d oeuvre")
    assert JournalEntry.objects.filter(action="identity_corrected", user=chief).exists()
    assert Notice.objects.get().email == holder.user.email


def test_accounts_journal_and_attempts_are_neither_added_nor_removed(client, chief, at):
    holder = HolderFactory()
    attempt = holder.user.activation_attempts.create(at=at, identity_digest="0" * 64)
    line = journal.record(by=SYSTEM, action="essai", subject=holder, at=at)
    for thing in (holder, attempt, line):
        name = thing._meta.model_name
        assert client.get(reverse(f"admin:accounts_{name}_add")).status_code == 403
        assert client.post(reverse(f"admin:accounts_{name}_delete", args=[thing.pk])).status_code == 403
    for thing in (attempt, line):
        assert client.get(change_page(thing)).status_code == 200
        assert client.post(change_page(thing), {}).status_code == 403


def test_a_person_is_added_by_e_mail(client, chief):
    page = reverse("admin:accounts_user_add")
    password = "quatre mots bien longs"
    form = {
        "email": "neuf@exemple.fr",
        "usable_password": "true",
        "password1": password,
        "password2": password,
    }
    assert client.get(page).status_code == 200
    assert client.post(page, form).status_code == 302
    user = User.objects.get(email="neuf@exemple.fr")
    assert user.check_password(password)
    assert client.get(change_page(user)).status_code == 200
    change = {"email": "pris@exemple.fr", "first_name": "Zoé", "is_active": "on", "language": "fr"}
    change |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert client.post(change_page(user), change).status_code == 302
    user.refresh_from_db()
    assert (user.first_name, user.email) == ("Zoé", "neuf@exemple.fr")
    # The same address, written otherwise.
    assert client.post(page, form | {"email": "NEUF@exemple.fr"}).status_code == 200
    assert User.objects.filter(email__iexact="neuf@exemple.fr").count() == 1


def test_an_organisation_needs_a_real_siret():
    with pytest.raises(ValidationError, match="SIRET"):
        Organisation(siret="12312312300000", name="A").full_clean()


@pytest.mark.parametrize("write", [lambda q: q.update(action="autre"), lambda q: q.delete()])
def test_the_journal_is_only_added_to(at, write):
    line = journal.record(by=SYSTEM, action="essai", subject=UserFactory(), at=at)
    with pytest.raises(ProgrammingError, match="journal_is_append_only"), transaction.atomic():
        write(JournalEntry.objects.filter(pk=line.pk))
    assert JournalEntry.objects.get().action == "essai"


def test_a_holder_profile_is_found_without_its_accents(client, chief):
    HolderFactory(birth_name="Lefèvre", birth_name_key="lefevre")
    HolderFactory(birth_name="Martin", birth_name_key="martin")
    page = client.get(reverse("admin:accounts_holderprofile_changelist"), {"q": "lefevre"})
    assert page.context["cl"].result_count == 1
    assert HolderProfile.objects.count() == 2
