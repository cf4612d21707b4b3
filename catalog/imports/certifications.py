"""Any file that tells of certifications: what it is, its first bytes and its columns say.

France compétences' XML export (catalog.imports.rncp), its CSV flavour, Certif Info, the apprenticeship kit.
"""

from datetime import datetime

from django.utils.translation import gettext as _

from catalog.imports import apprenticeship_kit, certif_info, reading, register_csv, report, rncp
from catalog.imports.reading import Progress, Source, Unusable
from catalog.imports.report import Report
from catalog.models import ImportRun


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    encoding: str = "",
) -> Report:
    """Imports one file (plain, gzip or zip). Unusable: nothing was written."""
    return report.run(
        ImportRun.Kind.CERTIFICATIONS,
        file,
        lambda source, result: _work(source, result, at=at),
        at=at,
        dry_run=dry_run,
        progress=progress,
        encoding=encoding,
    )


def _work(source: Source, result: Report, *, at: datetime) -> None:
    day = rncp.day_of(source, at)
    if register_csv.is_archive(reading.members(source)):
        register_csv.read(source, result, at=at, day=day)
        return
    header = reading.first_line(source)
    columns = {name.strip().strip('"') for name in header.split(";")}
    if columns >= certif_info.COLUMNS:
        certif_info.read(source, result, at=at)
    elif columns >= apprenticeship_kit.COLUMNS:
        apprenticeship_kit.read(source, result, at=at, day=day)
    elif len(columns) < 2 or header.startswith("<"):
        rncp.work(source, result, at=at)
    elif "Numero_Fiche" in columns:
        raise Unusable(
            _("Ce fichier est une partie de l'export CSV des répertoires : donnez l'archive zip entière.")
        )
    else:
        raise Unusable(
            _(
                "Les colonnes ne sont celles d'aucun fichier de certifications connu"
                " (Certif Info, kit apprentissage)."
            ),
            line=1,
        )
