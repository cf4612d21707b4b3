"""`manage.py import_certifications FILE`: the registers of France compétences, Certif Info, the kit."""

from catalog.imports import certifications
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = (
        "Importe des certifications : export de France compétences (XML, ou zip des CSV), Certif Info ou kit"
        " apprentissage (CSV « ; » en UTF-8). Le fichier est reconnu à son contenu ; .gz et .zip sont lus."
    )
    importer = certifications
    records = "fiches"
