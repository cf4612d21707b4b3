"""`manage.py import_catalogue FILE`: the offers of an organisation, in the portal's own format."""

from catalog.imports import offers
from catalog.management.commands._importing import ImportCommand


class Command(ImportCommand):
    help = "Importe un catalogue au format du portail (EDOF) ou LHEO 2.2 ou 2.3 (XML ; .gz ou .zip)."
    importer = offers
    records = "offres"
