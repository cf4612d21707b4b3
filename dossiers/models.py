"""Registration dossiers: what was asked, what was agreed, what happened, what runs out when.

`Transition` is append-only and tells the truth; `Dossier.state` follows it by trigger and
cannot be written by hand.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.actors import Role
from dossiers.payment_models import BankTransfer as BankTransfer
from dossiers.payment_models import CardPayment as CardPayment
from dossiers.payment_models import PaymentEvent as PaymentEvent
from dossiers.payment_models import Refund as Refund
from dossiers.review_models import ProviderFigures as ProviderFigures
from dossiers.review_models import Review as Review
from dossiers.review_models import ReviewReport as ReviewReport
from dossiers.review_models import ReviewText as ReviewText
from dossiers.states import (
    VERB_WORDS,
    ClaimState,
    ClockKind,
    CompletionCause,
    ExitReason,
    State,
    known_pairs,
)
from ui import french
from ui.documents import drawn_path, private_storage

EVIDENCE_FOLDER = "dossiers"


def evidence_path(evidence: "Evidence", name: str) -> str:
    return drawn_path(EVIDENCE_FOLDER)


@dataclass(frozen=True, slots=True)
class Past:
    """`requests`: the verb of each request. `asked`: as in `terms`, once it was sent. `due`: of each running
    clock. `last_round`: of its funding lines, 0 when there is none."""

    requests: Mapping[UUID, str]
    asked: Mapping[str, Any]
    due: Mapping[str, datetime]
    last_round: int


class Dossier(models.Model):
    """A holder's registration for a session of an offer."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(
        _("numéro"), max_length=12, unique=True, help_text=_("Celui qu’on dicte au téléphone.")
    )
    holder = models.ForeignKey(
        "accounts.HolderProfile",
        on_delete=models.PROTECT,
        related_name="dossiers",
        verbose_name=_("titulaire"),
    )
    provider = models.ForeignKey(
        "catalog.Provider", on_delete=models.PROTECT, related_name="dossiers", verbose_name=_("organisme")
    )
    offer = models.ForeignKey(
        "catalog.Offer", on_delete=models.PROTECT, related_name="dossiers", verbose_name=_("offre")
    )
    session = models.ForeignKey(
        "catalog.Session", on_delete=models.PROTECT, related_name="dossiers", verbose_name=_("session")
    )
    state = models.CharField(_("état"), max_length=30, choices=State, default=State.DRAFT, editable=False)

    # What the holder asks for
    project = models.TextField(_("projet"), blank=True, help_text=_("Pourquoi cette formation."))
    wished_start = models.DateField(_("début souhaité"), null=True, blank=True)
    contact_email = models.EmailField(_("e-mail de contact"), blank=True)
    contact_phone = models.CharField(_("téléphone de contact"), max_length=20, blank=True)
    asked_price_cents = models.PositiveBigIntegerField(_("prix affiché"))
    terms_version = models.CharField(_("version des conditions"), max_length=20, blank=True)

    # What the organisation proposes, frozen at the proposal
    price_cents = models.PositiveBigIntegerField(_("prix proposé"), null=True, blank=True)
    starts_on = models.DateField(_("début"), null=True, blank=True)
    ends_on = models.DateField(_("fin"), null=True, blank=True)
    change_reason = models.TextField(_("pourquoi ces changements"), blank=True)

    # Frozen at confirmation
    free_until = models.DateTimeField(
        _("sans frais jusqu’au"), null=True, blank=True, help_text=_("Premier instant trop tardif.")
    )

    # Declared by the organisation, once it has happened
    entered_on = models.DateField(_("premier jour suivi"), null=True, blank=True)
    exited_on = models.DateField(_("dernier jour suivi"), null=True, blank=True)
    exit_reason = models.CharField(_("motif de sortie"), max_length=20, choices=ExitReason, blank=True)

    silent_party = models.CharField(
        _("resté sans répondre"),
        max_length=10,
        choices=Role,
        blank=True,
        help_text=_("Pour un dossier sans suite."),
    )

    created_at = models.DateTimeField(_("créé le"))
    creation_request_id = models.UUIDField(
        _("demande de création"), unique=True, help_text=_("Un double clic ne crée qu’un dossier.")
    )
    removed_from_list_at = models.DateTimeField(_("retiré de la liste le"), null=True, blank=True)
    review_invited_at = models.DateTimeField(
        _("invité à donner un avis le"), null=True, blank=True, help_text=_("Une fois, après la fin.")
    )

    # What has happened to it, as read under its lock; None: not read, or something has happened since.
    past: "Past | None" = None

    class Meta:
        verbose_name = _("dossier")
        verbose_name_plural = _("dossiers")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["holder", "-created_at"], name="dossier_by_holder"),
            models.Index(fields=["provider", "state"], name="dossier_by_provider_and_state"),
            models.Index(fields=["offer", "state"], name="dossier_by_offer_and_state"),
            models.Index(
                fields=["exited_on"],
                name="dossier_to_invite_to_review",
                condition=models.Q(review_invited_at__isnull=True, exited_on__isnull=False),
            ),
        ]
        triggers = [
            # Depth 1 is a statement of ours; depth 2 is the trigger of `Transition` below.
            pgtrigger.Trigger(
                name="dossier_state_follows_transitions",
                operation=pgtrigger.UpdateOf("state"),
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
                func="""
                    IF pg_trigger_depth() < 2 THEN
                        RAISE EXCEPTION 'dossier_state_follows_transitions: insert a Transition';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="dossier_starts_as_a_draft",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=~pgtrigger.Q(new__state="draft"),
                func="RAISE EXCEPTION 'dossier_starts_as_a_draft';",
            ),
            pgtrigger.ReadOnly(
                name="dossier_keeps_its_parties", fields=["number", "holder", "provider", "offer"]
            ),
            pgtrigger.Trigger(
                name="dossier_changes_session_when_postponed",
                operation=pgtrigger.UpdateOf("session_id"),
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__session__df=pgtrigger.F("new__session")),
                func="""
                    IF OLD.state <> 'postponed' OR NOT EXISTS (
                        SELECT FROM dossiers_postponement AS proposed
                        JOIN catalog_session AS session ON session.id = proposed.session_id
                        WHERE proposed.dossier_id = NEW.id AND proposed.session_id = NEW.session_id
                            AND session.offer_id = NEW.offer_id
                    ) THEN
                        RAISE EXCEPTION 'dossier_changes_session_when_postponed: only to one proposed';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self):
        return self.number

    @property
    def current_price_cents(self) -> int:
        """As things stand: the offer's price while a draft, then the price asked, then the one proposed."""
        if self.state == State.DRAFT:
            return self.offer.price_cents
        return self.asked_price_cents if self.price_cents is None else self.price_cents


class Transition(models.Model):
    """One move of one dossier. Inserting it moves the dossier; it is never changed."""

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="transitions", verbose_name=_("dossier")
    )
    verb = models.CharField(_("verbe"), max_length=20)
    from_state = models.CharField(_("de"), max_length=30, choices=State)
    to_state = models.CharField(_("vers"), max_length=30, choices=State)
    role = models.CharField(_("en tant que"), max_length=10, choices=Role)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True)
    at = models.DateTimeField(_("le"))
    request_id = models.UUIDField(_("demande"))
    # For programs: the clock that was missed, the code of what closed, "withdrawal". People read `reason`.
    cause = models.CharField(_("cause"), max_length=30, blank=True)
    reason = models.TextField(_("motif"), blank=True)
    details = models.JSONField(_("détails"), default=dict, blank=True)

    class Meta:
        verbose_name = _("mouvement de dossier")
        verbose_name_plural = _("mouvements de dossier")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dossier", "request_id"], name="transition_happens_once_per_request"
            ),
            models.CheckConstraint(
                # From MOVES. A pair that old rows used must stay known for ever.
                condition=reduce(
                    or_,
                    (
                        models.Q(verb=verb, from_state=source, to_state=target)
                        for verb, source, target in known_pairs()
                    ),
                ),
                name="transition_is_a_known_move",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="transition_is_never_changed", operation=pgtrigger.Update | pgtrigger.Delete
            ),
            # A statement trigger: the sweep inserts thousands of transitions at once.
            pgtrigger.Trigger(
                name="transition_moves_its_dossier",
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                referencing=pgtrigger.Referencing(new="new_rows"),
                declare=[("moved", "bigint"), ("expected", "bigint")],
                func="""
                    SELECT count(*) INTO expected FROM new_rows;
                    UPDATE dossiers_dossier AS dossier SET state = new_rows.to_state
                        FROM new_rows
                        WHERE dossier.id = new_rows.dossier_id AND dossier.state = new_rows.from_state;
                    GET DIAGNOSTICS moved = ROW_COUNT;
                    IF moved <> expected THEN
                        RAISE EXCEPTION 'transition_moves_its_dossier: the dossier has moved on';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self):
        return f"{self.words} · {french.moment(self.at)}"

    @property
    def words(self) -> str:
        return str(VERB_WORDS[self.verb])


class Deadline(models.Model):
    """A clock: opened by a move, frozen, met, missed or moot."""

    class Outcome(models.TextChoices):
        MET = "met", _("Respecté")
        MISSED = "missed", _("Dépassé")
        MOOT = "moot", _("Sans objet")

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="deadlines", verbose_name=_("dossier")
    )
    kind = models.CharField(_("nature"), max_length=20, choices=ClockKind)
    opened_at = models.DateTimeField(_("ouvert le"))
    last_day = models.DateField(_("dernier jour"))
    due_at = models.DateTimeField(_("échéance"), help_text=_("Premier instant trop tardif."))
    skipped = models.JSONField(_("jours non comptés"), default=list)
    closed_at = models.DateTimeField(_("fermé le"), null=True, blank=True)
    outcome = models.CharField(_("issue"), max_length=10, choices=Outcome, blank=True)
    next_reminder_at = models.DateTimeField(_("prochain rappel"), null=True, blank=True)
    opened_by_relief = models.ForeignKey(
        "dossiers.Relief",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="opened_deadlines",
        verbose_name=_("ouvert par une remise de délai"),
    )

    class Meta:
        verbose_name = _("délai")
        verbose_name_plural = _("délais")
        ordering = ["due_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dossier", "kind"],
                condition=models.Q(closed_at__isnull=True),
                name="deadline_of_a_kind_runs_once_per_dossier",
            ),
            models.CheckConstraint(
                condition=models.Q(closed_at__isnull=True, outcome="")
                | (models.Q(closed_at__isnull=False) & ~models.Q(outcome="")),
                name="deadline_closes_with_an_outcome",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="deadline_running", condition=models.Q(closed_at__isnull=True)
            ),
            models.Index(
                fields=["next_reminder_at"],
                name="deadline_to_remind",
                condition=models.Q(closed_at__isnull=True, next_reminder_at__isnull=False),
            ),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {french.last_minute(self.due_at)}"


class FundingLine(models.Model):
    """One line of how a dossier is paid: from which purse, how much, why. Written at acceptance."""

    class Kind(models.TextChoices):
        PURSE = "purse", _("Droits")
        PAYMENT = "payment", _("Payé par le titulaire")

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="funding_lines", verbose_name=_("dossier")
    )
    round = models.PositiveSmallIntegerField(
        _("tour"), default=1, help_text=_("Un dossier rétabli réserve à nouveau : tour suivant.")
    )
    position = models.PositiveSmallIntegerField(_("ordre"))
    kind = models.CharField(_("nature"), max_length=10, choices=Kind)
    source = models.ForeignKey(
        "rights.Pocket",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("poche d’origine"),
        help_text=_("Vide pour ce que paie le titulaire."),
    )
    reserved = models.ForeignKey(
        "rights.Pocket",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("poche réservée"),
    )
    spent = models.ForeignKey(
        "rights.Pocket",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("poche débitée"),
        help_text=_("Depuis l’entrée en formation."),
    )
    amount_cents = models.PositiveBigIntegerField(_("montant"))
    reason = models.CharField(_("explication"), max_length=255)

    class Meta:
        verbose_name = _("ligne de financement")
        verbose_name_plural = _("lignes de financement")
        ordering = ["dossier", "round", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["dossier", "round", "position"], name="funding_line_has_its_place"
            )
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {french.euros(self.amount_cents)}"


class Payment(models.Model):
    """One try at paying what is left: confirmed or refused by the bank."""

    class Outcome(models.TextChoices):
        CONFIRMED = "confirmed", _("Reçu")
        REFUSED = "refused", _("Refusé")

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="payments", verbose_name=_("dossier")
    )
    reference = models.CharField(
        _("référence"),
        max_length=100,
        unique=True,
        help_text=_("Celle de la banque : une référence ne sert qu’une fois."),
    )
    amount_cents = models.PositiveBigIntegerField(_("montant"))
    outcome = models.CharField(_("issue"), max_length=10, choices=Outcome)
    reason = models.CharField(_("motif"), max_length=255, blank=True)
    at = models.DateTimeField(_("le"))

    class Meta:
        verbose_name = _("paiement")
        verbose_name_plural = _("paiements")
        ordering = ["-at", "-id"]

    def __str__(self):
        return f"{self.reference} · {self.get_outcome_display()}"


class Claim(models.Model):
    """Force majeure that a holder says kept them away: proved, decided by an agent, with a reason.

    The money of its dossier waits for the decision. A dossier can go through one claim only.
    """

    dossier = models.OneToOneField(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="claim", verbose_name=_("dossier")
    )
    words = models.TextField(_("ce qui est arrivé"))
    made_at = models.DateTimeField(_("invoquée le"))
    state = models.CharField(_("état"), max_length=10, choices=ClaimState, default=ClaimState.OPEN)
    decided_at = models.DateTimeField(_("décidée le"), null=True, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("décidée par"),
    )
    reason = models.TextField(_("motif de la décision"), blank=True)

    class Meta:
        verbose_name = _("force majeure")
        verbose_name_plural = _("forces majeures")
        ordering = ["-made_at", "-id"]
        permissions = [("decide_claim", _("Peut décider d’une force majeure"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state=ClaimState.OPEN, decided_at__isnull=True, reason="")
                | (
                    ~models.Q(state=ClaimState.OPEN)
                    & models.Q(decided_at__isnull=False)
                    & ~models.Q(reason="")
                ),
                name="claim_is_decided_with_a_reason",
            )
        ]

    def __str__(self):
        return f"{self.dossier.number} · {self.get_state_display()}"


class Completion(models.Model):
    """What an organisation says was done of a training. A correction is another row; the last one holds."""

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="completions", verbose_name=_("dossier")
    )
    version = models.PositiveSmallIntegerField(_("version"))
    total_minutes = models.PositiveIntegerField(_("durée prévue, en minutes"))
    done_minutes = models.PositiveIntegerField(_("durée suivie, en minutes"))
    rate = models.PositiveSmallIntegerField(_("taux de réalisation"))
    cause = models.CharField(_("cause"), max_length=30, choices=CompletionCause)
    force_majeure = models.BooleanField(_("force majeure"), default=False)
    words = models.TextField(_("explication"), blank=True)
    declared_at = models.DateTimeField(_("déclarée le"))
    declared_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("déclaré par"),
    )

    class Meta:
        verbose_name = _("service fait")
        verbose_name_plural = _("services faits")
        ordering = ["dossier", "version"]
        constraints = [
            models.UniqueConstraint(fields=["dossier", "version"], name="completion_has_its_version"),
            models.CheckConstraint(
                condition=models.Q(total_minutes__gt=0, done_minutes__lte=models.F("total_minutes")),
                name="completion_never_exceeds_the_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(rate=100, cause=CompletionCause.COMPLETE, force_majeure=False)
                | (models.Q(rate__lt=100) & ~models.Q(cause=CompletionCause.COMPLETE)),
                name="completion_of_less_than_the_whole_has_a_cause",
            ),
            models.CheckConstraint(
                condition=models.Q(force_majeure=False) | models.Q(cause=CompletionCause.LEFT),
                name="completion_excuses_only_who_left",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="completion_is_never_changed", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self):
        return f"{self.rate} % · {self.get_cause_display()}"


class Postponement(models.Model):
    """Other dates that an organisation proposes for a confirmed registration. Of a postponed dossier, the
    last one waits for its holder; what became of it is told by the transitions.

    `session`: where the seat would be; its own dates, unless the days were agreed apart from them.
    """

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="postponements", verbose_name=_("dossier")
    )
    session = models.ForeignKey(
        "catalog.Session",
        on_delete=models.PROTECT,
        related_name="postponements",
        verbose_name=_("nouvelle session"),
    )
    starts_on = models.DateField(_("nouveau début"))
    ends_on = models.DateField(_("nouvelle fin"))
    was_starts_on = models.DateField(_("début d’avant"))
    was_ends_on = models.DateField(_("fin d’avant"))
    reason = models.TextField(_("pourquoi"))
    proposed_at = models.DateTimeField(_("proposé le"))

    class Meta:
        verbose_name = _("report proposé")
        verbose_name_plural = _("reports proposés")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_on__gte=models.F("starts_on")),
                name="postponement_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=~models.Q(starts_on=models.F("was_starts_on"), ends_on=models.F("was_ends_on")),
                name="postponement_changes_dates",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="postponement_says_why"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="postponement_is_never_changed", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self):
        return f"{self.dossier.number} · {french.short_day(self.starts_on)}"


class Evidence(models.Model):
    """A file that proves a force majeure; its content was judged by ui.documents. Seen by both sides of what
    they sent themselves, and by staff."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    claim = models.ForeignKey(
        "dossiers.Claim",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="evidence",
        verbose_name=_("force majeure"),
    )
    completion = models.ForeignKey(
        "dossiers.Completion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="evidence",
        verbose_name=_("service fait"),
    )
    file = models.FileField(_("fichier"), upload_to=evidence_path, storage=private_storage, max_length=100)
    file_name = models.CharField(_("nom du fichier"), max_length=100)
    content_type = models.CharField(_("type"), max_length=20)
    size = models.PositiveIntegerField(_("taille en octets"))
    digest = models.CharField(_("empreinte"), max_length=64)
    added_at = models.DateTimeField(_("ajouté le"))

    class Meta:
        verbose_name = _("justificatif d’un dossier")
        verbose_name_plural = _("justificatifs de dossiers")
        ordering = ["added_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(claim__isnull=False, completion__isnull=True)
                | models.Q(claim__isnull=True, completion__isnull=False),
                name="evidence_proves_one_thing",
            )
        ]

    def __str__(self):
        return self.file_name

    @property
    def dossier(self) -> "Dossier":
        return (self.claim or self.completion).dossier


