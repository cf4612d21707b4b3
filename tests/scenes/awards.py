"""Rights that no year of work gives, in the administration."""

from tests.scenes import ADMIN, Scene, page

SCENES = [
    Scene("admin/award-which", ADMIN, page("admin:rights_award_add"), shows=("Un report d’heures de DIF",)),
    Scene("admin/award-give", ADMIN, page("admin:rights_award_give", right="dif"), shows=("Jour du report",)),
    Scene(
        "admin/award-give-hours",
        ADMIN,
        page("admin:rights_award_give", right="inaptitude"),
        shows=("Employeur public",),
    ),
]
