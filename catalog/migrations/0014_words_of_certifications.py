import django.db.models.deletion
from django.db import migrations, models

# As catalog.words writes them.
FILL = """
INSERT INTO catalog_certificationword (word, certification_id, place, title_size)
SELECT said.lexeme, kept.certification_id, (SELECT min(weight) FROM unnest(said.weights) AS weight),
    kept.title_size
FROM catalog_certificationindex AS kept CROSS JOIN unnest(kept.search) AS said
WHERE said.weights && '{A,B,C}'
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0013_natures")]

    operations = [
        migrations.CreateModel(
            name="CertificationWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("word", models.TextField(db_collation="C", verbose_name="mot")),
                (
                    "place",
                    models.CharField(
                        choices=[
                            ("A", "intitulé ou numéro"),
                            ("B", "autre nom"),
                            ("C", "métier ou synonyme"),
                        ],
                        max_length=1,
                        verbose_name="sa meilleure place",
                    ),
                ),
                ("title_size", models.PositiveSmallIntegerField(verbose_name="mots de l’intitulé")),
                (
                    "certification",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="catalog.certification",
                        verbose_name="certification",
                    ),
                ),
            ],
            options={
                "verbose_name": "mot d’une certification",
                "verbose_name_plural": "mots des certifications",
                "ordering": ["word", "certification_id"],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop, elidable=True),
        migrations.AddIndex(
            model_name="certificationword",
            index=models.Index(fields=["certification"], name="word_by_its_certification"),
        ),
        migrations.AddConstraint(
            model_name="certificationword",
            constraint=models.UniqueConstraint(
                fields=("word", "certification"),
                include=("place", "title_size"),
                name="certification_has_a_word_once",
            ),
        ),
        migrations.RemoveIndex(model_name="certificationindex", name="certification_by_title"),
        migrations.RemoveIndex(model_name="certificationindex", name="certification_by_names"),
        migrations.RemoveIndex(model_name="certificationindex", name="certification_by_jobs"),
        migrations.RemoveIndex(model_name="offerindex", name="offer_by_certified_price"),
        migrations.AddIndex(
            model_name="offerindex",
            index=models.Index(
                fields=["certification", "price_cents", "offer"],
                include=["provider", "closes_on"],
                name="offer_by_certified_price",
            ),
        ),
    ]
