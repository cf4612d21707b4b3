"""The ledger: pockets and the movements between them.

Units: integers of the smallest unit of the pocket, euro cents or whole hours, never mixed.
Signs: amounts are positive; a movement takes its amount out of `source` into `target`.
Balances are written by the database alone, from inserted movements; world pockets (the
State, a card, what is forfeited) keep no balance, so they are never a hot row.

TRUNCATE cannot be refused by a trigger without breaking tests: grants.sql takes it away in
production, together with every UPDATE that could step round the triggers below.

Below the ledger stand what proves it (seals, checks) and what corrects it (adjustments by two persons).
"""

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from rights.earmarks import Conditions
from rights.kinds import (
    ADJUSTMENTS,
    EURO_KINDS,
    FAULT_OF_A_CREDIT,
    FAULT_OF_ITS_ENDS,
    FAULT_OF_WITNESSES,
    FILLS_A_LINE,
    FUNDED_KINDS,
    NEEDS_A_WITNESS,
    NOT_OPENED_ONCE,
    OWNERLESS_KINDS,
    WORLD_KINDS,
    DeclarationKind,
    DeclarationState,
    FunderKind,
    Measure,
    MovementKind,
    Origin,
    PocketKind,
    Unit,
    WorkStatus,
    in_sql,
)
from rights.triggers import Firm, FirmProtect
from ui import french
from ui.documents import drawn_path, private_storage

PROOFS_FOLDER = "declarations"


def proof_path(proof: "DeclarationProof", name: str) -> str:
    return drawn_path(PROOFS_FOLDER)


POCKET_FACTS = (
    "id",
    "kind",
    "unit",
    "holder_id",
    "organisation_id",
    "label",
    "funder_kind",
    "expires_on",
    "origin",
    "envelope_id",
    "earmark_id",
)
"""All of a pocket but its balance: each movement is sealed with the facts of its two pockets."""


def _refusal(name: str, message: str) -> str:
    """PL/pgSQL that refuses as a constraint of this name would: an IntegrityError in Python."""
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation', CONSTRAINT = '{name}';"


def _facts(**facts: tuple[str, str]) -> list[Firm]:
    """What must be true of a pocket when it is opened, by name: (SQL over NEW, the refusal).

    A check of the table would be read again at each new balance, and these take as long as the rest of it;
    what they look at stays as it was opened (`pocket_stays_what_it_is`).
    """
    return [
        Firm(
            name=name,
            operation=pgtrigger.Insert,
            when=pgtrigger.Before,
            condition=pgtrigger.Condition(f"NOT ({fact})"),
            func=_refusal(name, message),
        )
        for name, (fact, message) in facts.items()
    ]


