"""What anyone sees without signing in."""

from django.urls import reverse

import rulebook
from catalog import alerts
from catalog.models import Offer
from tests.factories.catalog import in_days, today
from tests.scenes import VISITOR, Scene, fill, page, send
from tests.scenes.stage import NEWCOMER


def compared(count: int):
    """So many offers side by side, open to all."""

    def where(stage) -> str:
        rules = rulebook.on(today())
        found = Offer.objects.open_on(today(), rules).order_by("title", "pk")[:count]
        return reverse("compare") + "?" + "&".join(f"offre={offer.pk}" for offer in found)

    return where


def tick_two(shown) -> None:
    """The bar of the comparison comes into sight."""
    for number in range(2):
        shown.locator("[name=offre]").nth(number).check()


def unfold_the_filters(shown) -> None:
    """Those that fewer people ask: on a narrow screen they are in the sheet."""
    shown.locator(".filters__folded > summary").click()


def stop_link(stage) -> str:
    """Of somebody who is told of nothing anyway."""
    return alerts.stop_link(stage.user(NEWCOMER))


def type_in(field: str, words: str):
    """Type as people do, and go down to the first suggestion."""

    def act(shown) -> None:
        shown.locator(field).press_sequentially(words)
        shown.locator("[role=option]").first.wait_for()
        shown.locator(field).press("ArrowDown")

    return act


