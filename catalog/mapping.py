"""The answers of a search on a map, the list's equal: no tile of anybody, nothing that follows people.

Around a town: its neighbourhood, drawn with the towns there are. Without one: the territories
(catalog.maps), one mark for each department. A mark leads to the list of what it counts; what lies nowhere
(at a distance) or was not located is counted beside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connections, router
from django.utils.translation import gettext as _

from catalog import facets, maps, search
from catalog.geography import Circle, Point
from catalog.grouping import Key
from catalog.models import OfferIndex, Town
from catalog.search import SearchQuery
from rulebook import Rules

OFFERS_MAX = 20_000
"""Looked at; beyond, the map says that it shows some of them."""
MARKS_MAX = 80
SIDE = 600
"""Of the square of a neighbourhood, in units of the drawing."""
NEIGHBOURS_MAX = 1_500
LABELS_MAX = 10
SMALLEST, LARGEST = 9.0, 34.0
# A mark on the drawing of a territory, which has its own unit; those overseas are shown small.
TERRITORY, ISLAND = 0.32, 1.1
# A name needs so much room around it, across and down.
LABEL_WIDTH, LABEL_HEIGHT = 130, 22


@dataclass(frozen=True, slots=True)
class Mark:
    """Where some of the answers are. Units of the drawing; `r` grows with how many they are. `town`: what
    the list of them is asked around, within `radius_km`; `label`: its name stands on the drawing."""

    name: str
    town: str
    radius_km: int
    count: int
    price_min_cents: int
    x: float
    y: float
    r: float
    label: bool = False

    @property
    def label_y(self) -> float:
        return self.y + self.r + 16


@dataclass(frozen=True, slots=True)
class Sheet:
    """One drawing with its marks. `drawing`: of which territory; "" for a neighbourhood, which has `dots`
    (an SVG path), `names` of towns and a `ring` (radius of the circle asked for, in units)."""

    title: str
    drawing: str = ""
    side: int = maps.SIDE
    marks: tuple[Mark, ...] = ()
    dots: str = ""
    names: tuple[tuple[str, float, float], ...] = ()
    ring: float = 0


@dataclass(frozen=True, slots=True)
class Map:
    """`sheets`: the territories that have answers, or one neighbourhood; `places`: every mark, the one with
    the most answers first; `nowhere`: answers that no map shows; `is_capped`: only some were looked at."""

    sheets: tuple[Sheet, ...] = ()
    places: tuple[Mark, ...] = ()
    nowhere: int = 0
    is_capped: bool = False


def draw(query: SearchQuery, keys: Sequence[Key] | None = None, *, on: date, rules: Rules) -> Map:
    """Where the answers are. `keys`: the groups that answer, when answers are gathered."""
    offers = facets.reached(query, keys, on=on)
    for condition in search.conditions(query, on=on, rules=rules).values():
        offers = offers.filter(condition)
    rows, values = offers.values_list("town_id", "price_cents")[: OFFERS_MAX + 1].query.sql_with_params()
    column = "t.code" if query.town else "t.department"
    statement = f"""
        SELECT {column}, count(*)::int, min(o.price)
        FROM ({rows}) AS o (town, price) LEFT JOIN catalog_town AS t ON t.code = o.town
        GROUP BY 1 ORDER BY 2 DESC, 1
    """  # noqa: S608 - Django's own statement
    with connections[router.db_for_read(OfferIndex)].cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchall()
    is_capped = sum(count for _where, count, _price in found) > OFFERS_MAX
    nowhere = sum(count for where, count, _price in found if where is None)
    placed = [row for row in found if row[0] is not None][:MARKS_MAX]
    sheets = _neighbourhood(placed, query) if query.town else _territories(placed)
    places = sorted(
        (mark for sheet in sheets for mark in sheet.marks), key=lambda mark: (-mark.count, mark.name)
    )
    return Map(tuple(sheets), tuple(places), nowhere, is_capped=is_capped)


def _territories(found: Sequence[tuple[str, int, int]]) -> list[Sheet]:
    """A sheet for each territory that has answers, a mark in the middle of each of its departments."""
    most = max((count for _department, count, _price in found), default=1)
    heads = _heads([department for department, _count, _price in found])
    sheets: dict[str, list[Mark]] = {}
    for department, count, price in found:
        drawing = maps.drawing_of(department)
        if not drawing or department not in heads:
            continue
        head, middle = heads[department]
        x, y = maps.on_drawing(middle, drawing=drawing)
        mark = Mark(
            name=f"{head.name} ({department})",
            town=str(head),
            radius_km=50,
            count=count,
            price_min_cents=price,
            x=x,
            y=y,
            r=round(_radius(count, most) * (TERRITORY if drawing == maps.MAINLAND else ISLAND), 1),
        )
        sheets.setdefault(drawing, []).append(mark)
    names = {maps.MAINLAND: _("France métropolitaine")}
    return [
        Sheet(names.get(drawing) or marks[0].name, drawing, marks=tuple(marks))
        for drawing, marks in sorted(sheets.items(), key=lambda pair: (pair[0] != maps.MAINLAND, pair[0]))
    ]


def _heads(departments: Sequence[str]) -> dict[str, tuple[Town, Point]]:
    """department → its most populous town, and the middle of its people."""
    with connections[router.db_for_read(Town)].cursor() as cursor:
        cursor.execute(
            """
            SELECT department, (array_agg(code ORDER BY population DESC, code))[1],
                sum(point[0] * population) / greatest(sum(population), 1),
                sum(point[1] * population) / greatest(sum(population), 1)
            FROM catalog_town WHERE department = ANY(%s) GROUP BY department
            """,
            [list(departments)],
        )
        rows = cursor.fetchall()
    towns = Town.objects.in_bulk([code for _department, code, _x, _y in rows])
    return {department: (towns[code], Point(x, y)) for department, code, x, y in rows}


def _neighbourhood(found: Sequence[tuple[str, int, int]], query: SearchQuery) -> list[Sheet]:
    """The square around the circle that is asked for, its north at the top."""
    assert query.town is not None
    centre, reach = query.town.point, query.radius_km * 1000
    half = reach * 1.06
    scale = SIDE / (2 * half)

    def on_sheet(point: Point) -> tuple[float, float]:
        return round((point.x - centre.x + half) * scale, 1), round((centre.y + half - point.y) * scale, 1)

    around = Town.objects.filter(point__within=Circle(centre, round(half * math.sqrt(2))))
    around = list(around.only("name", "point", "population").order_by("-population", "code")[:NEIGHBOURS_MAX])
    drawn = [(town, *on_sheet(town.point)) for town in around]
    inside = [each for each in drawn if 0 <= each[1] <= SIDE and 0 <= each[2] <= SIDE]
    towns = Town.objects.in_bulk([code for code, _count, _price in found])
    most = max((count for _code, count, _price in found), default=1)
    marks: list[Mark] = []
    labelled: list[tuple[float, float]] = []
    for code, count, price in found:
        town = towns[code]
        x, y = on_sheet(town.point)
        r = round(_radius(count, most), 1)
        hidden = any(math.hypot(x - mark.x, y + r + 16 - mark.y) < mark.r + LABEL_HEIGHT for mark in marks)
        has_room = len(labelled) < LABELS_MAX and not hidden and _is_free(x, y + r + 16, labelled)
        if has_room:
            labelled.append((x, y + r + 16))
        marks.append(Mark(town.name, str(town), 5, count, price, x, y, r, label=has_room))
    taken = {mark.name for mark in marks}
    names = []
    for town, x, y in inside:
        covered = any(
            abs(x - mark.x) < mark.r + LABEL_WIDTH / 2 and abs(y - 6 - mark.y) < mark.r + LABEL_HEIGHT
            for mark in marks
        )
        if town.name in taken or covered or len(labelled) >= 2 * LABELS_MAX:
            continue
        if _is_free(x, y - 6, labelled):
            names.append((town.name, x, y - 6))
            labelled.append((x, y - 6))
    return [
        Sheet(
            _("%(km)s km autour de %(town)s") % {"km": query.radius_km, "town": query.town},
            side=SIDE,
            marks=tuple(marks),
            dots="".join(f"M{x:.0f} {y:.0f}h0" for _town, x, y in inside),
            names=tuple(names),
            ring=round(reach * scale, 1),
        )
    ]


def _radius(count: int, most: int) -> float:
    """Areas grow with numbers; the smallest can still be read and tapped."""
    return SMALLEST + (LARGEST - SMALLEST) * math.sqrt(count / most)


def _is_free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> bool:
    return (
        LABEL_WIDTH / 2 < x < SIDE - LABEL_WIDTH / 2
        and LABEL_HEIGHT < y < SIDE - LABEL_HEIGHT
        and all(abs(x - a) > LABEL_WIDTH or abs(y - b) > LABEL_HEIGHT for a, b in taken)
    )
