"""Rights that no year of work gives, and the change of sector: the verbs, their guards, their file."""

from datetime import UTC, date, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from accounts.actors import SYSTEM, Actor, Role
from accounts.permissions import NotAllowed
from rights import awards, integrity, ledger
from rights.awards import Activity, AwardRefused
from rights.kinds import MovementKind, Origin, PocketKind, Unit
from rights.models import Movement, Pocket
from tests.factories.accounts import HolderFactory
from tests.factories.rights import PurseFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 12, 10, tzinfo=UTC)
TOLD = {"by": SYSTEM, "at": NOW}
ON = date(2026, 3, 2)


@pytest.fixture
def holder():
    return HolderFactory()


def held(holder, unit=Unit.EUR_CENT):
    found = Pocket.objects.filter(holder=holder, unit=unit, balance__gt=0)
    return {pocket.kind: pocket.balance for pocket in found.order_by("kind")}


def volunteering(holder, activity=Activity.CIVIC_SERVICE, year=2025, quantity=6, **fields):
    return awards.credit_volunteering(
        holder, activity=activity, year=year, quantity=quantity, **(TOLD | fields)
    )


# --- Volunteering ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activity", "enough", "short"),
    [
        (Activity.CIVIC_SERVICE, 6, 5),
        (Activity.ASSOCIATION_LEADER, 200, 199),
        (Activity.OPERATIONAL_RESERVE, 90, 89),
        (Activity.CIVIC_RESERVE, 80, 79),
    ],
)
def test_a_year_of_an_activity_gives_240_euros_from_its_threshold(holder, activity, enough, short):
    hours = {"in_one_association": 100} if activity == Activity.ASSOCIATION_LEADER else {}
    with pytest.raises(AwardRefused, match="il faut"):
        volunteering(holder, activity, quantity=short, **hours)
    movement = volunteering(holder, activity, quantity=enough, **hours)
    assert held(holder) == {PocketKind.VOLUNTEER: 240_00}
    assert movement.value_date == date(2025, 12, 31)
    assert volunteering(holder, activity, quantity=enough, **hours) == movement
    assert held(holder) == {PocketKind.VOLUNTEER: 240_00}


@pytest.mark.parametrize("in_one", [None, 99, 201])
def test_a_leader_has_100_hours_in_one_association(holder, in_one):
    with pytest.raises(AwardRefused, match="une même association"):
        volunteering(holder, Activity.ASSOCIATION_LEADER, quantity=200, in_one_association=in_one)


def test_the_volunteer_account_stops_at_720_euros_what_waits_for_a_training_included(holder):
    for year in (2022, 2023):
        volunteering(holder, year=year)
    purse = Pocket.objects.get(holder=holder, kind=PocketKind.VOLUNTEER)
    with transaction.atomic():
        reserved = ledger.reserve(lines=[(purse.pk, 200_00)], key="k", reason="Dossier", **TOLD)
    volunteering(holder, year=2024)
    assert held(holder)[PocketKind.VOLUNTEER] == 520_00
    with pytest.raises(AwardRefused, match="plafond"):
        volunteering(holder, year=2025)
    assert reserved


def test_what_passes_the_cap_is_cut_and_shown(holder):
    PurseFactory(holder=holder, kind=PocketKind.VOLUNTEER, amount=600_00)
    movement = volunteering(holder)
    assert movement.amount == 120_00
    assert ["Au-delà du plafond de 720,00 €, perdu", "120,00 €"] in [
        [" ".join(cell.split()) for cell in line] for line in movement.formula
    ]


@pytest.mark.parametrize(("year", "words"), [(2027, "pas encore commencée"), (2010, "Aucune règle")])
def test_a_year_that_no_rule_knows_is_refused(holder, year, words):
    with pytest.raises(AwardRefused, match=words):
        volunteering(holder, year=year)


# --- Points, accidents, corrective rights ------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "points", "cents"),
    [(date(2023, 8, 31), 4, 1_500_00), (date(2023, 9, 1), 4, 2_000_00), (ON, 10, 5_000_00)],
)
def test_a_point_is_worth_375_euros_then_500_since_september_2023(holder, on, points, cents):
    give = {"points": points, "reference": "C2P-1", "on": on} | TOLD
    movement = awards.credit_points(holder, **give)
    assert awards.credit_points(holder, **give) == movement
    assert held(holder) == {PocketKind.PROFESSIONAL_RISK: cents}


def test_an_incapacity_of_10_percent_gives_7500_euros(holder):
    give = {"reference": "AT-1", "on": ON} | TOLD
    for rate in (9, 101):
        with pytest.raises(AwardRefused, match="au moins 10"):
            awards.credit_work_accident(holder, rate_percent=rate, **give)
    awards.credit_work_accident(holder, rate_percent=10, **give)
    awards.credit_work_accident(holder, rate_percent=10, **give)
    assert held(holder) == {PocketKind.WORK_ACCIDENT: 7_500_00}


