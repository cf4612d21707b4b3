"""`manage.py import_certifications FILE`: an export of France compétences (RNCP or RS)."""

from catalog.imports import rncp
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = "Importe les certifications d'un export XML de France compétences (.xml, .xml.gz ou .zip)."
    importer = rncp
    records = "fiches"
