"""The ledger: pockets and the movements between them.

Units: integers of the smallest unit of the pocket, euro cents or whole hours, never mixed.
Signs: amounts are positive; a movement takes its amount out of `source` into `target`.
Balances are written by the database alone, from inserted movements; world pockets (the
State, a card, what is forfeited) keep no balance, so they are never a hot row.
"""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Unit(models.TextChoices):
    EUR_CENT = "eur_cent", _("centime d'euro")
    HOUR = "hour", _("heure")


class Pocket(models.Model):
    """A place where value can be."""

    class Kind(models.TextChoices):
        # What a holder owns
        ANNUAL = "annual", _("Droits annuels")
        INCREASE = "increase", _("Majoration")
        DIF = "dif", _("Droits issus du DIF")
        VOLUNTEER = "volunteer", _("Engagement citoyen (CEC)")
        CREDIT = "credit", _("Avoir")
        DOTATION = "dotation", _("Dotation")
        PROFESSIONAL_RISK = "professional_risk", _("Compte de prévention (C2P)")
        TOP_UP = "top_up", _("Abondement")
        # Where a dossier's money waits
        RESERVED = "reserved", _("Réservé pour une formation")
        # The outside world
        STATE = "state", _("État")
        FUNDER = "funder", _("Financeur")
        CARD = "card", _("Paiement du titulaire")
        FORFEITED = "forfeited", _("Droits perdus")

    HOLDER_KINDS = (
        Kind.ANNUAL,
        Kind.INCREASE,
        Kind.DIF,
        Kind.VOLUNTEER,
        Kind.CREDIT,
        Kind.DOTATION,
        Kind.PROFESSIONAL_RISK,
        Kind.TOP_UP,
    )
    WORLD_KINDS = (Kind.STATE, Kind.FUNDER, Kind.CARD, Kind.FORFEITED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("nature"), max_length=30, choices=Kind)
    unit = models.CharField(_("unité"), max_length=10, choices=Unit, default=Unit.EUR_CENT)
    holder = models.ForeignKey(
        "accounts.HolderProfile",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="pockets",
        verbose_name=_("titulaire"),
    )
    label = models.CharField(
        _("précision"), max_length=120, blank=True, help_text=_("Par exemple le financeur d'une dotation.")
    )
    expires_on = models.DateField(_("à utiliser jusqu'au"), null=True, blank=True)
    balance = models.BigIntegerField(_("solde"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("poche")
        verbose_name_plural = _("poches")
        ordering = ["kind", "id"]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.holder or _('monde extérieur')}"


class Movement(models.Model):
    """An amount taken from one pocket to another. Append-only: a mistake is reversed, never edited."""

    class Kind(models.TextChoices):
        CREDIT = "credit", _("Crédit de droits")
        RESERVE = "reserve", _("Réservation")
        PAYMENT = "payment", _("Paiement du titulaire")
        RELEASE = "release", _("Retour")
        REFUND = "refund", _("Remboursement")
        REVERSAL = "reversal", _("Correction")

    source = models.ForeignKey(
        "rights.Pocket", on_delete=models.PROTECT, related_name="movements_out", verbose_name=_("de")
    )
    target = models.ForeignKey(
        "rights.Pocket", on_delete=models.PROTECT, related_name="movements_in", verbose_name=_("vers")
    )
    amount = models.BigIntegerField(_("montant"))
    kind = models.CharField(_("nature"), max_length=20, choices=Kind)
    key = models.CharField(
        _("clé"), max_length=200, unique=True, help_text=_("La même clé ne passe qu'une fois.")
    )
    reason = models.CharField(_("motif"), max_length=500, blank=True)
    formula = models.JSONField(
        _("calcul"), default=dict, blank=True, help_text=_("Les valeurs qui expliquent le montant.")
    )
    reverses = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reversed_by",
        verbose_name=_("corrige"),
    )
    value_date = models.DateField(_("date de valeur"))
    recorded_at = models.DateTimeField(_("enregistré le"))
    recorded_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("par")
    )

    class Meta:
        verbose_name = _("mouvement")
        verbose_name_plural = _("mouvements")
        ordering = ["-id"]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.amount}"
