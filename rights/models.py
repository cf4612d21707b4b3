"""The ledger: pockets and the movements between them.

Units: integers of the smallest unit of the pocket, euro cents or whole hours, never mixed.
Signs: amounts are positive; a movement takes its amount out of `source` into `target`.
Balances are written by the database alone, from inserted movements; world pockets (the
State, a card, what is forfeited) keep no balance, so they are never a hot row.

TRUNCATE cannot be refused by a trigger without breaking tests: grants.sql takes it away in
production, together with every UPDATE that could step round the triggers below.
"""

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from rights.earmarks import Conditions
from rights.kinds import (
    FIRST_FAULT,
    FUNDED_KINDS,
    INTO_RESERVED,
    OWNERLESS_KINDS,
    WORLD_KINDS,
    FunderKind,
    MovementKind,
    Origin,
    PocketKind,
    Unit,
)

IS_OF_THE_WORLD = models.Q(kind__in=WORLD_KINDS)
HAS_NO_OWNER = models.Q(kind__in=OWNERLESS_KINDS)


def _refusal(name: str, message: str) -> str:
    """PL/pgSQL that refuses as a constraint of this name would: an IntegrityError in Python."""
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation', CONSTRAINT = '{name}';"


class Earmark(models.Model):
    """What some money is reserved for (rights.earmarks says how it is read). One row for the same
    conditions, never changed: a purse keeps its own."""

    certifications = ArrayField(
        models.CharField(max_length=12),
        verbose_name=_("certifications"),
        default=list,
        blank=True,
        help_text=_("RNCP35809, RS6604… Vide : toutes."),
    )
    levels = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("niveaux"),
        default=list,
        blank=True,
        help_text=_("De 1 à 8. Vide : tous."),
    )
    starts_from = models.DateField(_("premier jour au plus tôt"), null=True, blank=True)
    starts_until = models.DateField(_("premier jour au plus tard"), null=True, blank=True)

    class Meta:
        verbose_name = _("fléchage")
        verbose_name_plural = _("fléchages")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["certifications", "levels", "starts_from", "starts_until"],
                nulls_distinct=False,
                name="earmark_is_written_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(
                    certifications=[], levels=[], starts_from__isnull=True, starts_until__isnull=True
                ),
                name="earmark_says_something",
            ),
            models.CheckConstraint(
                condition=models.Q(starts_from__isnull=True)
                | models.Q(starts_until__isnull=True)
                | models.Q(starts_until__gte=models.F("starts_from")),
                name="earmark_ends_after_it_begins",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="earmark_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self):
        return " · ".join(self.conditions.words())

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            certifications=tuple(self.certifications),
            levels=tuple(self.levels),
            starts_from=self.starts_from,
            starts_until=self.starts_until,
        )