class Control(models.Model):
    """A look at a declared completion before it is validated: asked by the holder or opened by an agent.

    While one is open nothing is validated by itself.
    """

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="controls", verbose_name=_("dossier")
    )
    words = models.TextField(_("pourquoi"))
    opened_at = models.DateTimeField(_("ouvert le"))
    opened_as = models.CharField(_("en tant que"), max_length=10, choices=Role)
    opened_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("ouvert par")
    )
    released_at = models.DateTimeField(_("levé le"), null=True, blank=True)
    released_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("levé par"),
    )
    outcome = models.TextField(_("conclusion"), blank=True)

    class Meta:
        verbose_name = _("contrôle de service fait")
        verbose_name_plural = _("contrôles de service fait")
        ordering = ["-opened_at", "-id"]
        permissions = [("control_completion", _("Peut contrôler un service fait"))]
        constraints = [
            models.UniqueConstraint(
                fields=["dossier"],
                condition=models.Q(released_at__isnull=True),
                name="control_is_open_once_per_dossier",
            ),
            models.CheckConstraint(
                condition=models.Q(released_at__isnull=True, outcome="")
                | (models.Q(released_at__isnull=False) & ~models.Q(outcome="")),
                name="control_is_released_with_its_outcome",
            ),
        ]

    def __str__(self):
        return f"{self.dossier.number} · {french.moment(self.opened_at)}"


