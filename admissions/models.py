"""Requests to join and measures against organisations: what was said, what happened, what runs out when.

The steps are append-only and tell the truth; `state` follows them by trigger and cannot be written by
hand, as for dossiers (docs/adr/0002-state-follows-transitions.md).
"""

import uuid
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.validators import check_postal_code, check_siret
from admissions.states import (
    MEASURE_MOVES,
    MEASURE_VERB_WORDS,
    MOVES,
    OPEN_MEASURES,
    VERB_WORDS,
    MeasureState,
    Move,
    Side,
    State,
    known_pairs,
)
from catalog.models import Offer
from ui import french
from ui.documents import drawn_path, private_storage

FOLDER = "admissions"


def drawn_name(document: "Document", name: str) -> str:
    return drawn_path(FOLDER)


def _known_moves(moves: dict[str, Move], name: str) -> models.CheckConstraint:
    """A pair that old rows used must stay known for ever."""
    pairs = (models.Q(verb=verb, from_state=a, to_state=b) for verb, a, b in known_pairs(moves))
    return models.CheckConstraint(condition=reduce(or_, pairs), name=name)


def _state_follows_steps(name: str, first: str) -> list[pgtrigger.Trigger]:
    """Depth 1 is a statement of ours; depth 2 is the trigger of the step."""
    return [
        pgtrigger.Trigger(
            name=f"{name}_state_follows_steps",
            operation=pgtrigger.UpdateOf("state"),
            when=pgtrigger.Before,
            condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
            func=f"""
                IF pg_trigger_depth() < 2 THEN
                    RAISE EXCEPTION '{name}_state_follows_steps: insert a step';
                END IF;
                RETURN NEW;
            """,
        ),
        pgtrigger.Trigger(
            name=f"{name}_starts_at_the_start",
            operation=pgtrigger.Insert,
            when=pgtrigger.Before,
            condition=~pgtrigger.Q(new__state=first),
            func=f"RAISE EXCEPTION '{name}_starts_at_the_start';",
        ),
    ]


def _step_moves(name: str, table: str, column: str) -> list[pgtrigger.Trigger]:
    return [
        pgtrigger.Protect(
            name=f"{name}_step_is_never_changed", operation=pgtrigger.Update | pgtrigger.Delete
        ),
        pgtrigger.Trigger(
            name=f"step_moves_its_{name}",
            level=pgtrigger.Row,
            operation=pgtrigger.Insert,
            when=pgtrigger.After,
            func=f"""
                UPDATE {table} SET state = NEW.to_state WHERE id = NEW.{column} AND state = NEW.from_state;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'step_moves_its_{name}: it has moved on';
                END IF;
                RETURN NULL;
            """,  # noqa: S608 - the names are ours
        ),
    ]


