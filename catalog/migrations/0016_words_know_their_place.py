from django.db import migrations

import catalog.geography

# As catalog.indexing writes it.
FILL = """
UPDATE catalog_offerwords AS words SET point = shown.point
FROM catalog_offerindex AS shown
WHERE shown.offer_id = words.offer_id AND shown.point IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0015_certified_place_by_number")]

    operations = [
        migrations.AddField(
            model_name="offerwords",
            name="point",
            field=catalog.geography.PointField(blank=True, null=True, verbose_name="position"),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop, elidable=True),
    ]