class Relief(models.Model):
    """Time given back after an outage: proposed by one admin, confirmed by another."""

    class Kind(models.TextChoices):
        EXTEND = "extend", _("Prolonger des délais en cours")
        REINSTATE = "reinstate", _("Rétablir des dossiers sans suite")
        ANNUL_ENTRY = "annul_entry", _("Annuler des entrées déclarées par erreur")
        CALL_OFF = "call_off", _("Tout rendre : l’organisme ne peut plus agir, ou s’est trompé")

    kind = models.CharField(_("nature"), max_length=20, choices=Kind)
    dossiers = models.ManyToManyField("dossiers.Dossier", related_name="reliefs", verbose_name=_("dossiers"))
    extra_days = models.PositiveSmallIntegerField(
        _("jours ouvrés ajoutés"), default=0, help_text=_("Pour une prolongation.")
    )
    reason = models.TextField(_("raison"), help_text=_("Elle est dite aux personnes concernées."))
    proposed_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("proposé par")
    )
    proposed_at = models.DateTimeField(_("proposé le"))
    confirmed_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("confirmé par"),
    )
    confirmed_at = models.DateTimeField(_("confirmé le"), null=True, blank=True)
    report = models.JSONField(_("compte rendu"), default=dict, blank=True)

    class Meta:
        verbose_name = _("remise de délai")
        verbose_name_plural = _("remises de délai")
        ordering = ["-proposed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confirmed_by__isnull=True)
                | ~models.Q(confirmed_by=models.F("proposed_by")),
                name="relief_takes_two_persons",
                violation_error_message=_("Une autre personne que celle qui propose doit confirmer."),
            )
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {french.short_day(self.proposed_at)}"


