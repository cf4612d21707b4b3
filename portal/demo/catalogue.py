"""The demonstration's catalogue: certifications (real facts), organisations and offers (invented)."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.utils.text import slugify
from stdnum import luhn

import rulebook
from accounts.actors import Actor
from accounts.models import Organisation
from admissions import measures
from catalog import indexing, publishing
from catalog import words as register_words
from catalog.models import Certification, Habilitation, Offer, Provider, Session, Town
from portal.demo import facts
from rulebook import workdays

HOURS_A_DAY = 7


def load(*, at: datetime, by: Actor, wave: str = "") -> dict[str, int]:
    """Bring the catalogue in, or up to what the file says. `wave`: another one adds its own sessions.

    Gives counts for the screen. What people changed since (an offer hidden, a suspension lifted) stays.
    """
    catalogue = facts("catalogue")
    today = workdays.paris_day(at)
    for code, words in catalogue["certifications"].items():
        make_certification(code, words, at=at)
    providers = {key: make_provider(words, at=at, by=by) for key, words in catalogue["organisations"].items()}
    towns = Town.objects.in_bulk([words["town"] for words in catalogue["offers"] if "town" in words])
    codes = {kind: code for code, kind in rulebook.on(today).portal_code_kinds.items()}
    offers = []
    for words in catalogue["offers"]:
        offer = _offer(words, providers[words["of"]], towns.get(words.get("town")), codes, at=at, by=by)
        _sessions(offer, words, on=today, wave=wave)
        offers.append(offer)
    register_words.reindex(catalogue["certifications"])
    register_words.refresh()
    indexing.reindex([offer.pk for offer in offers], on=today)
    return {"certifications": len(catalogue["certifications"]), "offers": len(offers)}


def siret(siren: str) -> str:
    """An invented SIRET: zeros that the register gives to nobody, and both check digits."""
    siren += luhn.calc_check_digit(siren)
    return f"{siren}0001" + luhn.calc_check_digit(f"{siren}0001")


def make_certification(code: str, words: dict[str, Any], *, at: datetime) -> None:
    register = code.rstrip("0123456789")
    # Created without a digest: a real extract imported later writes the whole record over it, and a
    # record that a real extract brought is left alone.
    Certification.objects.get_or_create(
        code=code,
        defaults={
            "register": register,
            "number": int(code.removeprefix(register)),
            "title": words["title"],
            "short_code": words.get("short", ""),
            "level": words.get("level"),
            "effective_on": words.get("from"),
            "registered_until": words["until"],
            "imported_at": at,
        },
    )


def make_provider(words: dict[str, Any], *, at: datetime, by: Actor) -> Provider:
    number = siret(words["siren"])
    slug = slugify(words["name"].partition("(")[0])
    organisation, _created = Organisation.objects.get_or_create(
        siret=number,
        defaults={"name": words["name"], "email": f"contact@{slug}.exemple.invalid"},
    )
    town = Town.objects.get(pk=words["town"])
    kinds = words["qualiopi"]
    provider, is_new = Provider.objects.get_or_create(
        organisation=organisation,
        defaults={
            "activity_number": f"999{words['siren']}",
            "address": words["address"],
            "postal_code": town.postal_codes[0],
            "town_name": town.name,
            "is_approved_driving_school": words.get("driving_school", False),
            **{f"qualiopi_{kind}": True for kind in kinds},
        },
    )
    for key, role, is_active in (
        ("trains", Habilitation.Role.TRAIN_AND_EXAMINE, True),
        ("examines", Habilitation.Role.EXAMINE, True),
        ("used_to_train", Habilitation.Role.TRAIN_AND_EXAMINE, False),
    ):
        for code in words.get(key, []):
            Habilitation.objects.get_or_create(
                certification_id=code,
                siret=number,
                role=role,
                defaults={"name": words["name"], "is_active": is_active},
            )
    if is_new and "suspended" in words:
        _suspend(provider, words["suspended"], at=at, by=by)
        provider.refresh_from_db()
    return provider


def _suspend(provider: Provider, words: str, *, at: datetime, by: Actor) -> None:
    """Announced three weeks ago, left without an answer, then decided."""
    announced_at = at - timedelta(days=21)
    measure = measures.intend(provider.pk, by=by, at=announced_at, request_id=uuid4(), words=words)
    measures.suspend(measure.pk, by=by, at=at, request_id=uuid4(), words=words)


def _offer(
    words: dict[str, Any],
    provider: Provider,
    town: Town | None,
    codes: dict[str, str],
    *,
    at: datetime,
    by: Actor,
) -> Offer:
    kind = words.get("kind", Offer.Kind.CERTIFYING)
    content = {
        "kind": kind,
        "certification_id": words.get("certification"),
        "portal_code": codes.get(kind, ""),
        "title": words["title"],
        "summary": f"<p>{words['summary']}</p>",
        "objectives": f"<p>{words['objectives']}</p>" if "objectives" in words else "",
        "prerequisites": f"<p>{words['prerequisites']}</p>" if "prerequisites" in words else "",
        "has_prerequisites": "prerequisites" in words,
        "accessibility": "<p>Accès de plain-pied. Dites-nous vos besoins : nous adaptons le parcours.</p>",
        "mode": words.get("mode", Offer.Mode.ON_SITE),
        "hours": words["hours"],
        "price_cents": words["euros"] * 100,
        "address": provider.address if town else "",
        "postal_code": town.postal_codes[0] if town else "",
        "town_name": town.name if town else "",
        "town": town,
        "point": town.point if town else None,
        "contact_email": provider.organisation.email,
    }
    offer, is_new = Offer.objects.update_or_create(
        provider=provider,
        training_number=words["number"],
        action_number=words["number"],
        defaults=content,
        create_defaults=content | {"updated_at": at},
    )
    if is_new and words.get("hidden"):
        publishing.hide(offer.pk, by=by, at=at)
    return offer


def _sessions(offer: Offer, words: dict[str, Any], *, on: date, wave: str) -> None:
    """Sessions so many business days away. Their number says which loading announced them: it is kept."""
    for position, days in enumerate(words["sessions"], start=1):
        number = f"{offer.training_number}-S{position}{wave}"
        dates = {"starts_on": None, "ends_on": None}
        if days == "permanent":
            number = f"{offer.training_number}-P"
        else:
            starts_on = workdays.add_workdays(on, days)
            length = -(-words["hours"] // HOURS_A_DAY) - 1
            dates = {"starts_on": starts_on, "ends_on": workdays.add_workdays(starts_on, length)}
        Session.objects.get_or_create(
            offer=offer, number=number, defaults=dates | {"is_guaranteed": words.get("guaranteed", False)}
        )
