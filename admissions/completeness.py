"""What a request still lacks, page by page: the one rule behind the question pages, the review and `send`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from admissions.models import Document, JoinRequest
from rulebook import Rules, workdays
from ui import french


class Page(models.TextChoices):
    """The question pages, in their order; the value is their address."""

    ORGANISATION = "organisme", gettext_lazy("Votre organisme")
    CONTACT = "coordonnees", gettext_lazy("Ses coordonnées")
    ACTIVITY = "activite", gettext_lazy("Sa déclaration d’activité")
    QUALIOPI = "qualiopi", gettext_lazy("Son certificat Qualiopi")
    TRAININGS = "formations", gettext_lazy("Ce que vous voulez proposer")
    MANAGER = "responsable", gettext_lazy("La personne responsable")
    DOCUMENTS = "pieces", gettext_lazy("Les pièces")


FIELDS: dict[Page, tuple[str, ...]] = {
    Page.ORGANISATION: ("siret",),
    Page.CONTACT: ("name", "address", "postal_code", "town_name", "email", "phone"),
    Page.ACTIVITY: ("activity_number", "last_report_on", "has_no_report"),
    Page.QUALIOPI: (
        "qualiopi_training",
        "qualiopi_skills_review",
        "qualiopi_vae",
        "qualiopi_apprenticeship",
        "certificate_number",
        "certifier",
        "certified_from",
        "certified_until",
    ),
    Page.TRAININGS: ("certification_codes", "other_kinds", "school_approval"),
    Page.MANAGER: ("manager_name", "manager_position", "is_legal_representative", "has_no_conviction"),
    Page.DOCUMENTS: ("extract_issued_on",),
}

LICENCES = frozenset({JoinRequest.OtherKind.LICENCE_LIGHT.value, JoinRequest.OtherKind.LICENCE_HEAVY.value})


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that has to be given, or corrected, before sending. `field`: of its page, or a document."""

    page: Page
    field: str
    sentence: str


def page_of(field: str) -> Page:
    """Where a field, or a kind of document, is asked. KeyError: nowhere."""
    if field in Document.Kind.values:
        return Page.DOCUMENTS
    return next(page for page, fields in FIELDS.items() if field in fields)


def needed_documents(asked: JoinRequest) -> list[Document.Kind]:
    """The kinds of documents that these answers call for, in their order."""
    kinds = [Document.Kind.EXTRACT, Document.Kind.QUALIOPI, Document.Kind.IDENTITY]
    if asked.is_legal_representative is False:
        kinds.append(Document.Kind.DELEGATION)
    if LICENCES & set(asked.other_kinds):
        kinds.append(Document.Kind.APPROVAL)
    return kinds


def gaps(asked: JoinRequest, documents: Iterable[Document], *, on: date, rules: Rules) -> list[Gap]:
    """All that is missing, in the order of the pages; empty when it can be sent."""
    held = Counter(document.kind for document in documents)
    return [
        *_plain_gaps(asked),
        *_activity_gaps(asked, on=on),
        *_qualiopi_gaps(asked, on=on, rules=rules),
        *_trainings_gaps(asked),
        *_manager_gaps(asked),
        *_document_gaps(asked, held, on=on, rules=rules),
    ]


def gaps_of_page(
    page: Page, asked: JoinRequest, documents: Iterable[Document], *, on: date, rules: Rules
) -> list[Gap]:
    return [gap for gap in gaps(asked, documents, on=on, rules=rules) if gap.page == page]


def _plain_gaps(asked: JoinRequest) -> list[Gap]:
    wanted = {
        "name": _("Écrivez le nom de l’organisme."),
        "address": _("Écrivez le numéro et la rue."),
        "postal_code": _("Écrivez le code postal."),
        "town_name": _("Écrivez la commune."),
        "email": _("Écrivez l’adresse e-mail de l’organisme."),
        "phone": _("Écrivez un numéro de téléphone."),
    }
    return [
        Gap(Page.CONTACT, field, sentence)
        for field, sentence in wanted.items()
        if not getattr(asked, field).strip()
    ]


def _activity_gaps(asked: JoinRequest, *, on: date) -> list[Gap]:
    found = []
    if not asked.activity_number:
        found.append(
            Gap(Page.ACTIVITY, "activity_number", _("Écrivez votre numéro de déclaration d’activité."))
        )
    if not (asked.last_report_on or asked.has_no_report):
        found.append(
            Gap(
                Page.ACTIVITY,
                "last_report_on",
                _("Écrivez la date de votre dernier bilan, ou cochez la case si aucun n’est encore dû."),
            )
        )
    elif asked.last_report_on and asked.last_report_on > on:
        found.append(Gap(Page.ACTIVITY, "last_report_on", _("Cette date n’est pas encore passée.")))
    return found


