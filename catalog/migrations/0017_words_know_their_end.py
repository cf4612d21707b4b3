import django.contrib.postgres.search
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns without a value yet, which takes no time; 0018 fills them."""

    dependencies = [("catalog", "0016_words_know_their_place")]

    operations = [
        migrations.AddField(
            model_name="certificationindex",
            name="names",
            field=django.contrib.postgres.search.SearchVectorField(db_default=""),
        ),
        migrations.AddField(
            model_name="certificationword",
            name="registered_until",
            field=models.DateField(
                blank=True,
                null=True,
                verbose_name="fin d’enregistrement",
                help_text="De la certification, qui la tient à jour ; vide si elle n’en a pas ou a été retirée.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="certification",
            trigger=pgtrigger.compiler.Trigger(
                name="its_words_know_its_end",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."registered_until" IS DISTINCT FROM (NEW."registered_until")'
                    ' OR OLD."withdrawn" IS DISTINCT FROM (NEW."withdrawn"))',
                    func="UPDATE catalog_certificationword SET registered_until ="
                    " CASE WHEN NOT NEW.withdrawn THEN NEW.registered_until END"
                    " WHERE certification_id = NEW.code; RETURN NULL;",
                    hash="576e1adb1e6b3c7623b55a293de7934dceadf5ab",
                    operation='UPDATE OF "registered_until", "withdrawn"',
                    pgid="pgtrigger_its_words_know_its_end_47cbf",
                    table="catalog_certification",
                    when="AFTER",
                ),
            ),
        ),
    ]
