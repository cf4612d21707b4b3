"""`manage.py import_open_catalogue FILE`: what trainings cost on the national portal, from its open data."""

from catalog.imports import open_catalogue
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = (
        "Importe les prix du catalogue ouvert de Mon Compte Formation (CSV « ; », ancien ou nouvel en-tête ;"
        " .gz ou .zip). Aucune offre n'en naît : les prix publiés ici leur sont comparés."
    )
    importer = open_catalogue
    records = "formations"
