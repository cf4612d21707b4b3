"""`manage.py import_nomenclature FILE`: FORMACODE, ROME and its sectors, NSF, or groups of synonyms."""

from catalog.imports import nomenclatures
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = (
        "Importe une nomenclature (CSV : FORMACODE, codes ou appellations ROME, un niveau de NSF ; XML : NSF"
        " de LHEO ; JSON : secteurs ROME) ou des groupes de synonymes (JSON). Le fichier est reconnu à son"
        " contenu ; .gz et .zip sont lus."
    )
    importer = nomenclatures
    records = "termes"
