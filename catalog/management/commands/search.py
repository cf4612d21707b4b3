"""`manage.py search "…"`: certifications and open offers, in the order people would see them."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

import rulebook
from catalog import finding
from catalog import search as offers
from catalog.search import SearchQuery
from rulebook import workdays
from ui import french

LIMIT = 10
LIMIT_MAX = 100
RADIUS_KM = 30
RADIUS_MAX_KM = 500
STATUS = {"active": "active", "coming": "à venir", "unknown": "fin non connue", "ended": "terminée"}


class Command(BaseCommand):
    help = (
        "Cherche des certifications et des offres ouvertes : un métier, un diplôme, des initiales, un numéro."
    )

    def add_arguments(self, parser):
        parser.add_argument("query", metavar="REQUÊTE")
        parser.add_argument("--near", metavar="COMMUNE", default="", help="les offres autour d'une commune")
        parser.add_argument(
            "--radius", type=int, metavar="KM", default=RADIUS_KM, help=f"à moins de ({RADIUS_KM} km)"
        )
        parser.add_argument(
            "--limit", type=int, metavar="N", default=LIMIT, help=f"au plus, de chaque ({LIMIT})"
        )
        parser.add_argument("--json", action="store_true", help="rend la réponse en JSON")

    def handle(self, *, query, near, radius, limit, json: bool, **options):
        if not 1 <= limit <= LIMIT_MAX:
            raise CommandError(f"--limit : donnez un nombre de 1 à {LIMIT_MAX}.")
        if not 1 <= radius <= RADIUS_MAX_KM:
            raise CommandError(f"--radius : donnez un nombre de 1 à {RADIUS_MAX_KM}.")
        towns = offers.find_towns(near) if near else []
        if near and not towns:
            raise CommandError(f"Commune inconnue : « {near[:60]} ».")
        today = workdays.paris_day(timezone.now())
        answer = find(query, town=towns[0] if towns else None, radius_km=radius, limit=limit, on=today)
        if json:
            self.stdout.write(as_json(answer))
        else:
            self._tell(answer)

    def _tell(self, answer: dict) -> None:
        write = self.stdout.write
        write(f"Certifications : {len(answer['certifications'])}")
        for found in answer["certifications"]:
            after = f" → {', '.join(found['replaced_by'])}" if found["replaced_by"] else ""
            write(f"  {found['code']} · {found['title']} ({STATUS[found['status']]}{after})")
        write(f"Offres : {answer['totals']['offers']}")
        for offer in answer["offers"]:
            place = offer["town"] or "à distance"
            write(
                f"  {offer['title']} · {offer['provider']} · {place} · {french.euros(offer['price_cents'])}"
            )
        if not answer["total"]:
            write("Rien ne répond à ces mots : essayez le nom d'un métier, ou moins de mots.")


def find(query: str, *, town, radius_km: int, limit: int, on) -> dict:
    """What answers, as `--json` prints it. `total` counts certifications shown and offers found."""
    certifications = finding.find_certifications(query, on=on, limit=limit)
    # A question without a word asks for nothing; the search page would show the whole catalogue.
    asked = SearchQuery(
        text=query[: finding.TEXT_MAX].replace("\0", " ").strip(), town=town, radius_km=radius_km
    )
    found = offers.search(asked, on=on, rules=rulebook.on(on)) if asked.text else None
    rows = list(found.page)[:limit] if found else []
    total = found.total if found else 0
    return {
        "certifications": [one.as_dict() for one in certifications],
        "offers": [
            {
                "id": str(offer.pk),
                "title": offer.title,
                "provider": offer.provider.organisation.name,
                "certification": offer.certification_id,
                "town": offer.town_name,
                "price_cents": offer.price_cents,
                "distance_km": None if offer.distance_m is None else round(offer.distance_m / 1000, 1),
            }
            for offer in rows
        ],
        "total": len(certifications) + total,
        "totals": {"certifications": len(certifications), "offers": total},
        "suggestion": found.suggestion if found else "",
    }


def as_json(answer: dict) -> str:
    return json.dumps(answer, ensure_ascii=False, indent=1)
