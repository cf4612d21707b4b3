"""`manage.py import_accounts`: what it keeps, what it refuses and on which line, what a second run does."""

import datetime
import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import HolderProfile
from rights import integrity
from rights.kinds import FunderKind, PocketKind, Unit
from rights.models import Movement, Pocket
from tests.factories.accounts import UserFactory, an_nir

pytestmark = pytest.mark.django_db
HEADER = "reference;birth_name;first_names;birth_date;annual_euros;dif_euros"
ELODIE = "R-1;Lefèvre;Élodie;31/05/1985;1 234,50;100"
KARIM = "R-2;Benali;Karim;1990-01-02;500;"


@pytest.fixture(autouse=True)
def _no_number_asked(settings):
    settings.NIR_AT_ACTIVATION = False


@pytest.fixture
def run(tmp_path):
    def run(*lines, content=None, **options):
        file = tmp_path / "comptes.csv"
        file.write_bytes("\n".join(lines).encode() if content is None else content)
        told, refused = io.StringIO(), io.StringIO()
        call_command("import_accounts", file, stdout=told, stderr=refused, no_color=True, **options)
        return told.getvalue(), refused.getvalue()

    return run


def said(text):
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def balances(reference):
    pockets = Pocket.objects.filter(holder__reference=reference).order_by("kind")
    return dict(pockets.values_list("kind", "balance"))


def test_accounts_wait_with_their_rights_and_without_a_login(run):
    told, refused = run(HEADER, ELODIE, KARIM)
    assert "2 comptes créés, 0 modifiés, 0 inchangés, 0 lignes refusées." in told
    assert "3 crédits : 1 834,50 € et 0 h." in said(told)
    assert refused == ""
    holder = HolderProfile.objects.get(reference="R-1")
    assert (holder.birth_name, holder.first_names, holder.user) == ("Lefèvre", "Élodie", None)
    assert balances("R-1") == {PocketKind.ANNUAL: 1234_50, PocketKind.DIF: 100_00}
    movement = Movement.objects.get(target__holder=holder, target__kind=PocketKind.ANNUAL)
    assert said(movement.formula[0][1]) == "1 234,50 €"
    assert integrity.check() == []


def test_a_second_run_changes_nothing(run):
    run(HEADER, ELODIE, KARIM)
    before = (
        list(Movement.objects.order_by("id").values()),
        list(HolderProfile.objects.order_by("id").values()),
    )
    told, _refused = run(HEADER, ELODIE, KARIM)
    assert "0 comptes créés, 0 modifiés, 2 inchangés, 0 lignes refusées." in told
    assert (
        list(Movement.objects.order_by("id").values()),
        list(HolderProfile.objects.order_by("id").values()),
    ) == before


def test_a_dry_run_says_the_same_and_writes_nothing(run):
    told, _refused = run(HEADER, ELODIE, KARIM, "R-3;;Sans nom;1990-01-02;1;", dry_run=True)
    assert "2 comptes créés, 0 modifiés, 0 inchangés, 1 lignes refusées." in told
    assert "rien n’a été écrit" in told
    assert not HolderProfile.objects.exists()
    assert not Pocket.objects.exists()


def test_another_amount_for_the_same_account_is_refused_with_its_line_and_the_way_to_correct(run):
    run(HEADER, ELODIE)
    told, refused = run(HEADER, KARIM, "R-1;Changé;Élodie;31/05/1985;2000;100")
    assert "Ligne 3 : annual_euros : ce compte a déjà été ouvert avec 1 234,50 €." in said(refused)
    assert "contre-mouvement" in refused
    assert "1 comptes créés, 0 modifiés, 0 inchangés, 1 lignes refusées." in told
    assert balances("R-1") == {PocketKind.ANNUAL: 1234_50, PocketKind.DIF: 100_00}
    assert HolderProfile.objects.get(reference="R-1").birth_name == "Lefèvre"  # the row is refused whole


def test_a_kind_of_right_that_was_not_stated_yet_is_added(run):
    run(HEADER, KARIM)
    told, _refused = run(HEADER, "R-2;Benali;Karim;1990-01-02;500;30")
    assert "0 comptes créés, 1 modifiés" in told
    assert balances("R-2") == {PocketKind.ANNUAL: 500_00, PocketKind.DIF: 30_00}


