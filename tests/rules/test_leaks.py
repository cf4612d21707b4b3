"""What a message must not carry (dossiers/leaks.py): what is caught, and what is none of it."""

from datetime import date, time

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.fr import nir

from dossiers import leaks
from dossiers.leaks import Kind
from tests.factories.accounts import a_siret
from ui import french

PHONES = [
    "06 12 34 56 78",
    "06.12.34.56.78",
    "06-12-34-56-78",
    "06/12/34/56/78",
    "06_12_34_56_78",
    "06 - 12 - 34 - 56 - 78",
    "0612345678",
    "06 12345678",
    "0612 34 56 78",
    "06 123 456 78",
    "0 6 1 2 3 4 5 6 7 8",
    "06\u00a012\u202f34\u200956 78",
    "06\n12\n34\n56\n78",
    "+33 6 12 34 56 78",
    "+33(0)612345678",
    "0033612345678",
    "+32 470 12 34 56",
    "+212 6 12 34 56 78",
    "01 99 00 12 34",
    "O6 12 34 56 78",
    "o612345678",
    "06 12 34 56 78 12 ans d’expérience",
    "appelez-moi au06 12 34 56 78",
    "zéro six douze trente-quatre cinquante-six soixante-dix-huit",
    "Zero-six, douze, trente et un, vingt, quarante",
    "٠٦١٢٣٤٥٦٧٨",
    "０６ １２ ３４ ５６ ７８",
    "0\ufe0f\u20e36\ufe0f\u20e31\ufe0f\u20e32\ufe0f\u20e33\ufe0f\u20e34\ufe0f\u20e35\ufe0f\u20e36\ufe0f\u20e37\ufe0f\u20e38",
    "06\u200b12\u200b34\u200b56\u200b78",
]
EMAILS = [
    "camille.moreau@exemple.fr",
    "CAMILLE@EXEMPLE.FR",
    "camille @ exemple . fr",
    "camille arobase exemple point fr",
    "camille AROBASE exemple POINT fr",
    "camille(at)exemple.fr",
    "camille [at] exemple [dot] fr",
    "camille at exemple dot com",
    "camille＠exemple.fr",
    "camille+formation@mail.exemple.co.uk",
]
LINKS = [
    "https://exemple.invalid/payer",
    "http : //exemple.invalid",
    "www.exemple.invalid",
    "WWW . EXEMPLE . INVALID",
    "exemple.fr",
    "EXEMPLE.COM",
    "bit.ly/abc",
    "wa.me/bonjour",
    "t.me/camille",
    "lnkd.in/abc",
    "mon orange point fr",
    "écris à @camille_m",
]
CARDS = [
    "4111 1111 1111 1111",
    "4111111111111111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    "4111 1111 1111 1111 12/27 123",
    "5555 5555 5555 4444",
    "2223 0000 4841 0010",
    "3782 822463 10005",
    "378282246310005",
]
IBANS = [
    "FR76 3000 6000 0112 3456 7890 189",
    "FR7630006000011234567890189 merci",
    "fr76-3000-6000-0112-3456-7890-189",
    "DE89370400440532013000",
    "BE68 5390 0754 7034",
]
NIRS = [
    "1 85 05 78 006 084 91",
    "185057800608491",
    "185.05.78.006.084-91",
    "2 55 08 2A 004 023 72",
    "1850578006084",
]
CAUGHT = {
    Kind.PHONE: PHONES,
    Kind.EMAIL: EMAILS,
    Kind.LINK: LINKS,
    Kind.CARD: CARDS,
    Kind.IBAN: IBANS,
    Kind.NIR: NIRS,
}
SAID_EVERY_DAY = [
    "Bonjour, merci. C’est noté, à bientôt !",
    "Merci.Bonne journée. M.Durand",
    "Le prix est de 1 234,50 €, soit 12 500,00 euros pour dix personnes.",
    "2 500 € + 300 € = 2 800 €, 100 % à distance",
    "mardi 12 mai 2026 à 14 h 05",
    "du 01/09/2026 au 05/10/2026 de 09h00 à 17h30",
    "le 01-12-2026 09h00",
    "01 12 2026 09 00",
    "01/12/26 05/12",
    "2026-12-01 09:00",
    "9 h - 12 h 30 / 13 h 30 - 17 h",
    "08 30 - 12 00 / 13 30 - 17 00",
    "de 09:00 à 12:30, puis 13:30-17:00",
    "les 03, 05, 10, 12 et 17 mars",
    "dossier 30398784253",
    "RNCP35634, RNCP 35634, RS5616",
    "35000 Rennes, 2e étage, code 4512B, salle B.12",
    "SIRET 732 829 320 00074, SIREN 732829320",
    "SIRET 73282932000074",
    "NDA 53351234567 ou 04973000097",
    "ASP.NET et VB.net, Node.js, version 10.0.19045.3996",
    "un point com hebdomadaire, la touche arobase, un bac.pro",
    "rdv @ 14h",
    "2024 2025 2026 2027",
    "20 30 40 50 60",
    "niveau B2, score 785/990, R408 et CACES R489 1A 3 5",
    "12 x 3 = 36 heures, page 4 sur 12",
    "il reste zéro place, six sur douze",
]


def kinds(text):
    return {leak.kind for leak in leaks.find(text)}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CAUGHT.items() for text in texts])
def test_what_must_not_be_sent_is_found_alone_and_inside_a_sentence(kind, text):
    assert kind in kinds(text)
    assert kind in kinds(f"Bonjour, voici : {text}\nMerci d’avance.")


