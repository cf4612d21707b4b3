"""What the tests of the demonstration share."""

from io import StringIO

from django.core.management import call_command

from accounts.models import HolderProfile, Membership, User
from catalog.models import Offer, Session
from dossiers.models import Dossier, Transition
from notices.models import Notice
from portal.demo import facts
from rights.models import Movement

TABLES = (User, HolderProfile, Membership, Offer, Session, Dossier, Transition, Movement, Notice)


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in TABLES}


def town_codes() -> set[str]:
    catalogue, crowd = facts("catalogue"), facts("crowd")
    places = [
        *catalogue["organisations"].values(),
        *catalogue["offers"],
        *facts("people")["holders"].values(),
        *crowd["organisations"],
        *crowd["holders"].values(),
    ]
    return {place["town"] for place in places if "town" in place}
