"""Where a place lies, on a quiet drawing of its territory: no tile of anybody, nothing that follows people.

The drawings are in static/img/territories.svg, made from our own towns by tools/draw_territories.py: a dot
for each square in which there is one. A place is put on them by arithmetic: `Frame` is the square of metres
that a drawing shows.
"""

from dataclasses import dataclass

from catalog.geography import Point
from catalog.models import Offer

MAINLAND = "metropole"
# Metres in the territory's official grid: left, bottom, and the side of the square. With a margin of a dot.
FRAMES: dict[str, tuple[int, int, int]] = {
    MAINLAND: (45_000, 5_960_000, 1_240_000),
    "971": (614_000, 1_747_000, 85_000),
    "972": (684_000, 1_590_000, 62_000),
    "973": (87_000, 339_000, 361_000),
    "974": (312_000, 7_627_000, 71_000),
    "976": (500_000, 8_563_000, 37_000),
}
SIDE = 240
"""Of a drawing, in its own units: small whole numbers keep the file small."""
# A word to the right of a place that lies beyond this would leave the drawing.
FAR_EAST = 150


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on a drawing, in its units, from its top left corner. `is_east`: its word goes to its left."""

    drawing: str
    x: int
    y: int
    is_east: bool

    @property
    def word_x(self) -> int:
        return self.x - 10 if self.is_east else self.x + 10


def drawing_of(department: str) -> str:
    """Overseas departments have their own; "" for the few islands that a handful of dots would not show."""
    if department.startswith("97"):
        return department if department in FRAMES else ""
    return MAINLAND


def on_drawing(point: Point, *, drawing: str) -> tuple[int, int]:
    """Metres to units of the drawing."""
    left, bottom, side = FRAMES[drawing]
    return round((point.x - left) * SIDE / side), round((bottom + side - point.y) * SIDE / side)


def spot_of(offer: Offer) -> Spot | None:
    """None: at a distance, a place nobody located, or a territory that is not drawn. Needs its `town`."""
    if offer.mode == Offer.Mode.DISTANCE or offer.town is None or offer.point is None:
        return None
    drawing = drawing_of(offer.town.department)
    if not drawing:
        return None
    x, y = on_drawing(offer.point, drawing=drawing)
    if not (0 <= x <= SIDE and 0 <= y <= SIDE):
        return None
    return Spot(drawing, x, y, is_east=x > FAR_EAST)
