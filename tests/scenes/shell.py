"""What surrounds the pages and stands where no page can: menus, sheets, one's own price, refusals."""

from django.urls import reverse

from tests.scenes import CAMILLE, MEMBER, VISITOR, Scene, fill, page, send

LEA = "double@exemple.invalid"


def offer(stage):
    return reverse("offer", args=[stage.offer(action_number="LICES-03").pk])


def unfold(shown):
    shown.locator("details.account summary").click()


def open_menu(shown):
    shown.set_viewport_size({"width": 360, "height": 740})
    shown.locator(".menu-button").click()


def open_filters(shown):
    shown.set_viewport_size({"width": 360, "height": 740})
    shown.locator(".filters__open").click()


def too_old(shown):
    """The token is gone, as after a night with the page open."""
    shown.eval_on_selector("main [name=csrfmiddlewaretoken]", "field => { field.value = 'x'.repeat(64); }")
    send(shown)


def unlikely_key(stage):
    return reverse("account_confirm_email", args=["rien-de-tel"])


SCENES = [
    Scene("shell/account-menu", CAMILLE, page("help"), shows=("Ma connexion",), then=unfold),
    Scene("shell/account-menu-of-several-roles", LEA, page("help"), shows=("Agir comme",), then=unfold),
    Scene("shell/menu-on-a-phone", CAMILLE, page("help"), shows=("css=#menu:popover-open",), then=open_menu),
    Scene(
        "shell/filters-on-a-phone",
        VISITOR,
        page("search", "q=anglais"),
        shows=("css=#filtres:popover-open",),
        then=open_filters,
    ),
    Scene(
        "shell/search-signed-in", CAMILLE, page("search", "q=comptabilité"), shows=("payé par vos droits",)
    ),
    Scene("shell/search-by-place", VISITOR, page("search", "q=comptable&town=Lyon&radius=50&mode=on_site")),
    Scene("shell/offer-signed-in", CAMILLE, offer, shows=("Vous payez",)),
    Scene("shell/offer-seen-by-an-organisation", MEMBER, offer),
    Scene("shell/wrong-method", CAMILLE, page("switch_role"), status=405, shows=("Rien n’a changé",)),
    Scene("shell/password-change", CAMILLE, page("account_change_password")),
    Scene("shell/sign-out", CAMILLE, page("account_logout"), shows=("Me déconnecter",)),
    Scene("shell/address-confirmation-used", VISITOR, unlikely_key, shows=("ne peut plus servir",)),
    Scene(
        "shell/password-reset-refused",
        VISITOR,
        page("account_reset_password"),
        then=fill(email="pas-une-adresse"),
        status=422,
    ),
    Scene("shell/password-reset-sent", VISITOR, page("account_reset_password_done")),
    Scene("shell/address-to-confirm", VISITOR, page("account_email_verification_sent")),
    # Pages of trouble, at addresses that only the scenes have (tests/browser/addresses.py).
    Scene("trouble/page-too-old", VISITOR, page("account_reset_password"), then=too_old, status=403),
    Scene("trouble/too-many", VISITOR, page("scene_too_many"), status=429, shows=("Attendez",)),
    Scene("trouble/too-many-signed-in", CAMILLE, page("scene_too_many"), status=429),
    Scene("trouble/broken", CAMILLE, page("scene_broken"), status=500, shows=("Rien n’est perdu",)),
    Scene("trouble/database-away", CAMILLE, page("scene_away"), status=503, shows=("revient dans",)),
    Scene("trouble/closed", VISITOR, page("scene_closed"), status=503, shows=("fermé pour entretien",)),
    Scene("trouble/not-understood", VISITOR, page("scene_not_understood"), status=400),
]
