"""What a holder sees."""

from django.urls import reverse

from tests.scenes import CAMILLE, MALIK, Scene, page
from tests.scenes.stage import LEARNER, NEWCOMER, TOPPED_UP, WITHOUT_ACCOUNT


def dossier(of: str, **fields):
    return lambda stage: reverse("dossier", args=[stage.dossier(of=of, **fields).pk])


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
    Scene("holder/notices", CAMILLE, page("notices")),
    Scene("holder/notices-none", NEWCOMER, page("notices")),
    Scene("holder/of-another-role", CAMILLE, page("provider_inbox"), status=403),
]