class FirstSteps(models.Model):
    """What only its holder can say of their first steps; the others are computed (dossiers.first_steps)."""

    holder = models.OneToOneField(
        "accounts.HolderProfile",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="first_steps",
        verbose_name=_("titulaire"),
    )
    rights_seen_at = models.DateTimeField(_("solde regardé le"), null=True, blank=True)
    obligation_seen_at = models.DateTimeField(_("obligation d’emploi lue le"), null=True, blank=True)
    put_away_at = models.DateTimeField(_("rangés le"), null=True, blank=True)

    class Meta:
        verbose_name = _("premiers pas")
        verbose_name_plural = _("premiers pas")
        ordering = ["holder"]

    def __str__(self):
        return str(self.holder)


class CalendarFeed(models.Model):
    """The private address where a calendar program reads the dates of a person, in one of their roles.

    `organisation` empty: as a holder. A new `key` is a new address: the old one is dead. The address
    also carries a signature (dossiers.calendar), so that this table alone opens nothing.
    """

    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.CASCADE,
        related_name="calendar_feeds",
        verbose_name=_("personne"),
    )
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="calendar_feeds",
        verbose_name=_("organisation"),
    )
    key = models.UUIDField(_("clé"), unique=True, default=uuid.uuid4, editable=False)
    made_at = models.DateTimeField(_("faite le"))

    class Meta:
        verbose_name = _("adresse d’agenda")
        verbose_name_plural = _("adresses d’agenda")
        ordering = ["-made_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organisation"],
                nulls_distinct=False,
                name="calendar_feed_is_one_per_person_and_role",
            )
        ]

    def __str__(self):
        return f"{self.user} · {french.short_day(self.made_at)}"


