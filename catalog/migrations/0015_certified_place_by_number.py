import django.contrib.postgres.indexes
from django.db import migrations, models

import catalog.models  # Hashed keeps its name


class Migration(migrations.Migration):
    dependencies = [("catalog", "0014_words_of_certifications")]

    operations = [
        migrations.RemoveIndex(model_name="offerindex", name="offer_by_certified_place"),
        migrations.AddIndex(
            model_name="offerindex",
            index=django.contrib.postgres.indexes.GistIndex(
                catalog.models.Hashed("certification_id"), models.F("point"), name="offer_by_certified_place"
            ),
        ),
    ]
