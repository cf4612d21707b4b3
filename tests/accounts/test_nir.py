"""The social-security number: checked, kept encrypted, found by digest, shown masked."""

import datetime

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from accounts import nir
from accounts.activation import StatedIdentity
from accounts.imports import Identity
from accounts.models import HolderProfile
from tests.factories.accounts import HolderFactory, an_nir

BORN = datetime.date(1985, 5, 31)


def keyed(thirteen):
    return thirteen + nir.register.calc_check_digits(thirteen)


@pytest.mark.parametrize(
    "text",
    [
        "2 95 10 99 126 111 93",
        "295109912611193",
        "2.95.10.99.126.111-93",
        "253072b07300470",
        "２95109912611193",
    ],
)
def test_real_formats_are_read(text):
    assert nir.check(text) == nir.normalise(text)
    assert len(nir.check(text)) == 15


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "15 caractères"),
        ("2951099126111", "15 caractères"),
        ("2951099126111931", "15 caractères"),
        ("295109912611194", "la clé"),
        ("29510991261119A", "que des chiffres"),
        ("253072C07300443", "que des chiffres"),
        ("٢95109912611193", "que des chiffres"),
        (keyed("5951099126111"), "commence par"),
        (keyed("2951399126111"), "mois"),
        (keyed("2950099126111"), "mois"),
        (keyed("2954599126111"), "mois"),
    ],
)
def test_what_is_wrong_is_said_without_repeating_it(text, says):
    with pytest.raises(nir.NirRefused) as refusal:
        nir.check(text)
    assert says in str(refusal.value)
    assert not text or text not in str(refusal.value)


def test_it_must_be_the_number_of_that_person():
    number = an_nir(BORN, sex="F")
    assert nir.check(number, birth_date=BORN, sex="F") == number
    for wrong in (BORN.replace(year=1984), BORN.replace(month=6, day=1)):
        with pytest.raises(nir.NirRefused, match="date de naissance"):
            nir.check(number, birth_date=wrong)
    with pytest.raises(nir.NirRefused, match="sexe"):
        nir.check(number, sex="M")


def test_a_month_the_register_does_not_know_fits_every_month():
    number = keyed("2852099126111")
    assert nir.check(number, birth_date=BORN) == number


def test_the_mask_shows_sex_and_year_only():
    assert nir.mask("185057800608491") == "1 85 ** ** *** *** **"
    assert nir.masked(None) == ""


def test_no_repr_shows_it():
    number = an_nir(BORN)
    stated = StatedIdentity(family_name="M", first_names="É", birth_date=BORN, nir=number)
    row = Identity(
        line=1,
        reference="R",
        birth_name="M",
        used_name="",
        first_names="É",
        birth_date=BORN,
        sex="",
        nir=number,
        own={},
    )
    assert number not in f"{stated!r} {stated} {row!r} {row}"


def test_each_encryption_differs_and_each_digest_is_the_same():
    number = an_nir(BORN)
    assert nir.encrypt(number) != nir.encrypt(number)
    assert nir.digest(number) == nir.digest(number)
    assert number.encode() not in nir.encrypt(number)


@pytest.mark.django_db
class TestRotation:
    OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()

    def test_old_numbers_are_read_then_moved_to_the_new_key(self, settings):
        settings.NIR_KEYS = [self.OLD]
        holders = [HolderFactory(activated=False) for _ in range(3)]
        numbers = [nir.decrypt(holder.nir_encrypted) for holder in holders]
        without = HolderFactory(activated=False, number="")

        settings.NIR_KEYS = [self.NEW, self.OLD]
        assert [nir.decrypt(holder.nir_encrypted) for holder in holders] == numbers
        found = HolderProfile.objects.get(nir_digest__in=nir.digests(numbers[0]))
        assert found == holders[0]

        call_command("rotate_nir_keys", verbosity=0)
        settings.NIR_KEYS = [self.NEW]
        for holder, number in zip(holders, numbers, strict=True):
            holder.refresh_from_db()
            assert nir.decrypt(holder.nir_encrypted) == number
            assert holder.nir_digest == nir.digest(number)
        without.refresh_from_db()
        assert without.nir_encrypted is None

    def test_a_forgotten_key_stops_the_rotation_and_changes_nothing(self, settings):
        settings.NIR_KEYS = [self.OLD]
        holder = HolderFactory(activated=False)
        settings.NIR_KEYS = [self.NEW]
        with pytest.raises(CommandError, match=holder.reference):
            call_command("rotate_nir_keys", verbosity=0)
        assert HolderProfile.objects.get().nir_digest == holder.nir_digest