SCENES = [
    Scene("public/home", VISITOR, page("home"), shows=("Nous ne vous appelons jamais", "Rechercher")),
    Scene("public/search", VISITOR, page("search"), shows=("formation",)),
    Scene("public/search-results", VISITOR, page("search", "q=comptabilité"), shows=("RNCP",)),
    Scene("public/search-nothing", VISITOR, page("search", "q=zzzyx")),
    Scene(
        "public/search-ended",
        VISITOR,
        page("search", "q=RNCP91205"),
        shows=("qui l’a obtenue la garde", "Elle est remplacée par"),
    ),
    Scene(
        "public/search-replaced",
        VISITOR,
        page("search", "q=RNCP91204"),
        shows=("qui l’a obtenue la garde", "1 réponse"),
    ),
    Scene(
        "public/search-narrow",
        VISITOR,
        lambda stage: (
            f"{reverse('search')}?q=commis+de+cuisine&town=Grenoble&radius=5&starts_by={in_days(3).isoformat()}"
        ),
        shows=("le premier jour encore possible", "Gardez seulement les mots"),
    ),
    Scene(
        "public/search-wider",
        VISITOR,
        page("search", "q=commis+de+cuisine&town=Vienne&radius=5"),
        shows=("Élargissez à 30 km", "Cherchez dans toute la France"),
    ),
    Scene(
        "public/search-town-in-words",
        VISITOR,
        page("search", "q=commis+de+cuisine+à+Lyon"),
        shows=("autour de Lyon (69)",),
    ),
    Scene(
        "public/search-mistyped",
        VISITOR,
        page("search", "q=comtabilité"),
        shows=("Mot inconnu : nous avons lu comptabilité.",),
    ),
    Scene(
        "public/search-certification",
        VISITOR,
        page("search", "certification=RNCP37674&sort=price"),
        shows=("RNCP37674", "Trier par"),
    ),
    Scene(
        "public/search-unfolded",
        VISITOR,
        page("search", "q=comptabilité"),
        then=unfold_the_filters,
        shows=("Langue de la formation", "Avis des personnes formées"),
    ),
    Scene(
        "public/search-ticked",
        VISITOR,
        page("search"),
        then=tick_two,
        shows=("Comparer les formations cochées",),
    ),
    Scene(
        "public/search-filtered",
        VISITOR,
        page("search", "mode=on_site&duration=month&rhythm=evening&sort=start"),
        shows=("Un mois au plus",),
    ),
    Scene(
        "public/search-shared-costs",
        VISITOR,
        page("search", "q=cuisine&sort=cost"),
        shows=("connectez-vous",),
    ),
    Scene("public/search-map", VISITOR, page("search", "view=map"), shows=("Où elles ont lieu",)),
    Scene(
        "public/search-map-town",
        VISITOR,
        page("search", "view=map&town=Lyon&radius=50"),
        shows=("50 km autour de Lyon", "css=.answers-map__reach"),
    ),
    Scene(
        "public/search-map-nowhere",
        VISITOR,
        page("search", "view=map&mode=distance"),
        shows=("n’a de lieu sur la carte",),
    ),
    Scene(
        "public/search-unknown-town",
        VISITOR,
        page("search", "q=anglais&town=Nulle-Part-sur-Rien"),
        shows=("Cette commune n’est pas connue",),
    ),
    Scene(
        "public/home-suggestions",
        VISITOR,
        page("home"),
        then=type_in("#recherche-quoi", "co"),
        shows=("css=[role=option]", "Communes"),
    ),
    Scene(
        "public/search-suggestions",
        VISITOR,
        page("search"),
        then=type_in("#id_q", "ren"),
        shows=("css=[role=option][aria-selected=true]", "Rennes (35)"),
    ),
    Scene("public/search-stopped", VISITOR, page("scene_search_stopped"), status=422, shows=("trop longue",)),
    Scene("public/alerts-stop", VISITOR, stop_link, shows=("Arrêter les alertes",)),
    Scene("public/alerts-stopped", VISITOR, stop_link, then=send, shows=("sont arrêtées",)),
    Scene(
        "public/offer",
        VISITOR,
        lambda stage: reverse("offer", args=[stage.offer(action_number="LICES-03").pk]),
        shows=("Créer mon dossier d’inscription",),
    ),
    Scene("public/compare-two", VISITOR, compared(2), shows=("Prix d’une heure",)),
    Scene("public/compare", VISITOR, compared(4), shows=("Pareil pour toutes", "Prix d’une heure")),
    Scene("public/compare-none", VISITOR, page("compare"), shows=("Aucune formation à comparer",)),
    Scene("public/simulator", VISITOR, page("rights_simulator"), shows=("Calculer", "Bon à savoir")),
    Scene(
        "public/simulator-narrowed",
        VISITOR,
        page("rights_simulator", "situation=public&choisir=1"),
        shows=("En heures entières",),
    ),
    Scene(
        "public/simulator-result",
        VISITOR,
        page(
            "rights_simulator",
            "situation=private&annee=2025&mesure=hours&travaille=1607&boe=on&solde=7600",
        ),
        shows=("Perdu au-dessus", "css=.simulator__bar", "Le calcul"),
    ),
    Scene(
        "public/simulator-hours",
        VISITOR,
        page("rights_simulator", "situation=public&annee=2025&mesure=months&travaille=12&solde=100"),
        shows=("heures entières",),
    ),
    Scene(
        "public/simulator-nothing",
        VISITOR,
        page("rights_simulator", "situation=job_seeker&annee=2025"),
        shows=("n’alimente pas le compte",),
    ),
    Scene(
        "public/simulator-refused",
        VISITOR,
        page("rights_simulator", "situation=private&annee=1900&mesure=months&travaille=-3&solde=1e9"),
        shows=("négatif", "3 points sont à corriger"),
        status=422,
    ),
    Scene("public/help", VISITOR, page("help")),
    Scene("public/accessibility", VISITOR, page("accessibility")),
    Scene("public/legal-notice", VISITOR, page("legal_notice")),
    Scene("public/terms", VISITOR, page("terms"), shows=("Version 1",)),
    Scene("public/personal-data", VISITOR, page("personal_data")),
    Scene("public/not-found", VISITOR, lambda stage: "/nulle-part", status=404),
    Scene("public/sign-in", VISITOR, page("account_login")),
    Scene(
        "public/sign-in-refused",
        VISITOR,
        page("account_login"),
        then=fill(login="personne@exemple.invalid", password="rien-de-bon-ici"),
        status=422,
    ),
    Scene("public/sign-up", VISITOR, page("account_signup")),
    Scene("public/sign-up-refused", VISITOR, page("account_signup"), then=send, status=422),
    Scene("public/password-reset", VISITOR, page("account_reset_password")),
]
