import django.contrib.postgres.search
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# The search goes on meanwhile, as before this: nothing here holds a table longer than it takes to name a
# column. As catalog.words writes them.
NAMES = "UPDATE catalog_certificationindex SET names = ts_filter(search, '{a,b}')"
ENDS = """
UPDATE catalog_certificationword AS said SET registered_until = known.registered_until
FROM catalog_certification AS known
WHERE known.code = said.certification_id AND NOT known.withdrawn AND known.registered_until IS NOT NULL
"""
INDEX = """
CREATE UNIQUE INDEX CONCURRENTLY certification_has_a_word_once_{name}
ON catalog_certificationword (word, certification_id) INCLUDE ({columns})
"""
RENAME = "ALTER INDEX certification_has_a_word_once_{name} RENAME TO certification_has_a_word_once"
DROP = "DROP INDEX CONCURRENTLY certification_has_a_word_once"
BEFORE = {"name": "before", "columns": "place, title_size"}
AFTER = {"name": "after", "columns": "place, title_size, registered_until"}
# What a search reads from its index alone is read from the table too where nobody has tidied since: rather
# after some changes than after a fifth of the rows. The same tells GIN to file what is new in its place.
TIDY = """
ALTER TABLE {table} SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01
)
"""
UNTIDY = "ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor)"
TABLES = (
    "catalog_certificationindex", "catalog_certificationword", "catalog_offerindex", "catalog_offerwords"
)  # fmt: skip


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("catalog", "0016_words_know_their_place")]

    operations = [
        migrations.AddField(
            model_name="certificationindex",
            name="names",
            field=django.contrib.postgres.search.SearchVectorField(default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="certificationword",
            name="registered_until",
            field=models.DateField(
                blank=True,
                null=True,
                verbose_name="fin d’enregistrement",
                help_text="De la certification, qui la tient à jour ; vide si elle n’en a pas ou a été retirée.",
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
        migrations.RunSQL(NAMES, migrations.RunSQL.noop, elidable=True),
        migrations.RunSQL(ENDS, migrations.RunSQL.noop, elidable=True),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(INDEX.format(**AFTER), RENAME.format(**BEFORE)),
                migrations.RunSQL(DROP, DROP),
                migrations.RunSQL(RENAME.format(**AFTER), INDEX.format(**BEFORE)),
            ],
            state_operations=[
                migrations.RemoveConstraint("certificationword", "certification_has_a_word_once"),
                migrations.AddConstraint(
                    "certificationword",
                    models.UniqueConstraint(
                        fields=("word", "certification"),
                        include=("place", "title_size", "registered_until"),
                        name="certification_has_a_word_once",
                    ),
                ),
            ],
        ),
        *(migrations.RunSQL(TIDY.format(table=each), UNTIDY.format(table=each)) for each in TABLES),
        migrations.RunSQL("VACUUM (ANALYZE) catalog_certificationindex", migrations.RunSQL.noop),
        migrations.RunSQL("VACUUM (ANALYZE) catalog_certificationword", migrations.RunSQL.noop),
    ]