@pytest.mark.parametrize(
    ("cause", "kind"),
    [(Origin.CORRECTIVE, PocketKind.CORRECTIVE), (Origin.DISMISSED, PocketKind.DOTATION)],
)
def test_an_employer_owes_3000_euros(holder, cause, kind):
    give = {"cause": cause, "employer": "Atelier Nord", "reference": "RH-1", "on": ON} | TOLD
    movement = awards.credit_corrective(holder, **give)
    assert awards.credit_corrective(holder, **give) == movement
    assert held(holder) == {kind: 3_000_00}
    assert (movement.source.kind, movement.target.origin) == (PocketKind.FUNDER, cause)
    with pytest.raises(AwardRefused, match="nom de l’employeur"):
        awards.credit_corrective(holder, **(give | {"employer": " ", "reference": "RH-2"}))


def test_one_reference_is_one_decision(holder):
    awards.credit_points(holder, points=4, reference="C2P-1", on=ON, **TOLD)
    for other, points in ((holder, 5), (HolderFactory(), 4)):
        with pytest.raises(ledger.KeyReused), transaction.atomic():
            awards.credit_points(other, points=points, reference="C2P-1", on=ON, **TOLD)


def test_the_future_and_no_reference_are_refused(holder):
    with pytest.raises(AwardRefused, match="futur"):
        awards.credit_points(holder, points=1, reference="x", on=date(2026, 5, 13), **TOLD)
    with pytest.raises(AwardRefused, match="référence"):
        awards.credit_points(holder, points=1, reference=" ", on=ON, **TOLD)
    with pytest.raises(AwardRefused, match="points"):
        awards.credit_points(holder, points=0, reference="x", on=ON, **TOLD)


def test_nobody_gives_rights_to_themselves(holder):
    told = {"by": Actor(role=Role.HOLDER, user=holder.user, holder=holder), "at": NOW}
    for call in (
        lambda: volunteering(holder, **told),
        lambda: awards.credit_points(holder, points=1, reference="x", on=ON, **told),
        lambda: awards.convert(holder, to=Unit.HOUR, reference="x", on=ON, **told),
    ):
        with pytest.raises(NotAllowed):
            call()


# --- Change of sector --------------------------------------------------------------------------------


def convert(holder, to, reference="M-1", on=ON, **fields):
    return awards.convert(holder, to=to, reference=reference, on=on, **(TOLD | fields))


def test_a_move_to_the_public_service_turns_every_yearly_euro_into_hours_and_volunteering_too(holder):
    for kind, amount in (
        (PocketKind.ANNUAL, 600_00),
        (PocketKind.INCREASE, 300_00),
        (PocketKind.DIF, 100_00),
        (PocketKind.VOLUNTEER, 240_00),
        (PocketKind.DOTATION, 50_00),
    ):
        PurseFactory(holder=holder, kind=kind, amount=amount)
    movements = convert(holder, Unit.HOUR)
    assert held(holder, Unit.HOUR) == {PocketKind.ANNUAL: 67, PocketKind.VOLUNTEER: 20}
    assert held(holder) == {PocketKind.DOTATION: 50_00}
    assert {movement.kind for movement in movements} == {"conversion_out", "conversion_in"}
    assert convert(holder, Unit.HOUR) == movements
    assert integrity.check() == []


def test_what_the_cap_of_hours_leaves_out_stays_in_euros(holder):
    PurseFactory(holder=holder, amount=5_000_00)
    convert(holder, Unit.HOUR)
    assert held(holder, Unit.HOUR) == {PocketKind.ANNUAL: 150}
    assert held(holder) == {PocketKind.ANNUAL: 2_750_00}


def test_a_low_qualified_category_c_agent_may_hold_400_hours(holder):
    PurseFactory(holder=holder, amount=8_000_00)
    convert(holder, Unit.HOUR, has_higher_cap=True)
    assert held(holder, Unit.HOUR) == {PocketKind.ANNUAL: 400}


def test_repeated_moves_convert_150_hours_in_six_years_and_the_first_one_is_free_of_it(holder):
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=400)
    convert(holder, Unit.EUR_CENT, "M-1", on=date(2020, 1, 6), has_higher_cap=True)
    assert held(holder) == {PocketKind.ANNUAL: 6_000_00}
    with pytest.raises(AwardRefused, match="Rien ne se convertit"):
        convert(holder, Unit.HOUR, "M-2", on=date(2026, 1, 5))
    convert(holder, Unit.HOUR, "M-2", on=date(2026, 1, 6))
    assert held(holder, Unit.HOUR) == {PocketKind.ANNUAL: 150}
    assert integrity.check() == []


