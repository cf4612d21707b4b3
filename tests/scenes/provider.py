"""What a training organisation sees."""

from django.urls import reverse

from tests.scenes import MEMBER, Scene, page
from tests.scenes.stage import NEW_ORGANISATION


def dossier(**fields):
    return lambda stage: reverse("provider_dossier", args=[stage.dossier(by=MEMBER, **fields).pk])


SCENES = [
    Scene("provider/home", MEMBER, page("home")),
    Scene("provider/home-new", NEW_ORGANISATION, page("home"), shows=("Atelier tout neuf",)),
    Scene("provider/inbox", MEMBER, page("provider_inbox")),
    Scene("provider/inbox-empty", NEW_ORGANISATION, page("provider_inbox")),
    Scene(
        "provider/dossier-requested", MEMBER, dossier(state="requested"), shows=("Envoyer la proposition",)
    ),
    Scene("provider/dossier-accepted", MEMBER, dossier(state="accepted")),
    Scene("provider/offers", MEMBER, page("provider_offers")),
    Scene("provider/offers-none", NEW_ORGANISATION, page("provider_offers")),
    Scene("provider/notices", MEMBER, page("notices")),
]
