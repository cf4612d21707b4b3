"""What a holder sees."""

from django.urls import reverse

from tests.scenes import CAMILLE, MALIK, Scene, fill, page, send
from tests.scenes.stage import DREAMING, LEARNER, NEWCOMER, TOPPED_UP, WITHOUT_ACCOUNT


def dossier(of: str, **fields):
    return lambda stage: reverse("dossier", args=[stage.dossier(of=of, **fields).pk])


def _too_long_a_name(shown) -> None:
    """The first of the searches, renamed with more than a name holds."""
    form = "main details form"
    shown.locator("main summary").first.click()
    shown.eval_on_selector(f"{form} [name$='-name']", "entry => entry.removeAttribute('maxlength')")
    shown.locator(f"{form} [name$='-name']").first.fill("Une recherche " * 9)
    send(shown, form)


LEA = "double@exemple.invalid"

SCENES = [
    Scene("holder/home", CAMILLE, page("home"), shows=("Ce qui vous attend",)),
    Scene("holder/home-newcomer", NEWCOMER, page("home"), shows=("Nadia",)),
    Scene("holder/home-without-account", WITHOUT_ACCOUNT, page("home"), shows=("Activer mon compte",)),
    Scene("holder/activation", WITHOUT_ACCOUNT, page("activation"), shows=("Date de naissance",)),
    Scene("holder/rights", CAMILLE, page("rights")),
    Scene("holder/rights-newcomer", NEWCOMER, page("rights")),
    Scene("holder/dossiers", CAMILLE, page("dossiers")),
    Scene("holder/dossiers-none", NEWCOMER, page("dossiers")),
    Scene(
        "holder/dossier-draft", CAMILLE, dossier(CAMILLE, state="draft"), shows=("Envoyer mon inscription",)
    ),
    Scene("holder/dossier-requested", CAMILLE, dossier(CAMILLE, state="requested")),
    Scene(
        "holder/dossier-proposed",
        CAMILLE,
        dossier(CAMILLE, state="proposed"),
        shows=("Valider mon inscription",),
    ),
    Scene(
        "holder/dossier-state-top-up",
        TOPPED_UP,
        dossier(TOPPED_UP, state="proposed"),
        shows=("Activer l’abondement de l’État", "Ce qui ne peut pas servir ici"),
    ),
    Scene(
        "holder/dossier-licence-alone",
        LEARNER,
        dossier(LEARNER, state="proposed"),
        shows=("Cette proposition ne peut pas être validée",),
    ),
    Scene("holder/search-state-top-up", TOPPED_UP, page("search", "q=web"), shows=("l’État peut ajouter",)),
    Scene("holder/dossier-accepted", CAMILLE, dossier(CAMILLE, state="accepted")),
    Scene("holder/dossier-refused", CAMILLE, dossier(CAMILLE, state="refused_by_provider")),
    Scene("holder/dossier-lapsed", CAMILLE, dossier(CAMILLE, state="lapsed")),
    Scene("holder/dossier-cancelled", CAMILLE, dossier(CAMILLE, state="cancelled_by_holder")),
    Scene("holder/dossier-called-off", MALIK, dossier(MALIK, state="cancelled_by_provider")),
    Scene("holder/dossier-declined", MALIK, dossier(MALIK, state="refused_by_holder")),
    Scene("holder/dossier-awaiting-payment", LEA, dossier(LEA, state="awaiting_payment")),
    Scene(
        "holder/dossier-closed",
        LEA,
        dossier(LEA, state="closed_by_platform"),
        shows=(
            "Le portail a clos ce dossier",
            "Raison donnée",
            "La certification",
            "Chercher une formation proche",
        ),
    ),
    Scene("holder/someone-elses-dossier", MALIK, dossier(CAMILLE, state="proposed"), status=404),
    Scene("holder/profile", CAMILLE, page("profile")),
    Scene("holder/home-ideas", DREAMING, page("home"), shows=("Idées pour vous", "répond à « web »")),
    Scene("holder/wishes", DREAMING, page("wishes"), shows=("Effacer mes envies",)),
    Scene("holder/wishes-first", CAMILLE, page("wishes"), shows=("toutes facultatives",)),
    Scene(
        "holder/wishes-refused",
        NEWCOMER,
        page("wishes"),
        then=fill(town="Nulle-Part-sur-Rien", budget="beaucoup"),
        shows=("2 points sont à corriger",),
        status=422,
    ),
    Scene(
        "holder/favourites",
        DREAMING,
        page("favourites"),
        shows=("Comparer les formations cochées", "Plus ouverte aux inscriptions"),
    ),
    Scene("holder/favourites-none", NEWCOMER, page("favourites"), shows=("Aucun favori",)),
    Scene("holder/searches", DREAMING, page("saved_searches"), shows=("Alerte chaque jour",)),
    Scene(
        "holder/searches-open",
        DREAMING,
        page("saved_searches"),
        then=lambda shown: shown.locator("main summary").first.click(),
        shows=("Supprimer",),
    ),
    Scene(
        "holder/searches-refused",
        DREAMING,
        page("saved_searches"),
        then=_too_long_a_name,
        shows=("80 caractères au plus",),
        status=422,
    ),
    Scene("holder/searches-none", NEWCOMER, page("saved_searches"), shows=("Aucune recherche enregistrée",)),
    Scene(
        "holder/search-to-save",
        DREAMING,
        page("search", "q=web"),
        then=lambda shown: shown.locator(".save-search summary").click(),
        shows=("Laissez vide pour garder le nom proposé",),
    ),
    Scene("holder/notices", CAMILLE, page("notices")),
    Scene("holder/notices-none", NEWCOMER, page("notices")),
    Scene("holder/of-another-role", CAMILLE, page("provider_inbox"), status=403),
]
