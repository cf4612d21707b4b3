"""« Mon profil »: what its holder changes, and what they are told."""

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts import profiles
from accounts.actors import Actor, Role
from accounts.models import HolderProfile, JournalEntry
from accounts.permissions import NotAllowed
from accounts.validators import check_postal_code, check_siret, french_phone
from notices.models import Notice
from tests.factories.accounts import HolderFactory, UserFactory

GOOD = {
    "phone": "+33 6 12 34 56 78",
    "address": "3 rue des Lices",
    "postal_code": "35000",
    "town": "Rennes",
    "status": "job_seeker",
    "diploma": "level_4",
    "diploma_year": "2003",
}


@pytest.fixture
def holder(db):
    return HolderFactory(birth_name="Lefèvre", status="private_employee")


@pytest.fixture
def page(client, holder):
    client.force_login(holder.user)
    return reverse("profile")


class TestPage:
    def test_identity_is_read_the_rest_is_written(self, client, page, holder):
        shown = client.get(page)
        assert shown.status_code == 200
        for text in ("Lefèvre", "31\u00a0mai 1985", "2 85 ** ** *** *** **", holder.user.email):
            assert text in shown.text
        answer = client.post(page, GOOD | {"birth_name": "Autre", "reference": "X"})
        assert (answer.status_code, answer.url) == (302, page)
        holder.refresh_from_db()
        assert (holder.birth_name, holder.phone) == ("Lefèvre", "06 12 34 56 78")
        assert (holder.town, holder.status, holder.diploma_year) == ("Rennes", "job_seeker", 2003)

    def test_the_holder_is_told_what_changed_and_the_journal_holds_no_address(self, client, page, holder):
        client.post(page, GOOD)
        notice, line = Notice.objects.get(), JournalEntry.objects.get()
        assert (notice.kind, notice.email) == ("profile_changed", holder.user.email)
        assert "code postal" in notice.facts["fields"]
        assert line.action == "profile_changed" and "town" in line.details["fields"]
        assert "Rennes" not in str(line.details)

    def test_saving_the_same_again_changes_and_tells_nothing(self, client, page):
        client.post(page, GOOD)
        answer = client.post(page, GOOD, follow=True)
        assert "Vous n’avez rien changé" in answer.text
        assert Notice.objects.count() == JournalEntry.objects.count() == 1

    def test_a_diploma_alone_is_no_alarm(self, client, page, holder):
        client.post(page, {"status": holder.status, "diploma": "level_5"})
        assert JournalEntry.objects.count() == 1
        assert not Notice.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "field", "says"),
        [
            ({"phone": "12"}, "phone", "10 chiffres"),
            ({"postal_code": "3500"}, "postal_code", "5 chiffres"),
            ({"postal_code": "99000"}, "postal_code", "5 chiffres"),
            ({"status": "roi"}, "status", ""),
            ({"diploma_year": "1990"}, "diploma_year", "entre 1997 et"),
            ({"diploma_year": "3003"}, "diploma_year", "entre 1997 et"),
            ({"diploma_year": "-1"}, "diploma_year", ""),
            ({"diploma_year": "deux"}, "diploma_year", ""),
            ({"diploma": ""}, "diploma_year", "Choisissez d’abord"),
            ({"diploma": "none"}, "diploma_year", "Choisissez d’abord"),
        ],
    )
    def test_a_mistake_is_told_beside_its_field_and_nothing_is_written(
        self, client, page, holder, wrong, field, says
    ):
        answer = client.post(page, GOOD | wrong)
        assert answer.status_code == 422
        assert says in " ".join(answer.context["form"].errors[field])
        assert answer.context["form"]["town"].value() == "Rennes"
        holder.refresh_from_db()
        assert holder.town == ""

    def test_a_public_agent_is_told_their_way_there(self, client, page, holder):
        assert "agent public" not in client.get(page).text.partition("<form")[0]
        client.post(page, GOOD | {"status": "public_agent"})
        assert "Vous êtes agent public" in client.get(page).text

    def test_who_has_no_account_is_led_to_activation(self, client, db):
        client.force_login(UserFactory())
        assert client.get(reverse("profile")).status_code == 403

    def test_queries(self, client, page, django_assert_num_queries):
        # session, person; holder and memberships; the account; the rulebook; what is unread
        with django_assert_num_queries(7):
            client.get(page)


@pytest.mark.django_db
class TestVerbs:
    def test_nobody_changes_the_profile_of_another(self, at, holder):
        other = HolderFactory()
        by = Actor(role=Role.HOLDER, user=other.user, holder=other)
        with pytest.raises(NotAllowed):
            profiles.change(holder.pk, by=by, at=at, values={"town": "Lyon"})
        holder.refresh_from_db()
        assert holder.town == ""

    def test_a_holder_cannot_write_their_identity_through_the_verb(self, at, holder):
        by = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
        values = {"birth_name": "Autre", "nir_digest": "x"}
        assert profiles.change(holder.pk, by=by, at=at, values=values) == []
        with pytest.raises(NotAllowed):
            profiles.correct_identity(holder.pk, by=by, at=at, values={"birth_name": "Autre"})
        assert HolderProfile.objects.get(pk=holder.pk).birth_name == "Lefèvre"

    def test_an_administrator_corrects_a_name_and_its_key_and_the_holder_is_told(self, at, holder):
        by = Actor(role=Role.ADMIN, user=UserFactory(is_staff=True))
        values = {"used_name": "D’Œuvre", "birth_date": datetime.date(1985, 5, 30)}
        changed = profiles.correct_identity(holder.pk, by=by, at=at, values=values)
        assert changed == ["used_name", "birth_date"]
        holder.refresh_from_db()
        assert (holder.used_name, holder.used_name_key) == ("D’Œuvre", "d oeuvre")
        assert JournalEntry.objects.get().user == by.user
        assert Notice.objects.get().email == holder.user.email


@pytest.mark.parametrize(
    "text",
    [
        "0612345678",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "+33612345678",
        "+33 (0)6 12-34-56-78",
        "0033612345678",
    ],
)
def test_a_phone_number_is_written_one_way(text):
    assert french_phone(text) == "06 12 34 56 78"


@pytest.mark.parametrize(
    "text", ["061234567", "06123456789", "0012345678", "+32470123456", "abc", "٠٦١٢٣٤٥٦٧٨"]
)
def test_another_number_is_refused(text):
    with pytest.raises(ValidationError):
        french_phone(text)


def test_postal_codes_and_sirets():
    for code in ("01000", "20090", "97400", "98000"):
        check_postal_code(code)
    for code in ("00100", "99999", "2A000", "3500", "350000", "٣٥٠٠٠", "35000\n"):
        with pytest.raises(ValidationError):
            check_postal_code(code)
    check_siret("73282932000074")
    for siret in ("73282932000075", "732 829 320 00074", "12312312300000", "", "7328293200007"):
        with pytest.raises(ValidationError):
            check_siret(siret)
    assert french_phone("  ") == ""
