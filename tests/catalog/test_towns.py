"""The towns we ship, and how an address finds its own."""

import time

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.imports import towns
from catalog.imports.towns import Towns, address_key
from catalog.models import Town

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def france(django_db_setup, django_db_blocker):
    """All the towns, once for this file."""
    with django_db_blocker.unblock():
        began = time.perf_counter()
        towns.load()
        seconds = time.perf_counter() - began
        yield seconds
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM catalog_town")


def test_loading_is_quick(france):
    assert france < 15, "seconds; 2 on a machine at rest"


def test_the_whole_country(france):
    assert Town.objects.count() > 34_800
    assert set(Town.objects.values_list("department", flat=True)) >= {"01", "2A", "2B", "95", "971", "976"}
    assert not Town.objects.filter(postal_codes__contains=["98800"]).exists(), "no account there"
    largest = Town.objects.order_by("-population").first()
    assert (largest.name, largest.is_approximate) == ("Paris", False)
    exact = sum(Town.objects.filter(is_approximate=False).values_list("population", flat=True))
    everybody = sum(Town.objects.values_list("population", flat=True))
    assert exact > 0.85 * everybody


def test_positions_lie_in_the_grid_of_their_territory(france):
    paris, lyon, saint_denis = Town.objects.in_bulk(["75056", "69123", "97411"]).values()
    metres = ((paris.point.x - lyon.point.x) ** 2 + (paris.point.y - lyon.point.y) ** 2) ** 0.5
    assert 388_000 < metres < 396_000
    assert abs(saint_denis.point.x - paris.point.x) > 100_000 or saint_denis.point.y > 7_000_000


def test_loading_again_changes_nothing(france, capsys):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM catalog_town")
        before = cursor.fetchone()
    call_command("load_towns", skip_checks=True)
    assert capsys.readouterr().out == "Les communes sont déjà à jour.\n"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM catalog_town")
        assert cursor.fetchone() == before


def test_a_changed_town_is_corrected(france):
    Town.objects.filter(code="91330").update(name="Ladry")
    assert towns.load() == 1
    assert Town.objects.get(code="91330").name == "Lardy"


def find_town(postal_code, name, insee=""):
    return Towns({(postal_code, name, insee)}).find(postal_code, name, insee)


def test_the_districts_are_the_city(france):
    for code in ("75101", "75120", "69381", "13216"):
        assert not Town.objects.filter(code=code).exists()
    assert find_town("", "", "75112").name == "Paris"
    assert find_town("69007", "LYON 7EME").name == "Lyon"
    assert find_town("13016", "Marseille 16e arrondissement").name == "Marseille"


@pytest.mark.parametrize(
    ("postal_code", "name", "insee", "found"),
    [
        ("91510", "LARDY", "", "Lardy"),
        ("94240", "L'HAY LES ROSES", "", "L'Haÿ-les-Roses"),
        ("42000", "ST ETIENNE", "", "Saint-Étienne"),
        ("42100", "Saint-Etienne Cedex 2", "", "Saint-Étienne"),
        ("75380", "PARIS CEDEX 08", "", "Paris"),
        ("69365", "LYON CEDEX 07", "", "Lyon"),
        ("71100", "CHALON S/ SAONE", "", "Chalon-sur-Saône"),
        ("35000", "VILLE DE RENNES", "", "Rennes"),
        ("20000", "AJACCIO", "", "Ajaccio"),
        ("20700", "AJACCIO CEDEX 9", "", "Ajaccio"),
        ("97400", "ST DENIS", "", "Saint-Denis"),
        ("01300", "Arbignieu", "", "Arboys en Bugey"),  # the name before the merger
        ("", "", "01015", "Arboys en Bugey"),
        ("33000", "Quartier des Chartrons", "", "Bordeaux"),
        ("91510", "PARIS", "", None),  # a town, but not there
        ("99999", "ATLANTIS", "", None),
        ("69001", "LYON", "99999", "Lyon"),
        ("", "", "", None),
    ],
)
def test_an_address_finds_its_town(france, postal_code, name, insee, found):
    town = find_town(postal_code, name, insee)
    assert (town.name if town else None) == found


def test_many_addresses_cost_one_query(france):
    addresses = {("91510", "LARDY", ""), ("69001", "LYON", ""), ("", "", "75101"), ("20000", "AJACCIO", "")}
    with CaptureQueriesContext(connection) as captured:
        found = Towns(addresses)
        assert all(found.find(*address) for address in addresses)
    assert len(captured) == 1


def test_keys_of_addresses():
    assert address_key("Paris 12e arrondissement") == address_key("PARIS CEDEX 12") == "paris"
    assert address_key("Saint-Ouen-l'Aumône") == "saint ouen l aumone"
    assert address_key("Le Cannet") == "le cannet", "no word of a name is taken for a suffix"
