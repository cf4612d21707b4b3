from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models

# Those of their own; `manage.py reindex` adds those of what they replace, and the names of jobs.
JOBS = """
UPDATE catalog_certificationindex AS kept SET jobs = record.rome_codes
FROM catalog_certification AS record WHERE record.code = kept.certification_id AND record.rome_codes <> '{}'
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0019_particulars")]

    operations = [
        migrations.CreateModel(
            name="JobName",
            fields=[
                (
                    "key",
                    models.CharField(
                        max_length=255, primary_key=True, serialize=False, verbose_name="mots du nom"
                    ),
                ),
                ("codes", ArrayField(models.CharField(max_length=5), verbose_name="codes ROME")),
            ],
            options={
                "verbose_name": "nom de métier",
                "verbose_name_plural": "noms de métier",
                "ordering": ["key"],
            },
        ),
        migrations.AddField(
            model_name="certificationindex",
            name="jobs",
            field=ArrayField(
                models.CharField(max_length=5), db_default=[], default=list, verbose_name="métiers"
            ),
        ),
        migrations.RunSQL(JOBS, migrations.RunSQL.noop, elidable=True),
        migrations.AddIndex(
            model_name="certificationindex",
            index=GinIndex(fields=["jobs"], name="certification_by_its_jobs"),
        ),
    ]
