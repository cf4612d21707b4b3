"""« Télécharger mes données »: the parts of every app that keep something of one person, in one file."""

import datetime
from typing import Any

from accounts import exports
from accounts.models import HolderProfile, User
from admissions import exports as requests_to_join
from catalog import favourites, saved_searches, wishes
from dossiers import review_screen, threads
from dossiers.models import (
    BankTransfer,
    CardPayment,
    Claim,
    Completion,
    Dossier,
    Message,
    Refund,
    Review,
    Transition,
)
from rights import declarations
from rights.statements import statement
from support import exports as requests_for_help

# The shape of the file. Another number where a name changes or goes away.
VERSION = 2


def everything_of(user: User, *, at: datetime.datetime) -> dict[str, Any]:
    """Plain values that JSON can hold; amounts are whole euro cents, or hours where their unit says so."""
    holder = HolderProfile.objects.filter(user=user).first()
    return {
        "version": VERSION,
        "fait_le": at,
        **exports.of_person(user),
        "droits": _rights(holder, at=at) if holder else None,
        "dossiers": _dossiers(holder) if holder else [],
        "favoris": favourites.of_person(user),
        "recherches_enregistrees": saved_searches.of_person(user),
        "envies": wishes.of_person(user),
        "demandes_d_aide": requests_for_help.of_person(user),
        "demandes_de_referencement": requests_to_join.of_person(user),
    }


def _rights(holder: HolderProfile, *, at: datetime.datetime) -> dict[str, Any]:
    found = statement(holder, at=at)
    return {
        "total_en_centimes": found.total_cents,
        "heures": found.hours,
        "poches": [
            {
                "nom": pocket.name,
                "financeur": pocket.funder,
                "unite": pocket.unit,
                "solde": pocket.balance,
                "reserve": pocket.reserved,
                "expire_le": pocket.expires_on,
            }
            for pocket in found.pockets
        ],
        "declarations": [
            {
                "sorte": declaration.get_kind_display(),
                "premiere_annee": declaration.from_year,
                "derniere_annee": declaration.until_year,
                "etat": declaration.get_state_display(),
                "motif": declaration.reason,
                "declaree_le": declaration.declared_at,
                "decidee_le": declaration.decided_at,
                "justificatifs": [proof.file_name for proof in declaration.proofs.all()],
            }
            for declaration in declarations.of_holder(holder)
        ],
        "mouvements": [
            {
                "enregistre_le": line.recorded_at,
                "date_de_valeur": line.value_date,
                "operation": line.words,
                "motif": line.reason,
                "poche": line.pocket,
                "unite": line.unit,
                "effet": line.effect,
                "solde": line.balance,
            }
            for line in found.history[:]
        ],
    }


def _dossiers(holder: HolderProfile) -> list[dict[str, Any]]:
    """Ten queries, however many."""
    moves: dict[Any, list[dict[str, Any]]] = {}
    for move in Transition.objects.filter(dossier__holder=holder).order_by("id"):
        moves.setdefault(move.dossier_id, []).append(
            {"le": move.at, "etat": move.get_to_state_display(), "par": move.role, "motif": move.reason}
        )
    written: dict[Any, list[dict[str, Any]]] = {}
    for message in Message.objects.filter(dossier__holder=holder).select_related("report").order_by("id"):
        # What was taken away is read by nobody any more; that it was stands in its place.
        words = threads.words_shown(message)
        written.setdefault(message.dossier_id, []).append(
            {"le": message.at, "par": message.role, "texte": words, "retire": not words}
        )
    claims = {
        claim.dossier_id: {
            "dite_le": claim.made_at,
            "texte": claim.words,
            "etat": claim.get_state_display(),
            "motif": claim.reason,
        }
        for claim in Claim.objects.filter(dossier__holder=holder)
    }
    followed: dict[Any, list[dict[str, Any]]] = {}
    for each in Completion.objects.filter(dossier__holder=holder).order_by("dossier", "version"):
        followed.setdefault(each.dossier_id, []).append(
            {
                "declare_le": each.declared_at,
                "minutes_prevues": each.total_minutes,
                "minutes_suivies": each.done_minutes,
                "cause": each.get_cause_display(),
                "texte": each.words,
            }
        )
    given = {
        review.dossier_id: review_screen.of_person(review)
        for review in Review.objects.filter(dossier__holder=holder).prefetch_related("texts")
    }
    paid, given_back = _paid(holder), _given_back(holder)
    dossiers = Dossier.objects.filter(holder=holder).select_related("provider__organisation", "offer")
    return [
        {
            "numero": dossier.number,
            "formation": dossier.offer.title,
            "organisme": dossier.provider.organisation.name,
            "etat": dossier.get_state_display(),
            "projet": dossier.project,
            "e_mail_de_contact": dossier.contact_email,
            "telephone_de_contact": dossier.contact_phone,
            "prix_demande_en_centimes": dossier.asked_price_cents,
            "prix_propose_en_centimes": dossier.price_cents,
            "debut": dossier.starts_on,
            "fin": dossier.ends_on,
            "cree_le": dossier.created_at,
            "historique": moves.get(dossier.pk, []),
            "messages": written.get(dossier.pk, []),
            "entree_en_formation": dossier.entered_on,
            "sortie_de_formation": dossier.exited_on,
            "force_majeure": claims.get(dossier.pk),
            "service_fait": followed.get(dossier.pk, []),
            "avis_donne": given.get(dossier.pk),
            "paiements": paid.get(dossier.pk, []),
            "remboursements": given_back.get(dossier.pk, []),
        }
        for dossier in dossiers.order_by("created_at", "id")
    ]


def _paid(holder: HolderProfile) -> dict[Any, list[dict[str, Any]]]:
    """What they paid themselves, or tried to, of each dossier. A transfer that only looks like theirs may be
    somebody else's."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for card in CardPayment.objects.filter(dossier__holder=holder).order_by("began_at", "id"):
        found.setdefault(card.dossier_id, []).append(
            {
                "chemin": str(Refund.Way.CARD.label),
                "montant_en_centimes": card.amount_cents,
                "recu_en_centimes": card.received_cents,
                "etat": card.get_state_display(),
                "motif_du_refus": card.failure,
                "commence_le": card.began_at,
                "regle_le": card.settled_at,
            }
        )
    theirs = BankTransfer.objects.filter(dossier__holder=holder).exclude(state__in=BankTransfer.WAITING)
    for transfer in theirs.exclude(state=BankTransfer.State.SET_ASIDE).order_by("booked_on", "id"):
        found.setdefault(transfer.dossier_id, []).append(
            {
                "chemin": str(Refund.Way.TRANSFER.label),
                "montant_en_centimes": transfer.amount_cents,
                "etat": transfer.get_state_display(),
                "jour_de_valeur": transfer.booked_on,
                "libelle": transfer.text,
                "paye_par": transfer.payer_name,
                "compte": transfer.payer_iban,
                "renvoye_le": transfer.sent_on,
            }
        )
    return found


def _given_back(holder: HolderProfile) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for refund in Refund.objects.filter(dossier__holder=holder).order_by("due_at", "id"):
        found.setdefault(refund.dossier_id, []).append(
            {
                "chemin": refund.get_way_display(),
                "montant_en_centimes": refund.amount_cents,
                "motif": refund.reason,
                "etat": refund.get_state_display(),
                "demande_le": refund.due_at,
                "envoye_le": refund.sent_at,
            }
        )
    return found