class JoinRequest(models.Model):
    """An organisation asks to be listed. One person writes it; every page is kept as it is filled."""

    class OtherKind(models.TextChoices):
        """What has no number in a register: the names of `Offer.Kind`."""

        SKILLS_REVIEW = Offer.Kind.SKILLS_REVIEW.value, Offer.Kind.SKILLS_REVIEW.label
        VAE = Offer.Kind.VAE.value, Offer.Kind.VAE.label
        BUSINESS_CREATION = Offer.Kind.BUSINESS_CREATION.value, Offer.Kind.BUSINESS_CREATION.label
        LICENCE_LIGHT = Offer.Kind.LICENCE_LIGHT.value, Offer.Kind.LICENCE_LIGHT.label
        LICENCE_HEAVY = Offer.Kind.LICENCE_HEAVY.value, Offer.Kind.LICENCE_HEAVY.label
        VOLUNTEER_TRAINING = Offer.Kind.VOLUNTEER_TRAINING.value, Offer.Kind.VOLUNTEER_TRAINING.label

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(
        _("numéro"), max_length=12, unique=True, help_text=_("Celui qu’on dicte au téléphone.")
    )
    author = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="join_requests", verbose_name=_("demandeur")
    )
    state = models.CharField(_("état"), max_length=20, choices=State, default=State.DRAFT, editable=False)

    # The organisation
    siret = models.CharField(_("SIRET"), max_length=14, validators=[check_siret], db_index=True)
    name = models.CharField(_("nom de l’organisme"), max_length=255, blank=True)
    address = models.CharField(_("adresse"), max_length=255, blank=True)
    postal_code = models.CharField(_("code postal"), max_length=5, blank=True, validators=[check_postal_code])
    town_name = models.CharField(_("commune"), max_length=100, blank=True)
    email = models.EmailField(_("e-mail de l’organisme"), blank=True)
    phone = models.CharField(_("téléphone"), max_length=20, blank=True)
    # Its declaration
    activity_number = models.CharField(_("numéro de déclaration d’activité"), max_length=11, blank=True)
    has_no_report = models.BooleanField(_("pas encore de bilan à rendre"), default=False)
    last_report_on = models.DateField(_("dernier bilan pédagogique et financier"), null=True, blank=True)
    # Qualiopi
    qualiopi_training = models.BooleanField(_("Qualiopi : actions de formation"), default=False)
    qualiopi_skills_review = models.BooleanField(_("Qualiopi : bilans de compétences"), default=False)
    qualiopi_vae = models.BooleanField(_("Qualiopi : VAE"), default=False)
    qualiopi_apprenticeship = models.BooleanField(_("Qualiopi : apprentissage"), default=False)
    certificate_number = models.CharField(_("numéro du certificat"), max_length=60, blank=True)
    certifier = models.CharField(_("organisme certificateur"), max_length=150, blank=True)
    certified_from = models.DateField(_("certificat valable depuis"), null=True, blank=True)
    certified_until = models.DateField(_("certificat valable jusqu’au"), null=True, blank=True)
    # What it wants to offer
    certification_codes = ArrayField(
        models.CharField(max_length=12), verbose_name=_("certifications"), default=list, blank=True
    )
    other_kinds = ArrayField(
        models.CharField(max_length=30, choices=OtherKind),
        verbose_name=_("autres actions"),
        default=list,
        blank=True,
    )
    school_approval = models.CharField(_("agrément d’école de conduite"), max_length=60, blank=True)
    # Who answers for it
    manager_name = models.CharField(_("personne responsable"), max_length=150, blank=True)
    manager_position = models.CharField(_("fonction"), max_length=100, blank=True)
    is_legal_representative = models.BooleanField(_("représentant légal"), null=True, blank=True)
    has_no_conviction = models.BooleanField(_("déclaration de non-condamnation"), default=False)
    extract_issued_on = models.DateField(_("extrait Kbis délivré le"), null=True, blank=True)

    # Frozen when it is sent: first instants that are too late
    sent_at = models.DateTimeField(_("envoyée le"), null=True, blank=True)
    receivable_due_at = models.DateTimeField(_("recevabilité, échéance"), null=True, blank=True)
    decision_due_at = models.DateTimeField(_("décision, échéance"), null=True, blank=True)

    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="join_requests",
        verbose_name=_("organisation créée"),
    )
    created_at = models.DateTimeField(_("créée le"))
    creation_request_id = models.UUIDField(
        _("demande de création"), unique=True, help_text=_("Un double clic ne crée qu’une demande.")
    )
    touched_at = models.DateTimeField(_("dernière modification"))
    reminded_at = models.DateTimeField(_("rappel envoyé le"), null=True, blank=True)
    lateness_told_at = models.DateTimeField(_("retard signalé le"), null=True, blank=True)

    class Meta:
        verbose_name = _("demande de référencement")
        verbose_name_plural = _("demandes de référencement")
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(siret__regex=r"^\d{14}$"), name="join_request_siret_has_14_digits"
            ),
            models.CheckConstraint(
                condition=models.Q(activity_number="") | models.Q(activity_number__regex=r"^\d{11}$"),
                name="join_request_activity_number_has_11_digits",
            ),
            models.CheckConstraint(
                condition=models.Q(state="draft") | models.Q(sent_at__isnull=False),
                name="join_request_is_sent_at_some_moment",
            ),
        ]
        indexes = [models.Index(fields=["state", "sent_at"], name="join_request_by_state")]
        triggers = [
            *_state_follows_steps("join_request", "draft"),
            pgtrigger.ReadOnly(name="join_request_keeps_its_author", fields=["number", "author"]),
        ]

    def __str__(self):
        return f"{self.number} · {self.name or self.siret}"

    @property
    def due_at(self):
        """The first instant too late for the administration's next word; None when it is not its turn."""
        return {State.SENT: self.receivable_due_at, State.RECEIVABLE: self.decision_due_at}.get(self.state)

    @property
    def qualiopi_kinds(self) -> frozenset[str]:
        kinds = ("training", "skills_review", "vae", "apprenticeship")
        return frozenset(kind for kind in kinds if getattr(self, f"qualiopi_{kind}"))