@pytest.mark.parametrize("text", SAID_EVERY_DAY)
def test_what_people_say_every_day_is_no_leak(text):
    assert leaks.find(text) == []


@pytest.mark.parametrize("text", [*CARDS, *IBANS, *NIRS])
def test_a_secret_is_named_and_never_repeated(text):
    said = leaks.in_words(leaks.find(text))
    assert "ne se donne à personne" in said
    assert not any(part in said for part in text.split() if len(part) > 3 and part[0].isdigit())


def test_everything_is_said_at_once_in_the_order_of_its_weight():
    with translation.override("fr"):
        said = leaks.in_words(leaks.find("06 12 34 56 78, a@b.fr, 4111 1111 1111 1111, 185057800608491"))
    assert said == (
        "Votre texte contient un numéro de carte bancaire et un numéro de sécurité sociale : "
        "cela ne se donne à personne. Rien n’a été envoyé ni gardé : corrigez-le. "
        "Votre message contient un numéro de téléphone (« 06 12 34 56 78 ») "
        "et une adresse e-mail (« a@b.fr »). "
        "Pour vous protéger des arnaques, tout se passe ici : corrigez-le, puis envoyez."
    )


def test_a_report_may_name_what_it_is_about_and_no_secret():
    assert (
        leaks.secrets_in_words("Il veut que j’appelle le 06 12 34 56 78 ou que j’aille sur exemple.com") == ""
    )
    assert "carte bancaire" in leaks.secrets_in_words("Il m’a demandé 4111 1111 1111 1111")


# --- Whatever the number ------------------------------------------------------------------------------

SEPARATORS = st.sampled_from(["", " ", ".", "-", "\u00a0", "\u202f", "/", " - "])
digits = st.integers(0, 9).map(str)


@given(st.integers(1, 9), st.lists(st.integers(0, 99), min_size=4, max_size=4), SEPARATORS)
def test_ten_digits_by_twos_are_always_a_phone(second, pairs, separator):
    number = separator.join([f"0{second}", *(f"{pair:02}" for pair in pairs)])
    assert Kind.PHONE in kinds(f"Mon numéro : {number}.")


@given(st.sampled_from(["4", "51", "55"]), st.text("0123456789", min_size=13, max_size=14), SEPARATORS)
def test_a_card_is_found_by_its_check_digit(issuer, body, separator):
    number = (issuer + body)[:15].ljust(15, "0")
    number += luhn.calc_check_digit(number)
    groups = [number[start : start + 4] for start in range(0, 16, 4)]
    separator = separator if separator in {"", " ", ".", "-"} else " "
    assert Kind.CARD in kinds(f"ma carte {separator.join(groups)} merci")
    broken = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert Kind.CARD not in kinds(f"ma carte {broken} merci")


@given(st.text("0123456789", min_size=23, max_size=23))
def test_an_iban_is_found_by_its_check_digits(body):
    number = "FR" + iban.calc_check_digits(f"FR00{body}") + body
    spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    assert Kind.IBAN in kinds(f"mon compte {spaced} merci") or not iban.is_valid(number)


@given(
    st.sampled_from("12"), st.integers(0, 99), st.integers(1, 12), st.integers(1, 95), st.integers(1, 999_999)
)
def test_a_social_security_number_is_found_by_its_key(sex, year, month, department, order):
    number = f"{sex}{year:02}{month:02}{department:02}{order:06}"
    assert Kind.NIR in kinds(f"mon numéro {number}{nir.calc_check_digits(number)}.")


@given(st.integers(0, 99_999_999))
def test_a_siret_is_none_of_it(order):
    number = a_siret(order % 89_999_999)
    assert kinds(f"SIRET {number}") == set()
    assert kinds(f"SIRET {french.siret(number)}, merci") == set()


@given(st.integers(0, 10**9), st.integers(0, 10**7))
def test_prices_are_none_of_it(cents, other):
    assert kinds(f"{french.euros(cents)} au lieu de {french.euros(other)}, soit {cents // 100},50 €") == set()


@given(st.dates(date(2000, 1, 1), date(2060, 12, 31)), st.times(), st.times())
def test_dates_and_hours_are_none_of_it(day, begins, ends):
    begins, ends = (time(each.hour, each.minute) for each in (begins, ends))
    for written in (
        f"le {french.day(day)} de {begins:%H h %M} à {ends:%H h %M}",
        f"{day:%d/%m/%Y} {begins:%Hh%M}-{ends:%Hh%M}",
        f"{day:%d.%m.%Y} {begins:%H:%M} - {ends:%H:%M}",
        f"{day:%d-%m-%Y} {begins:%Hh%M}",
        f"{day:%d/%m/%y} {begins:%Hh} {ends:%Hh}",
        f"{day.isoformat()} {begins:%H:%M}",
        f"du {day:%d/%m} au {day:%d/%m/%Y}",
    ):
        assert kinds(written) == set(), written


@given(st.integers(1_000_000_000, 9_999_999_999), st.integers(1, 99_999), st.integers(1000, 98_890))
def test_numbers_of_this_field_are_none_of_it(dossier, register, postal_code):
    number = f"{dossier}{luhn.calc_check_digit(str(dossier))}"
    text = f"dossier {number}, RNCP{register}, RS {register}, {postal_code:05} Ville"
    assert kinds(text) == set()


@given(st.text(max_size=300))
def test_whatever_is_typed_is_read_without_fault(text):
    assert isinstance(leaks.in_words(leaks.find(text)), str)
