"""The crowd: dozens of organisations all over France, what they offer, and people who ask them something.

Everything is drawn from crowd.yaml by position, never by chance: two loadings make the same crowd.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import cycle
from typing import Any

from accounts.actors import Actor
from catalog import indexing
from catalog import words as register_words
from catalog.models import Offer, Provider, Session, Town
from portal.demo import facts
from portal.demo.catalogue import HOURS_A_DAY, make_certification, make_provider
from portal.demo.stories import Story
from rulebook import workdays

# Sirens up to here belong to catalogue.yaml.
FIRST_SIREN = 10
# How far away sessions are, in business days: each offer takes three of them.
SESSION_DAYS = (16, 24, 33, 41, 52, 60, 75, 90, 115, 140)


@dataclass(frozen=True)
class Form:
    """A way to follow the same training."""

    suffix: str
    title: str
    mode: Offer.Mode
    price_percent: int
    summary: str


FORMS = {
    "day": Form("J", "{}", Offer.Mode.ON_SITE, 100, "{}"),
    "evening": Form(
        "S",
        "{}, le soir et le samedi",
        Offer.Mode.MIXED,
        94,
        "{} Pour les personnes en poste : trois soirs par semaine et un samedi sur deux.",
    ),
    "distance": Form(
        "D",
        "{}, à distance",
        Offer.Mode.DISTANCE,
        82,
        "{} Chez vous, avec un formateur joignable chaque jour ouvré.",
    ),
}


def load(*, at: datetime, by: Actor, wave: str = "") -> int:
    """Organisations, their habilitations, offers, sessions, in few statements; how many offers are new."""
    crowd = facts("crowd")
    today = workdays.paris_day(at)
    for code, training in crowd["trainings"].items():
        if "certification" in training:
            make_certification(code, training["certification"], at=at)
    towns = Town.objects.in_bulk([words["town"] for words in crowd["organisations"]])
    offers: list[Offer] = []
    for position, words in enumerate(crowd["organisations"]):
        provider = make_provider(_as_in_catalogue(position, words), at=at, by=by)
        offers += _offers(position, words, provider, towns[words["town"]], crowd["trainings"], at=at)
    known = set(Offer.objects.values_list("training_number", flat=True))
    new = [offer for offer in offers if offer.training_number not in known]
    Offer.objects.bulk_create(new)
    register_words.reindex(crowd["trainings"])
    numbers = [offer.training_number for offer in offers]
    stored = Offer.objects.filter(training_number__in=numbers).defer("content")
    announced = [
        session for offer in stored.order_by("training_number") for session in _sessions(offer, today, wave)
    ]
    Session.objects.bulk_create(announced, ignore_conflicts=True)
    indexing.reindex([offer.pk for offer in stored], on=today)
    return len(new)


def stories() -> list[Story]:
    """One dossier for each person of the crowd; most go to the organisations that someone signs in for."""
    plots, targets = cycle(PLOTS), cycle(BUSY)
    told = []
    for key, words in facts("crowd")["holders"].items():
        # Who pays nothing of their own is confirmed at once; the others would have a transfer to make.
        kind = "seeker" if words["status"] == "job_seeker" else "other"
        plot = next(plot for plot in plots if plot.whose in {kind, "anyone"})
        told.append(Story(f"crowd-{key}", key, next(targets), plot.verbs, plot.days, plot.project))
    return told


@dataclass(frozen=True)
class Plot:
    verbs: str
    days: float
    whose: str
    project: str


PLOTS = (
    Plot("submit", 0.06, "anyone", "Changer de métier après dix ans dans la vente."),
    Plot("submit propose accept", 4, "seeker", "Retrouver un emploi près de chez moi."),
    Plot("submit", 0.35, "anyone", "Mon employeur me confie de nouvelles tâches."),
    Plot("submit propose", 1.3, "anyone", "Obtenir enfin un diplôme reconnu."),
    Plot("submit", 0.8, "anyone", "Reprendre après un congé parental."),
    Plot("submit propose accept", 6, "seeker", "Travailler dans une petite équipe."),
    Plot("submit refuse", 9, "anyone", "Découvrir ce métier."),
    Plot("submit", 1.2, "anyone", "Créer mon activité l’an prochain."),
    Plot("submit propose accept", 2.5, "other", "Évoluer dans mon entreprise."),
    Plot("submit propose", 2.3, "anyone", "Quitter les horaires de nuit."),
    Plot("submit propose lapse", 25, "anyone", "Me former pendant l’hiver."),
    Plot("submit cancel", 5, "anyone", "Comparer avec une autre formation."),
    Plot("submit propose accept", 11, "seeker", "Passer du bénévolat au métier."),
    Plot("submit propose accept withdraw", 12, "seeker", "Préparer un déménagement."),
    Plot("submit propose decline", 8, "anyone", "Voir si le rythme me convient."),
    Plot("submit lapse", 18, "anyone", "Apprendre sur le terrain."),
)

# Where these people ask; the first organisation has the fullest inbox.
BUSY = (
    *("LICES-01", "LICES-03", "GARONNE-01", "LICES-05", "CANAL-01", "LICES-06", "LICES-02", "GARONNE-05"),
    *("LICES-01", "CANAL-05", "LICES-03", "GARONNE-08", "LICES-05", "CANAL-07", "LICES-06", "JARDINS-01"),
    "LICES-02",
)


def _as_in_catalogue(position: int, words: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{words['name']} (démonstration)",
        "siren": f"{FIRST_SIREN + position:08}",
        "town": words["town"],
        "address": f"{position % 40 + 1} rue Imaginaire",
        "qualiopi": ["training"],
        "trains": words["trains"],
    }


def _offers(
    position: int,
    words: dict[str, Any],
    provider: Provider,
    town: Town,
    trainings: dict[str, Any],
    *,
    at: datetime,
) -> Iterator[Offer]:
    forms = [FORMS[name] for name in FORMS if name == "day" or words.get(name)]
    for rank, code in enumerate(words["trains"]):
        training = trainings[code]
        for form in forms:
            number = f"C{FIRST_SIREN + position:03}-{rank + 1}{form.suffix}"
            place = None if form.mode == Offer.Mode.DISTANCE else town
            # Prices spread by up to 12 % around what such a training costs, rounded to ten euros.
            percent = form.price_percent * (88 + (position * 7 + rank * 5) % 25) / 100
            yield Offer(
                provider=provider,
                training_number=number,
                action_number=number,
                kind=Offer.Kind.CERTIFYING,
                certification_id=code,
                title=form.title.format(training["title"]),
                summary=f"<p>{form.summary.format(training['summary'])}</p>",
                objectives=f"<p>{training['objectives']}</p>",
                prerequisites=f"<p>{training['prerequisites']}</p>" if "prerequisites" in training else "",
                accessibility="<p>Dites-nous vos besoins avant de commencer : nous adaptons le parcours.</p>",
                mode=form.mode,
                hours=training["hours"],
                price_cents=round(training["euros"] * percent / 1000) * 1000,
                address=provider.address if place else "",
                postal_code=place.postal_codes[0] if place else "",
                town_name=place.name if place else "",
                town=place,
                point=place.point if place else None,
                contact_email=provider.organisation.email,
                particulars={"transport": "Gare et bus à moins de dix minutes à pied."} if place else {},
                updated_at=at,
            )


def _sessions(offer: Offer, on: date, wave: str) -> Iterator[Session]:
    if offer.mode == Offer.Mode.DISTANCE:
        yield Session(offer=offer, number=f"{offer.training_number}-P")
        return
    shift = sum(map(ord, offer.training_number))
    for position in range(3):
        starts_on = workdays.add_workdays(on, SESSION_DAYS[(shift + 3 * position) % len(SESSION_DAYS)])
        yield Session(
            offer=offer,
            number=f"{offer.training_number}-S{position + 1}{wave}",
            starts_on=starts_on,
            ends_on=workdays.add_workdays(starts_on, -(-(offer.hours or 0) // HOURS_A_DAY) - 1),
            is_guaranteed=(shift + position) % 5 == 0,
        )