class Step(models.Model):
    """One move. Inserting it moves what it is about; it is never changed. `words`: told to the other side."""

    verb_words: ClassVar[Mapping[str, str]]

    verb = models.CharField(_("verbe"), max_length=20)
    from_state = models.CharField(_("de"), max_length=20)
    to_state = models.CharField(_("vers"), max_length=20)
    side = models.CharField(_("par"), max_length=15, choices=Side)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("personne")
    )
    at = models.DateTimeField(_("le"))
    request_id = models.UUIDField(_("demande"))
    words = models.TextField(_("texte"), blank=True)
    details = models.JSONField(_("détails"), default=dict, blank=True)

    class Meta:
        abstract = True

    def __str__(self):
        return f"{self.verb_words[self.verb]} · {french.moment(self.at)}"


class JoinStep(Step):
    """A move of a request. `details`: what was sent, word for word; what was asked; the motives."""

    verb_words = VERB_WORDS
    join_request = models.ForeignKey(
        "admissions.JoinRequest", on_delete=models.PROTECT, related_name="steps", verbose_name=_("demande")
    )

    class Meta:
        verbose_name = _("étape d’une demande")
        verbose_name_plural = _("étapes de demandes")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["join_request", "request_id"], name="join_step_happens_once_per_request"
            ),
            _known_moves(MOVES, "join_step_is_a_known_move"),
        ]
        triggers = _step_moves("join_request", "admissions_joinrequest", "join_request_id")


class Document(models.Model):
    """A file of a request. Real types and sizes are judged by ui.documents."""

    class Kind(models.TextChoices):
        EXTRACT = "extract", _("Extrait Kbis, ou récépissé de déclaration d’une association")
        QUALIOPI = "qualiopi", _("Certificat Qualiopi")
        IDENTITY = "identity", _("Pièce d’identité de la personne responsable")
        DELEGATION = "delegation", _("Délégation de pouvoir du représentant légal")
        APPROVAL = "approval", _("Agrément d’école de conduite")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    join_request = models.ForeignKey(
        "admissions.JoinRequest",
        on_delete=models.PROTECT,
        related_name="documents",
        verbose_name=_("demande"),
    )
    kind = models.CharField(_("nature"), max_length=15, choices=Kind)
    file = models.FileField(_("fichier"), upload_to=drawn_name, storage=private_storage, max_length=100)
    file_name = models.CharField(_("nom du fichier"), max_length=100)
    content_type = models.CharField(_("type"), max_length=20)
    size = models.PositiveIntegerField(_("taille en octets"))
    digest = models.CharField(_("empreinte"), max_length=64)
    added_at = models.DateTimeField(_("ajouté le"))

    class Meta:
        verbose_name = _("pièce d’une demande")
        verbose_name_plural = _("pièces de demandes")
        ordering = ["kind", "added_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["join_request", "kind", "digest"], name="document_is_added_once_per_kind"
            )
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.file_name}"


class Measure(models.Model):
    """A warning, or a suspension from its announcement to its end."""

    provider = models.ForeignKey(
        "catalog.Provider", on_delete=models.PROTECT, related_name="measures", verbose_name=_("organisme")
    )
    state = models.CharField(
        _("état"), max_length=20, choices=MeasureState, default=MeasureState.NEW, editable=False
    )
    is_urgent = models.BooleanField(_("urgente"), default=False)
    reason = models.TextField(_("motifs"))
    opened_at = models.DateTimeField(_("ouverte le"))
    answer_due_at = models.DateTimeField(
        _("réponse, échéance"), null=True, blank=True, help_text=_("Premier instant trop tardif.")
    )
    ends_on = models.DateField(
        _("dernier jour de la suspension"), null=True, blank=True, help_text=_("Vide : sans date de fin.")
    )

    class Meta:
        verbose_name = _("mesure")
        verbose_name_plural = _("mesures")
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(state__in=OPEN_MEASURES),
                name="measure_of_suspension_is_one_at_a_time",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="measure_says_why"),
        ]
        triggers = [
            *_state_follows_steps("measure", "new"),
            pgtrigger.ReadOnly(name="measure_keeps_its_words", fields=["provider", "reason", "opened_at"]),
        ]

    def __str__(self):
        return f"{self.get_state_display()} · {self.provider}"


class MeasureStep(Step):
    """A move of a measure: what one side wrote to the other."""

    verb_words = MEASURE_VERB_WORDS
    measure = models.ForeignKey(
        "admissions.Measure", on_delete=models.PROTECT, related_name="steps", verbose_name=_("mesure")
    )

    class Meta:
        verbose_name = _("étape d’une mesure")
        verbose_name_plural = _("étapes de mesures")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["measure", "request_id"], name="measure_step_happens_once_per_request"
            ),
            _known_moves(MEASURE_MOVES, "measure_step_is_a_known_move"),
        ]
        triggers = _step_moves("measure", "admissions_measure", "measure_id")
