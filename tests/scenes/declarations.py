"""« Mes déclarations », and how they are decided."""

from django.urls import reverse

from tests.scenes import ADMIN, CAMILLE, MEMBER, Scene, page, send
from tests.scenes.stage import DECLARING, NEWCOMER


def of(view, **fields):
    """The address of a page about the declaration that is so."""
    return lambda stage: reverse(view, args=[stage.declaration(**fields).pk])


def send_page(shown):
    send(shown, "main form.form")


SCENES = [
    Scene("holder/declarations-none", NEWCOMER, page("declarations"), shows=("Rien pour l’instant",)),
    Scene(
        "holder/declarations",
        DECLARING,
        page("declarations"),
        shows=("À l’examen", "En vigueur", "Refusée", "Terminée", "Pourquoi"),
    ),
    Scene(
        "holder/declaration-boe",
        NEWCOMER,
        page("declaration_new", slug="obligation-d-emploi"),
        shows=("Votre justificatif", "300,00"),
    ),
    Scene(
        "holder/declaration-boe-refused",
        NEWCOMER,
        page("declaration_new", slug="obligation-d-emploi"),
        then=send_page,
        status=422,
        shows=("2 points sont à corriger",),
    ),
    Scene("holder/declaration-diploma", NEWCOMER, page("declaration_new", slug="sans-diplome")),
    Scene(
        "holder/declaration-hours",
        NEWCOMER,
        page("declaration_new", slug="heures"),
        shows=("Choisir les heures",),
    ),
    Scene(
        "holder/declaration-end",
        DECLARING,
        of("declaration_end", kind="low_qualified"),
        shows=("Ma situation a changé",),
    ),
    Scene(
        "holder/declaration-of-another",
        CAMILLE,
        of("declaration_end", kind="low_qualified"),
        status=404,
    ),
    Scene("holder/declarations-of-another-role", MEMBER, page("declarations"), status=403),
    Scene(
        "admin/declaration-to-decide",
        ADMIN,
        of("admin:rights_declaration_change", kind="boe", state="proposed"),
        shows=("notification-rqth.pdf",),
    ),
    Scene(
        "admin/declaration-confirm",
        ADMIN,
        of("admin:rights_declaration_confirm", kind="boe", state="proposed"),
    ),
    Scene(
        "admin/declaration-refuse", ADMIN, of("admin:rights_declaration_refuse", kind="boe", state="proposed")
    ),
    Scene(
        "admin/declaration-refuse-without-reason",
        ADMIN,
        of("admin:rights_declaration_refuse", kind="boe", state="proposed"),
        then=lambda shown: send(shown, "#content form"),
        status=422,
    ),
]
