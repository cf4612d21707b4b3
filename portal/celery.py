"""The Celery application and the one timetable of everything that runs by the clock.

Losing the broker loses nothing: every task below looks in PostgreSQL for what is due.
"""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Each entry expires before the next one comes, so that a worker which was down does not
# find a thousand copies of the same broom in its queue.
app.conf.beat_schedule = {
    "settle-overdue-clocks": {
        "task": "dossiers.tasks.settle_overdue",
        "schedule": 30.0,
        "options": {"expires": 25},
    },
    "send-due-reminders": {
        "task": "dossiers.tasks.send_reminders",
        "schedule": 60.0,
        "options": {"expires": 55},
    },
    "deliver-due-notices": {
        "task": "notices.tasks.deliver_due",
        "schedule": 15.0,
        "options": {"expires": 12},
    },
    "close-dossiers-of-ended-certifications": {
        "task": "dossiers.tasks.close_ended_certifications",
        "schedule": crontab(minute="10", hour="0"),
        "options": {"expires": 3600},
    },
    "import-registers": {
        "task": "catalog.tasks.import_registers",
        "schedule": crontab(minute="30", hour="3"),
        "options": {"expires": 3600},
    },
    "check-the-ledger": {
        "task": "rights.tasks.check_ledger",
        "schedule": crontab(minute="0", hour="4"),
        "options": {"expires": 3600},
    },
}
