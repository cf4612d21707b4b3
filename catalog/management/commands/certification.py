"""`manage.py certification 37674`: its status on a day, what replaces it, and who may train for it."""

import json
from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog import finding
from catalog.models import Certification, Habilitation
from rulebook import workdays

# What each role lets an organisation do.
DOES = {
    Habilitation.Role.CERTIFIER: ("certify", "train", "examine"),
    Habilitation.Role.TRAIN: ("train",),
    Habilitation.Role.EXAMINE: ("examine",),
    Habilitation.Role.TRAIN_AND_EXAMINE: ("train", "examine"),
}


class Command(BaseCommand):
    help = "Dit si une certification est active, ce qui la remplace, et si un organisme y est habilité."

    def add_arguments(self, parser):
        parser.add_argument("number", metavar="NUMÉRO", help="RNCP37674, rncp 37674, 37674 ou RS6604")
        parser.add_argument("--siret", help="l'organisme dont on veut connaître l'habilitation")
        parser.add_argument("--on", metavar="AAAA-MM-JJ", help="un autre jour qu'aujourd'hui")
        parser.add_argument("--json", action="store_true", help="rend la réponse en JSON")

    def handle(self, *, number, siret, on, json: bool, **options):
        try:
            day = date.fromisoformat(on) if on else workdays.paris_day(timezone.now())
        except ValueError:
            raise CommandError(f"« {on} » n'est pas une date (on attend AAAA-MM-JJ).") from None
        found = facts(number, siret=siret, on=day)
        if not found:
            raise CommandError(f"Aucune certification de ce numéro : « {number[:40]} ».")
        if json:
            self.stdout.write(as_json(found))
        else:
            for one in found:
                self._tell(one)

    def _tell(self, one: dict) -> None:
        write = self.stdout.write
        until = f", jusqu'au {one['registered_until']}" if one["registered_until"] else ""
        write(f"{one['code']} · {one['title']}")
        write(f"  {'active' if one['active'] else 'non active'}{until}")
        if one["replaced_by"]:
            write(f"  remplacée par {', '.join(one['replaced_by'])}")
        if "entitled" in one:
            write(f"  {one['siret']} : {', '.join(one['roles']) or 'aucune habilitation en vigueur'}")


def facts(number: str, *, siret: str | None, on: date) -> list[dict]:
    """One entry a record of that number (each register has its own numbers); the active ones first."""
    asked = finding.understand(number).numbers
    records = [
        record
        for register, digits in asked
        for record in Certification.objects.filter(register=register, number=digits).order_by("code")
    ]
    records.sort(key=lambda record: not record.is_active(on=on))
    after = finding.successors([record.code for record in records], on=on)
    return [
        {
            "code": record.code,
            "title": record.title,
            "active": record.is_active(on=on),
            "registered_until": record.registered_until.isoformat() if record.registered_until else None,
            "source": record.source,
            "replaced_by": list(after.get(record.code, ())),
            **(_entitlement(record, siret, on=on) if siret else {}),
        }
        for record in records
    ]


def _entitlement(record: Certification, siret: str, *, on: date) -> dict:
    siret = "".join(siret.split())
    held = record.habilitations.filter(siret=siret, is_active=True).exclude(active_from__gt=on)
    roles = sorted({role for one in held.order_by("pk") for role in DOES[Habilitation.Role(one.role)]})
    return {"siret": siret, "entitled": bool(roles), "roles": roles}


def as_json(found: list[dict]) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1)
