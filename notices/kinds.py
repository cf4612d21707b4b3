"""The subjects of notices. Each has its words in templates/notices/<kind>.txt (a house test checks it)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    ACCOUNT_ACTIVATED = "account_activated", _("Compte activé")
    PROFILE_CHANGED = "profile_changed", _("Profil modifié")
    EMAIL_CHANGED = "email_changed", _("Adresse e-mail changée")
    PASSWORD_CHANGED = "password_changed", _("Mot de passe changé")
    NEW_SIGN_IN = "new_sign_in", _("Connexion depuis un nouvel appareil")
    ACCOUNT_FROZEN = "account_frozen", _("Compte gelé")
    ACCOUNT_THAW_ASKED = "account_thaw_asked", _("Dégel demandé")
    ACCOUNT_THAWED = "account_thawed", _("Compte dégelé")
    INVITATION = "invitation", _("Invitation dans une équipe")
    MEMBERSHIP_GIVEN = "membership_given", _("Rôle dans une organisation")
    MEMBERSHIP_CHANGED = "membership_changed", _("Rôle changé")
    MEMBERSHIP_REMOVED = "membership_removed", _("Rôle retiré")
    TEAM_CHANGED = "team_changed", _("Équipe modifiée")
    ORGANISATION_CHANGED = "organisation_changed", _("Coordonnées de l’organisation modifiées")
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
    RIGHTS_ADJUSTED = "rights_adjusted", _("Régularisation de vos droits")
    DOTATION_GRANTED = "dotation_granted", _("Dotation ou abondement reçu")
    DOTATION_RETURNED = "dotation_returned", _("Dotation ou abondement retourné au financeur")
    TICKET_RECEIVED = "ticket_received", _("Demande d’aide reçue")
    TICKET_ANSWERED = "ticket_answered", _("Réponse à une demande d’aide")
    TICKET_CLOSED = "ticket_closed", _("Demande d’aide close")
    TICKET_LINK = "ticket_link", _("Nouveau lien vers une demande d’aide")
    JOIN_SENT = "join_sent", _("Demande de référencement envoyée")
    JOIN_COMPLETION_ASKED = "join_completion_asked", _("Complément demandé")
    JOIN_RECEIVABLE = "join_receivable", _("Demande de référencement recevable")
    JOIN_ADMITTED = "join_admitted", _("Organisme référencé")
    JOIN_REFUSED = "join_refused", _("Demande de référencement refusée")
    JOIN_WITHDRAWN = "join_withdrawn", _("Demande de référencement retirée")
    JOIN_REMINDER = "join_reminder", _("Demande de référencement à finir")
    JOIN_LATE = "join_late", _("Demande de référencement en retard")
    MEASURE_WARNED = "measure_warned", _("Avertissement à un organisme")
    MEASURE_INTENDED = "measure_intended", _("Suspension envisagée")
    MEASURE_ANSWERED = "measure_answered", _("Réponse d’un organisme")
    MEASURE_SUSPENDED = "measure_suspended", _("Organisme suspendu")
    MEASURE_CONFIRMED = "measure_confirmed", _("Suspension confirmée")
    MEASURE_DROPPED = "measure_dropped", _("Mesure sans suite")
    MEASURE_LIFTED = "measure_lifted", _("Suspension levée")


def choices():
    """For the model's field: a new subject needs no migration."""
    return Kind.choices
