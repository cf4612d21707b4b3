import json

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rulebook.loading import Row, read

DOCUMENT = settings.BASE_DIR / "docs" / "rulebook.md"

HEADING = """\
# The rulebook

Generated from `rulebook/parameters.yaml` by `manage.py write_rulebook_doc`; do not edit. Words that
people read are in French, as on screen. A value holds from its first day until the next row begins.
"""


class Command(BaseCommand):
    help = "Écrit docs/rulebook.md d'après rulebook/parameters.yaml."

    def add_arguments(self, parser):
        parser.add_argument(
            "--check", action="store_true", help="Vérifie que le document est à jour, sans l'écrire."
        )

    def handle(self, *args, **options):
        text = document()
        if not options["check"]:
            DOCUMENT.write_text(text, encoding="utf-8")
            self.stdout.write("Écrit : docs/rulebook.md")
        elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
            raise CommandError("docs/rulebook.md n'est pas à jour : lancez manage.py write_rulebook_doc.")


def document() -> str:
    rows_by_name: dict[str, list[Row]] = {}
    for row in read():
        rows_by_name.setdefault(row.name, []).append(row)
    return "\n".join([HEADING, *(section(rows) for rows in rows_by_name.values())])


def section(rows: list[Row]) -> str:
    first = rows[0]
    status = "règle officielle" if first.is_core_law else "hors du droit commun ou choix de l'instance"
    lines = [
        f"## `{first.name}`",
        "",
        f"{first.label}. Unité : {first.unit}. {status[0].upper()}{status[1:]}.",
        "",
        "| depuis le | valeur | référence | remarque |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        value = json.dumps(row.value, ensure_ascii=False)
        cells = (row.since.isoformat(), f"`{value}`", row.legal_reference, row.note)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])
