import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0007_favourites"),
    ]

    operations = [
        migrations.AddField(
            model_name="offer",
            name="entry_level",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Du cadre européen, 3 à 8 ; 0 : aucun niveau demandé. Vide : non précisé.",
                null=True,
                verbose_name="niveau à l’entrée",
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="languages",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=2),
                blank=True,
                db_default=[],
                default=list,
                help_text="Codes ISO 639-1, en minuscules. Vide : non précisées.",
                size=None,
                verbose_name="langues de la formation",
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="rating_tenths",
            field=models.PositiveSmallIntegerField(
                blank=True,
                editable=False,
                help_text="De 10 à 50, des avis publiés. Vide : trop peu d’avis.",
                null=True,
                verbose_name="note moyenne, en dixièmes",
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="reviews_count",
            field=models.PositiveIntegerField(
                db_default=0, default=0, editable=False, verbose_name="avis publiés"
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="rhythms",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("day", "En journée"),
                        ("evening", "En soirée"),
                        ("week", "En semaine"),
                        ("weekend", "Le week-end"),
                        ("full_time", "À temps plein"),
                        ("part_time", "À temps partiel"),
                        ("several", "Plusieurs rythmes"),
                    ],
                    max_length=10,
                ),
                blank=True,
                db_default=[],
                default=list,
                help_text="Vide : non précisés.",
                size=None,
                verbose_name="rythmes",
            ),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("entry_level__isnull", True),
                    ("entry_level", 0),
                    ("entry_level__range", (3, 8)),
                    _connector="OR",
                ),
                name="offer_entry_level_is_of_the_european_framework",
            ),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rating_tenths__isnull", True), ("rating_tenths__range", (10, 50)), _connector="OR"
                ),
                name="offer_rating_is_from_one_to_five",
            ),
        ),
    ]
