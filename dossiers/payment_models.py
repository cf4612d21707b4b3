"""What is known of money that a holder pays: tries by card, events of the card service, transfers, refunds.

Amounts are euro cents. No card number, ever: cards are typed at the service, which gives an id.
The ledger says where value is; these rows say what was asked of a bank, and what it answered.
"""

import uuid

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from ui import french


class CardPayment(models.Model):
    """One try at paying by card. Its id is the key that makes each request to the service count once."""

    class State(models.TextChoices):
        CREATED = "created", _("Commencé")
        PROCESSING = "processing", _("En cours à la banque")
        SUCCEEDED = "succeeded", _("Payé")
        FAILED = "failed", _("Refusé")
        ABANDONED = "abandoned", _("Abandonné")
        REFUND_DUE = "refund_due", _("À rembourser")
        REFUNDED = "refunded", _("Remboursé")

    LIVE = (State.CREATED, State.PROCESSING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dossier = models.ForeignKey(
        "dossiers.Dossier",
        on_delete=models.PROTECT,
        related_name="card_payments",
        verbose_name=_("dossier"),
    )
    round = models.PositiveSmallIntegerField(_("tour"))
    amount_cents = models.PositiveBigIntegerField(_("montant"))
    state = models.CharField(_("état"), max_length=12, choices=State, default=State.CREATED)
    request_id = models.UUIDField(
        _("demande"), unique=True, help_text=_("Un double clic ne paie qu’une fois.")
    )
    service_id = models.CharField(
        _("numéro au service de paiement"), max_length=100, null=True, blank=True, unique=True
    )
    service_customer = models.CharField(
        _("fiche au service de paiement"),
        max_length=100,
        blank=True,
        help_text=_("Effacée là-bas dès que l’essai est fini."),
    )
    received_cents = models.PositiveBigIntegerField(_("montant reçu"), null=True, blank=True)
    failure = models.CharField(_("motif du refus"), max_length=255, blank=True)
    trouble = models.CharField(
        _("à regarder"), max_length=255, blank=True, help_text=_("Pourquoi une personne doit décider.")
    )
    began_at = models.DateTimeField(_("commencé le"))
    asked_at = models.DateTimeField(_("dernière question à la banque"), null=True, blank=True)
    settled_at = models.DateTimeField(_("réglé le"), null=True, blank=True)

    class Meta:
        verbose_name = _("essai de paiement par carte")
        verbose_name_plural = _("essais de paiement par carte")
        ordering = ["-began_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dossier"],
                condition=models.Q(state__in=["created", "processing"]),
                name="card_payment_is_tried_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["succeeded", "refund_due", "refunded"])
                | models.Q(service_id__isnull=False, received_cents__isnull=False),
                name="card_payment_that_came_in_is_known_there",
            ),
        ]
        indexes = [
            models.Index(
                fields=["began_at"],
                name="card_payment_live",
                condition=models.Q(state__in=["created", "processing"]),
            ),
            models.Index(
                fields=["settled_at"],
                name="card_payment_to_forget",
                condition=~models.Q(service_customer=""),
            ),
        ]
        triggers = [
            # Money that came in is never said to have failed, however late or disordered the service's words.
            pgtrigger.FSM(
                name="card_payment_moves_forward",
                field="state",
                transitions=[
                    ("created", "processing"),
                    ("created", "failed"),
                    ("created", "abandoned"),
                    ("created", "succeeded"),
                    ("created", "refund_due"),
                    ("processing", "succeeded"),
                    ("processing", "failed"),
                    ("processing", "abandoned"),
                    ("processing", "refund_due"),
                    ("failed", "succeeded"),
                    ("failed", "refund_due"),
                    ("abandoned", "succeeded"),
                    ("abandoned", "refund_due"),
                    ("succeeded", "refund_due"),
                    ("refund_due", "refunded"),
                    ("refunded", "refund_due"),  # the bank gave the refund back
                ],
            ),
            pgtrigger.ReadOnly(
                name="card_payment_keeps_what_was_asked",
                fields=["dossier", "round", "amount_cents", "request_id", "began_at"],
            ),
            pgtrigger.Protect(name="card_payment_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{french.euros(self.amount_cents)} · {self.get_state_display()}"


class PaymentEvent(models.Model):
    """One event of the card service, kept as received (without anything of a card), handled once."""

    class Outcome(models.TextChoices):
        CONFIRMED = "confirmed", _("Paiement confirmé")
        REFUSED = "refused", _("Paiement refusé")
        TO_REFUND = "to_refund", _("À rembourser")
        ALREADY = "already", _("Déjà connu")
        IGNORED = "ignored", _("Sans effet")
        SET_ASIDE = "set_aside", _("À regarder")

    event_id = models.CharField(_("numéro"), max_length=100, unique=True)
    kind = models.CharField(_("nature"), max_length=80)
    subject = models.CharField(_("objet"), max_length=100, blank=True)
    payload = models.JSONField(_("contenu"), default=dict)
    created_at = models.DateTimeField(_("dit par le service le"))
    received_at = models.DateTimeField(_("reçu le"))
    times = models.PositiveIntegerField(_("fois reçu"), default=1)
    tries = models.PositiveSmallIntegerField(_("essais"), default=0)
    next_try_at = models.DateTimeField(_("prochain essai"))
    handled_at = models.DateTimeField(_("traité le"), null=True, blank=True)
    outcome = models.CharField(_("suite"), max_length=10, choices=Outcome, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    looked_at = models.DateTimeField(_("regardé le"), null=True, blank=True)
    looked_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("regardé par"),
    )

    class Meta:
        verbose_name = _("évènement de paiement")
        verbose_name_plural = _("évènements de paiement")
        ordering = ["-received_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(handled_at__isnull=True, outcome="")
                | (models.Q(handled_at__isnull=False) & ~models.Q(outcome="")),
                name="payment_event_is_handled_with_an_outcome",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="payment_event_to_handle",
                condition=models.Q(handled_at__isnull=True),
            )
        ]
        triggers = [
            pgtrigger.ReadOnly(
                name="payment_event_keeps_what_was_said",
                fields=["event_id", "kind", "subject", "payload", "created_at", "received_at"],
            ),
        ]

    def __str__(self):
        return f"{self.kind} · {self.event_id}"


class Refund(models.Model):
    """Money to send back to where it came from: written with the release, sent after the commit."""

    class Way(models.TextChoices):
        CARD = "card", _("Sur la carte")
        TRANSFER = "transfer", _("Par virement")

    class State(models.TextChoices):
        DUE = "due", _("Demandé")
        SENT = "sent", _("Envoyé")
        STUCK = "stuck", _("Bloqué")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(
        _("clé"), max_length=100, unique=True, help_text=_("Un même évènement ne rembourse qu’une fois.")
    )
    dossier = models.ForeignKey(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="refunds", verbose_name=_("dossier")
    )
    way = models.CharField(_("chemin"), max_length=10, choices=Way)
    card_payment = models.ForeignKey(
        "dossiers.CardPayment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds",
        verbose_name=_("paiement par carte"),
    )
    payment_reference = models.CharField(_("référence du paiement"), max_length=100)
    amount_cents = models.PositiveBigIntegerField(_("montant"))
    reason = models.CharField(_("motif"), max_length=255)
    state = models.CharField(_("état"), max_length=10, choices=State, default=State.DUE)
    due_at = models.DateTimeField(_("demandé le"))
    next_try_at = models.DateTimeField(_("prochain essai"))
    tries = models.PositiveSmallIntegerField(_("essais"), default=0)
    trouble = models.CharField(_("ce qui bloque"), max_length=255, blank=True)
    service_id = models.CharField(_("référence de l’envoi"), max_length=100, blank=True)
    sent_at = models.DateTimeField(_("envoyé le"), null=True, blank=True)
    sent_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("envoyé par"),
    )

    class Meta:
        verbose_name = _("remboursement")
        verbose_name_plural = _("remboursements")
        ordering = ["-due_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(way="card", card_payment__isnull=False)
                | models.Q(way="transfer", card_payment__isnull=True),
                name="refund_goes_back_the_way_it_came",
            ),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="refund_is_of_something"),
            models.CheckConstraint(
                condition=models.Q(state="sent", sent_at__isnull=False)
                | (~models.Q(state="sent") & models.Q(sent_at__isnull=True)),
                name="refund_that_left_has_its_day",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], name="refund_to_send", condition=models.Q(state="due", way="card")
            )
        ]
        triggers = [
            # About two rows: all refunds of a payment together never exceed what came in. The payment is
            # locked, or two at once would each see room for themselves.
            pgtrigger.Trigger(
                name="refunds_never_exceed_the_payment",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(new__way="card"),
                declare=[("received", "bigint"), ("given", "bigint")],
                func="""
                    SELECT received_cents INTO received FROM dossiers_cardpayment
                        WHERE id = NEW.card_payment_id FOR NO KEY UPDATE;
                    SELECT coalesce(sum(amount_cents), 0) INTO given FROM dossiers_refund
                        WHERE card_payment_id = NEW.card_payment_id;
                    IF received IS NULL OR given + NEW.amount_cents > received THEN
                        RAISE EXCEPTION 'refunds_never_exceed_the_payment';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.ReadOnly(
                name="refund_keeps_what_is_owed",
                fields=[
                    "key",
                    "dossier",
                    "way",
                    "card_payment",
                    "payment_reference",
                    "amount_cents",
                    "due_at",
                ],
            ),
            pgtrigger.Protect(name="refund_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{french.euros(self.amount_cents)} · {self.get_state_display()}"


class BankTransfer(models.Model):
    """One transfer that the bank says we received. Only an exact one moves a dossier by itself."""

    class State(models.TextChoices):
        MATCHED = "matched", _("Rattaché")
        NEAR = "near", _("Presque reconnu")
        UNKNOWN = "unknown", _("Non reconnu")
        TO_SEND_BACK = "to_send_back", _("À renvoyer")
        SENT_BACK = "sent_back", _("Renvoyé")
        SET_ASIDE = "set_aside", _("Mis de côté")

    WAITING = (State.NEAR, State.UNKNOWN)

    bank_id = models.CharField(
        _("numéro à la banque"),
        max_length=100,
        unique=True,
        help_text=_("Celui de la banque, sinon une empreinte de la ligne : importé deux fois, compté une."),
    )
    amount_cents = models.PositiveBigIntegerField(_("montant"))
    booked_on = models.DateField(_("jour de valeur"))
    text = models.CharField(_("libellé"), max_length=500, blank=True)
    payer_name = models.CharField(_("payé par"), max_length=140, blank=True)
    payer_iban = models.CharField(
        _("compte de qui a payé"), max_length=34, blank=True, help_text=_("Pour pouvoir renvoyer.")
    )
    state = models.CharField(_("état"), max_length=12, choices=State)
    note = models.CharField(_("pourquoi"), max_length=255, blank=True)
    dossier = models.ForeignKey(
        "dossiers.Dossier",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bank_transfers",
        verbose_name=_("dossier"),
        help_text=_("Rattaché, ou proposé quand il est presque reconnu."),
    )
    imported_at = models.DateTimeField(_("importé le"))
    imported_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("importé par")
    )
    decided_at = models.DateTimeField(_("décidé le"), null=True, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("décidé par"),
    )
    decision_reason = models.CharField(_("raison de la décision"), max_length=255, blank=True)
    sent_on = models.DateField(_("renvoyé le"), null=True, blank=True)
    sent_reference = models.CharField(_("référence du renvoi"), max_length=100, blank=True)
    sent_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("renvoyé par"),
    )

    class Meta:
        verbose_name = _("virement reçu")
        verbose_name_plural = _("virements reçus")
        ordering = ["-booked_on", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_cents__gt=0), name="bank_transfer_is_of_something"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="matched") | models.Q(dossier__isnull=False),
                name="bank_transfer_that_matches_has_its_dossier",
            ),
            models.CheckConstraint(
                condition=models.Q(state="sent_back", sent_on__isnull=False, sent_by__isnull=False)
                & ~models.Q(sent_reference="")
                | ~models.Q(state="sent_back")
                & models.Q(sent_on__isnull=True, sent_by__isnull=True, sent_reference=""),
                name="bank_transfer_that_left_has_its_day_and_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=["booked_on"],
                name="bank_transfer_to_decide",
                condition=models.Q(state__in=["near", "unknown"]),
            )
        ]
        triggers = [
            pgtrigger.ReadOnly(
                name="bank_transfer_keeps_what_was_received",
                fields=["bank_id", "amount_cents", "booked_on", "text", "payer_name", "payer_iban"],
            ),
            pgtrigger.FSM(
                name="bank_transfer_is_decided_once",
                field="state",
                transitions=[
                    ("near", "matched"),
                    ("near", "to_send_back"),
                    ("near", "set_aside"),
                    ("unknown", "matched"),
                    ("unknown", "to_send_back"),
                    ("unknown", "set_aside"),
                    ("matched", "to_send_back"),
                    ("to_send_back", "sent_back"),
                ],
            ),
            pgtrigger.Protect(name="bank_transfer_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{french.euros(self.amount_cents)} · {french.short_day(self.booked_on)}"
