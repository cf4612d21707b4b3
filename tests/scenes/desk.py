"""The administration: the desk of whoever is on duty, and its queue."""

from tests.scenes import ADMIN, Scene, page

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
]
