"""The national portal's open data, read for its prices: what each certification's trainings cost elsewhere.

`moncompteformation_catalogueformation`, CSV `;`, in its two headers: the recent one (`date_chargement`,
`code_rs`, `siret_of`) and the older (`date_extract`, `code_inventaire`, `siret`). One row is a training in a
department. It tells no session, no place and only mean prices, so it makes no offer: it makes `MarketPrice`
rows, which a price is compared with where too few organisations publish here (docs/adr/0013).

Rows that the file does not hold are left alone; those of another day are judged by `observed_on`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db import connection
from django.utils.translation import gettext as _

from catalog.imports import loading, reading, report, values
from catalog.imports.reading import Progress, Source, Unusable
from catalog.imports.report import Report
from catalog.imports.values import Wrong
from catalog.models import ImportRun, MarketPrice

# Our name → the columns that say it: the recent header's, then the older's.
COLUMNS = {
    "observed_on": ("date_chargement", "date_extract"),
    "siret": ("siret_of", "siret"),
    "training_number": ("numero_formation",),
    "department": ("code_departement",),
    "rncp": ("code_rncp",),
    "rs": ("code_rs", "code_inventaire"),
    "title": ("intitule_formation",),
    "hours": ("nombre_heures_total_mean",),
    "price": ("frais_ttc_tot_mean",),
    "lowest": ("frais_ttc_tot_min",),
    "highest": ("frais_ttc_tot_max",),
}
OPTIONAL = {"hours", "lowest", "highest", "title"}
WRITTEN = (
    *("key", "siret", "training_number", "department", "code", "title", "hours"),
    *("price_cents", "lowest_cents", "highest_cents", "observed_on"),
)
MAX_HOURS = 99_999
NONE = {"", "-1", "0", "nan"}
"""How a number that there is not is written."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    siret: str
    training_number: str
    department: str
    code: str
    title: str
    hours: int | None
    price_cents: int
    lowest_cents: int
    highest_cents: int
    observed_on: date

    @property
    def key(self) -> str:
        return f"{self.siret}_{self.training_number}_{self.department}"


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    encoding: str = "",
) -> Report:
    """Imports one extract (plain, gzip or zip). Unusable: nothing was written."""
    return report.run(
        ImportRun.Kind.MARKET, file, _work, at=at, dry_run=dry_run, progress=progress, encoding=encoding
    )


def _work(source: Source, result: Report) -> None:
    for lot in loading.lots(_rows(source, result), 1000):
        _write(lot, result)
    if result.created or result.updated:
        loading.refresh_statistics(MarketPrice)


def _rows(source: Source, result: Report) -> Iterator[Row]:
    columns: dict[str, str] | None = None
    seen: dict[str, int] = {}
    without = 0
    for line, cells in reading.csv_rows(source):
        if columns is None:
            columns = _recognise(cells)
        result.read += 1
        written = {ours: values.line(cells.get(theirs)) for ours, theirs in columns.items()}
        subject = values.short(written.get("title") or written["training_number"] or _("ligne sans titre"))
        faults = [_("la ligne a plus de cellules que l'en-tête.")] if "" in cells else []
        if not faults and written["rncp"] in NONE and written["rs"] in NONE:
            # Skills reviews, VAE, licences: no certification, so nothing that prices are compared by.
            without += 1
            continue
        row = _read(line, written, faults)
        if row is not None and row.key in seen:
            faults.append(
                _("cette formation dans ce département est déjà dans le fichier, ligne %(line)d.")
                % {"line": seen[row.key]}
            )
        if faults or row is None:
            result.refuse(line, subject, *faults)
            continue
        seen[row.key] = line
        yield row
    if columns is None:
        raise Unusable(_("Le fichier ne contient aucune formation."))
    if without:
        result.remark(
            1,
            source.name[:255],
            _("Lignes sans numéro RNCP ni RS, laissées de côté : %(count)d.") % {"count": without},
        )


def _recognise(header) -> dict[str, str]:
    """Our name → the file's own column. Unusable: it is another file."""
    columns = {ours: name for ours, names in COLUMNS.items() for name in reversed(names) if name in header}
    if missing := [
        names[0] for ours, names in COLUMNS.items() if ours not in columns | dict.fromkeys(OPTIONAL)
    ]:
        raise Unusable(
            _(
                "Les colonnes ne sont pas celles du catalogue ouvert de Mon Compte Formation :"
                " il manque %(names)s."
            )
            % {"names": ", ".join(missing)},
            line=1,
        )
    return columns


