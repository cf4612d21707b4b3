import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.db import migrations, models

import catalog.geography


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_what_people_ask_for"),
    ]

    operations = [
        migrations.CreateModel(
            name="OfferIndex",
            fields=[
                (
                    "offer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="index",
                        serialize=False,
                        to="catalog.offer",
                        verbose_name="offre",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("training", "Formation certifiante"),
                            ("skills_review", "Bilan de compétences"),
                            ("vae", "Validation des acquis (VAE)"),
                            ("business_creation", "Création ou reprise d’entreprise"),
                            ("licence_light", "Permis de conduire (véhicules légers)"),
                            ("licence_heavy", "Permis de conduire (véhicules lourds)"),
                            ("volunteer_training", "Formation des bénévoles"),
                        ],
                        max_length=30,
                        verbose_name="nature",
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("on_site", "En présentiel"),
                            ("mixed", "Mixte"),
                            ("distance", "À distance"),
                        ],
                        max_length=10,
                        verbose_name="modalité",
                    ),
                ),
                ("title", models.CharField(max_length=255, verbose_name="intitulé")),
                (
                    "level",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="niveau obtenu"),
                ),
                (
                    "entry_level",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="niveau à l’entrée"),
                ),
                ("price_cents", models.PositiveBigIntegerField(verbose_name="prix TTC en centimes")),
                (
                    "extra_fees_cents",
                    models.PositiveBigIntegerField(verbose_name="frais annexes en centimes"),
                ),
                ("hours", models.PositiveIntegerField(blank=True, null=True, verbose_name="durée en heures")),
                (
                    "rhythms",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10),
                        blank=True,
                        size=None,
                        verbose_name="rythmes",
                    ),
                ),
                (
                    "languages",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=2),
                        blank=True,
                        size=None,
                        verbose_name="langues de la formation",
                    ),
                ),
                ("is_accessible", models.BooleanField(verbose_name="dit comment elle accueille un handicap")),
                (
                    "rating_tenths",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="note moyenne, en dixièmes"
                    ),
                ),
                (
                    "starts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateField(),
                        blank=True,
                        help_text="Des sessions ouvertes à l’inscription.",
                        size=None,
                        verbose_name="débuts à venir",
                    ),
                ),
                ("is_permanent", models.BooleanField(verbose_name="entrée à tout moment")),
                (
                    "closes_on",
                    models.DateField(
                        help_text="Premier jour où une date déjà connue la ferme ; au plus loin : aucune.",
                        verbose_name="fermée le",
                    ),
                ),
                (
                    "draw",
                    models.PositiveSmallIntegerField(
                        help_text="De 0 à 1023, toujours le même : un échantillon est fait de ceux qui ont tiré peu.",
                        verbose_name="tirage",
                    ),
                ),
                ("point", catalog.geography.PointField(blank=True, null=True, verbose_name="position")),
            ],
            options={
                "verbose_name": "index d’une offre",
                "verbose_name_plural": "index des offres",
            },
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_search",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_by_place",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_by_price",
        ),
        migrations.RemoveField(
            model_name="offer",
            name="search",
        ),
        migrations.AddField(
            model_name="offerindex",
            name="certification",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.certification",
                verbose_name="certification",
            ),
        ),
        migrations.AddField(
            model_name="offerindex",
            name="provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.provider",
                verbose_name="organisme",
            ),
        ),
        migrations.AddField(
            model_name="offerindex",
            name="town",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.town",
                verbose_name="commune",
            ),
        ),
        migrations.CreateModel(
            name="OfferWords",
            fields=[
                (
                    "offer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="words",
                        serialize=False,
                        to="catalog.offerindex",
                        verbose_name="offre",
                    ),
                ),
                ("search", django.contrib.postgres.search.SearchVectorField()),
                ("own", django.contrib.postgres.search.SearchVectorField()),
            ],
            options={
                "verbose_name": "mots d’une offre",
                "verbose_name_plural": "mots des offres",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["search"], name="offer_by_words"),
                    django.contrib.postgres.indexes.GinIndex(fields=["own"], name="offer_by_own_words"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=django.contrib.postgres.indexes.GistIndex(fields=["point"], name="offer_by_place"),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=django.contrib.postgres.indexes.GistIndex(
                fields=["certification", "point"], name="offer_by_certified_place"
            ),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=django.contrib.postgres.indexes.GistIndex(
                condition=models.Q(("draw__lt", 64)), fields=["point"], name="offer_sample_by_place"
            ),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=models.Index(
                fields=["certification", "price_cents", "offer"], name="offer_by_certified_price"
            ),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=models.Index(fields=["certification", "draw"], name="offer_sample_by_certified"),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=models.Index(fields=["kind", "price_cents", "offer"], name="offer_by_kind"),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=models.Index(fields=["price_cents", "offer"], name="offer_by_price"),
        ),
        migrations.AddIndex(
            model_name="offerindex",
            index=models.Index(fields=["title", "offer"], name="offer_by_shown_title"),
        ),
    ]
