"""The towns we ship, and how an address finds its own: by its codes, then by its name."""

import csv
import gzip
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from catalog.geography import name_key, point_of
from catalog.imports import loading
from catalog.models import Town

FILE = Path(__file__).resolve().parent.parent / "data" / "towns.csv.gz"
COLUMNS = (
    "code", "name", "name_key", "department", "region", "postal_codes", "population",
    "latitude", "longitude", "point", "is_approximate", "former_codes", "former_names",
)  # fmt: skip


def load(path: Path = FILE) -> int:
    """Writes the shipped towns; how many were added or changed. Old towns stay: offers may lie there."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [_values(row) for row in csv.DictReader(file, delimiter=";")]
    with transaction.atomic():
        changed = loading.upsert(Town, COLUMNS, rows, key="code", derived=("point",))
        if changed:
            loading.refresh_statistics(Town)
    return changed


def _values(row: dict[str, str]) -> tuple:
    latitude, longitude = float(row["latitude"]), float(row["longitude"])
    point = point_of(latitude=latitude, longitude=longitude, department=row["department"])
    return (
        row["code"], row["name"], name_key(row["name"]), row["department"], row["region"],
        row["postal_codes"].split(), int(row["population"]), latitude, longitude,
        f"({point.x!r},{point.y!r})", row["is_approximate"] == "1", row["former_codes"].split(),
        [name for name in row["former_names"].split("|") if name],
    )  # fmt: skip


# « Paris 12e arrondissement », « PARIS 12 », « LYON 3EME », « MARSEILLE CEDEX 08 »: the city itself. On keys.
DISTRICT = re.compile(r"\s+(?:cedex(?:\s+\d+)?|\d+(?:er|ere|e|eme)?(?:\s+arrondissement)?)$")
# What people write before it: « VILLE DE LYON », « commune de Lardy ».
CIVIC = re.compile(r"^(?:ville|commune|mairie)\s+d(?:e|u|es)?\s+")


def address_key(name: str) -> str:
    """The name a town has in our table, from what an address says."""
    key = CIVIC.sub("", name_key(name))
    while (shorter := DISTRICT.sub("", key)) != key:
        key = shorter
    return key.replace(" s ", " sur ")


@dataclass(frozen=True, slots=True)
class _Entry:
    town: Town
    names: frozenset[str]


class Towns:
    """The towns that some addresses may mean, found with one query for all of them."""

    def __init__(self, addresses: set[tuple[str, str, str]]):
        """`addresses`: (postal code, name, INSEE code or "") of each."""
        postal_codes = {postal_code for postal_code, _name, _code in addresses if postal_code}
        codes = {code for _postal_code, _name, code in addresses if code}
        keys = {address_key(name) for _postal_code, name, _code in addresses if name}
        wanted = Q(postal_codes__overlap=list(postal_codes)) if postal_codes else Q(pk__in=[])
        if codes:
            wanted |= Q(code__in=codes) | Q(former_codes__overlap=list(codes))
        if keys:
            wanted |= Q(name_key__in=keys)
        self._by_code: dict[str, Town] = {}
        self._by_postal_code: dict[str, list[_Entry]] = defaultdict(list)
        self._by_name: dict[str, list[Town]] = defaultdict(list)
        for town in Town.objects.filter(wanted).order_by("-population", "code"):
            names = {town.name_key, *map(name_key, town.former_names)}
            for code in town.former_codes:
                self._by_code.setdefault(code, town)
            self._by_code[town.code] = town
            self._by_name[town.name_key].append(town)
            for postal_code in town.postal_codes:
                self._by_postal_code[postal_code].append(_Entry(town, frozenset(names)))

    def find(self, postal_code: str, name: str, insee: str = "") -> Town | None:
        """The town of an address. None: no town bears that code, or that name in that department.

        In order: the INSEE code; a town of that postal code with that name, or that was called so; a town
        of that name in the department, since a CEDEX number is in no table of towns; the only town of that
        postal code, for a hamlet's name, unless that name is a town's elsewhere.
        """
        if insee and (town := self._by_code.get(insee)):
            return town
        key = address_key(name)
        entries = self._by_postal_code.get(postal_code, [])
        for entry in entries:
            if key in entry.names:
                return entry.town
        namesakes = self._by_name.get(key, [])
        nearby = [town for town in namesakes if is_in_department(postal_code, town)]
        if len(nearby) == 1:
            return nearby[0]
        return entries[0].town if len(entries) == 1 and not namesakes else None


class TownBook:
    """What addresses mean, remembered all along a file: most of them come back."""

    def __init__(self):
        self._known: dict[tuple[str, str, str], Town | None] = {}

    def look_up(self, addresses: set[tuple[str, str, str]]) -> None:
        """Finds those that were not asked before. At most one query."""
        if new := addresses - self._known.keys():
            towns = Towns(new)
            self._known.update({address: towns.find(*address) for address in new})

    def find(self, address: tuple[str, str, str]) -> Town | None:
        """What `look_up` found."""
        return self._known[address]


def is_in_department(postal_code: str, town: Town) -> bool:
    """Whether that postal code may be of the town's department. Corsica's begin with 20, overseas with 97."""
    if town.department in {"2A", "2B"}:
        return postal_code.startswith("20")
    return postal_code.startswith(town.department[:3])