class Envelope(models.Model):
    """A funder's budget: what it paid in and has not granted. Its pocket holds the money and its name."""

    pocket = models.OneToOneField(
        "rights.Pocket",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="opened_as",
        verbose_name=_("poche"),
    )
    reference = models.CharField(
        _("référence"),
        max_length=40,
        unique=True,
        help_text=_("Celle que donne le financeur, ou que vous lui donnez : RH-2026."),
    )
    funder_siret = models.CharField(_("SIRET du financeur"), max_length=14, blank=True)
    earmark = models.ForeignKey(
        "rights.Earmark",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("fléchage"),
        help_text=_("Ce qui en sort est réservé à cela, ou à moins."),
    )
    ends_on = models.DateField(
        _("dernier jour"), null=True, blank=True, help_text=_("Après lui, plus rien n’en est attribué.")
    )
    opened_at = models.DateTimeField(_("ouverte le"))
    opened_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("par")
    )

    class Meta:
        verbose_name = _("enveloppe")
        verbose_name_plural = _("enveloppes")
        ordering = ["reference"]
        permissions = [("manage_envelopes", _("Peut alimenter une enveloppe, attribuer et rappeler"))]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reference=""), name="envelope_has_a_reference")
        ]
        triggers = [
            pgtrigger.Trigger(
                name="envelope_is_an_envelope",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=f"""
                    IF NOT EXISTS (SELECT FROM rights_pocket
                        WHERE id = NEW.pocket_id AND kind = '{PocketKind.ENVELOPE.value}') THEN
                        {_refusal("envelope_is_an_envelope", "the pocket of an envelope is of that kind")}
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Protect(name="envelope_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{self.reference} · {self.pocket.label}"


class Pocket(models.Model):
    """A place where value can be."""

    Kind = PocketKind

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
        _("précision"),
        max_length=120,
        blank=True,
        help_text=_("Par exemple le financeur d’une dotation, ou la formation réservée."),
    )
    funder_kind = models.CharField(
        _("sorte de financeur"),
        max_length=20,
        choices=FunderKind,
        blank=True,
        help_text=_("Pour une dotation ou un abondement. Certains dispensent de la participation."),
    )
    origin = models.CharField(
        _("origine"),
        max_length=20,
        choices=Origin,
        blank=True,
        help_text=_("Pour ce qu’un financeur attribue."),
    )
    envelope = models.ForeignKey(
        "rights.Envelope",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="purses",
        verbose_name=_("enveloppe"),
        help_text=_("D’où vient ce qui s’y trouve, et où retourne ce qui ne sert pas."),
    )
    earmark = models.ForeignKey(
        "rights.Earmark",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="purses",
        verbose_name=_("fléchage"),
    )
    expires_on = models.DateField(_("à utiliser jusqu’au"), null=True, blank=True)
    balance = models.BigIntegerField(_("solde"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("poche")
        verbose_name_plural = _("poches")
        ordering = ["kind", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(balance__isnull=True) | models.Q(balance__gte=0),
                name="pocket_never_overdrawn",
                violation_error_message=_("Il n’y a pas assez dans cette poche."),
            ),
            models.CheckConstraint(
                condition=(IS_OF_THE_WORLD & models.Q(balance__isnull=True))
                | (~IS_OF_THE_WORLD & models.Q(balance__isnull=False)),
                name="pocket_of_the_world_keeps_no_balance",
            ),
            models.CheckConstraint(
                condition=(HAS_NO_OWNER & models.Q(holder__isnull=True))
                | (~HAS_NO_OWNER & models.Q(holder__isnull=False)),
                name="pocket_of_a_person_has_a_holder",
            ),
            models.CheckConstraint(
                condition=models.Q(funder_kind="") | models.Q(kind__in=(*FUNDED_KINDS, PocketKind.ENVELOPE)),
                name="pocket_of_a_funder_only_names_its_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=FUNDED_KINDS)
                | models.Q(origin="", envelope__isnull=True, earmark__isnull=True),
                name="pocket_of_a_funder_only_has_terms",
            ),
            models.UniqueConstraint(
                fields=[
                    "holder",
                    "kind",
                    "unit",
                    "label",
                    "funder_kind",
                    "expires_on",
                    "origin",
                    "envelope",
                    "earmark",
                ],
                condition=~models.Q(kind__in=(PocketKind.RESERVED, *OWNERLESS_KINDS)),
                nulls_distinct=False,
                name="purse_is_opened_once",
            ),
            models.UniqueConstraint(
                fields=["kind", "unit", "label"],
                condition=IS_OF_THE_WORLD,
                name="world_pocket_is_opened_once",
            ),
        ]
        indexes = [
            # Without the balance: an index that follows it would make every movement dearer.
            models.Index(
                fields=["expires_on"],
                name="pocket_by_last_day",
                condition=models.Q(expires_on__isnull=False),
            )
        ]
        triggers = [
            pgtrigger.Trigger(
                name="pocket_starts_empty",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition("NEW.balance <> 0"),
                func=_refusal("pocket_starts_empty", "a pocket is opened empty: value comes by movements"),
            ),
            # Depth 0 is somebody's own UPDATE; deeper is the one of `movement_moves_balances`.
            pgtrigger.Trigger(
                name="pocket_balance_follows_moves",
                operation=pgtrigger.UpdateOf("balance"),
                when=pgtrigger.Before,
                condition=pgtrigger.Condition(
                    "OLD.balance IS DISTINCT FROM NEW.balance AND pg_trigger_depth() = 0"
                ),
                func=_refusal("pocket_balance_follows_moves", "a balance changes by movements only"),
            ),
            pgtrigger.Trigger(
                name="pocket_stays_what_it_is",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.AnyChange(
                    "id",
                    "kind",
                    "unit",
                    "holder",
                    "funder_kind",
                    "expires_on",
                    "origin",
                    "envelope",
                    "earmark",
                ),
                func=_refusal("pocket_stays_what_it_is", "a pocket keeps its kind, its owner and its terms"),
            ),
            # Its movements would lose an end; an empty pocket harms nobody.
            pgtrigger.Protect(name="pocket_is_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self):
        owner = self.holder if self.holder_id else _("monde extérieur")
        if self.kind == PocketKind.ENVELOPE:
            owner = ""
        return " · ".join(str(part) for part in (self.get_kind_display(), self.label, owner) if part)


class Movement(models.Model):
    """An amount taken from one pocket to another. Append-only: a mistake is reversed, never edited."""

    Kind = MovementKind

    source = models.ForeignKey(
        "rights.Pocket", on_delete=models.PROTECT, related_name="movements_out", verbose_name=_("de")
    )
    target = models.ForeignKey(
        "rights.Pocket", on_delete=models.PROTECT, related_name="movements_in", verbose_name=_("vers")
    )
    amount = models.BigIntegerField(_("montant"))
    kind = models.CharField(_("nature"), max_length=20, choices=Kind)
    key = models.CharField(
        _("clé"), max_length=200, unique=True, help_text=_("La même clé ne passe qu’une fois.")
    )
    reason = models.CharField(_("motif"), max_length=500, blank=True)
    formula = models.JSONField(
        _("calcul"),
        default=list,
        blank=True,
        help_text=_("Ce qui explique le montant : des lignes de deux textes, « quoi » et « combien »."),
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
        permissions = [("reverse_movement", _("Peut corriger un crédit par un contre-mouvement"))]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="movement_amount_is_positive"),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")), name="movement_goes_somewhere"
            ),
            models.CheckConstraint(condition=~models.Q(key=""), name="movement_has_a_key"),
            models.CheckConstraint(
                condition=models.Q(kind=MovementKind.REVERSAL, reverses__isnull=False)
                | (~models.Q(kind=MovementKind.REVERSAL) & models.Q(reverses__isnull=True)),
                name="movement_reversal_names_what_it_reverses",
            ),
            # What is released goes back where it came from: there is one such place.
            models.UniqueConstraint(
                fields=["target"],
                condition=models.Q(kind__in=INTO_RESERVED),
                name="reserved_pocket_is_filled_once",
            ),
        ]
        triggers = [
            # Before `movement_moves_balances`, by name. One query, however many rows.
            pgtrigger.Trigger(
                name="movement_is_in_order",
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                referencing=pgtrigger.Referencing(new="moved"),
                declare=[("fault", "TEXT")],
                func=f"""
                    SELECT name INTO fault FROM moved m
                    JOIN rights_pocket s ON s.id = m.source_id
                    JOIN rights_pocket t ON t.id = m.target_id
                    CROSS JOIN LATERAL (SELECT {FIRST_FAULT}) AS faulty (name)
                    WHERE name IS NOT NULL LIMIT 1;
                    IF fault IS NOT NULL THEN
                        RAISE EXCEPTION 'this movement is refused by %', fault
                        USING ERRCODE = 'check_violation', CONSTRAINT = fault;
                    END IF;
                    RETURN NULL;
                """,  # noqa: S608, made of our own words only
            ),
            # The only writer of balances. Envelopes, then pockets, are locked in id order, whatever the
            # order of the rows, so two lots never wait for each other; world pockets are never locked.
            pgtrigger.Trigger(
                name="movement_moves_balances",
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                referencing=pgtrigger.Referencing(new="moved"),
                func=f"""
                    PERFORM 1 FROM rights_pocket
                    WHERE balance IS NOT NULL
                      AND id IN (SELECT source_id FROM moved UNION SELECT target_id FROM moved)
                    ORDER BY kind <> '{PocketKind.ENVELOPE.value}', id FOR NO KEY UPDATE;
                    UPDATE rights_pocket pocket SET balance = pocket.balance + net.delta
                    FROM (
                        SELECT pocket_id, sum(delta) AS delta
                        FROM (
                            SELECT target_id, amount FROM moved UNION ALL SELECT source_id, -amount FROM moved
                        ) AS ends (pocket_id, delta)
                        GROUP BY pocket_id
                    ) AS net
                    WHERE pocket.id = net.pocket_id AND pocket.balance IS NOT NULL;
                    RETURN NULL;
                """,  # noqa: S608, made of our own words only
            ),
            pgtrigger.Protect(name="movement_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.key}"