class Earmark(models.Model):
    """What some money is reserved for (rights.earmarks says how it is read). One row for the same
    conditions, never changed: a purse keeps its own."""

    certifications = ArrayField(
        models.CharField(max_length=12),
        verbose_name=_("certifications"),
        default=list,
        blank=True,
        help_text=_("RNCP35809, RS6604… Vide : toutes."),
    )
    levels = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("niveaux"),
        default=list,
        blank=True,
        help_text=_("De 1 à 8. Vide : tous."),
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
        help_text=_("Celle que donne le financeur, ou que vous lui donnez : RH-2026."),
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
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="pockets",
        verbose_name=_("organisme"),
        help_text=_("Pour ce qui lui est dû."),
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
                condition=~models.Q(kind__in=(*NOT_OPENED_ONCE, *OWNERLESS_KINDS)),
                nulls_distinct=False,
                name="purse_is_opened_once",
            ),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=models.Q(kind=PocketKind.PROVIDER),
                name="pocket_of_what_is_due_is_opened_once",
            ),
            models.UniqueConstraint(
                fields=["kind", "unit", "label"],
                condition=models.Q(kind__in=WORLD_KINDS),
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
            Firm(
                name="pocket_starts_empty",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition("NEW.balance <> 0"),
                func=_refusal("pocket_starts_empty", "a pocket is opened empty: value comes by movements"),
            ),
            *_facts(
                pocket_of_the_world_keeps_no_balance=(
                    f"(NEW.kind IN ({in_sql(WORLD_KINDS)})) = (NEW.balance IS NULL)",
                    "what is of the world keeps no balance, and nothing else",
                ),
                pocket_of_a_person_has_a_holder=(
                    f"(NEW.kind IN ({in_sql(OWNERLESS_KINDS)})) = (NEW.holder_id IS NULL)",
                    "what a person owns has a holder, and nothing else",
                ),
                pocket_of_what_is_due_names_to_whom=(
                    f"(NEW.kind = '{PocketKind.PROVIDER.value}') = (NEW.organisation_id IS NOT NULL)",
                    "what is due names an organisation, and nothing else",
                ),
                pocket_of_a_funder_only_names_its_kind=(
                    f"NEW.funder_kind = '' OR NEW.kind IN ({in_sql((*FUNDED_KINDS, PocketKind.ENVELOPE))})",
                    "only what comes from a funder names its kind",
                ),
                pocket_of_euros_holds_no_hours=(
                    f"NEW.unit = '{Unit.EUR_CENT.value}' OR NEW.kind NOT IN ({in_sql(EURO_KINDS)})",
                    "what is counted in euros holds no hours",
                ),
                pocket_of_a_funder_only_has_terms=(
                    f"NEW.kind IN ({in_sql(FUNDED_KINDS)})"
                    " OR NEW.origin = '' AND NEW.envelope_id IS NULL AND NEW.earmark_id IS NULL",
                    "only what a funder grants has an origin, an envelope or an earmark",
                ),
            ),
            # Depth 0 is somebody's own UPDATE; deeper is the one of `movement_moves_balances`.
            Firm(
                name="pocket_balance_follows_moves",
                operation=pgtrigger.UpdateOf("balance"),
                when=pgtrigger.After,
                condition=pgtrigger.Condition("pg_trigger_depth() = 0"),
                func=_refusal("pocket_balance_follows_moves", "a balance changes by movements only"),
            ),
            Firm(
                name="pocket_stays_what_it_is",
                operation=pgtrigger.UpdateOf(*POCKET_FACTS),
                when=pgtrigger.After,
                condition=pgtrigger.AnyChange(*POCKET_FACTS),
                func=_refusal("pocket_stays_what_it_is", "a pocket keeps its kind, its owner and its terms"),
            ),
            # Its movements would lose an end; an empty pocket harms nobody.
            FirmProtect(name="pocket_is_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self):
        owner = self.holder or self.organisation or _("monde extérieur")
        if self.kind == PocketKind.ENVELOPE:
            owner = ""
        return " · ".join(str(part) for part in (self.get_kind_display(), self.label, owner) if part)


class Movement(models.Model):
    """An amount taken from one pocket to another. Append-only: a mistake is reversed, never edited."""

    Kind = MovementKind

    # The trigger refuses a pocket that is not there, and no pocket goes or changes its number: a foreign key
    # would look again at the commit, and share a lock on the one row of the State with all other credits.
    source = models.ForeignKey(
        "rights.Pocket",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="movements_out",
        verbose_name=_("de"),
    )
    target = models.ForeignKey(
        "rights.Pocket",
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="movements_in",
        verbose_name=_("vers"),
    )
    amount = models.BigIntegerField(_("montant"))
    kind = models.CharField(_("nature"), max_length=20, choices=Kind)
    # Compared byte by byte: its one index finds a key and a beginning of keys.
    key = models.CharField(
        _("clé"), max_length=200, db_collation="C", help_text=_("La même clé ne passe qu’une fois.")
    )
    reason = models.CharField(_("motif"), max_length=500, blank=True)
    formula = models.JSONField(
        _("calcul"),
        default=list,
        blank=True,
        help_text=_("Ce qui explique le montant : des lignes de deux textes, « quoi » et « combien »."),
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
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,  # see below: the portal itself records nearly all of them
        verbose_name=_("par"),
    )

    class Meta:
        verbose_name = _("mouvement")
        verbose_name_plural = _("mouvements")
        ordering = ["-id"]
        permissions = [("reverse_movement", _("Peut corriger un crédit par un contre-mouvement"))]
        indexes = [
            models.Index(
                fields=["recorded_by"],
                condition=models.Q(recorded_by__isnull=False),
                name="movement_by_its_author",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="movement_amount_is_positive"),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")), name="movement_goes_somewhere"
            ),
            models.CheckConstraint(condition=~models.Q(key=""), name="movement_has_a_key"),
            models.UniqueConstraint(fields=["key"], name="movement_passes_once_per_key"),
            models.CheckConstraint(
                condition=models.Q(kind=MovementKind.REVERSAL, reverses__isnull=False)
                | (~models.Q(kind=MovementKind.REVERSAL) & models.Q(reverses__isnull=True)),
                name="movement_reversal_names_what_it_reverses",
            ),
            # What is released goes back where it came from: there is one such place.
            models.UniqueConstraint(
                fields=["target"],
                condition=models.Q(kind__in=FILLS_A_LINE),
                name="reserved_pocket_is_filled_once",
            ),
        ]
        triggers = [
            # The judge of movements and the only writer of balances: as two triggers, the rows would be read
            # twice. A credit that comes alone is judged and moved by one statement, which locks one pocket.
            # For all else: one query that judges, however many rows; another for the kinds that undo or pair
            # something; then envelopes and pockets are locked in id order, whatever the order of the rows, so
            # two lots never wait for each other. World pockets are never locked.
            Firm(
                name="movement_moves_balances",
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                referencing=pgtrigger.Referencing(new="moved"),
                declare=[
                    ("its_kind", "TEXT"),
                    ("its_source", "UUID"),
                    ("its_target", "UUID"),
                    ("its_amount", "BIGINT"),
                    ("is_alone", "BOOLEAN"),
                    ("fault", "TEXT"),
                    ("needs_a_witness", "BOOLEAN"),
                ],
                func=f"""
                    SELECT kind, source_id, target_id, amount, NOT EXISTS (SELECT FROM moved OFFSET 1)
                    INTO its_kind, its_source, its_target, its_amount, is_alone FROM moved LIMIT 1;
                    IF is_alone AND its_kind = '{MovementKind.CREDIT.value}' THEN
                        UPDATE rights_pocket t SET balance = t.balance + its_amount FROM rights_pocket s
                        WHERE s.id = its_source AND t.id = its_target AND ({FAULT_OF_A_CREDIT}) IS NULL;
                        IF FOUND THEN
                            RETURN NULL;
                        END IF;
                    END IF;
                    SELECT max(CASE WHEN s.id IS NULL OR t.id IS NULL THEN 'movement_joins_two_pockets'
                        ELSE {FAULT_OF_ITS_ENDS} END), bool_or({NEEDS_A_WITNESS}) INTO fault, needs_a_witness
                    FROM moved m
                    LEFT JOIN rights_pocket s ON s.id = m.source_id
                    LEFT JOIN rights_pocket t ON t.id = m.target_id;
                    IF fault IS NULL AND needs_a_witness THEN
                        SELECT max({FAULT_OF_WITNESSES}) INTO fault
                        FROM moved m
                        JOIN rights_pocket s ON s.id = m.source_id
                        JOIN rights_pocket t ON t.id = m.target_id;
                    END IF;
                    IF fault IS NOT NULL THEN
                        RAISE EXCEPTION 'this movement is refused by %', fault
                        USING ERRCODE = 'check_violation', CONSTRAINT = fault;
                    END IF;
                    WITH net AS (
                        SELECT pocket_id, sum(delta) AS delta
                        FROM (
                            SELECT target_id, amount FROM moved UNION ALL SELECT source_id, -amount FROM moved
                        ) AS ends (pocket_id, delta)
                        GROUP BY pocket_id
                    ), held AS (
                        SELECT id, delta FROM rights_pocket JOIN net ON pocket_id = id
                        WHERE balance IS NOT NULL
                        ORDER BY kind <> '{PocketKind.ENVELOPE.value}', id
                        FOR NO KEY UPDATE OF rights_pocket
                    )
                    UPDATE rights_pocket pocket SET balance = balance + delta
                    FROM held WHERE pocket.id = held.id;
                    RETURN NULL;
                """,  # noqa: S608, made of our own words only
            ),
            FirmProtect(name="movement_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.key}"


class Award(Movement):
    """A credit that no year of work gives (rights.awards.KEYS), for the administration to see and cancel."""

    class Meta:
        proxy = True
        verbose_name = _("attribution")
        verbose_name_plural = _("attributions")
        ordering = ["-id"]
        permissions = [("grant_award", _("Peut attribuer des droits hors des années de travail"))]


# --- What proves it -----------------------------------------------------------------------------------


class Seal(models.Model):
    """All that was recorded by the end of one day and not sealed before, as one chained hash (rights.seals).

    `hash` covers every other column but `branches`, which only spares work (docs/adr/0007).
    """

    day = models.DateField(_("jour"), primary_key=True)
    count = models.PositiveIntegerField(_("mouvements"))
    first_id = models.BigIntegerField(_("premier mouvement"), null=True, blank=True)
    last_id = models.BigIntegerField(_("dernier mouvement"), null=True, blank=True)
    root = models.CharField(_("racine"), max_length=64)
    previous_hash = models.CharField(_("empreinte de la veille"), max_length=64, blank=True)
    hash = models.CharField(_("empreinte"), max_length=64, unique=True)
    made_at = models.DateTimeField(_("fait le"))
    branches = models.BinaryField(_("branches"), editable=False)

    class Meta:
        verbose_name = _("sceau")
        verbose_name_plural = _("sceaux")
        ordering = ["-day"]
        triggers = [
            pgtrigger.Trigger(
                name="seal_follows_the_last",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                declare=[("last", "rights_seal%ROWTYPE")],
                # No clock is read here: `made_at` is told, and a day ends at midnight in Paris.
                func=f"""
                    SELECT * INTO last FROM rights_seal ORDER BY day DESC LIMIT 1;
                    IF NEW.previous_hash <> coalesce(last.hash, '') OR NEW.day <> last.day + 1 THEN
                        {_refusal("seal_follows_the_last", "a seal follows the one of the day before")}
                    END IF;
                    IF NEW.made_at < (NEW.day + 1)::timestamp AT TIME ZONE 'Europe/Paris' THEN
                        {_refusal("seal_waits_for_the_end_of_its_day", "this day is not over")}
                    END IF;
                    IF NEW.count <> (SELECT count(*) FROM rights_sealedmovement WHERE seal_id = NEW.day) THEN
                        {_refusal("seal_counts_its_movements", "a seal counts what it holds")}
                    END IF;
                    RETURN NEW;
                """,  # noqa: S608, made of our own words only
            ),
            pgtrigger.Protect(name="seal_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self):
        return french.short_day(self.day)


class SealedMovement(models.Model):
    """The place of a movement in the seal of a day, and the hash of what it was then.

    Which day a movement is sealed with is written, never guessed from its number: a number is drawn when
    a movement is written, and its transaction may commit after those of higher numbers.
    """

    movement = models.OneToOneField(
        "rights.Movement",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="sealed",
        verbose_name=_("mouvement"),
    )
    seal = models.ForeignKey(
        "rights.Seal", on_delete=models.PROTECT, db_index=False, related_name="+", verbose_name=_("sceau")
    )
    position = models.PositiveIntegerField(_("rang"))
    leaf = models.BinaryField(_("empreinte"), editable=False)

    class Meta:
        verbose_name = _("mouvement scellé")
        verbose_name_plural = _("mouvements scellés")
        ordering = ["seal", "position"]
        constraints = [
            models.UniqueConstraint(fields=["seal", "position"], name="sealed_movement_has_its_place")
        ]
        triggers = [
            pgtrigger.Trigger(
                name="sealed_day_is_closed",
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                referencing=pgtrigger.Referencing(new="added"),
                func=f"""
                    IF EXISTS (
                        SELECT FROM (SELECT DISTINCT seal_id FROM added) AS days
                        JOIN rights_seal ON rights_seal.day = days.seal_id
                    ) THEN
                        {_refusal("sealed_day_is_closed", "nothing is added to a sealed day")}
                    END IF;
                    RETURN NULL;
                """,  # noqa: S608, made of our own words only
            ),
            pgtrigger.Protect(
                name="sealed_movement_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self):
        return f"{self.movement_id} · {self.seal_id}"


class LedgerCheck(models.Model):
    """The outcome of one check of the whole ledger (rights.integrity), and the last seal it saw.

    A chain cut short at its end is sound in itself: only who remembers its head sees the cut.
    """

    at = models.DateTimeField(_("faite le"), db_index=True)
    pockets = models.PositiveBigIntegerField(_("poches"))
    movements = models.PositiveBigIntegerField(_("mouvements"))
    findings = models.PositiveIntegerField(_("anomalies"))
    worst = models.JSONField(
        _("les premières anomalies"), default=list, blank=True, help_text=_("Règle, ligne et détail.")
    )
    head_day = models.DateField(_("dernier jour scellé"), null=True, blank=True)
    head_hash = models.CharField(_("son empreinte"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("vérification du registre")
        verbose_name_plural = _("vérifications du registre")
        ordering = ["-at", "-id"]
        triggers = [
            pgtrigger.Protect(
                name="ledger_check_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self):
        return french.moment(self.at)


# --- What corrects it -----------------------------------------------------------------------------------


class Adjustment(models.Model):
    """Rights added or taken back by the administration: one person proposes, another confirms.

    Nobody edits a balance: the confirmation posts one movement, `adjustment:<id>`, which the ledger
    refuses without it (rights.kinds.FAULTS). Amounts in `unit`s of the pocket.
    """

    class Direction(models.TextChoices):
        UP = MovementKind.ADJUST_UP.value, _("Ajouter des droits")
        DOWN = MovementKind.ADJUST_DOWN.value, _("Reprendre des droits")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Proposée")
        CONFIRMED = "confirmed", _("Confirmée")
        REJECTED = "rejected", _("Refusée")
        WITHDRAWN = "withdrawn", _("Retirée")

    pocket = models.ForeignKey(
        "rights.Pocket", on_delete=models.PROTECT, related_name="adjustments", verbose_name=_("poche")
    )
    direction = models.CharField(_("sens"), max_length=20, choices=Direction)
    amount = models.BigIntegerField(_("montant"))
    reason = models.CharField(_("motif"), max_length=400, help_text=_("Le titulaire le lira sur son relevé."))
    state = models.CharField(_("état"), max_length=10, choices=State, default=State.PROPOSED)
    proposed_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("proposée par")
    )
    proposed_at = models.DateTimeField(_("proposée le"))
    expires_at = models.DateTimeField(
        _("à décider avant"), help_text=_("Passé ce moment, elle ne peut plus être confirmée.")
    )
    decided_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("décidée par"),
    )
    decided_at = models.DateTimeField(_("décidée le"), null=True, blank=True)
    answer = models.CharField(_("réponse"), max_length=400, blank=True)
    request_id = models.UUIDField(unique=True, editable=False)

    class Meta:
        verbose_name = _("régularisation")
        verbose_name_plural = _("régularisations")
        ordering = ["-proposed_at", "-id"]
        permissions = [
            ("propose_adjustment", _("Peut proposer une régularisation")),
            ("decide_adjustment", _("Peut décider de la régularisation d’un autre")),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="adjustment_amount_is_positive"),
            models.CheckConstraint(
                condition=models.Q(direction__in=ADJUSTMENTS), name="adjustment_has_a_direction"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="adjustment_has_a_reason"),
            models.CheckConstraint(
                condition=models.Q(state="proposed", decided_by__isnull=True, decided_at__isnull=True)
                | models.Q(
                    state__in=("confirmed", "rejected", "withdrawn"),
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="adjustment_decision_is_whole",
            ),
            # Whoever proposed may only take it back; whoever decides is somebody else.
            models.CheckConstraint(
                condition=models.Q(state="proposed")
                | models.Q(state="withdrawn", decided_by=models.F("proposed_by"))
                | (
                    models.Q(state__in=("confirmed", "rejected"))
                    & ~models.Q(decided_by=models.F("proposed_by"))
                ),
                name="adjustment_takes_two_persons",
                violation_error_message=_("Une autre personne que celle qui propose doit confirmer."),
            ),
            models.CheckConstraint(
                condition=~models.Q(state="confirmed") | models.Q(decided_at__lt=models.F("expires_at")),
                name="adjustment_is_confirmed_in_time",
                violation_error_message=_("Cette proposition est expirée."),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="adjustment_begins_as_a_proposal",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(new__state__df="proposed"),
                func=_refusal("adjustment_begins_as_a_proposal", "an adjustment is proposed first"),
            ),
            pgtrigger.Trigger(
                name="adjustment_stays_as_proposed",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.AnyChange(
                    *("id", "pocket", "direction", "amount", "reason", "proposed_by", "proposed_at"),
                    *("expires_at", "request_id"),
                ),
                func=_refusal("adjustment_stays_as_proposed", "what was proposed does not change"),
            ),
            pgtrigger.Trigger(
                name="adjustment_is_decided_once",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state__df="proposed"),
                func=_refusal("adjustment_is_decided_once", "a decision does not change"),
            ),
            pgtrigger.Protect(name="adjustment_is_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self):
        return f"{self.get_direction_display()} · {french.moment(self.proposed_at)}"

    def is_expired(self, at):
        """Lateness is judged when a verb runs; until then nobody writes it."""
        return self.state == self.State.PROPOSED and at >= self.expires_at


# --- The annual credit ---------------------------------------------------------------------------------


class YearlyStatement(models.Model):
    """What an employer, or the body that collects for the self-employed, says of somebody's year.

    One a holder, year, establishment and status: a file that says something else supersedes it, and the
    next credit corrects what was given (rights.crediting_year). Never edited.
    """

    Status = WorkStatus
    Measure = Measure

    holder = models.ForeignKey(
        "accounts.HolderProfile",
        on_delete=models.PROTECT,
        related_name="yearly_statements",
        verbose_name=_("titulaire"),
    )
    year = models.PositiveSmallIntegerField(_("année travaillée"))
    employer_siret = models.CharField(
        _("SIRET"), max_length=14, blank=True, help_text=_("Vide pour qui travaille sans établissement.")
    )
    status = models.CharField(_("situation"), max_length=30, choices=Status)
    measure = models.CharField(_("compté en"), max_length=10, choices=Measure, blank=True)
    worked = models.DecimalField(_("travaillé"), max_digits=14, decimal_places=2, null=True, blank=True)
    reference = models.DecimalField(
        _("année entière convenue"), max_digits=8, decimal_places=2, null=True, blank=True
    )
    absences = models.JSONField(
        _("absences"), default=dict, blank=True, help_text=_("Par sorte, en centièmes de la même mesure.")
    )
    agreed_cents = models.PositiveIntegerField(_("accord plus favorable, en centimes"), default=0)
    boe = models.BooleanField(_("obligation d’emploi"), default=False)
    is_paid_up = models.BooleanField(_("contribution payée"), default=True)
    starts_on = models.DateField(_("du"))
    ends_on = models.DateField(_("au"))
    content = models.CharField(
        max_length=64,
        editable=False,
        help_text=_("Empreinte de la ligne, pour la reconnaître."),
    )
    source = models.CharField(_("fichier et ligne"), max_length=200, blank=True)
    imported_at = models.DateTimeField(_("reçue le"))
    superseded_at = models.DateTimeField(_("remplacée le"), null=True, blank=True)

    class Meta:
        verbose_name = _("déclaration annuelle")
        verbose_name_plural = _("déclarations annuelles")
        ordering = ["-year", "holder", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "year", "employer_siret", "status"],
                condition=models.Q(superseded_at__isnull=True),
                name="statement_is_the_only_one_that_counts",
            ),
            models.CheckConstraint(
                condition=models.Q(worked__isnull=True, measure="")
                | (models.Q(worked__isnull=False, worked__gte=0) & ~models.Q(measure="")),
                name="statement_says_in_what_it_counts",
            ),
            models.CheckConstraint(
                condition=models.Q(reference__isnull=True) | models.Q(reference__gt=0),
                name="statement_reference_is_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_on__gte=models.F("starts_on"))
                & models.Q(starts_on__year=models.F("year"))
                & models.Q(ends_on__year=models.F("year")),
                name="statement_stays_in_its_year",
            ),
        ]
        indexes = [
            # What a year is credited from, holder after holder.
            models.Index(
                fields=["year", "holder", "id"],
                condition=models.Q(superseded_at__isnull=True),
                name="statement_by_year_and_holder",
            )
        ]
        triggers = [
            pgtrigger.Protect(name="statement_is_never_deleted", operation=pgtrigger.Delete),
            # The one thing that happens to it: another takes its place, once.
            pgtrigger.Trigger(
                name="statement_may_only_be_superseded",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=f"""
                    IF OLD.superseded_at IS NULL AND NEW.superseded_at IS NOT NULL
                       AND to_jsonb(NEW) - 'superseded_at' = to_jsonb(OLD) - 'superseded_at'
                    THEN
                        RETURN NEW;
                    END IF;
                    {_refusal("statement_may_only_be_superseded", "a statement is superseded, never edited")}
                """,
            ),
        ]

    def __str__(self):
        return f"{self.year} · {self.get_status_display()} · {self.employer_siret or '–'}"


class Declaration(models.Model):
    """What a holder says of themselves that changes a year's rights, with its first and last year.

    Decided by somebody else (rights.declarations). Counted once confirmed, for the years worked from
    `from_year` to `until_year`: a declaration counts from the year it is made, and stops counting the
    calendar year after its condition ends (R. 6323-3-1).
    """

    Kind = DeclarationKind
    State = DeclarationState

    holder = models.ForeignKey(
        "accounts.HolderProfile",
        on_delete=models.PROTECT,
        related_name="declarations",
        db_index=False,  # the index below begins with it
        verbose_name=_("titulaire"),
    )
    kind = models.CharField(_("nature"), max_length=20, choices=Kind)
    from_year = models.PositiveSmallIntegerField(_("première année travaillée"))
    until_year = models.PositiveSmallIntegerField(_("dernière année travaillée"), null=True, blank=True)
    state = models.CharField(_("état"), max_length=10, choices=State, default=State.PROPOSED)
    reason = models.CharField(
        _("motif"), max_length=500, blank=True, help_text=_("Le titulaire le lit : pourquoi c’est refusé.")
    )
    declared_at = models.DateTimeField(_("déclarée le"))
    request_id = models.UUIDField(unique=True, null=True, blank=True, editable=False)
    decided_at = models.DateTimeField(_("décidée le"), null=True, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("décidée par")
    )

    class Meta:
        verbose_name = _("déclaration du titulaire")
        verbose_name_plural = _("déclarations des titulaires")
        ordering = ["-declared_at", "-id"]
        permissions = [("decide_declaration", _("Peut décider de la déclaration d’un titulaire"))]
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "kind"],
                condition=models.Q(state=DeclarationState.PROPOSED),
                name="declaration_waits_alone",
            ),
            models.UniqueConstraint(
                fields=["holder", "kind"],
                condition=models.Q(state=DeclarationState.CONFIRMED, until_year__isnull=True),
                name="declaration_is_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(until_year__isnull=True) | models.Q(until_year__gte=models.F("from_year")),
                name="declaration_ends_after_it_begins",
                violation_error_message=_("La dernière année ne précède pas la première."),
            ),
            models.CheckConstraint(
                condition=models.Q(state=DeclarationState.PROPOSED, decided_at__isnull=True)
                | (~models.Q(state=DeclarationState.PROPOSED) & models.Q(decided_at__isnull=False)),
                name="declaration_is_decided_at_a_moment",
                violation_error_message=_("Une déclaration confirmée ou refusée dit quand."),
            ),
        ]
        indexes = [models.Index(fields=["holder", "kind"], name="declaration_by_holder")]
        triggers = [
            # Credits were given on it.
            pgtrigger.Protect(name="declaration_is_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="declaration_keeps_its_kind",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.AnyChange("id", "kind", "holder", "from_year", "declared_at"),
                func=_refusal(
                    "declaration_keeps_its_kind", "a declaration keeps its holder, kind and first year"
                ),
            ),
            # A refusal can be contested; its declaration is made anew.
            pgtrigger.Trigger(
                name="declaration_stays_refused",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition(
                    f"OLD.state IN ('{DeclarationState.REFUSED.value}', '{DeclarationState.WITHDRAWN.value}')"
                ),
                func=_refusal("declaration_stays_refused", "what is refused or withdrawn is declared anew"),
            ),
            # What only its holder chooses is decided by nobody; what changes an amount, by somebody else.
            pgtrigger.Trigger(
                name="declaration_takes_two_persons",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition(
                    f"NEW.state IN ('{DeclarationState.CONFIRMED.value}', '{DeclarationState.REFUSED.value}')"
                    f" AND NEW.kind <> '{DeclarationKind.PREFERS_HOURS.value}'"
                    " AND NEW.decided_by_id IS NOT NULL"
                ),
                func=f"""
                    IF EXISTS (SELECT FROM accounts_holderprofile
                        WHERE id = NEW.holder_id AND user_id = NEW.decided_by_id) THEN
                        {_refusal("declaration_takes_two_persons", "nobody decides about their own")}
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.from_year}–{self.until_year or '…'}"


class DeclarationProof(models.Model):
    """A file that proves a declaration; its content was judged by ui.documents. Seen by its holder and staff,
    and removed once the decision can no longer be contested (rights.declarations.clear_away)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    declaration = models.ForeignKey(
        "rights.Declaration",
        on_delete=models.PROTECT,
        related_name="proofs",
        verbose_name=_("déclaration"),
    )
    file = models.FileField(_("fichier"), upload_to=proof_path, storage=private_storage, max_length=100)
    file_name = models.CharField(_("nom du fichier"), max_length=100)
    content_type = models.CharField(_("type"), max_length=20)
    size = models.PositiveIntegerField(_("taille en octets"))
    digest = models.CharField(_("empreinte"), max_length=64)
    added_at = models.DateTimeField(_("ajouté le"))

    class Meta:
        verbose_name = _("justificatif d’une déclaration")
        verbose_name_plural = _("justificatifs de déclarations")
        ordering = ["added_at", "id"]
        constraints = [models.UniqueConstraint(fields=["declaration", "digest"], name="proof_is_added_once")]

    def __str__(self):
        return self.file_name


class YearlyCredit(models.Model):
    """What a year gave, and from what: the account of one computation. Append-only.

    A statement or a declaration that changes makes the next `version`; the last one is what holds. Kept
    when it gave nothing too, with the reason: what is lost above the cap moves no money.
    """

    holder = models.ForeignKey(
        "accounts.HolderProfile",
        on_delete=models.PROTECT,
        related_name="yearly_credits",
        db_index=False,  # the index below begins with it
        verbose_name=_("titulaire"),
    )
    year = models.PositiveSmallIntegerField(_("année travaillée"))
    version = models.PositiveSmallIntegerField(_("version"))
    unit = models.CharField(_("unité"), max_length=10, choices=Unit)
    annual = models.PositiveIntegerField(_("droits annuels"))
    increase = models.PositiveIntegerField(_("majoration"))
    lost = models.PositiveIntegerField(_("perdu au-dessus du plafond"))
    cap = models.PositiveIntegerField(_("plafond"))
    balance_before = models.PositiveBigIntegerField(
        _("solde d’avant"), help_text=_("Ce que les poches plafonnées contenaient sans ce crédit.")
    )
    formula = models.JSONField(_("calcul"), default=list, blank=True)
    statement_ids = ArrayField(models.BigIntegerField(), verbose_name=_("déclarations annuelles"))
    declaration_ids = ArrayField(models.BigIntegerField(), verbose_name=_("déclarations du titulaire"))
    recorded_at = models.DateTimeField(_("enregistré le"))

    class Meta:
        verbose_name = _("crédit annuel")
        verbose_name_plural = _("crédits annuels")
        ordering = ["-year", "-version", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "year", "version"], name="yearly_credit_is_computed_once"
            ),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="yearly_credit_counts_from_1"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="yearly_credit_is_never_edited", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self):
        return f"{self.year} · v{self.version}"
