"""An organisation that was suspended before measures existed has one, so that it can be lifted and told."""

import uuid

from django.db import migrations
from django.db.models.functions import Now


def open_measures(apps, _schema_editor):
    Provider = apps.get_model("catalog", "Provider")
    Entry = apps.get_model("accounts", "JournalEntry")
    Measure = apps.get_model("admissions", "Measure")
    Step = apps.get_model("admissions", "MeasureStep")
    for provider in Provider.objects.filter(state="suspended").order_by("pk"):
        entries = Entry.objects.filter(subject=f"provider:{provider.pk}", action="suspend").order_by(
            "-at", "-pk"
        )
        entry = entries.first()
        reason = (
            entry.details.get("reason") if entry else ""
        ) or "Suspension décidée avant la tenue des mesures."
        at = entry.at if entry else Now()
        measure = Measure.objects.create(provider=provider, reason=reason, opened_at=at)
        Step.objects.create(
            measure=measure,
            verb="suspend_at_once",
            from_state="new",
            to_state="suspended",
            side="admin",
            user_id=entry.user_id if entry else None,
            at=at,
            request_id=uuid.uuid4(),
            words=reason,
        )


class Migration(migrations.Migration):
    dependencies = [("admissions", "0001_initial")]

    operations = [migrations.RunPython(open_measures, migrations.RunPython.noop)]
