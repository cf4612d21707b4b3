"""« Mon compte », what protects it, and the teams of organisations."""

from django.urls import reverse

from tests.scenes import ADMIN, CAMILLE, MEMBER, VISITOR, Scene, fill, page
from tests.scenes.stage import (
    COLLEAGUE,
    FROZEN,
    FROZEN_BY_PORTAL,
    INVITED,
    MANAGER,
    THAWING,
    WATCHFUL,
    WITHOUT_ACCOUNT,
)


def member(email: str):
    return lambda stage: reverse("provider_member", args=[stage.membership(email).pk])


def invitation(email: str):
    return lambda stage: reverse("invitation", args=[stage.invitation(email=email).pk])


def send_invitation(shown) -> None:
    """The form of the page, filled in wrongly."""
    shown.fill("main form[action$=inviter] [name=email]", "pas une adresse")
    with shown.expect_navigation():
        shown.eval_on_selector(
            "main form[action$=inviter]", "form => { form.noValidate = true; form.requestSubmit(); }"
        )


TOO_LATE = "trop-tard@exemple.invalid"

SCENES = [
    # --- one's own account
    Scene("account/holder", WATCHFUL, page("account"), shows=("Connexions récentes", "Encore ouverte")),
    Scene("account/frozen", FROZEN, page("account"), shows=("Dégeler mon compte",)),
    Scene("account/thawing", THAWING, page("account"), shows=("Garder mon compte gelé",)),
    Scene("account/frozen-by-portal", FROZEN_BY_PORTAL, page("account"), shows=("démarchage",)),
    Scene("account/member", COLLEAGUE, page("account"), shows=("Mes organisations",)),
    Scene("account/invited", INVITED, page("account"), shows=("vous invite",)),
    Scene("account/without-role", WITHOUT_ACCOUNT, page("account"), shows=("Activer mon compte",)),
    Scene("account/admin", ADMIN, page("account"), shows=("Ma connexion",)),
    Scene("account/profile-frozen", FROZEN, page("profile"), shows=("ne serait pas enregistré",)),
    Scene("account/alert", WATCHFUL, page("account_alert"), shows=("Fermer les autres connexions",)),
    Scene("account/alert-frozen", FROZEN, page("account_alert"), shows=("votre compte est gelé",)),
    Scene("account/alert-member", COLLEAGUE, page("account_alert")),
    Scene("account/alert-visitor", VISITOR, page("account_alert"), shows=("Entrez vous-même",)),
    Scene("account/freeze", CAMILLE, page("account_freeze"), shows=("Ce qui continue",)),
    Scene("account/freeze-already", FROZEN, page("account_freeze"), shows=("déjà gelé",)),
    Scene(
        "account/freeze-wrong-password",
        WATCHFUL,
        page("account_freeze"),
        then=fill(password="pas le bon"),
        shows=("ne convient pas",),
        status=422,
    ),
    Scene("account/freeze-other-role", MEMBER, page("account_freeze"), status=403),
    Scene("account/thaw", FROZEN, page("account_thaw"), shows=("Demander le dégel",)),
    Scene("account/my-data", CAMILLE, page("my_data"), shows=("Ce qu’il contient",)),
    # --- a team
    Scene("account/team", MANAGER, page("provider_team"), shows=("Inviter quelqu’un", "Délai passé")),
    Scene("account/team-refused", MANAGER, page("provider_team"), then=send_invitation, status=422),
    Scene("account/team-member", COLLEAGUE, page("provider_team"), shows=("Qui peut faire quoi",)),
    Scene("account/team-other-role", CAMILLE, page("provider_team"), status=403),
    Scene("account/team-person", MANAGER, member(COLLEAGUE), shows=("Retirer de l’équipe",)),
    Scene("account/team-last-manager", MANAGER, member(MANAGER), shows=("dernier responsable",)),
    Scene("account/team-leave", COLLEAGUE, member(COLLEAGUE), shows=("Quitter l’équipe",)),
    Scene("account/team-stranger", MEMBER, member(COLLEAGUE), status=404),
    Scene("account/organisation", MANAGER, page("provider_organisation"), shows=("Enregistrer",)),
    Scene(
        "account/organisation-refused",
        MANAGER,
        page("provider_organisation"),
        then=fill(email="pas une adresse", phone="12"),
        status=422,
    ),
    Scene("account/organisation-member", COLLEAGUE, page("provider_organisation"), shows=("Seul un",)),
    Scene("account/invitation", INVITED, invitation(INVITED), shows=("Rejoindre",)),
    Scene("account/invitation-visitor", VISITOR, invitation(INVITED), shows=("Créer un compte",)),
    Scene("account/invitation-of-another", CAMILLE, invitation(INVITED), shows=("autre adresse",)),
    Scene("account/invitation-over", VISITOR, invitation(TOO_LATE), shows=("ne sert plus",)),
]
