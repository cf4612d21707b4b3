"""`manage.py import_organisations FILE`: training organisations and their Qualiopi kinds."""

from catalog.imports import providers
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = (
        "Importe les organismes de formation d'une liste publique (CSV « ; », .gz ou .zip),"
        " ou d'un index LHEO (XML)."
    )
    importer = providers
    records = "organismes"
