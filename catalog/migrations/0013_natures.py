from django.db import migrations, models

NATURES = [
    ("training", "Formation certifiante"),
    ("block", "Bloc de compétences"),
    ("clea", "CléA, socle de compétences"),
    ("skills_review", "Bilan de compétences"),
    ("vae", "Validation des acquis (VAE)"),
    ("business_creation", "Création ou reprise d’entreprise"),
    ("licence_light", "Permis de conduire (véhicules légers)"),
    ("licence_heavy", "Permis de conduire (véhicules lourds)"),
    ("volunteer_training", "Formation des bénévoles"),
]


def begin_with_the_kind(apps, schema_editor):
    """Blocks and CléA are told apart by the hourly look at offers, which writes what differs."""
    apps.get_model("catalog", "OfferIndex").objects.update(nature=models.F("kind"))


class Migration(migrations.Migration):
    dependencies = [("catalog", "0012_taught_from_afar")]

    operations = [
        migrations.AddField(
            model_name="offerindex",
            name="nature",
            field=models.CharField(choices=NATURES, default="", max_length=30, verbose_name="nature"),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="offerindex",
            name="kind",
            field=models.CharField(
                choices=[each for each in NATURES if each[0] not in {"block", "clea"}],
                max_length=30,
                verbose_name="sorte d’action",
            ),
        ),
        migrations.RunPython(begin_with_the_kind, migrations.RunPython.noop, elidable=True),
    ]
