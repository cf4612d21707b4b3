import uuid

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Pocket",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("annual", "Droits annuels"),
                            ("increase", "Majoration"),
                            ("dif", "Droits issus du DIF"),
                            ("volunteer", "Engagement citoyen (CEC)"),
                            ("credit", "Avoir"),
                            ("dotation", "Dotation"),
                            ("professional_risk", "Compte de prévention (C2P)"),
                            ("top_up", "Abondement"),
                            ("reserved", "Réservé pour une formation"),
                            ("state", "État"),
                            ("funder", "Financeur"),
                            ("card", "Paiement du titulaire"),
                            ("forfeited", "Droits perdus"),
                        ],
                        max_length=30,
                        verbose_name="nature",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[("eur_cent", "centime d’euro"), ("hour", "heure")],
                        default="eur_cent",
                        max_length=10,
                        verbose_name="unité",
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        blank=True,
                        help_text="Par exemple le financeur d’une dotation, ou la formation réservée.",
                        max_length=120,
                        verbose_name="précision",
                    ),
                ),
                (
                    "funder_kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("employer", "Employeur"),
                            ("agreement", "Accord d’entreprise, de groupe ou de branche"),
                            ("opco", "Opérateur de compétences (OPCO)"),
                            ("work_accident", "Accident du travail ou maladie professionnelle"),
                            ("region", "Région"),
                            ("france_travail", "France Travail"),
                            ("other", "Autre financeur"),
                        ],
                        help_text="Pour une dotation ou un abondement. Certains dispensent de la participation.",
                        max_length=20,
                        verbose_name="sorte de financeur",
                    ),
                ),
                ("expires_on", models.DateField(blank=True, null=True, verbose_name="à utiliser jusqu’au")),
                (
                    "balance",
                    models.BigIntegerField(blank=True, editable=False, null=True, verbose_name="solde"),
                ),
                (
                    "holder",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pockets",
                        to="accounts.holderprofile",
                        verbose_name="titulaire",
                    ),
                ),
            ],
            options={
                "verbose_name": "poche",
                "verbose_name_plural": "poches",
                "ordering": ["kind", "id"],
            },
        ),
        migrations.CreateModel(
            name="Movement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", models.BigIntegerField(verbose_name="montant")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("credit", "Crédit de droits"),
                            ("reserve", "Réservation"),
                            ("payment", "Paiement du titulaire"),
                            ("release", "Retour"),
                            ("refund", "Remboursement"),
                            ("reversal", "Correction"),
                        ],
                        max_length=20,
                        verbose_name="nature",
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="La même clé ne passe qu’une fois.",
                        max_length=200,
                        unique=True,
                        verbose_name="clé",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="motif")),
                (
                    "formula",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Ce qui explique le montant : des lignes de deux textes, « quoi » et « combien ».",
                        verbose_name="calcul",
                    ),
                ),
                ("value_date", models.DateField(verbose_name="date de valeur")),
                ("recorded_at", models.DateTimeField(verbose_name="enregistré le")),
                (
                    "recorded_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="par",
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversed_by",
                        to="rights.movement",
                        verbose_name="corrige",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements_out",
                        to="rights.pocket",
                        verbose_name="de",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements_in",
                        to="rights.pocket",
                        verbose_name="vers",
                    ),
                ),
            ],
            options={
                "verbose_name": "mouvement",
                "verbose_name_plural": "mouvements",
                "ordering": ["-id"],
                "permissions": [("reverse_movement", "Peut corriger un crédit par un contre-mouvement")],
            },
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.CheckConstraint(
                condition=models.Q(("balance__isnull", True), ("balance__gte", 0), _connector="OR"),
                name="pocket_never_overdrawn",
                violation_error_message="Il n’y a pas assez dans cette poche.",
            ),
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ("state", "funder", "card", "forfeited")), ("balance__isnull", True)
                    ),
                    models.Q(
                        models.Q(("kind__in", ("state", "funder", "card", "forfeited")), _negated=True),
                        ("balance__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="pocket_of_the_world_keeps_no_balance",
            ),
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ("state", "funder", "card", "forfeited")), ("holder__isnull", True)
                    ),
                    models.Q(
                        models.Q(("kind__in", ("state", "funder", "card", "forfeited")), _negated=True),
                        ("holder__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="pocket_of_a_person_has_a_holder",
            ),
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("funder_kind", ""), ("kind__in", ("dotation", "top_up")), _connector="OR"
                ),
                name="pocket_of_a_funder_only_names_its_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("kind__in", ("reserved", "state", "funder", "card", "forfeited")), _negated=True
                ),
                fields=("holder", "kind", "unit", "label", "funder_kind", "expires_on"),
                name="purse_is_opened_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="pocket",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind__in", ("state", "funder", "card", "forfeited"))),
                fields=("kind", "unit", "label"),
                name="world_pocket_is_opened_once",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pocket",
            trigger=pgtrigger.compiler.Trigger(
                name="pocket_starts_empty",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.balance <> 0)",
                    func="RAISE EXCEPTION 'a pocket is opened empty: value comes by movements' USING ERRCODE = 'check_violation', CONSTRAINT = 'pocket_starts_empty';",
                    hash="ba9f0bbf55fced0d033f52b468ef9c92274a39d0",
                    operation="INSERT",
                    pgid="pgtrigger_pocket_starts_empty_fb83f",
                    table="rights_pocket",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pocket",
            trigger=pgtrigger.compiler.Trigger(
                name="pocket_balance_follows_moves",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.balance IS DISTINCT FROM NEW.balance AND pg_trigger_depth() = 0)",
                    func="RAISE EXCEPTION 'a balance changes by movements only' USING ERRCODE = 'check_violation', CONSTRAINT = 'pocket_balance_follows_moves';",
                    hash="177f5c52eb010d0721464abd2ecaa88a4bd2fde1",
                    operation='UPDATE OF "balance"',
                    pgid="pgtrigger_pocket_balance_follows_moves_8e20d",
                    table="rights_pocket",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pocket",
            trigger=pgtrigger.compiler.Trigger(
                name="pocket_stays_what_it_is",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."funder_kind" IS DISTINCT FROM (NEW."funder_kind") OR OLD."holder_id" IS DISTINCT FROM (NEW."holder_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."unit" IS DISTINCT FROM (NEW."unit"))',
                    func="RAISE EXCEPTION 'a pocket keeps its kind, its unit and its holder' USING ERRCODE = 'check_violation', CONSTRAINT = 'pocket_stays_what_it_is';",
                    hash="7efbf5dc8987dcad6cca2c4c0f55a73992d092f0",
                    operation="UPDATE",
                    pgid="pgtrigger_pocket_stays_what_it_is_81ba9",
                    table="rights_pocket",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pocket",
            trigger=pgtrigger.compiler.Trigger(
                name="pocket_is_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="e66be6f8f68a50f94bef647e0431314eb0b87379",
                    operation="DELETE",
                    pgid="pgtrigger_pocket_is_never_deleted_29c14",
                    table="rights_pocket",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="movement_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.CheckConstraint(
                condition=models.Q(("source", models.F("target")), _negated=True),
                name="movement_goes_somewhere",
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.CheckConstraint(
                condition=models.Q(("key", ""), _negated=True), name="movement_has_a_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "reversal"), ("reverses__isnull", False)),
                    models.Q(models.Q(("kind", "reversal"), _negated=True), ("reverses__isnull", True)),
                    _connector="OR",
                ),
                name="movement_reversal_names_what_it_reverses",
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind__in", ("reserve", "payment"))),
                fields=("target",),
                name="reserved_pocket_is_filled_once",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="movement",
            trigger=pgtrigger.compiler.Trigger(
                name="movement_is_in_order",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE fault TEXT;",
                    func="\n                    SELECT name INTO fault FROM moved m\n                    JOIN rights_pocket s ON s.id = m.source_id\n                    JOIN rights_pocket t ON t.id = m.target_id\n                    CROSS JOIN LATERAL (SELECT CASE WHEN s.unit <> t.unit THEN 'movement_keeps_one_unit' WHEN s.holder_id <> t.holder_id THEN 'movement_keeps_one_holder' WHEN m.kind <> 'reversal' AND NOT ((m.kind = 'credit' AND s.kind IN ('state', 'funder') AND t.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up')) OR (m.kind = 'reserve' AND s.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up') AND t.kind IN ('reserved')) OR (m.kind = 'payment' AND s.kind IN ('card') AND t.kind IN ('reserved')) OR (m.kind = 'release' AND s.kind IN ('reserved') AND t.kind IN ('annual', 'increase', 'dif', 'volunteer', 'credit', 'dotation', 'professional_risk', 'top_up')) OR (m.kind = 'refund' AND s.kind IN ('reserved') AND t.kind IN ('card'))) THEN 'movement_follows_its_route' WHEN m.kind IN ('release', 'refund') AND NOT EXISTS (\n        SELECT FROM rights_movement entry WHERE entry.kind IN ('reserve', 'payment')\n        AND entry.target_id = m.source_id AND entry.source_id = m.target_id) THEN 'movement_returns_to_its_source' WHEN m.kind = 'reversal' AND NOT EXISTS (\n        SELECT FROM rights_movement original\n        WHERE original.id = m.reverses_id AND original.kind = 'credit'\n        AND original.source_id = m.target_id AND original.target_id = m.source_id\n        AND original.amount = m.amount) THEN 'movement_reverses_a_credit' END) AS faulty (name)\n                    WHERE name IS NOT NULL LIMIT 1;\n                    IF fault IS NOT NULL THEN\n                        RAISE EXCEPTION 'this movement is refused by %', fault\n                        USING ERRCODE = 'check_violation', CONSTRAINT = fault;\n                    END IF;\n                    RETURN NULL;\n                ",
                    hash="8f432b76ef6324d4165def31301a7e2181049fdf",
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
            model_name="movement",
            trigger=pgtrigger.compiler.Trigger(
                name="movement_moves_balances",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                    PERFORM 1 FROM rights_pocket\n                    WHERE balance IS NOT NULL\n                      AND id IN (SELECT source_id FROM moved UNION SELECT target_id FROM moved)\n                    ORDER BY id FOR NO KEY UPDATE;\n                    UPDATE rights_pocket pocket SET balance = pocket.balance + net.delta\n                    FROM (\n                        SELECT pocket_id, sum(delta) AS delta\n                        FROM (\n                            SELECT target_id, amount FROM moved UNION ALL SELECT source_id, -amount FROM moved\n                        ) AS ends (pocket_id, delta)\n                        GROUP BY pocket_id\n                    ) AS net\n                    WHERE pocket.id = net.pocket_id AND pocket.balance IS NOT NULL;\n                    RETURN NULL;\n                ",
                    hash="44bb0ceb52a16a3c9c2bb57fbd07a0fc1779ddca",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_movement_moves_balances_5e73f",
                    referencing="REFERENCING NEW TABLE AS moved ",
                    table="rights_movement",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="movement",
            trigger=pgtrigger.compiler.Trigger(
                name="movement_is_never_edited",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="9cd1065d5f59bc610270f423b4936541fdb5696b",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_movement_is_never_edited_2c045",
                    table="rights_movement",
                    when="BEFORE",
                ),
            ),
        ),
    ]
