"""The administration: the desk of whoever is on duty, its queue, every list and one page of each."""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import LoginSession
from admissions.models import JoinRequest
from admissions.states import State
from tests.scenes import ADMIN, Scene, page
from tests.scenes.stage import CALM, Stage


def first(options: admin.ModelAdmin) -> Callable[[Stage], str]:
    """The page of the first row of a list; LookupError where the stage has none."""

    def where(stage: Stage) -> str:
        meta = options.model._meta
        row = options.get_queryset(HttpRequest()).order_by("pk").first()
        if row is None:
            raise LookupError(f"the stage has no {meta.label}: add one to tests/scenes/stage.py")
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])

    return where


def of_every_model() -> list[Scene]:
    scenes = []
    for model, options in admin.site._registry.items():
        name = f"{model._meta.app_label}-{model._meta.model_name}"
        address = f"admin:{name.replace('-', '_')}_changelist"
        scenes.append(Scene(f"admin/list-{name}", ADMIN, page(address)))
        if model is not LoginSession:  # its page would show a key: nobody opens it
            scenes.append(Scene(f"admin/one-{name}", ADMIN, first(options)))
    return scenes


SCENES = [
    Scene(
        "admin/desk-burning",
        ADMIN,
        page("admin:index"),
        shows=("À regarder maintenant", "Toutes les données"),
    ),
    Scene(
        "admin/desk-queue", ADMIN, page("admin:desk_decisions"), shows=("Demande d’aide", "À décider avant")
    ),
    Scene(
        "admin/desk-queue-empty",
        ADMIN,
        page("admin:desk_decisions", "nature=avis"),
        shows=("Rien à décider",),
    ),
    Scene("admin/desk-calm", CALM, page("admin:index"), shows=("Tout va bien", "Rien ne brûle")),
    Scene(
        "admin/adjustment-propose",
        ADMIN,
        lambda stage: reverse("admin:rights_pocket_adjust", args=[stage.adjustment().pocket_id]),
        shows=("Rien ne bouge avant",),
    ),
    Scene(
        "admin/adjustment-confirm",
        ADMIN,
        lambda stage: reverse("admin:rights_adjustment_confirm", args=[stage.adjustment().pk]),
        shows=("Heures oubliées",),
    ),
    Scene(
        "admin/adjustment-reject",
        ADMIN,
        lambda stage: reverse("admin:rights_adjustment_reject", args=[stage.adjustment().pk]),
    ),
    Scene(
        "admin/join-request-in-the-registers",
        ADMIN,
        lambda stage: reverse(
            "admin:admissions_joinrequest_change",
            args=[JoinRequest.objects.filter(state=State.ADMITTED).order_by("created_at").first().pk],
        ),
        shows=("Liste des organismes", "Ouvrir sa fiche"),
    ),
    *of_every_model(),
]