def _read(line: int, written: dict[str, str], faults: list[str]) -> Row | None:
    """The row; None and its faults when it is none."""

    def taken(read, name: str):
        try:
            return read(written.get(name, ""))
        except Wrong as wrong:
            faults.append(f"{name} : {wrong}" if name not in ("siret", "code") else str(wrong))
            return None

    siret = taken(values.siret, "siret")
    code = taken(lambda _text: _code(written), "code")
    price = taken(_cents, "price")
    observed_on = taken(_day, "observed_on")
    hours = taken(_hours, "hours")
    lowest, highest = taken(_cents, "lowest"), taken(_cents, "highest")
    number, department = written["training_number"], written["department"].upper()
    if not number or len(number) > 100:
        faults.append(_("le numéro de la formation manque, ou dépasse 100 caractères."))
    if not re.fullmatch(r"(?:\d{2,3}|2[AB])?", department, re.ASCII):
        faults.append(_("« %(text)s » n'est pas un département.") % {"text": values.short(department)})
    if not faults and (price is None or observed_on is None):
        faults.append(_("le prix moyen ou la date du relevé manque."))
    if faults:
        return None
    return Row(
        line=line,
        siret=siret,
        training_number=number,
        department=department.zfill(2) if department else "",
        code=code,
        title=written.get("title", "")[:255],
        hours=hours,
        price_cents=price,
        lowest_cents=price if lowest is None else lowest,
        highest_cents=price if highest is None else highest,
        observed_on=observed_on,
    )


def _code(written: dict[str, str]) -> str:
    """RNCP37674 or RS6604: the file writes the digits alone."""
    for register, name in (("RNCP", "rncp"), ("RS", "rs")):
        text = written[name].upper().removeprefix(register).removesuffix(".0")
        if text.lower() in NONE:
            continue
        if not re.fullmatch(r"\d{1,7}", text, re.ASCII):
            raise Wrong(
                _("« %(text)s » n'est pas un numéro du répertoire %(register)s.")
                % {"text": values.short(text), "register": register}
            )
        return f"{register}{int(text)}"
    raise Wrong(_("le numéro RNCP ou RS manque."))


def _number(text: str) -> Decimal | None:
    """A mean is written with as many decimals as it has."""
    if text.lower() in NONE - {"0"}:
        return None
    if not re.fullmatch(r"-?\d{1,12}(?:[.,]\d{1,30})?", text, re.ASCII):
        raise Wrong(_("« %(text)s » n'est pas un nombre.") % {"text": values.short(text)})
    number = Decimal(text.replace(",", "."))
    if number < 0:
        raise Wrong(_("« %(text)s » est négatif.") % {"text": values.short(text)})
    return number


def _cents(text: str) -> int | None:
    number = _number(text)
    if number is None:
        return None
    cents = int((number * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if cents > values.MAX_CENTS:
        raise Wrong(_("le montant « %(text)s » est trop grand.") % {"text": values.short(text)})
    return cents


def _hours(text: str) -> int | None:
    number = _number(text)
    if not number:
        return None
    if number > MAX_HOURS:
        raise Wrong(
            _("« %(text)s » dépasse %(most)d heures.") % {"text": values.short(text), "most": MAX_HOURS}
        )
    return int(number.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _day(text: str) -> date | None:
    """« 2024-05-31 », with or without an hour, or « 31/05/2024 »."""
    if re.match(r"\d{4}-\d{2}-\d{2}(?:$|[T ])", text, re.ASCII):
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            raise Wrong(_("« %(text)s » n'est pas une date.") % {"text": values.short(text)}) from None
    return values.french_date(text[:10])


def _write(lot: list[Row], result: Report) -> None:
    keys = [row.key for row in lot]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM catalog_marketprice WHERE key = ANY(%s)", [keys])
        known = cursor.fetchone()[0]
    touched = loading.upsert(
        MarketPrice, WRITTEN, (tuple(getattr(row, name) for name in WRITTEN) for row in lot), key="key"
    )
    created = len(lot) - known
    result.created += created
    result.updated += touched - created
    result.unchanged += len(lot) - touched