class Message(models.Model):
    """What one side of a dossier wrote to the other (dossiers.messages). It is never changed.

    What the portal takes away stays here: `report` says so, and no side reads the words any more.
    """

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="thread", verbose_name=_("dossier")
    )
    role = models.CharField(_("en tant que"), max_length=10, choices=Role)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("personne")
    )
    words = models.TextField(_("message"))
    at = models.DateTimeField(_("le"))
    request_id = models.UUIDField(_("demande"), help_text=_("Un double clic n’envoie qu’un message."))

    class Meta:
        verbose_name = _("message d’un dossier")
        verbose_name_plural = _("messages des dossiers")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dossier", "request_id"], name="message_is_sent_once_per_request"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=[Role.HOLDER, Role.PROVIDER]), name="message_is_of_a_side"
            ),
            models.CheckConstraint(condition=~models.Q(words=""), name="message_says_something"),
        ]
        indexes = [
            models.Index(fields=["dossier", "id"], name="message_by_dossier"),
            models.Index(fields=["user", "-at"], name="message_by_author"),
        ]
        triggers = [
            pgtrigger.Protect(name="message_is_never_changed", operation=pgtrigger.Update | pgtrigger.Delete),
            # A draft is nobody's business but its holder's.
            pgtrigger.Trigger(
                name="message_follows_a_request",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func="""
                    IF (SELECT state FROM dossiers_dossier WHERE id = NEW.dossier_id) = 'draft' THEN
                        RAISE EXCEPTION 'message_follows_a_request: a draft has no thread';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self):
        return f"{self.get_role_display()} · {french.moment(self.at)}"


class ReadMark(models.Model):
    """How far one side of a dossier has read the other. Of a side, not of a person: a team shares its inbox.

    Moved when somebody answers, or says that they have read; never by opening a page (dossiers.messages).
    """

    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="read_marks", verbose_name=_("dossier")
    )
    role = models.CharField(_("en tant que"), max_length=10, choices=Role)
    read_until = models.ForeignKey(
        "dossiers.Message",
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("lu jusqu’au message"),
    )
    at = models.DateTimeField(_("le"))
    user = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("personne")
    )

    class Meta:
        verbose_name = _("repère de lecture")
        verbose_name_plural = _("repères de lecture")
        ordering = ["dossier", "role"]
        constraints = [
            models.UniqueConstraint(fields=["dossier", "role"], name="read_mark_is_one_per_side"),
            models.CheckConstraint(
                condition=models.Q(role__in=[Role.HOLDER, Role.PROVIDER]), name="read_mark_is_of_a_side"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="read_mark_never_goes_back",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func="""
                    IF NEW.read_until_id < OLD.read_until_id THEN
                        RAISE EXCEPTION 'read_mark_never_goes_back';
                    END IF;
                    RETURN NEW;
                """,
            )
        ]

    def __str__(self):
        return f"{self.dossier} · {self.get_role_display()}"


class MessageReport(models.Model):
    """« Signaler ce message »: what one side says of a message of the other, and what the portal decided.

    What was reported never changes; it is decided once.
    """

    class Motive(models.TextChoices):
        SCAM = "scam", _("Une arnaque, ou une demande de code, d’argent ou de papiers")
        ELSEWHERE = "elsewhere", _("On m’invite à continuer ailleurs que sur le portail")
        ABUSE = "abuse", _("Des insultes, des menaces ou du harcèlement")
        DISCRIMINATION = "discrimination", _("Des propos discriminatoires")
        PRIVATE = "private", _("Des informations personnelles sur moi ou sur quelqu’un d’autre")
        OTHER = "other", _("Autre chose, que j’explique")

    class Outcome(models.TextChoices):
        HIDDEN = "hidden", _("Retiré")
        KEPT = "kept", _("Laissé")

    message = models.OneToOneField(
        "dossiers.Message", on_delete=models.PROTECT, related_name="report", verbose_name=_("message")
    )
    role = models.CharField(_("en tant que"), max_length=10, choices=Role)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("signalé par")
    )
    motive = models.CharField(_("motif"), max_length=20, choices=Motive)
    words = models.TextField(_("explication"), blank=True)
    at = models.DateTimeField(_("signalé le"))
    request_id = models.UUIDField(_("demande"))
    outcome = models.CharField(_("décision"), max_length=10, choices=Outcome, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("décidé par"),
    )
    decided_at = models.DateTimeField(_("décidé le"), null=True, blank=True)
    decision_reason = models.TextField(_("raison de la décision"), blank=True)
    decision_request_id = models.UUIDField(_("demande de décision"), null=True, blank=True)

    class Meta:
        verbose_name = _("signalement de message")
        verbose_name_plural = _("signalements de messages")
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome="", decided_by__isnull=True, decided_at__isnull=True)
                | (
                    ~models.Q(outcome="")
                    & ~models.Q(decision_reason="")
                    & models.Q(decided_by__isnull=False, decided_at__isnull=False)
                ),
                name="message_report_is_decided_with_a_reason",
            )
        ]
        indexes = [models.Index(fields=["at"], name="message_report_waiting", condition=models.Q(outcome=""))]
        triggers = [
            pgtrigger.ReadOnly(
                name="message_report_keeps_what_was_said",
                fields=["message", "role", "user", "motive", "words", "at", "request_id"],
            ),
            pgtrigger.Protect(
                name="message_report_is_decided_once",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__outcome=""),
            ),
            pgtrigger.Protect(name="message_report_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="message_is_reported_by_the_other_side",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func="""
                    IF (SELECT role FROM dossiers_message WHERE id = NEW.message_id) = NEW.role THEN
                        RAISE EXCEPTION 'message_is_reported_by_the_other_side';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self):
        return f"{self.get_motive_display()} · {french.moment(self.at)}"


class Motive(models.TextChoices):
    """Why an organisation says no. Its label is told to the holder, before the organisation's own words."""

    FULL = "session_full", _("La session est complète.")
    CALLED_OFF = "session_called_off", _("La session n’aura pas lieu.")
    DATES = "dates", _("Les dates souhaitées ne sont pas possibles.")
    PREREQUISITES = "prerequisites", _("Les prérequis de la formation ne sont pas remplis.")
    UNSUITED = "unsuited", _("La formation ne correspond pas au projet décrit.")
    UNREACHABLE = "unreachable", _("Nous n’avons pas réussi à vous joindre.")
    DUPLICATE = "duplicate", _("Vous avez déjà une autre demande chez nous pour cette formation.")
    OTHER = "other", _("Une autre raison, que voici.")


class Batch(models.Model):
    """One answer given to many requests at once: prepared, looked at, confirmed, carried out line by line.

    Rules are in dossiers.bulk; each line goes through the same verb as an answer given alone.
    """

    class Answer(models.TextChoices):
        PROPOSE = "propose", _("Proposer ce qui est demandé")
        REFUSE = "refuse", _("Refuser")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        "catalog.Provider", on_delete=models.CASCADE, related_name="batches", verbose_name=_("organisme")
    )
    answer = models.CharField(_("réponse"), max_length=10, choices=Answer)
    motive = models.CharField(_("motif"), max_length=30, choices=Motive, blank=True)
    words = models.TextField(_("explication"), blank=True)
    lasting_days = models.PositiveSmallIntegerField(
        _("durée en jours"),
        null=True,
        blank=True,
        help_text=_("Pour les entrées à tout moment, dont la demande ne dit pas le dernier jour."),
    )
    prepared_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("préparée par")
    )
    prepared_at = models.DateTimeField(_("préparée le"))
    creation_request_id = models.UUIDField(
        _("demande de création"), unique=True, help_text=_("Un double clic ne prépare qu’une réponse.")
    )
    confirmed_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("confirmée par"),
    )
    confirmed_at = models.DateTimeField(_("confirmée le"), null=True, blank=True)
    finished_at = models.DateTimeField(_("terminée le"), null=True, blank=True)

    class Meta:
        verbose_name = _("réponse groupée")
        verbose_name_plural = _("réponses groupées")
        ordering = ["-prepared_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confirmed_by__isnull=True, confirmed_at__isnull=True)
                | models.Q(confirmed_by__isnull=False, confirmed_at__isnull=False),
                name="batch_is_confirmed_by_somebody",
            ),
            models.CheckConstraint(
                condition=models.Q(finished_at__isnull=True) | models.Q(confirmed_at__isnull=False),
                name="batch_finishes_once_confirmed",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-prepared_at"], name="batch_by_provider"),
            models.Index(
                fields=["confirmed_at"],
                name="batch_to_carry_out",
                condition=models.Q(confirmed_at__isnull=False, finished_at__isnull=True),
            ),
        ]

    def __str__(self):
        return f"{self.get_answer_display()} · {french.moment(self.prepared_at)}"


