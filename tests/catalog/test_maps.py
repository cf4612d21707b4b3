"""Drawings of territories: every town lies on its own, and the file that is shown has them all."""

import csv
import gzip
import re

import pytest
from django.conf import settings

from catalog import maps
from catalog.geography import point_of

TOWNS = settings.BASE_DIR / "catalog/data/towns.csv.gz"
DRAWN = (settings.BASE_DIR / "static/img/territories.svg").read_text()


def test_every_town_lies_on_the_drawing_of_its_territory():
    outside, islands = [], set()
    with gzip.open(TOWNS, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            drawing = maps.drawing_of(row["department"])
            if not drawing:
                islands.add(row["department"])
                continue
            degrees = {name: float(row[name]) for name in ("latitude", "longitude")}
            x, y = maps.on_drawing(point_of(**degrees, department=row["department"]), drawing=drawing)
            if not (0 <= x <= maps.SIDE and 0 <= y <= maps.SIDE):
                outside.append(row["name"])
    assert outside == []
    assert islands == {"975", "977", "978"}  # a handful of dots would show nothing


@pytest.mark.parametrize("drawing", maps.FRAMES)
def test_each_territory_is_drawn_in_the_units_of_its_places(drawing):
    [symbol] = re.findall(rf'<symbol id="{drawing}" viewBox="([^"]+)"', DRAWN)
    assert symbol == f"0 0 {maps.SIDE} {maps.SIDE}"


def test_a_place_is_where_it_should_be():
    lyon = point_of(latitude=45.758, longitude=4.835, department="69")
    lille = point_of(latitude=50.63, longitude=3.06, department="59")
    brest = point_of(latitude=48.39, longitude=-4.49, department="29")
    places = {
        name: maps.on_drawing(point, drawing=maps.MAINLAND)
        for name, point in (("lyon", lyon), ("lille", lille), ("brest", brest))
    }
    assert places["brest"][0] < places["lille"][0] < places["lyon"][0]  # west to east
    assert places["lille"][1] < places["brest"][1] < places["lyon"][1]  # north to south, from the top
