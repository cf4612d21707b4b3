"""The administration: the desk of whoever is on duty, its queue, a list, a form, the journal."""

from django.urls import reverse

from accounts.models import HolderProfile
from tests.scenes import ADMIN, Scene, page


def a_holder(stage):
    holder = HolderProfile.objects.order_by("pk")[0]
    return reverse("admin:accounts_holderprofile_change", args=[holder.pk])


SCENES = [
    Scene("desk/burning", ADMIN, page("admin:index"), shows=("À regarder maintenant", "Toutes les données")),
    Scene("desk/queue", ADMIN, page("admin:desk_decisions"), shows=("Demande d’aide", "À décider avant")),
    Scene("desk/queue-empty", ADMIN, page("admin:desk_decisions", "nature=avis"), shows=("Rien à décider",)),
    Scene("admin/journal", ADMIN, page("admin:accounts_journalentry_changelist")),
    Scene("admin/holders", ADMIN, page("admin:accounts_holderprofile_changelist")),
    Scene("admin/holder", ADMIN, a_holder),
]
