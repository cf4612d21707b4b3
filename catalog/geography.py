"""Places in metres.

Every point is stored as a core PostgreSQL `point` in the official metre grid of its territory,
so that a radius is a plain circle served by a GiST index. The grids of mainland France and of
the overseas territories lie more than 300 km apart as planes, so one column holds them all
(docs/adr/0004-points-in-metres.md).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from django.db import models
from pyproj import Transformer
from pyproj.enums import TransformDirection

# Official projections (order of 2000-12-26 as amended): territory's department → EPSG code.
MAINLAND_GRID = "EPSG:2154"
OVERSEAS_GRIDS = {
    "971": "EPSG:5490",
    "972": "EPSG:5490",
    "977": "EPSG:5490",
    "978": "EPSG:5490",
    "973": "EPSG:2972",
    "974": "EPSG:2975",
    "975": "EPSG:4467",
    "976": "EPSG:4471",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A place in metres east and north, in its territory's grid."""

    x: float
    y: float


def read_point(text: str) -> Point:
    """As PostgreSQL writes it: « (651802.1,6862305.4) »."""
    x, y = text.strip("()").split(",")
    return Point(float(x), float(y))


class PointField(models.Field):
    """PostgreSQL's own `point`, as a `Point`."""

    def db_type(self, connection):
        return "point"

    def from_db_value(self, value, expression, connection):
        return None if value is None else read_point(value)

    def get_prep_value(self, value):
        return None if value is None else f"({value.x!r},{value.y!r})"

    def to_python(self, value):
        return value


@dataclass(frozen=True, slots=True)
class Circle:
    """Everything at most `metres` away from `centre`, its edge included. `SQL` takes `values`."""

    centre: Point
    metres: int
    SQL: ClassVar = "circle(point(%s, %s), %s)"

    @property
    def values(self) -> tuple[float, float, int]:
        return self.centre.x, self.centre.y, self.metres


@PointField.register_lookup
class Within(models.Lookup):
    """`point__within=Circle(…)`: the shape that the GiST index serves."""

    lookup_name = "within"
    prepare_rhs = False

    def as_sql(self, compiler, connection):
        place, params = self.process_lhs(compiler, connection)
        return f"{place} <@ {Circle.SQL}", (*params, *self.rhs.values)


class Distance(models.Func):
    """Metres between a point and a place; ordering by it walks the GiST index, nearest first."""

    output_field = models.FloatField()

    template = "(%(expressions)s)"
    arg_joiner = " <-> "

    def __init__(self, expression, centre: Point):
        super().__init__(expression, models.Value(centre, PointField()))


@lru_cache(maxsize=16)
def _transformer(grid: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", grid, always_xy=True)


def grid_of(department: str) -> str:
    """The official grid of a department's territory."""
    return OVERSEAS_GRIDS.get(department, MAINLAND_GRID)


def point_of(*, latitude: float, longitude: float, department: str) -> Point:
    """Degrees (WGS 84) to metres in the grid of that department's territory."""
    x, y = _transformer(grid_of(department)).transform(longitude, latitude)
    return Point(round(x, 1), round(y, 1))


def degrees_of(point: Point, *, department: str) -> tuple[float, float]:
    """Metres in that department's grid to (latitude, longitude) in degrees."""
    longitude, latitude = _transformer(grid_of(department)).transform(
        point.x, point.y, direction=TransformDirection.INVERSE
    )
    return latitude, longitude


SAINTS = {"st": "saint", "ste": "sainte"}


def name_key(name: str) -> str:
    """What names are compared by: « l hay les roses » for « L'Haÿ-les-Roses », « saint ay » for « St-Ay »."""
    folded = unicodedata.normalize("NFKD", name.lower().replace("œ", "oe").replace("æ", "ae"))
    words = re.findall(r"[a-z0-9]+", "".join(c for c in folded if not unicodedata.combining(c)))
    return " ".join(SAINTS.get(word, word) for word in words)