def test_nothing_to_convert_is_said(holder):
    with pytest.raises(AwardRefused, match="Rien ne se convertit"):
        convert(holder, Unit.HOUR)


def test_a_half_of_a_conversion_alone_is_refused_by_the_database_and_found(holder):
    purse = PurseFactory(holder=holder, amount=100_00)
    middle = Pocket.objects.create(kind=PocketKind.CONVERSION)
    half = Movement(
        kind=MovementKind.CONVERSION_OUT,
        source=purse,
        target=middle,
        amount=1,
        key="alone:1:out",
        value_date=ON,
        recorded_at=NOW,
    )
    with pytest.raises(Exception, match="conversion_comes_in_two_halves"), transaction.atomic():
        half.save(force_insert=True)


# --- The file ----------------------------------------------------------------------------------------

HEADER = "holder;right;reference;on;activity;year;quantity;in_one_association;points;rate;employer;to"


@pytest.fixture
def send(tmp_path, capsys):
    def run(*lines, **options):
        path = tmp_path / "droits.csv"
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        refused = ""
        try:
            call_command("grant_rights", path, **options)
        except CommandError as error:
            refused = str(error)
        told = capsys.readouterr()
        return [" ".join(line.split()) for line in (refused, *told.out.splitlines(), *told.err.splitlines())]

    return run


def says(said, words, *, line=None):
    start = f"Ligne {line} : " if line else ""
    return any(each.startswith(start) and words in each for each in said)


def lines_for(holder):
    name = holder.reference
    return [
        f"{name};volunteering;;;civic_service;2025;6;;;;;",
        f"{name};professional_risk;C2P-1;2026-03-02;;;;;4;;;",
        f"{name};work_accident;AT-1;02/03/2026;;;;;;12;;",
        f"{name};corrective;RH-1;2026-03-02;;;;;;;Atelier Nord;",
        f"{name};dismissed;RH-2;2026-03-02;;;;;;;Atelier Nord;",
    ]


def test_a_file_gives_each_event_once(holder, send):
    assert says(
        send(*lines_for(holder)), "5 évènements (15 740,00 € et 0 h), 0 déjà faits, 0 lignes refusées"
    )
    assert says(send(*lines_for(holder)), "0 évènements (0,00 € et 0 h), 5 déjà faits")
    assert sum(held(holder).values()) == 15_740_00
    assert integrity.check() == []


def test_a_file_converts(holder, send):
    PurseFactory(holder=holder, amount=1_000_00)
    said = send(f"{holder.reference};conversion;M-1;2026-03-02;;;;;;;;hours")
    assert says(said, "1 évènements (0,00 € et 67 h)")


def test_a_dry_run_says_the_same_and_keeps_nothing(holder, send):
    assert says(send(*lines_for(holder), dry_run=True), "5 évènements (15 740,00 €")
    assert held(holder) == {}


def test_bad_lines_are_refused_with_their_number_and_the_others_go_in(holder, send):
    name = holder.reference
    said = send(
        f"{name};volunteering;;;civic_service;2025;5;;;;;",
        f"{name};volunteering;;;gardening;2025;6;;;;;",
        "X-9;professional_risk;C2P-1;2026-03-02;;;;;4;;;",
        f"{name};professional_risk;C2P-1;2099-03-02;;;;;4;;;",
        f"{name};professional_risk;C2P-2;2026-03-02;;;;;-4;;;",
        f"{name};lottery;L-1;2026-03-02;;;;;;;;",
        f"{name};work_accident;AT-1;hier;;;;;;12;;",
        f"{name};professional_risk;C2P-3;2026-03-02;;;;;4;;;",
        f"{name};professional_risk;C2P-3;2026-03-02;;;;;4;;;",
    )
    for line, words in (
        (2, "il faut 6 dans l’année, et il y en a 5"),
        (3, "« gardening » n’est pas prévu"),
        (4, "aucun compte n’a la référence « X-9 »"),
        (5, "Cette date est dans le futur"),
        (6, "« -4 » n’est pas un nombre entier"),
        (7, "« lottery » n’est pas prévu"),
        (8, "« hier » n’est pas une date"),
        (10, "Le même évènement est déjà ligne 9"),
    ):
        assert says(said, words, line=line), (line, said)
    assert says(said, "1 évènements (2 000,00 €")
    assert held(holder) == {PocketKind.PROFESSIONAL_RISK: 2_000_00}


def test_all_or_nothing_keeps_nothing_when_a_line_is_refused(holder, send):
    said = send(*lines_for(holder), f"{holder.reference};lottery;;;;;;;;;;", all_or_nothing=True)
    assert says(said, "rien n’a été gardé")
    assert held(holder) == {}
