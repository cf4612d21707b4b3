"""A copy of what the portal keeps of one person (GDPR, articles 15 and 20): the accounts' part of it.

Plain values that JSON can hold, under French names: people read this file too. Never the whole
social-security number, a password or what proves a session.
"""

from typing import Any

from accounts import journal, nir, sign_ins
from accounts.models import HolderProfile, Invitation, JournalEntry, Membership, SignIn, User
from notices.messages import words_of
from notices.models import Notice


def of_person(user: User) -> dict[str, Any]:
    """Login, account, memberships, sign-ins, notices, and what staff looked at. Queries do not grow."""
    holder = HolderProfile.objects.filter(user=user).first()
    return {
        "acces": {
            "adresse_e_mail": user.email,
            "adresse_d_avant": user.former_email,
            "prenom": user.first_name,
            "nom": user.last_name,
            "langue": user.language,
            "cree_le": user.date_joined,
            "derniere_connexion": user.last_login,
        },
        "compte_de_formation": _account(holder) if holder else None,
        "organisations": [
            {
                "nom": one.organisation.name,
                "siret": one.organisation.siret,
                "role": one.role,
                "depuis": one.since,
            }
            for one in Membership.objects.filter(user=user).select_related("organisation").order_by("pk")
        ],
        "invitations": [
            {"organisation": one.organisation.name, "role": one.role, "recue_le": one.created_at}
            for one in Invitation.objects.filter(email=user.email.lower())
            .select_related("organisation")
            .order_by("created_at", "id")
        ],
        "connexions": [
            {
                "le": one.at,
                "reussie": one.succeeded,
                "appareil": sign_ins.device(one.browser, one.system),
                "reseau": one.network,
            }
            for one in SignIn.objects.filter(user=user).order_by("at", "id")
        ],
        "notifications": [_notice(one) for one in Notice.objects.of(user).order_by("created_at", "id")],
        # Who looked is staff, named by their role; that somebody did is the person's business.
        "journal": [
            {"le": one.at, "action": one.action, "par": one.role}
            for one in JournalEntry.objects.filter(subject__in=_subjects(user, holder)).order_by("at", "id")
        ],
    }


def _account(holder: HolderProfile) -> dict[str, Any]:
    return {
        "nom_de_naissance": holder.birth_name,
        "nom_d_usage": holder.used_name,
        "prenoms": holder.first_names,
        "date_de_naissance": holder.birth_date,
        "sexe": holder.sex,
        "numero_de_securite_sociale": nir.masked(holder.nir_encrypted),
        "telephone": holder.phone,
        "adresse": holder.address,
        "code_postal": holder.postal_code,
        "commune": holder.town,
        "situation": holder.get_status_display(),
        "contrat_d_apprentissage": holder.has_apprenticeship,
        "diplome": holder.get_diploma_display(),
        "annee_du_diplome": holder.diploma_year,
        "importe_le": holder.imported_at,
        "active_le": holder.activated_at,
        "gele_le": holder.frozen_at,
        "raison_du_gel": holder.freeze_reason,
    }


def _notice(notice: Notice) -> dict[str, Any]:
    words = words_of(notice)
    return {
        "ecrit_le": notice.created_at,
        "lu_le": notice.read_at,
        "objet": words.subject,
        "texte": words.paragraphs,
        "faits": dict(words.facts),
    }


def _subjects(user: User, holder: HolderProfile | None) -> list[str]:
    return [journal.subject_of(thing) for thing in (user, holder) if thing]
