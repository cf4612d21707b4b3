"""The subjects of notices. Each has its words in templates/notices/<kind>.txt (a house test checks it)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    ACCOUNT_ACTIVATED = "account_activated", _("Compte activé")
    PROFILE_CHANGED = "profile_changed", _("Profil modifié")
    DOSSIER_REQUESTED = "dossier_requested", _("Demande d’inscription reçue")
    DOSSIER_PROPOSED = "dossier_proposed", _("Proposition de l’organisme")
    DOSSIER_REFUSED = "dossier_refused", _("Demande refusée par l’organisme")
    DOSSIER_DECLINED = "dossier_declined", _("Proposition refusée par le titulaire")
    DOSSIER_ACCEPTED = "dossier_accepted", _("Inscription confirmée")
    PAYMENT_AWAITED = "payment_awaited", _("Paiement attendu")
    PAYMENT_REFUSED = "payment_refused", _("Paiement refusé")
    DOSSIER_CANCELLED_BY_HOLDER = "dossier_cancelled_by_holder", _("Annulation par le titulaire")
    DOSSIER_CANCELLED_BY_PROVIDER = "dossier_cancelled_by_provider", _("Annulation par l’organisme")
    DOSSIER_WITHDRAWN = "dossier_withdrawn", _("Rétractation du titulaire")
    DOSSIER_LAPSED = "dossier_lapsed", _("Dossier sans suite")
    DOSSIER_CLOSED = "dossier_closed", _("Dossier clos par le portail")
    REMINDER = "reminder", _("Rappel d’un délai")
    RELIEF_EXTENDED = "relief_extended", _("Délai prolongé")
    RELIEF_REINSTATED = "relief_reinstated", _("Dossier rétabli")


def choices():
    """For the model's field: a new subject needs no migration."""
    return Kind.choices
