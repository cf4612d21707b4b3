"""The answers of a search on a map, the list's equal: no tile of anybody, nothing that follows people.

Around a town: its neighbourhood, drawn with the towns there are. Without one: the territories
(catalog.maps), one mark for each department. A mark leads to the list of what it counts; what lies nowhere
(at a distance) or was not located is counted beside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
LABELS_MAX = 8
"""Names of marks on a drawing; of towns without an answer, as many."""
SMALLEST, LARGEST = 8.0, 32.0
COUNTED_FROM, COUNTED_ON_PHONES_FROM = 14.0, 24.0
"""The radius from which a mark has room for its number; the others say theirs in the list."""
# A mark on the drawing of a territory, which has its own unit; those overseas are shown small.
TERRITORY, ISLAND = 0.28, 1.1
# What a name takes, in units of a neighbourhood (static/css/portal.css): a letter across, a line down.
LETTER, LINE = 12.0, 26.0
QUIET_LETTER = 9.0
# The same on the drawing of the mainland, which is smaller and whose words are drawn larger.
TERRITORY_LETTER, TERRITORY_LINE = 5.0, 11.0


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
    label_y: float | None = None

    @property
    def short_name(self) -> str:
        """« Lyon » for « Lyon (69) »: the number of the department is in the list."""
        return self.name.partition(" (")[0]

    @property
    def has_room(self) -> bool:
        """For its number."""
        return self.r >= COUNTED_FROM

    @property
    def has_room_on_phones(self) -> bool:
        return self.r >= COUNTED_ON_PHONES_FROM


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
    if maps.MAINLAND in sheets:
        marks = sheets[maps.MAINLAND]
        _name(marks, side=maps.SIDE, letter=TERRITORY_LETTER, line=TERRITORY_LINE)
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
    marks = []
    for code, count, price in found:
        town = towns[code]
        x, y = on_sheet(town.point)
        marks.append(Mark(town.name, str(town), 5, count, price, x, y, round(_radius(count, most), 1)))
    taken = _name(marks, side=SIDE, letter=LETTER, line=LINE)
    # Where nobody teaches, the names of the largest towns say where one is: they give way to all the rest.
    taken += [_box_of_mark(mark) for mark in marks]
    known = {mark.name for mark in marks}
    names: list[tuple[str, float, float]] = []
    for town, x, y in inside:
        if town.name in known or len(names) == LABELS_MAX:
            continue
        box = _box_of_name(town.name, x, y - 6, letter=QUIET_LETTER, line=LINE)
        if _is_within(box, SIDE) and not any(_common(box, other) for other in taken):
            names.append((town.name, x, y - 6))
            taken.append(box)
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


# --- Names on a drawing: boxes (left, top, right, bottom) that must not cover each other --------------------

Box = tuple[float, float, float, float]


def _name(marks: list[Mark], *, side: int, letter: float, line: float) -> list[Box]:
    """Gives the marks with the most answers their names, under them or above, and tells the room these take.

    A name is never laid over another, nor over other marks for more than half of what its own takes.
    """
    taken: list[Box] = []
    discs = [_box_of_mark(mark) for mark in marks]
    for number, mark in enumerate(marks):
        if len(taken) == LABELS_MAX:
            break
        under, above = mark.y + mark.r + line * 0.8, mark.y - mark.r - line * 0.2
        boxes = [
            _box_of_name(mark.short_name, mark.x, foot, letter=letter, line=line) for foot in (under, above)
        ]
        others = discs[:number] + discs[number + 1 :]
        free = [
            (sum(_common(box, other) for other in others), -foot, box)
            for foot, box in zip((under, above), boxes, strict=True)
            if _is_within(box, side) and not any(_common(box, other) for other in taken)
        ]
        if not free:
            continue
        hidden, foot, box = min(free)
        # The three that answer most are named whatever lies there: a map without them says nothing.
        if number >= 3 and hidden > (2 * mark.r) ** 2 / 2:
            continue
        marks[number] = replace(mark, label_y=round(-foot, 1))
        taken.append(box)
    return taken


def _box_of_mark(mark: Mark) -> Box:
    return mark.x - mark.r, mark.y - mark.r, mark.x + mark.r, mark.y + mark.r


def _box_of_name(name: str, x: float, foot: float, *, letter: float, line: float) -> Box:
    half = len(name) * letter / 2
    return x - half, foot - line * 0.8, x + half, foot + line * 0.25


def _common(one: Box, other: Box) -> float:
    """The surface that both cover."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0) * max(down, 0)


def _is_within(box: Box, side: int) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= side and box[3] <= side
