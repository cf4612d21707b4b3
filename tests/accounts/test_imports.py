"""Accounts that a register sends: read, checked, kept once."""

import datetime

import pytest

from accounts import imports, nir
from accounts.imports import RowRefused, read_row, save, save_many
from accounts.models import HolderProfile
from tests.factories.accounts import UserFactory, an_nir

TODAY = datetime.date(2026, 5, 12)
BORN = datetime.date(1985, 5, 31)


def a_row(order=1, **fields):
    row = {
        "reference": f"R-{order}",
        "birth_name": "Lefèvre",
        "used_name": "D’Œuvre",
        "first_names": "Marie-Claire, Anne",
        "birth_date": "1985-05-31",
        "sex": "F",
        "nir": an_nir(BORN, order=order),
        "status": "job_seeker",
        "has_apprenticeship": "non",
        "postal_code": "35000",
        "town": "Rennes",
        "amount_cents": "50000",  # a column of the rights: not ours
    }
    return row | fields


def read(order=1, *, line=2, **fields):
    return read_row(a_row(order, **fields), line=line, on=TODAY)


def snapshot():
    return sorted(HolderProfile.objects.values_list())


def test_a_row_is_read():
    identity = read(birth_date="31/05/1985", nir=nir.register.format(an_nir(BORN)), phone="0612345678")
    assert (identity.reference, identity.birth_date, identity.nir) == ("R-1", BORN, an_nir(BORN))
    assert identity.own["status"] == "job_seeker" and identity.own["phone"] == "06 12 34 56 78"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reference": " "}, "Il manque : reference"),
        ({"birth_name": None, "first_names": ""}, "Il manque : birth_name, first_names"),
        ({"birth_date": "31/02/1985"}, "birth_date"),
        ({"birth_date": "2030-01-01"}, "birth_date"),
        ({"birth_date": "1885-05-31"}, "birth_date"),
        ({"birth_name": "123"}, None),
        ({"birth_name": "—"}, "aucune lettre"),
        ({"first_names": "a" * 151}, "150 caractères"),
        ({"birth_name": "a\x00b"}, "illisible"),
        ({"nir": ""}, "manque"),
        ({"nir": "285059900100199"}, "clé"),
        ({"sex": "M"}, "sexe"),
        ({"sex": "X"}, "sex"),
        ({"birth_date": "1985-06-30"}, "date de naissance"),
        ({"status": "roi"}, "status"),
        ({"has_apprenticeship": "peut-être"}, "oui ou non"),
        ({"postal_code": "350"}, "code postal"),
        ({"phone": "12"}, "10 chiffres"),
        ({"diploma": "level_9"}, "diploma"),
        ({"diploma": "level_4", "diploma_year": "2040"}, "entre 1997 et 2026"),
        ({"diploma": "level_4", "diploma_year": "²"}, "année"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line_and_without_the_number(wrong, says):
    if says is None:  # digits are odd in a name, but the register decides
        assert read(**wrong)
        return
    with pytest.raises(RowRefused) as refusal:
        read(line=12, **wrong)
    assert says in refusal.value.reason
    assert refusal.value.line == 12 and str(refusal.value).startswith("Ligne 12 : ")
    assert an_nir(BORN) not in str(refusal.value)


def test_where_the_number_is_not_asked_it_may_be_absent(settings):
    settings.NIR_AT_ACTIVATION = False
    assert read(nir="").nir == ""


@pytest.mark.django_db
class TestKeeping:
    def test_a_new_account_waits(self, at):
        holder, created = save(read(), at=at)
        holder.refresh_from_db()
        assert created and holder.user is None and holder.imported_at == at
        assert (holder.birth_name_key, holder.used_name_key) == ("lefevre", "d oeuvre")
        assert holder.first_names_key == "marie-claire anne"
        assert nir.decrypt(holder.nir_encrypted) == an_nir(BORN)

    def test_the_same_lot_again_changes_nothing(self, at):
        lot = [read(order) for order in range(1, 4)]
        assert [saved.created for saved in save_many(lot, at=at)] == [True] * 3
        before = snapshot()
        again = save_many(lot, at=at + datetime.timedelta(days=1))
        assert not any(saved.created or saved.changed or saved.refused for saved in again)
        assert snapshot() == before

    @pytest.mark.parametrize("size", [1, 3, 30])
    def test_a_lot_takes_the_same_statements_whatever_its_size(self, at, size, django_assert_num_queries):
        save_many([read(order) for order in range(size)], at=at)
        lot = [read(order, town="Brest") for order in range(size * 2)]
        # savepoint, accounts, numbers, insert, update, end of the savepoint
        with django_assert_num_queries(6):
            save_many(lot, at=at)

    def test_a_correction_is_written_and_its_keys_with_it(self, at):
        save(read(), at=at)
        holder, created = save(read(birth_name="Martin"), at=at)
        holder.refresh_from_db()
        assert not created
        assert (holder.birth_name, holder.birth_name_key) == ("Martin", "martin")

    def test_once_activated_contact_and_situation_belong_to_the_holder(self, at):
        holder, _created = save(read(), at=at)
        HolderProfile.objects.update(user=UserFactory(), activated_at=at, town="Quimper", status="seasonal")
        save(read(birth_name="Martin"), at=at)
        holder.refresh_from_db()
        assert (holder.town, holder.status, holder.birth_name) == ("Quimper", "seasonal", "Martin")

    def test_a_number_belongs_to_one_account(self, at):
        save(read(1), at=at)
        with pytest.raises(RowRefused, match="déjà celui d’un autre compte") as refusal:
            save(read(2, nir=an_nir(BORN, order=1), line=7), at=at)
        assert refusal.value.line == 7
        assert HolderProfile.objects.count() == 1

    def test_nor_to_two_rows_of_one_lot_and_the_others_are_kept(self, at):
        saved = save_many([read(1), read(2, nir=an_nir(BORN, order=1)), read(3)], at=at)
        assert [bool(each.refused) for each in saved] == [False, True, False]
        assert HolderProfile.objects.count() == 2

    def test_even_when_signed_with_the_former_key(self, at, settings):
        save(read(1), at=at)
        before = snapshot()
        settings.NIR_KEYS = ["bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=", *settings.NIR_KEYS]
        with pytest.raises(RowRefused):
            save(read(2, nir=an_nir(BORN, order=1)), at=at)
        save(read(1), at=at)
        assert snapshot() == before

    def test_a_reference_twice_in_a_lot_is_one_account_as_its_last_row_says(self, at):
        saved = save_many([read(1), read(1, birth_name="Martin")], at=at)
        assert [each.created for each in saved] == [True, False]
        assert HolderProfile.objects.get().birth_name == "Martin"

    def test_a_row_without_its_number_takes_none_away(self, at, settings):
        save(read(1), at=at)
        settings.NIR_AT_ACTIVATION = False
        save(read(1, nir=""), at=at)
        assert HolderProfile.objects.get().nir_digest


def test_the_columns_are_those_of_the_account():
    fields = {field.name for field in HolderProfile._meta.get_fields()}
    assert set(imports.COLUMNS) - fields == {"nir"}