def test_rights_arrive_on_an_account_that_is_already_activated(run):
    run(HEADER, KARIM)
    holder = HolderProfile.objects.get(reference="R-2")
    holder.user, holder.activated_at = UserFactory(), holder.imported_at
    holder.save()
    run(HEADER, "R-2;Benali;Karim;1990-01-02;500;30")
    assert balances("R-2")[PocketKind.DIF] == 30_00


def test_a_dotation_keeps_its_funder_and_its_last_day(run):
    header = f"{HEADER};dotation_euros;dotation_funder;dotation_funder_kind;dotation_expires_on"
    run(header, f"{KARIM};300;Fonderies réunies;employer;2027-01-31")
    dotation = Pocket.objects.get(kind=PocketKind.DOTATION)
    assert (dotation.label, dotation.funder_kind) == ("Fonderies réunies", FunderKind.EMPLOYER)
    assert (f"{dotation.expires_on}", dotation.balance) == ("2027-01-31", 300_00)
    _told, refused = run(header, f"{KARIM};300;Un autre;employer;2027-01-31")
    assert "déjà été ouvert avec 300,00 € (Fonderies réunies)" in said(refused)


def test_hours_of_a_public_agent_stay_hours(run):
    told, _refused = run(
        "reference;birth_name;first_names;birth_date;status;annual_hours",
        "R-1;Lefèvre;Élodie;1985-05-31;public_agent;150",
    )
    pocket = Pocket.objects.get(holder__isnull=False)
    assert (pocket.unit, pocket.balance) == (Unit.HOUR, 150)
    assert "0,00 € et 150 h." in said(told)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (";Benali;Karim;1990-01-02;1;", "Il manque : reference."),
        ("R-2;Benali;Karim;30/02/1990;1;", "n’est pas une date de naissance possible"),
        ("R-2;Benali;Karim;1990-01-02;1,234;", "annual_euros : « 1,234 » n’est pas un montant en euros"),
        ("R-2;Benali;Karim;1990-01-02;-5;", "annual_euros : « -5 » n’est pas un montant"),
        ("R-2;Benali;Karim;1990-01-02;1e3;", "annual_euros : « 1e3 » n’est pas un montant"),
        ("R-2;Benali;Karim;1990-01-02;12 34;", "annual_euros : « 12 34 » n’est pas un montant"),
        ("R-2;Benali;Karim;1990-01-02;123450000;", "Vérifiez que le montant est en euros"),
        ("R-2;Benali;Karim;1990-01-02;=1+1;", "annual_euros : « =1+1 » n’est pas un montant"),
        ("R-2;=HYPERLINK(A1);Karim;1990-01-02;1;", "birth_name : une formule de tableur"),
        ("@R-2;Benali;Karim;1990-01-02;1;", "reference : une formule de tableur"),
        ("R-2;Ben\x00ali;Karim;1990-01-02;1;", "Un caractère nul s’y trouve."),
        ("R-2;Ben\x07ali;Karim;1990-01-02;1;", "un caractère est illisible"),
        ('R-2;"Benali;Karim;1990-01-02;1;', "Un guillemet n’est pas fermé."),
        (f"R-2;{'B' * 9000};Karim;1990-01-02;1;", "100 caractères au plus"),
        ("R-2;Benali;Karim;1990-01-02;1", "5 cellules au lieu de 6."),
        ("R-2;Benali;Karim;1990-01-02;1;;;", "8 cellules au lieu de 6."),
        ("R-1;Benali;Karim;1990-01-02;1;", "La référence « R-1 » est déjà ligne 2."),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_the_others_are_kept(run, cells, reason):
    told, refused = run(HEADER, ELODIE, cells, "R-9;Petit;Zoé;1990-01-02;20;")
    assert refused.startswith("Ligne 3 : ")
    assert reason in refused
    assert refused.count("Ligne") == 1
    assert "2 comptes créés, 0 modifiés, 0 inchangés, 1 lignes refusées." in told
    assert set(HolderProfile.objects.values_list("reference", flat=True)) == {"R-1", "R-9"}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("300;;;", "dotation_funder : le nom du financeur manque."),
        ("300;X;martian;", "dotation_funder_kind : « martian » n’est pas prévu (employer"),
        ("300;X;;31/02/2027", "dotation_expires_on : « 31/02/2027 » n’est pas une date."),
        (";X;;", "dotation_euros : le montant de la dotation manque."),
        ("300;=X;;", "dotation_funder : une formule de tableur"),
        (f"300;{'X' * 121};;", "dotation_funder : un nom lisible, de 120 caractères au plus."),
    ],
)
def test_a_dotation_that_makes_no_sense_is_refused(run, cells, reason):
    header = f"{HEADER};dotation_euros;dotation_funder;dotation_funder_kind;dotation_expires_on"
    _told, refused = run(header, f"{KARIM};{cells}")
    assert f"Ligne 2 : {reason}" in refused
    assert not HolderProfile.objects.exists()


