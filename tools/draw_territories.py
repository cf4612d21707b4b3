"""Draw static/img/territories.svg: a dot for each square of a territory in which there is a town.

    python3 dev.py run tools/draw_territories.py

Run by hand when the towns or the frames (catalog.maps.FRAMES) change; what it writes is committed. Needs no
database: the towns are read from catalog/data/towns.csv.gz (their credits are in catalog/data/README.md).
"""

import csv
import gzip
import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from catalog import maps  # noqa: E402 - once Django is set up
from catalog.geography import point_of  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
TOWNS = ROOT / "catalog/data/towns.csv.gz"
TARGET = ROOT / "static/img/territories.svg"
# Units between two dots of the mainland. Overseas, towns are few: each is a dot of its own, and a bigger one.
STEP = 5
BREADTH, BREADTH_OVERSEAS = 3.4, 14


def main() -> None:
    dots: dict[str, set[tuple[int, int]]] = {drawing: set() for drawing in maps.FRAMES}
    outside = 0
    with gzip.open(TOWNS, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            drawing = maps.drawing_of(row["department"])
            if not drawing:
                continue
            point = point_of(
                latitude=float(row["latitude"]),
                longitude=float(row["longitude"]),
                department=row["department"],
            )
            x, y = maps.on_drawing(point, drawing=drawing)
            if not (0 <= x <= maps.SIDE and 0 <= y <= maps.SIDE):
                outside += 1
                continue
            if drawing == maps.MAINLAND:
                x, y = (value // STEP * STEP + STEP // 2 for value in (x, y))
            dots[drawing].add((x, y))
    if outside:
        raise SystemExit(f"{outside} towns lie outside their frame: widen catalog.maps.FRAMES")
    symbols = [_symbol(drawing, found) for drawing, found in dots.items()]
    TARGET.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg">\n'
        "<!-- Our own drawing, by tools/draw_territories.py. Towns: Etalab (MIT), GeoNames (CC BY 4.0) -->\n"
        + "\n".join(symbols)
        + "\n</svg>\n",
        encoding="utf-8",
    )
    print({drawing: len(found) for drawing, found in dots.items()}, TARGET.stat().st_size, "bytes")


def _symbol(drawing: str, dots: set[tuple[int, int]]) -> str:
    """A line of no length with round ends is a dot; rows are written with moves from one to the next."""
    path, last = [], (0, 0)
    for x, y in sorted(dots, key=lambda dot: (dot[1], dot[0])):
        path.append(f"m{x - last[0]} {y - last[1]}h0")
        last = (x, y)
    breadth = BREADTH if drawing == maps.MAINLAND else BREADTH_OVERSEAS
    body = "".join(path).replace(" -", "-")
    return (
        f'<symbol id="{drawing}" viewBox="0 0 {maps.SIDE} {maps.SIDE}" fill="none" stroke="currentColor"'
        f' stroke-width="{breadth}" stroke-linecap="round"><path d="M0 0{body}"/></symbol>'
    )


if __name__ == "__main__":
    main()
