"""`manage.py import_nomenclature FILE`: FORMACODE, ROME, NSF, or groups of synonyms."""

from catalog.imports import nomenclatures
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = (
        "Importe une nomenclature (CSV en UTF-8 : FORMACODE, codes ou appellations ROME, un niveau de NSF)"
        " ou des groupes de synonymes (JSON). Le fichier est reconnu à ses colonnes ; .gz et .zip sont lus."
    )
    importer = nomenclatures
    records = "termes"
