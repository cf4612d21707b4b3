"""What a line of the journal says, in words: the administration reads it, and a code says nothing to it."""

import re
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

ACTIONS = {
    "account_activated": gettext_lazy("Compte activé"),
    "account_frozen": gettext_lazy("Compte gelé"),
    "account_thaw_asked": gettext_lazy("Dégel demandé"),
    "account_thawed": gettext_lazy("Compte dégelé"),
    "adjustment_confirmed": gettext_lazy("Régularisation confirmée"),
    "adjustment_proposed": gettext_lazy("Régularisation proposée"),
    "adjustment_rejected": gettext_lazy("Régularisation refusée"),
    "adjustment_withdrawn": gettext_lazy("Régularisation retirée"),
    "archive": gettext_lazy("Offre archivée"),
    "award_cancelled": gettext_lazy("Attribution annulée"),
    "award_given": gettext_lazy("Droits attribués"),
    "claim_proof_opened": gettext_lazy("Justificatif de force majeure ouvert"),
    "control_opened": gettext_lazy("Contrôle de service fait ouvert"),
    "control_released": gettext_lazy("Contrôle de service fait levé"),
    "data_exported": gettext_lazy("Données personnelles téléchargées"),
    "decisions_listed": gettext_lazy("Décisions à prendre consultées"),
    "declaration_confirmed": gettext_lazy("Déclaration confirmée"),
    "declaration_ended": gettext_lazy("Déclaration terminée"),
    "declaration_made": gettext_lazy("Déclaration faite"),
    "declaration_proof_opened": gettext_lazy("Justificatif ouvert"),
    "declaration_refused": gettext_lazy("Déclaration refusée"),
    "declaration_taken_back": gettext_lazy("Déclaration qui ne compte plus"),
    "declaration_withdrawn": gettext_lazy("Déclaration retirée"),
    "delete": gettext_lazy("Offre supprimée"),
    "draft": gettext_lazy("Offre commencée"),
    "edit": gettext_lazy("Offre modifiée"),
    "envelope_fund": gettext_lazy("Enveloppe alimentée"),
    "envelope_grant": gettext_lazy("Somme attribuée sur une enveloppe"),
    "envelope_open": gettext_lazy("Enveloppe ouverte"),
    "envelope_pay-back": gettext_lazy("Enveloppe rendue au financeur"),
    "envelope_recall": gettext_lazy("Sommes rappelées dans une enveloppe"),
    "grant_claim": gettext_lazy("Force majeure reconnue"),
    "hide": gettext_lazy("Offre masquée"),
    "identity_corrected": gettext_lazy("Identité corrigée"),
    "import_abandoned": gettext_lazy("Import abandonné"),
    "import_to_apply": gettext_lazy("Import à appliquer"),
    "import_to_check": gettext_lazy("Import à vérifier"),
    "import_to_undo": gettext_lazy("Import à annuler"),
    "invitation_revoked": gettext_lazy("Invitation retirée"),
    "invitation_sent": gettext_lazy("Invitation envoyée"),
    "join_admit": gettext_lazy("Demande de référencement acceptée"),
    "join_ask_completion": gettext_lazy("Complément demandé"),
    "join_declare_receivable": gettext_lazy("Demande de référencement recevable"),
    "join_document_opened": gettext_lazy("Pièce d’une demande ouverte"),
    "join_refuse": gettext_lazy("Demande de référencement refusée"),
    "join_send": gettext_lazy("Demande de référencement envoyée"),
    "join_withdraw": gettext_lazy("Demande de référencement retirée"),
    "measure_answer": gettext_lazy("Réponse de l’organisme à une mesure"),
    "measure_confirm": gettext_lazy("Suspension confirmée"),
    "measure_drop": gettext_lazy("Mesure sans suite"),
    "measure_intend": gettext_lazy("Suspension envisagée"),
    "measure_lift": gettext_lazy("Suspension levée"),
    "measure_suspend": gettext_lazy("Suspension décidée"),
    "measure_suspend_at_once": gettext_lazy("Suspension en urgence"),
    "measure_warn": gettext_lazy("Avertissement"),
    "member_added": gettext_lazy("Membre ajouté"),
    "member_joined": gettext_lazy("Membre arrivé"),
    "member_left": gettext_lazy("Membre parti"),
    "member_removed": gettext_lazy("Membre retiré"),
    "message_hidden": gettext_lazy("Message d’un dossier retiré"),
    "message_kept": gettext_lazy("Message signalé laissé"),
    "message_reported": gettext_lazy("Message d’un dossier signalé"),
    "offers_taken_over": gettext_lazy("Offres reprises pour une autre certification"),
    "organisation_admitted": gettext_lazy("Organisme référencé"),
    "organisation_changed": gettext_lazy("Coordonnées de l’organisme modifiées"),
    "profile_changed": gettext_lazy("Coordonnées modifiées"),
    "publish": gettext_lazy("Offre publiée"),
    "release": gettext_lazy("Offre rendue à l’organisme"),
    "reject_claim": gettext_lazy("Force majeure non reconnue"),
    "restore": gettext_lazy("Organisme rétabli"),
    "reverse_movement": gettext_lazy("Crédit corrigé par un contre-mouvement"),
    "review_answered": gettext_lazy("Réponse écrite à un avis"),
    "review_given": gettext_lazy("Avis donné ou modifié"),
    "review_reported": gettext_lazy("Avis signalé par un organisme"),
    "review_taken_away": gettext_lazy("Avis supprimé par son auteur"),
    "review_text_published": gettext_lazy("Texte d’un avis publié"),
    "review_text_refused": gettext_lazy("Texte d’un avis non publié"),
    "role_changed": gettext_lazy("Rôle changé"),
    "sessions_ended": gettext_lazy("Connexions fermées"),
    "suspend": gettext_lazy("Organisme suspendu"),
    "unarchive": gettext_lazy("Offre sortie des archives"),
    "ticket_answer": gettext_lazy("Réponse à une demande d’aide"),
    "ticket_close": gettext_lazy("Demande d’aide close"),
    "ticket_move": gettext_lazy("Demande d’aide : autre sujet"),
    "withhold": gettext_lazy("Offre retenue"),
    "card_payment_given_back": gettext_lazy("Paiement mis de côté, à rembourser"),
    "payment_event_looked_at": gettext_lazy("Évènement de paiement regardé"),
    "refund_retried": gettext_lazy("Remboursement relancé"),
    "refund_sent_by_hand": gettext_lazy("Remboursement envoyé à la main"),
    "transfer_attached": gettext_lazy("Virement rattaché à un dossier"),
    "transfer_sent_back": gettext_lazy("Virement renvoyé"),
    "transfer_set_aside": gettext_lazy("Virement mis de côté"),
    "transfer_to_send_back": gettext_lazy("Virement à renvoyer"),
    "transfers_imported": gettext_lazy("Relevé de virements importé"),
    "ticket_open": gettext_lazy("Demande d’aide envoyée"),
    "ticket_reopen": gettext_lazy("Demande d’aide rouverte"),
    "ticket_reply": gettext_lazy("Demande d’aide : nouveau message"),
    "ticket_take": gettext_lazy("Demande d’aide prise en charge"),
}
# What every page of the administration writes of itself (portal.looks): « holder_viewed ».
LOOKS = (
    (re.compile(r"(\w+)_history_viewed"), gettext_lazy("Historique consulté : %s")),
    (re.compile(r"(\w+)_viewed"), gettext_lazy("Fiche consultée : %s")),
    (re.compile(r"(\w+)_listed"), gettext_lazy("Liste consultée : %s")),
    (re.compile(r"(\w+)_suggested"), gettext_lazy("Recherche : %s")),
    (re.compile(r"(\w+)_add_posted"), gettext_lazy("Ajout envoyé : %s")),
    (re.compile(r"(\w+)_change_posted"), gettext_lazy("Modification envoyée : %s")),
    (re.compile(r"(\w+)_delete_posted"), gettext_lazy("Suppression envoyée : %s")),
    (re.compile(r"(\w+)_changelist_posted"), gettext_lazy("Action sur une liste : %s")),
)
# Acts that have a page of their own there keep the word of its address: « holder_freeze_posted ».
ACT = re.compile(r"(\w+)_([a-z]+)_posted")
DETAILS = {
    "action": gettext_lazy("Action"),
    "amount": gettext_lazy("Montant"),
    "answer": gettext_lazy("Réponse"),
    "count": gettext_lazy("Nombre"),
    "fields": gettext_lazy("Champs"),
    "file": gettext_lazy("Fichier"),
    "from_year": gettext_lazy("Depuis l’année"),
    "join_request": gettext_lazy("Demande de référencement"),
    "key": gettext_lazy("Clé"),
    "kind": gettext_lazy("Nature"),
    "manager": gettext_lazy("Responsable"),
    "measure": gettext_lazy("Mesure"),
    "movement": gettext_lazy("Mouvement"),
    "counter_movement": gettext_lazy("Contre-mouvement"),
    "message": gettext_lazy("Message"),
    "motive": gettext_lazy("Motif"),
    "page": gettext_lazy("Page"),
    "q": gettext_lazy("Mots cherchés"),
    "reason": gettext_lazy("Raison"),
    "reference": gettext_lazy("Référence"),
    "role": gettext_lazy("Rôle"),
    "row": gettext_lazy("Fiche"),
    "rows": gettext_lazy("Fiches"),
    "session": gettext_lazy("Session"),
    "term": gettext_lazy("Mots cherchés"),
    "title": gettext_lazy("Intitulé"),
    "until_year": gettext_lazy("Jusqu’à l’année"),
    "user": gettext_lazy("Personne"),
}
# Of these the value is a subject: all else is shown as it was written.
SUBJECTS = {"row", "manager"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def name_of(model: type[Model]) -> str:
    """ "join_request", as actions of the journal begin."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__).lower().removesuffix("_profile")


@cache
def _models() -> dict[str, type[Model]]:
    """Every model by the name that actions give it, and by the one that subjects do. Of two, ours."""
    known: dict[str, type[Model]] = {}
    for model in sorted(apps.get_models(), key=lambda model: model.__module__.startswith("django.")):
        for name in (name_of(model), str(model._meta.model_name)):
            known.setdefault(name, model)
    return known


def action_in_words(action: str) -> str:
    """« Fiche consultée : compte de formation »; the code itself when nobody wrote its words."""
    if action in ACTIONS:
        return str(ACTIONS[action])
    for pattern, words in LOOKS:
        if (found := pattern.fullmatch(action)) and (model := _models().get(found[1])):
            return str(words) % model._meta.verbose_name
    if (found := ACT.fullmatch(action)) and (model := _models().get(found[1])):
        words = _("Formulaire envoyé (%(act)s) : %(name)s")
        return words % {"act": found[2], "name": model._meta.verbose_name}
    return action


def actions_said(words: str) -> list[str]:
    """The codes of the actions in whose words these are, for a search."""
    return [action for action, said in ACTIONS.items() if words.lower() in str(said).lower()]


def subject_model(subject: str) -> tuple[type[Model] | None, str]:
    """The model (None: there is none any more) and the key of « holderprofile:12 »; « * » is a list."""
    name, _colon, key = subject.partition(":")
    return (_models().get(name) if key else None), key


def subject_in_words(subject: str) -> str:
    """« Compte de formation 0b1c2d3e », « Comptes de formation » for a list. A long identifier is cut."""
    model, key = subject_model(subject)
    if model is None:
        return subject
    if key == "*":
        return capfirst(str(model._meta.verbose_name_plural))
    return f"{capfirst(str(model._meta.verbose_name))} {key[:8] if UUID.fullmatch(key) else key}"


def details_in_words(details: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, which), in the order they were written; without those that say nothing."""
    return [
        (str(DETAILS.get(name, name)), subject_in_words(value) if name in SUBJECTS else _in_words(value))
        for name, value in details.items()
        if value not in (None, "", [], {})
    ]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return _("oui") if value else _("non")
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} : {_in_words(each)}" for name, each in value.items())
    return str(value)
