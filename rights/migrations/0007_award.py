from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0006_declarations"),
    ]

    operations = [
        migrations.CreateModel(
            name="Award",
            fields=[],
            options={
                "verbose_name": "attribution",
                "verbose_name_plural": "attributions",
                "ordering": ["-id"],
                "permissions": [("grant_award", "Peut attribuer des droits hors des années de travail")],
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("rights.movement",),
        ),
    ]
