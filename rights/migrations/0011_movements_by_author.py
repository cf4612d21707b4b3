import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# As Django named it.
INDEX = "rights_movement_recorded_by_id_faf81aea"


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0010_firm_triggers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="movement",
            index=models.Index(
                condition=models.Q(("recorded_by__isnull", False)),
                fields=["recorded_by"],
                name="movement_by_its_author",
            ),
        ),
        # By itself, Django would also take away the foreign key and look at the whole ledger to put it back.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX {INDEX}", f"CREATE INDEX {INDEX} ON rights_movement (recorded_by_id)"
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="movement",
                    name="recorded_by",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="par",
                    ),
                )
            ],
        ),
    ]
