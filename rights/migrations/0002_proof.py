import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_safety"),
        ("rights", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[
                            ("adjust_up", "Ajouter des droits"),
                            ("adjust_down", "Reprendre des droits"),
                        ],
                        max_length=20,
                        verbose_name="sens",
                    ),
                ),
                ("amount", models.BigIntegerField(verbose_name="montant")),
                (
                    "reason",
                    models.CharField(
                        help_text="Le titulaire le lira sur son relevé.", max_length=400, verbose_name="motif"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposée"),
                            ("confirmed", "Confirmée"),
                            ("rejected", "Refusée"),
                            ("withdrawn", "Retirée"),
                        ],
                        default="proposed",
                        max_length=10,
                        verbose_name="état",
                    ),
                ),
                ("proposed_at", models.DateTimeField(verbose_name="proposée le")),
                (
                    "expires_at",
                    models.DateTimeField(
                        help_text="Passé ce moment, elle ne peut plus être confirmée.",
                        verbose_name="à décider avant",
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="décidée le")),
                ("answer", models.CharField(blank=True, max_length=400, verbose_name="réponse")),
                ("request_id", models.UUIDField(editable=False, unique=True)),
            ],
            options={
                "verbose_name": "régularisation",
                "verbose_name_plural": "régularisations",
                "ordering": ["-proposed_at", "-id"],
                "permissions": [
                    ("propose_adjustment", "Peut proposer une régularisation"),
                    ("decide_adjustment", "Peut décider de la régularisation d’un autre"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True, verbose_name="faite le")),
                ("pockets", models.PositiveBigIntegerField(verbose_name="poches")),
                ("movements", models.PositiveBigIntegerField(verbose_name="mouvements")),
                ("findings", models.PositiveIntegerField(verbose_name="anomalies")),
                (
                    "worst",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Règle, ligne et détail.",
                        verbose_name="les premières anomalies",
                    ),
                ),
                ("head_day", models.DateField(blank=True, null=True, verbose_name="dernier jour scellé")),
                ("head_hash", models.CharField(blank=True, max_length=64, verbose_name="son empreinte")),
            ],
            options={
                "verbose_name": "vérification du registre",
                "verbose_name_plural": "vérifications du registre",
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False, verbose_name="jour")),
                ("count", models.PositiveIntegerField(verbose_name="mouvements")),
                ("first_id", models.BigIntegerField(blank=True, null=True, verbose_name="premier mouvement")),
                ("last_id", models.BigIntegerField(blank=True, null=True, verbose_name="dernier mouvement")),
                ("root", models.CharField(max_length=64, verbose_name="racine")),
                (
                    "previous_hash",
                    models.CharField(blank=True, max_length=64, verbose_name="empreinte de la veille"),
                ),
                ("hash", models.CharField(max_length=64, unique=True, verbose_name="empreinte")),
                ("made_at", models.DateTimeField(verbose_name="fait le")),
                ("branches", models.BinaryField(verbose_name="branches")),
            ],
            options={
                "verbose_name": "sceau",
                "verbose_name_plural": "sceaux",
                "ordering": ["-day"],
            },
        ),
        migrations.CreateModel(
            name="SealedMovement",
            fields=[
                (
                    "movement",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="sealed",
                        serialize=False,
                        to="rights.movement",
                        verbose_name="mouvement",
                    ),
                ),
                ("position", models.PositiveIntegerField(verbose_name="rang")),
                ("leaf", models.BinaryField(verbose_name="empreinte")),
            ],
            options={
                "verbose_name": "mouvement scellé",
                "verbose_name_plural": "mouvements scellés",
                "ordering": ["seal", "position"],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="movement",
            name="movement_is_in_order",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="pocket",
            name="pocket_stays_what_it_is",
        ),
        migrations.AlterField(
            model_name="movement",
            name="kind",
            field=models.CharField(
                choices=[
                    ("credit", "Crédit de droits"),
                    ("reserve", "Réservation"),
                    ("payment", "Paiement du titulaire"),
                    ("release", "Retour"),
                    ("refund", "Remboursement"),
                    ("reversal", "Correction"),
                    ("adjust_up", "Régularisation en plus"),
                    ("adjust_down", "Régularisation en moins"),
                ],
                max_length=20,
                verbose_name="nature",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="movement",
            trigger=pgtrigger.compiler.Trigger(
                name="movement_is_in_order",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE fault TEXT;",
                    func="\n                    SELECT name INTO fault FROM moved m\n                    JOIN rights_pocket s ON s.id = m.source_id\n                    JOIN rights_pocket t ON t.id = m.target_id\n                    CROSS JOIN LATERAL (SELECT CASE WHEN s.unit <> t.unit THEN 'movement_keeps_one_unit' WHEN s.holder_id <> t.holder_id THEN 'movement_keeps_one_holder' WHEN m.kind <> 'reversal' AND NOT ((m.kind = 'credit' AND s.kind IN ('state', 'funder') AND t.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up')) OR (m.kind = 'reserve' AND s.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up') AND t.kind IN ('reserved')) OR (m.kind = 'payment' AND s.kind IN ('card') AND t.kind IN ('reserved')) OR (m.kind = 'release' AND s.kind IN ('reserved') AND t.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up')) OR (m.kind = 'refund' AND s.kind IN ('reserved') AND t.kind IN ('card')) OR (m.kind = 'adjust_up' AND s.kind IN ('state', 'funder') AND t.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up')) OR (m.kind = 'adjust_down' AND s.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up') AND t.kind IN ('state', 'funder'))) THEN 'movement_follows_its_route' WHEN m.kind IN ('release', 'refund') AND NOT EXISTS (\n        SELECT FROM rights_movement entry WHERE entry.kind IN ('reserve', 'payment')\n        AND entry.target_id = m.source_id AND entry.source_id = m.target_id) THEN 'movement_returns_to_its_source' WHEN m.kind = 'reversal' AND NOT EXISTS (\n        SELECT FROM rights_movement original\n        WHERE original.id = m.reverses_id AND original.kind = 'credit'\n        AND original.source_id = m.target_id AND original.target_id = m.source_id\n        AND original.amount = m.amount) THEN 'movement_reverses_a_credit' WHEN m.kind IN ('adjust_up', 'adjust_down') AND NOT EXISTS (\n        SELECT FROM rights_adjustment adjustment\n        WHERE adjustment.id = CASE WHEN m.key ~ '^adjustment:[0-9]{1,18}$'\n            THEN split_part(m.key, ':', 2)::bigint END\n        AND adjustment.state = 'confirmed' AND adjustment.decided_by_id <> adjustment.proposed_by_id\n        AND adjustment.direction = m.kind AND adjustment.amount = m.amount\n        AND adjustment.pocket_id = CASE m.kind WHEN 'adjust_up'\n            THEN m.target_id ELSE m.source_id END) THEN 'movement_adjusts_by_two_persons' END) AS faulty (name)\n                    WHERE name IS NOT NULL LIMIT 1;\n                    IF fault IS NOT NULL THEN\n                        RAISE EXCEPTION 'this movement is refused by %', fault\n                        USING ERRCODE = 'check_violation', CONSTRAINT = fault;\n                    END IF;\n                    RETURN NULL;\n                ",
                    hash="867ef213c119e37d533fe3b7b6bb5a3732861372",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_movement_is_in_order_ce302",
                    referencing="REFERENCING NEW TABLE AS moved ",
                    table="rights_movement",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pocket",
            trigger=pgtrigger.compiler.Trigger(
                name="pocket_stays_what_it_is",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."expires_on" IS DISTINCT FROM (NEW."expires_on") OR OLD."funder_kind" IS DISTINCT FROM (NEW."funder_kind") OR OLD."holder_id" IS DISTINCT FROM (NEW."holder_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."label" IS DISTINCT FROM (NEW."label") OR OLD."unit" IS DISTINCT FROM (NEW."unit"))',
                    func="RAISE EXCEPTION 'a pocket keeps its kind, its unit and its holder' USING ERRCODE = 'check_violation', CONSTRAINT = 'pocket_stays_what_it_is';",
                    hash="a01c4f02a46cc7c9529fab3bb0df7a271397da0d",
                    operation="UPDATE",
                    pgid="pgtrigger_pocket_stays_what_it_is_81ba9",
                    table="rights_pocket",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ("volunteer", "credit", "professional_risk", "top_up", "card")),
                        _negated=True,
                    ),
                    ("unit", "eur_cent"),
                    _connector="OR",
                ),
                name="pocket_of_euros_holds_no_hours",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="décidée par",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="pocket",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjustments",
                to="rights.pocket",
                verbose_name="poche",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="proposed_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="proposée par",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ledgercheck",
            trigger=pgtrigger.compiler.Trigger(
                name="ledger_check_is_never_edited",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="e5bcb133b9c00ef52cd67b4abced0fc2b0a5557f",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_ledger_check_is_never_edited_aa2c2",
                    table="rights_ledgercheck",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="seal",
            trigger=pgtrigger.compiler.Trigger(
                name="seal_follows_the_last",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE last rights_seal%ROWTYPE;",
                    func="\n                    SELECT * INTO last FROM rights_seal ORDER BY day DESC LIMIT 1;\n                    IF NEW.previous_hash <> coalesce(last.hash, '') OR NEW.day <> last.day + 1 THEN\n                        RAISE EXCEPTION 'a seal follows the one of the day before' USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_follows_the_last';\n                    END IF;\n                    IF NEW.made_at < (NEW.day + 1)::timestamp AT TIME ZONE 'Europe/Paris' THEN\n                        RAISE EXCEPTION 'this day is not over' USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_waits_for_the_end_of_its_day';\n                    END IF;\n                    IF NEW.count <> (SELECT count(*) FROM rights_sealedmovement WHERE seal_id = NEW.day) THEN\n                        RAISE EXCEPTION 'a seal counts what it holds' USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_counts_its_movements';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="778a45a5f6ec14d59f54658afc79f3ce23605519",
                    operation="INSERT",
                    pgid="pgtrigger_seal_follows_the_last_76827",
                    table="rights_seal",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="seal",
            trigger=pgtrigger.compiler.Trigger(
                name="seal_is_never_edited",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="390cb18835e6f1821eeec8f7b845eb0eadac5609",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_seal_is_never_edited_9c043",
                    table="rights_seal",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="sealedmovement",
            name="seal",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rights.seal",
                verbose_name="sceau",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="adjustment_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("direction__in", ("adjust_up", "adjust_down"))),
                name="adjustment_has_a_direction",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="adjustment_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by__isnull", True), ("state", "proposed")
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("state__in", ("confirmed", "rejected", "withdrawn")),
                    ),
                    _connector="OR",
                ),
                name="adjustment_decision_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "proposed"),
                    models.Q(("decided_by", models.F("proposed_by")), ("state", "withdrawn")),
                    models.Q(
                        ("state__in", ("confirmed", "rejected")),
                        models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="adjustment_takes_two_persons",
                violation_error_message="Une autre personne que celle qui propose doit confirmer.",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "confirmed"), _negated=True),
                    ("decided_at__lt", models.F("expires_at")),
                    _connector="OR",
                ),
                name="adjustment_is_confirmed_in_time",
                violation_error_message="Cette proposition est expirée.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_begins_as_a_proposal",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.\"state\" IS DISTINCT FROM 'proposed')",
                    func="RAISE EXCEPTION 'an adjustment is proposed first' USING ERRCODE = 'check_violation', CONSTRAINT = 'adjustment_begins_as_a_proposal';",
                    hash="94640e3396311a7dbc7fe668dbf93e365cb45b7d",
                    operation="INSERT",
                    pgid="pgtrigger_adjustment_begins_as_a_proposal_1e9d5",
                    table="rights_adjustment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_stays_as_proposed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."direction" IS DISTINCT FROM (NEW."direction") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."pocket_id" IS DISTINCT FROM (NEW."pocket_id") OR OLD."proposed_at" IS DISTINCT FROM (NEW."proposed_at") OR OLD."proposed_by_id" IS DISTINCT FROM (NEW."proposed_by_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."request_id" IS DISTINCT FROM (NEW."request_id"))',
                    func="RAISE EXCEPTION 'what was proposed does not change' USING ERRCODE = 'check_violation', CONSTRAINT = 'adjustment_stays_as_proposed';",
                    hash="f02eb3f76720f7a63826045495b68ed72a884027",
                    operation="UPDATE",
                    pgid="pgtrigger_adjustment_stays_as_proposed_afe50",
                    table="rights_adjustment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_is_decided_once",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.\"state\" IS DISTINCT FROM 'proposed')",
                    func="RAISE EXCEPTION 'a decision does not change' USING ERRCODE = 'check_violation', CONSTRAINT = 'adjustment_is_decided_once';",
                    hash="d4357d83c1db86e0a9a65ab660d40f405bbbac53",
                    operation="UPDATE",
                    pgid="pgtrigger_adjustment_is_decided_once_22068",
                    table="rights_adjustment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_is_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="c88098a1aea4be2a3ce7c1d57e01b074c3f86c4b",
                    operation="DELETE",
                    pgid="pgtrigger_adjustment_is_never_deleted_40b6d",
                    table="rights_adjustment",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="sealedmovement",
            constraint=models.UniqueConstraint(
                fields=("seal", "position"), name="sealed_movement_has_its_place"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="sealedmovement",
            trigger=pgtrigger.compiler.Trigger(
                name="sealed_day_is_closed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                    IF EXISTS (\n                        SELECT FROM (SELECT DISTINCT seal_id FROM added) AS days\n                        JOIN rights_seal ON rights_seal.day = days.seal_id\n                    ) THEN\n                        RAISE EXCEPTION 'nothing is added to a sealed day' USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_day_is_closed';\n                    END IF;\n                    RETURN NULL;\n                ",
                    hash="02bbb471dd40028bf961f11d03ee6a58173c6ea7",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_sealed_day_is_closed_f849b",
                    referencing="REFERENCING NEW TABLE AS added ",
                    table="rights_sealedmovement",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="sealedmovement",
            trigger=pgtrigger.compiler.Trigger(
                name="sealed_movement_is_never_edited",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="bcbc144832a763580bca1329d79d62ac5b74898f",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_sealed_movement_is_never_edited_d6b43",
                    table="rights_sealedmovement",
                    when="BEFORE",
                ),
            ),
        ),
    ]
