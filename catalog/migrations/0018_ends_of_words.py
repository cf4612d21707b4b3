from django.db import migrations, models

# In one transaction, so that whatever stops it (an import holds a lock longer than one waits) leaves it to be
# run again. Searches go on; who writes certifications or their words waits for some seconds.
HOLD = "LOCK TABLE catalog_certification, catalog_certificationword IN SHARE ROW EXCLUSIVE MODE"
# As catalog.words writes them.
NAMES = "UPDATE catalog_certificationindex SET names = ts_filter(search, '{a,b}')"
ENDS = """
UPDATE catalog_certificationword AS said SET registered_until = record.registered_until
FROM catalog_certification AS record
WHERE record.code = said.certification_id AND NOT record.withdrawn AND record.registered_until IS NOT NULL
"""
# The new index is made beside the old one, which searches read meanwhile.
INDEX = """
CREATE UNIQUE INDEX certification_has_a_word_once_next
ON catalog_certificationword (word, certification_id) INCLUDE ({columns})
"""
DROP = "DROP INDEX certification_has_a_word_once"
RENAME = "ALTER INDEX certification_has_a_word_once_next RENAME TO certification_has_a_word_once"
WITHOUT_END = "place, title_size"
WITH_END = f"{WITHOUT_END}, registered_until"
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
    dependencies = [("catalog", "0017_words_know_their_end")]

    operations = [
        migrations.RunSQL(HOLD, HOLD, elidable=True),
        migrations.RunSQL(NAMES, migrations.RunSQL.noop, elidable=True),
        migrations.RunSQL(ENDS, migrations.RunSQL.noop, elidable=True),
        *(migrations.RunSQL(TIDY.format(table=each), UNTIDY.format(table=each)) for each in TABLES),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(INDEX.format(columns=WITH_END), RENAME),
                migrations.RunSQL(DROP, DROP),
                migrations.RunSQL(RENAME, INDEX.format(columns=WITHOUT_END)),
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
    ]
