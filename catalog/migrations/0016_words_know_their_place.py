from django.db import migrations

import catalog.geography

LOT = 5_000
# As catalog.indexing writes it, lot by lot: the search goes on meanwhile.
FILL = """
WITH lot AS (
    SELECT offer_id, point FROM catalog_offerindex WHERE offer_id > %s ORDER BY offer_id LIMIT %s
), written AS (
    UPDATE catalog_offerwords AS words SET point = lot.point
    FROM lot WHERE lot.offer_id = words.offer_id AND lot.point IS NOT NULL
)
SELECT offer_id FROM lot ORDER BY offer_id DESC LIMIT 1
"""


def fill(apps, schema_editor):
    last = "00000000-0000-0000-0000-000000000000"
    with schema_editor.connection.cursor() as cursor:
        while last:
            cursor.execute(FILL, [last, LOT])
            last = (cursor.fetchone() or [None])[0]
        # Each search would read through what is new until a vacuum (catalog.imports.loading.settle).
        cursor.execute(
            "SELECT gin_clean_pending_list('offer_by_words'), gin_clean_pending_list('offer_by_own_words')"
        )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("catalog", "0015_certified_place_by_number")]

    operations = [
        migrations.AddField(
            model_name="offerwords",
            name="point",
            field=catalog.geography.PointField(blank=True, null=True, verbose_name="position"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
