"""A funder's list: `grant_dotations FILE --envelope …`."""

import pytest
from django.core.management import CommandError, call_command

from rights import earmarks, integrity
from rights.kinds import MovementKind
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import in_days
from tests.factories.dotations import EnvelopeFactory

pytestmark = pytest.mark.django_db
HEADER = "reference;holder;amount;kind;certifications;levels;starts_until;expires_on"


@pytest.fixture
def envelope():
    return EnvelopeFactory(reference="RH-2026", cents=5_000_00)


@pytest.fixture
def send(tmp_path, capsys):
    def run(*lines, header=HEADER, envelope="RH-2026", **options):
        path = tmp_path / "liste.csv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        refused = ""
        try:
            call_command("grant_dotations", path, envelope=envelope, **options)
        except CommandError as error:
            refused = str(error)
        told = capsys.readouterr()
        return [" ".join(line.split()) for line in (refused, *told.out.splitlines(), *told.err.splitlines())]

    return run


def says(said, words, *, line=None):
    start = f"Ligne {line} : " if line else ""
    return any(each.startswith(start) and words in each for each in said)


def balance(envelope):
    return Pocket.objects.get(pk=envelope.pk).balance


def test_a_list_gives_each_line_once_with_its_conditions(envelope, send):
    one, two = HolderFactory(), HolderFactory(user=None, activated_at=None)
    lines = [
        f"A-1;{one.reference};1 200,50;voluntary;RNCP1, RS2;5 6;{in_days(90)};{in_days(120)}",
        f"A-2;{two.reference};3000;dismissed;;;;",
    ]
    assert says(send(*lines), "2 attributions (4 200,50 €), 0 déjà faites, 0 lignes refusées")
    assert says(send(*lines), "0 attributions (0,00 €), 2 déjà faites, 0 lignes refusées")
    assert balance(envelope) == 799_50
    purse = Pocket.objects.get(holder=one, envelope=envelope)
    assert (purse.balance, purse.expires_on) == (1_200_50, in_days(120))
    conditions = purse.earmark.conditions
    assert (conditions.certifications, conditions.levels) == (("RNCP1", "RS2"), (5, 6))
    assert integrity.check() == []


def test_a_dry_run_says_the_same_and_keeps_nothing(envelope, send):
    said = send(f"A-1;{HolderFactory().reference};100;voluntary;;;;", dry_run=True)
    assert says(said, "1 attributions (100,00 €)")
    assert says(said, "rien n’a été écrit")
    assert balance(envelope) == 5_000_00


def test_bad_lines_are_refused_with_their_number_and_the_others_go_in(envelope, send):
    name = HolderFactory().reference
    given = f"A-1;{name};100;voluntary;;;;"
    said = send(
        given,
        f"A-2;{name};6000;voluntary;;;;",
        f"A-3;{name};100;voluntary;;;;{in_days(-1)}",
        f"A-4;{name};100;voluntary;;;{in_days(-1)};",
        f"A-5;{name};35 h;voluntary;;;;",
        "A-6;X-9;100;voluntary;;;;",
        f"A-7;{name};-5;voluntary;;;;",
        f"A-8;{name};100;lottery;;;;",
        f"A-9;{name};100;top_up;;;;",
        f"A-10;{name};100;corrective;;;;",
        f"A-11;{name};100;voluntary;CPF200;;;",
        f"A-12;{name};100;voluntary;;9;;",
        f"A-1;{name};100;voluntary;;;;",
        f"A-13;{name};0;voluntary;;;;",
        f"A-14;{name};100",
        f"A-15;{name};200;voluntary;;;;",
    )
    for line, words in (
        (3, "n’a plus assez : il faut 6 000,00 € et il reste 4 900,00 €"),
        (4, "est déjà passé"),
        (5, "Le fléchage a pris fin"),
        (6, "« 35 h » est en heures"),
        (7, "aucun compte n’a la référence « X-9 »"),
        (8, "n’est pas un montant en euros"),
        (9, "« lottery » n’est pas prévu"),
        (10, "n’attribue pas : Abondement"),
        (11, "la loi fixe le montant à 3 000,00 €"),
        (12, "« CPF200 » n’est pas un code de certification"),
        (13, "n’est pas un niveau"),
        (14, "La référence « A-1 » est déjà ligne 2"),
        (15, "supérieur à zéro"),
        (16, "3 cellules au lieu de 8"),
    ):
        assert says(said, words, line=line), (line, [each for each in said if each])
    assert says(said, "2 attributions (300,00 €)")
    assert balance(envelope) == 4_700_00
    assert integrity.check() == []


def test_a_certification_outside_the_earmark_of_the_envelope_is_refused_with_its_line(send):
    web = earmarks.conditions(certifications=["RNCP1"])
    envelope = EnvelopeFactory(reference="WEB", conditions=web, cents=1_000_00)
    name = HolderFactory().reference
    said = send(f"A-1;{name};100;voluntary;RNCP9;;;", f"A-2;{name};100;voluntary;RNCP1;;;", envelope="WEB")
    assert says(said, "réservée à : certification RNCP1", line=2)
    assert balance(envelope) == 900_00


def test_a_line_changed_under_the_same_reference_is_refused(envelope, send):
    name = HolderFactory().reference
    send(f"A-1;{name};100;voluntary;;;;")
    assert says(
        send(f"A-1;{name};200;voluntary;;;;"), "a déjà servi, avec un autre contenu (100,00 €)", line=2
    )
    assert balance(envelope) == 4_900_00


def test_all_or_nothing_keeps_nothing_when_a_line_is_refused(envelope, send):
    name = HolderFactory().reference
    said = send(f"A-1;{name};100;voluntary;;;;", f"A-2;{name};6000;voluntary;;;;", all_or_nothing=True)
    assert says(said, "rien n’a été gardé")
    assert not Movement.objects.filter(kind=MovementKind.GRANT).exists()


@pytest.mark.parametrize(
    ("header", "envelope_asked", "words"),
    [
        ("reference;holder;amount", "RH-2026", "colonnes absentes : kind"),
        (f"{HEADER};color", "RH-2026", "colonnes inconnues : color"),
        (HEADER, "XXX", "pas d’enveloppe « XXX »"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused_whole(envelope, send, header, envelope_asked, words):
    assert says(send("a;b;c", header=header, envelope=envelope_asked), words)