def _qualiopi_gaps(asked: JoinRequest, *, on: date, rules: Rules) -> list[Gap]:
    found = []
    if not asked.qualiopi_kinds:
        found.append(
            Gap(Page.QUALIOPI, "qualiopi_training", _("Cochez au moins une catégorie de votre certificat."))
        )
    if not asked.certificate_number.strip():
        found.append(Gap(Page.QUALIOPI, "certificate_number", _("Écrivez le numéro du certificat.")))
    if not asked.certifier.strip():
        found.append(
            Gap(Page.QUALIOPI, "certifier", _("Écrivez le nom de l’organisme qui a délivré le certificat."))
        )
    if asked.certified_from is None:
        found.append(Gap(Page.QUALIOPI, "certified_from", _("Écrivez le premier jour de validité.")))
    if asked.certified_until is None:
        found.append(Gap(Page.QUALIOPI, "certified_until", _("Écrivez le dernier jour de validité.")))
    elif asked.certified_until < on:
        found.append(
            Gap(
                Page.QUALIOPI,
                "certified_until",
                _("Ce certificat n’est plus valable. Joignez celui qui l’a remplacé."),
            )
        )
    elif asked.certified_from and asked.certified_until < asked.certified_from:
        found.append(Gap(Page.QUALIOPI, "certified_until", _("La fin ne peut pas venir avant le début.")))
    return found


def _trainings_gaps(asked: JoinRequest) -> list[Gap]:
    found = []
    if not (asked.certification_codes or asked.other_kinds):
        found.append(
            Gap(
                Page.TRAININGS,
                "certification_codes",
                _("Écrivez au moins un code RNCP ou RS, ou cochez une action."),
            )
        )
    if LICENCES & set(asked.other_kinds) and not asked.school_approval.strip():
        found.append(
            Gap(
                Page.TRAININGS,
                "school_approval",
                _("Écrivez le numéro d’agrément de l’école de conduite."),
            )
        )
    return found


def _manager_gaps(asked: JoinRequest) -> list[Gap]:
    found = []
    if not asked.manager_name.strip():
        found.append(Gap(Page.MANAGER, "manager_name", _("Écrivez le prénom et le nom de cette personne.")))
    if not asked.manager_position.strip():
        found.append(Gap(Page.MANAGER, "manager_position", _("Écrivez sa fonction.")))
    if asked.is_legal_representative is None:
        found.append(
            Gap(
                Page.MANAGER,
                "is_legal_representative",
                _("Dites si cette personne est le représentant légal."),
            )
        )
    if not asked.has_no_conviction:
        found.append(
            Gap(Page.MANAGER, "has_no_conviction", _("Cette déclaration est nécessaire pour continuer."))
        )
    return found


def _document_gaps(asked: JoinRequest, held: Counter[str], *, on: date, rules: Rules) -> list[Gap]:
    sentences = {
        Document.Kind.EXTRACT: _("Joignez l’extrait Kbis, ou le récépissé de l’association."),
        Document.Kind.QUALIOPI: _("Joignez le certificat Qualiopi."),
        Document.Kind.IDENTITY: _("Joignez la pièce d’identité de la personne responsable."),
        Document.Kind.DELEGATION: _("Joignez la délégation signée par le représentant légal."),
        Document.Kind.APPROVAL: _("Joignez l’agrément de l’école de conduite."),
    }
    found = [
        Gap(Page.DOCUMENTS, kind.value, sentences[kind]) for kind in needed_documents(asked) if not held[kind]
    ]
    oldest = workdays.months_later(on, -rules.admission_extract_months)
    if asked.extract_issued_on is None:
        found.append(
            Gap(Page.DOCUMENTS, "extract_issued_on", _("Écrivez le jour où cet extrait a été délivré."))
        )
    elif asked.extract_issued_on > on:
        found.append(Gap(Page.DOCUMENTS, "extract_issued_on", _("Cette date n’est pas encore passée.")))
    elif asked.extract_issued_on < oldest:
        found.append(
            Gap(
                Page.DOCUMENTS,
                "extract_issued_on",
                _("Cet extrait a plus de %(count)s mois : joignez-en un délivré depuis le %(day)s.")
                % {"count": rules.admission_extract_months, "day": french.short_day(oldest)},
            )
        )
    return found
