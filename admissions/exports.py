"""What this app keeps of one person, for the copy of their data."""

from typing import Any

from accounts.models import User
from admissions.completeness import FIELDS
from admissions.models import JoinRequest


def of_person(user: User) -> list[dict[str, Any]]:
    """Every request to join that they wrote: answers, documents by name, steps. Three queries."""
    written = JoinRequest.objects.filter(author=user).prefetch_related("documents", "steps")
    return [
        {
            "numero": asked.number,
            "etat": asked.get_state_display(),
            "commencee_le": asked.created_at,
            "envoyee_le": asked.sent_at,
            "reponses": {
                str(JoinRequest._meta.get_field(name).verbose_name): getattr(asked, name)
                for names in FIELDS.values()
                for name in names
            },
            "pieces": [
                {
                    "nature": document.get_kind_display(),
                    "fichier": document.file_name,
                    "octets": document.size,
                    "empreinte_sha256": document.digest,
                    "ajoutee_le": document.added_at,
                }
                for document in sorted(asked.documents.all(), key=lambda each: each.added_at)
            ],
            "historique": [
                {"le": step.at, "par": step.get_side_display(), "message": step.words}
                for step in sorted(asked.steps.all(), key=lambda each: each.pk)
            ],
        }
        for asked in written.order_by("created_at", "id")
    ]