@pytest.mark.parametrize("hours", ["1.5", "-1", "1001", "٣"])
def test_hours_are_whole_and_reasonable(run, hours):
    _told, refused = run(
        "reference;birth_name;first_names;birth_date;annual_hours", f"R-1;Lefèvre;Élodie;1985-05-31;{hours}"
    )
    assert "Ligne 2 : annual_hours" in refused


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Le fichier est vide"),
        (f"{HEADER}\n{ELODIE}".encode("latin-1"), "Ligne 2 : le fichier n’est pas en UTF-8 (octet 0xE8)"),
        (f"{HEADER}\n".encode("utf-16"), "Le fichier est en UTF-16"),
        (f"{HEADER}\n{'x' * 10_001}".encode(), "Ligne 2 : plus de 10000 caractères"),
        (HEADER.replace(";", ",").encode(), "se séparent par des points-virgules"),
        (
            b"reference;nom;first_names;birth_date",
            "colonnes inconnues : nom ; colonnes absentes : birth_name",
        ),
        (f"{HEADER};dif_euros".encode(), "colonnes en double : dif_euros"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(run, content, reason):
    with pytest.raises(CommandError) as refusal:
        run(content=content)
    assert reason in str(refusal.value)
    assert not HolderProfile.objects.exists()


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(CommandError, match="ne peut pas être lu"):
        call_command("import_accounts", tmp_path / "absent.csv")


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_do_no_harm(run):
    told, refused = run(content=f"\ufeff{HEADER}\r\n{ELODIE}\r\n\r\n;;;;;\r\n{KARIM}\r\n".encode())
    assert refused == ""
    assert "2 comptes créés" in told


def test_a_large_file_is_kept_in_lots_with_a_number_of_queries_that_hardly_grows(
    run, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr("rights.imports.LOT", 10)
    rows = [f"N-{number};Nom;Zoé;1990-01-02;{number};1" for number in range(1, 26)]
    with django_assert_max_num_queries(3 * 15):
        told, _refused = run(HEADER, *rows)
    assert "25 comptes créés" in told
    assert "50 crédits" in told


def test_the_social_security_number_of_another_account_refuses_the_row_and_its_rights(run):
    number = an_nir(datetime.date(1985, 5, 31))
    row = f"Lefèvre;Élodie;1985-05-31;F;{number};10"
    told, refused = run(
        "reference;birth_name;first_names;birth_date;sex;nir;annual_euros", f"R-1;{row}", f"R-2;{row}"
    )
    assert "Ligne 3 : Ce numéro de sécurité sociale est déjà celui d’un autre compte." in refused
    assert number not in told + refused
    assert [movement.amount for movement in Movement.objects.order_by("id")] == [10_00]


def test_the_example_of_the_documentation_is_imported_as_it_stands(run, settings):
    settings.NIR_AT_ACTIVATION = True
    documentation = (settings.BASE_DIR / "docs" / "imports-accounts.md").read_text(encoding="utf-8")
    example = [
        line.strip() for line in documentation.splitlines() if line.startswith(("    reference;", "    R-"))
    ]
    told, refused = run(*example)
    assert refused == ""
    assert "1 comptes créés" in told
    assert balances("R-0001") == {PocketKind.ANNUAL: 1234_50, PocketKind.DIF: 100_00}
