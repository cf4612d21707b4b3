"""What anyone sees without signing in."""

from django.urls import reverse

from tests.scenes import VISITOR, Scene, fill, page, send

SCENES = [
    Scene("public/home", VISITOR, page("home"), shows=("Nous ne vous appelons jamais", "Rechercher")),
    Scene("public/search", VISITOR, page("search"), shows=("formation",)),
    Scene("public/search-results", VISITOR, page("search", "q=comptabilité"), shows=("RNCP",)),
    Scene("public/search-nothing", VISITOR, page("search", "q=zzzyx")),
    Scene(
        "public/search-unknown-town",
        VISITOR,
        page("search", "q=anglais&town=Nulle-Part-sur-Rien"),
        shows=("Cette commune n’est pas connue",),
    ),
    Scene(
        "public/offer",
        VISITOR,
        lambda stage: reverse("offer", args=[stage.offer(action_number="LICES-03").pk]),
        shows=("Créer mon dossier d’inscription",),
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
