"""A search is saved; an offer opens; a real worker writes once; one click in the mail stops it."""

import email
import email.policy
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from celery import current_app
from django.test import Client

from catalog import saved_searches, validity
from catalog.models import SavedSearch
from notices.models import Notice
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import OfferFactory

PATIENCE_SECONDS = 60
TASK = "catalog.tasks.tell_of_new_offers"


@pytest.mark.worker
def test_what_opens_is_written_once_and_stopped_from_the_mail(worker, at):
    yesterday = at - timedelta(days=1)
    holder = HolderFactory()
    saved_searches.keep("q=soudure", name="Souder", alert="daily", user=holder.user, at=yesterday)
    OfferFactory(title="Soudure à l'arc")
    validity.look(at=yesterday)

    for _asked_twice in range(2):
        current_app.send_task(TASK)
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and not Notice.objects.exclude(delivered_at=None).exists():
        time.sleep(0.5)
    current_app.send_task(TASK)
    time.sleep(2)

    [file] = worker.iterdir()
    letter = email.message_from_bytes(
        file.read_bytes().split(b"\n" + b"-" * 79)[0], policy=email.policy.default
    )
    assert letter["To"] == holder.user.email
    assert letter["Subject"].replace("\xa0", " ") == "Une nouvelle formation : Souder"
    assert "Soudure à l'arc" in letter.get_body(("plain",)).get_content()

    # What a mail reader's own button does: no cookie, no page before.
    path = urlsplit(letter["List-Unsubscribe"].strip(" <>")).path
    answer = Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert SavedSearch.objects.get().alert == "none"