class BatchLine(models.Model):
    """One request of a batch: what was shown before the click, and what became of it."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("En attente")
        SET_ASIDE = "set_aside", _("Laissée de côté")
        DONE = "done", _("Faite")
        REFUSED = "refused", _("Impossible")

    batch = models.ForeignKey(
        "dossiers.Batch", on_delete=models.CASCADE, related_name="lines", verbose_name=_("réponse groupée")
    )
    position = models.PositiveSmallIntegerField(_("ordre"))
    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="batch_lines", verbose_name=_("dossier")
    )
    # Drawn by chance here, never by a browser: a second run of the line finds its first transition.
    request_id = models.UUIDField(_("demande"), default=uuid.uuid4, unique=True, editable=False)
    price_cents = models.PositiveBigIntegerField(_("prix"), null=True, blank=True)
    starts_on = models.DateField(_("début"), null=True, blank=True)
    ends_on = models.DateField(_("fin"), null=True, blank=True)
    holder_until = models.DateTimeField(
        _("le titulaire répond jusqu’au"), null=True, blank=True, help_text=_("Premier instant trop tardif.")
    )
    outcome = models.CharField(_("issue"), max_length=10, choices=Outcome, default=Outcome.WAITING)
    obstacle = models.TextField(_("pourquoi pas"), blank=True)
    done_at = models.DateTimeField(_("le"), null=True, blank=True)

    class Meta:
        verbose_name = _("ligne de réponse groupée")
        verbose_name_plural = _("lignes de réponse groupée")
        ordering = ["batch", "position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "dossier"], name="batch_holds_a_dossier_once"),
            models.UniqueConstraint(fields=["batch", "position"], name="batch_line_has_its_place"),
        ]

    def __str__(self):
        return f"{self.position} · {self.get_outcome_display()}"
