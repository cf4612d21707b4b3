"""What a cell says, as a value; and every other text refused with a sentence."""

import datetime
from decimal import Decimal

import pytest
from django.conf.locale import LANG_INFO
from hypothesis import given
from hypothesis import strategies as some
from stdnum import luhn
from stdnum.fr import siret as siret_number

from catalog.imports import values
from catalog.imports.values import Wrong

DAYS = some.dates(datetime.date(1900, 1, 1), datetime.date(2200, 12, 31))


@given(DAYS)
def test_every_day_is_read_back_from_both_writings(day):
    assert values.french_date(f"{day:%d/%m}/{day.year:04}") == day
    assert values.compact_date(f"{day.year:04}{day:%m%d}") == day


@given(some.text(max_size=12))
def test_no_text_makes_a_date_by_chance_or_breaks(text):
    for read, written in ((values.french_date, "%d/%m/%Y"), (values.compact_date, "%Y%m%d")):
        try:
            day = read(text)
        except Wrong as wrong:
            assert str(wrong)
        else:
            assert day is None or day.strftime(written) == text.strip()


@pytest.mark.parametrize(
    "text", ["31/02/2026", "2026-01-01", "1/1/2026", "01/01/26", "٠١/٠١/٢٠٢٦", "01/01/0001"]
)
def test_impossible_french_dates(text):
    with pytest.raises(Wrong, match="JJ/MM/AAAA"):
        values.french_date(text)


def test_compact_dates_of_the_format():
    assert values.compact_date("00000000") is None
    assert values.compact_date(" ") is None
    with pytest.raises(Wrong, match="le mois sans le jour"):
        values.compact_date("20270100")
    for text in ("20271301", "20270230", "2027010", "99991231", "0000010"):
        with pytest.raises(Wrong, match="AAAAMMJJ"):
            values.compact_date(text)


@given(some.integers(0, values.MAX_CENTS))
def test_every_amount_is_exact(cents):
    written = f"{Decimal(cents) / 100:.2f}"
    assert values.cents(written) == cents
    assert values.cents(written.replace(".", ",") + "0") == cents


@given(some.text(alphabet="0123456789.,-+eE \u00a0€", max_size=16))
def test_no_amount_is_guessed(text):
    try:
        cents = values.cents(text)
    except Wrong as wrong:
        assert str(wrong)
    else:
        assert Decimal(text.strip().replace(",", ".")) * 100 == cents >= 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-1", "négatif"),
        ("12.345", "plus de deux décimales"),
        ("10000000000", "trop grand"),
        ("1e3", "pas un montant"),
        ("1 000", "pas un montant"),
        ("NaN", "pas un montant"),
        ("", "pas un montant"),
        ("1.2.3", "pas un montant"),
    ],
)
def test_amounts_refused(text, reason):
    with pytest.raises(Wrong, match=reason):
        values.cents(text)


def test_vat_rates():
    assert [values.per_mille(text) for text in ("0.0", "5.5", "20", "20,0")] == [0, 55, 200, 200]
    for text in ("", "abc", "5.55", "-1", "101", "NaN", "Infinity"):
        with pytest.raises(Wrong, match="TVA"):
            values.per_mille(text)


@given(some.integers(1, 10**8 - 1), some.integers(1, 10**4 - 1))
def test_every_number_with_its_check_digits_is_a_siret_and_its_neighbour_none(company, place):
    siren = f"{company:08}"
    siren += luhn.calc_check_digit(siren)
    siret = f"{siren}{place:04}"
    siret += luhn.calc_check_digit(siret)
    assert values.siret(siret) == values.siret(f" {siren[:3]} {siren[3:6]}\u00a0{siret[6:]}") == siret
    if siren != "356000000":
        with pytest.raises(Wrong, match="clé de contrôle"):
            values.siret(siret[:-1] + str((int(siret[-1]) + 1) % 10))


def test_la_poste_has_its_own_rule():
    assert values.siret("35600000000048") and values.siret("35600000049837")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "manque"),
        (None, "manque"),
        ("1231231230000", "pas 14 chiffres"),
        ("4,44922E+13", "pas 14 chiffres"),
        ("12312312300000", "« 12312312300000 » n'existe pas"),
        ("00000000000000", "n'existe pas"),
        ("٧٣٢٨٢٩٣٢٠٠٠٠٧٤", "pas 14 chiffres"),
    ],
)
def test_sirets_refused(text, reason):
    with pytest.raises(Wrong, match=reason):
        values.siret(text)


def test_a_line_is_one_line_without_controls():
    assert values.line(" a\n\tb\x00c\u00a0d ") == "a b c d"
    assert values.line(None) == ""


@given(some.text("0123456789", min_size=14, max_size=14), some.booleans())
def test_the_quick_sums_say_what_the_library_says(digits, is_made_right):
    if is_made_right:
        siren = digits[:8] + luhn.calc_check_digit(digits[:8])
        digits = siren + digits[9:13] + luhn.calc_check_digit(siren + digits[9:13])
    elif digits[0] == "3":
        digits = "356000000" + digits[9:]  # La Poste's own rule
    expected = digits != "0" * 14 and siret_number.is_valid(digits)
    assert values._exists(digits) == expected


@pytest.mark.parametrize(("text", "code"), [("FR", "fr"), (" en ", "en"), ("Br", "br")])
def test_codes_of_languages(text, code):
    assert values.language(text) == code


@pytest.mark.parametrize("text", ["", "français", "UX", "f", "fra", "١٢"])
def test_no_language(text):
    with pytest.raises(Wrong, match="ISO 639-1"):
        values.language(text)


def test_every_language_that_our_pages_could_name_has_its_code():
    known = {code for code in LANG_INFO if len(code) == 2}
    assert known - values.LANGUAGES == set()
    assert len(values.LANGUAGES) == 183
