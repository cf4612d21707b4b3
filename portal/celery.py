"""The Celery application and the one timetable of everything that runs by the clock.

Losing the broker loses nothing: every task below looks in PostgreSQL for what is due.
"""

import os

from celery import Celery
from celery.schedules import crontab
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.imports = ["portal.worker"]
app.steps["worker"].add(DjangoStructLogInitStep)

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
    # What is due at midnight is looked for every hour: an hour that was missed costs an hour, not a day.
    "close-dossiers-of-ended-certifications": {
        "task": "dossiers.tasks.close_ended_certifications",
        "schedule": crontab(minute="10"),
        "options": {"expires": 3000},
    },
    # The night's registers included: what they closed is told the same morning.
    "look-at-offers": {
        "task": "catalog.tasks.look_at_offers",
        "schedule": crontab(minute="6"),
        "options": {"expires": 3000},
    },
    "warn-of-ending-certifications": {
        "task": "catalog.tasks.warn_of_ending_certifications",
        "schedule": crontab(minute="40", hour="7-20"),
        "options": {"expires": 3000},
    },
    # After the look of the hour: what it finds today is told tomorrow, once the day is whole.
    "tell-of-new-offers": {
        "task": "catalog.tasks.tell_of_new_offers",
        "schedule": crontab(minute="*/10", hour="7-20"),
        "options": {"expires": 550},
    },
    "refresh-suggestions": {
        "task": "catalog.tasks.refresh_suggestions",
        "schedule": crontab(minute="10", hour="5"),
        "options": {"expires": 3600},
    },
    "open-missing-clocks": {
        "task": "dossiers.tasks.open_missing_clocks",
        "schedule": crontab(minute="25"),
        "options": {"expires": 3000},
    },
    "carry-out-batches": {
        "task": "dossiers.tasks.carry_out_batches",
        "schedule": 15.0,
        "options": {"expires": 12},
    },
    "handle-payment-events": {
        "task": "dossiers.tasks.handle_payment_events",
        "schedule": 15.0,
        "options": {"expires": 12},
    },
    "ask-about-payments": {
        "task": "dossiers.tasks.ask_about_payments",
        "schedule": 60.0,
        "options": {"expires": 55},
    },
    "send-refunds": {
        "task": "dossiers.tasks.send_refunds",
        "schedule": 30.0,
        "options": {"expires": 25},
    },
    # By day: nobody wants a mail at three in the morning.
    "invite-to-review": {
        "task": "dossiers.tasks.invite_to_review",
        "schedule": crontab(minute="*/10", hour="9-19"),
        "options": {"expires": 550},
    },
    "recount-reviews": {
        "task": "dossiers.tasks.recount_reviews",
        "schedule": crontab(minute="55"),
        "options": {"expires": 3000},
    },
    "count-answers": {
        "task": "dossiers.tasks.count_answers",
        "schedule": crontab(minute="10", hour="1"),
        "options": {"expires": 3600},
    },
    "discard-forgotten-batches": {
        "task": "dossiers.tasks.discard_forgotten_batches",
        "schedule": crontab(minute="40", hour="2"),
        "options": {"expires": 3600},
    },
    "remind-of-join-requests": {
        "task": "admissions.tasks.remind",
        "schedule": crontab(minute="20"),
        "options": {"expires": 3000},
    },
    "lift-ended-suspensions": {
        "task": "admissions.tasks.lift_ended_suspensions",
        "schedule": crontab(minute="5"),
        "options": {"expires": 3000},
    },
    "forget-documents-of-join-requests": {
        "task": "admissions.tasks.clear_away",
        "schedule": crontab(minute="50", hour="2"),
        "options": {"expires": 3600},
    },
    "carry-out-catalogue-imports": {
        "task": "catalog.tasks.carry_out_imports",
        "schedule": 15.0,
        "options": {"expires": 12},
    },
    "clear-catalogue-imports-away": {
        "task": "catalog.tasks.clear_imports_away",
        "schedule": crontab(minute="15", hour="2"),
        "options": {"expires": 3600},
    },
    "import-registers": {
        "task": "catalog.tasks.import_registers",
        "schedule": crontab(minute="30", hour="3"),
        "options": {"expires": 3600},
    },
    "forget-old-sign-ins": {
        "task": "accounts.tasks.forget",
        "schedule": crontab(minute="30", hour="4"),
        "options": {"expires": 3600},
    },
    "seal-the-ledger": {
        "task": "rights.tasks.seal_ledger",
        "schedule": crontab(minute="35"),
        "options": {"expires": 3000},
    },
    "return-ended-dotations": {
        "task": "rights.tasks.return_ended_dotations",
        "schedule": crontab(minute="15"),
        "options": {"expires": 3000},
    },
    "forget-old-proofs": {
        "task": "rights.tasks.clear_proofs",
        "schedule": crontab(minute="45", hour="4"),
        "options": {"expires": 3600},
    },
    "forget-old-evidence": {
        "task": "dossiers.tasks.clear_evidence",
        "schedule": crontab(minute="50", hour="4"),
        "options": {"expires": 3600},
    },
    "check-the-ledger": {
        "task": "rights.tasks.check_ledger",
        "schedule": crontab(minute="0", hour="4"),
        "options": {"expires": 3600},
    },
}
