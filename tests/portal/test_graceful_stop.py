"""Asked to stop, the web server answers what it began, and the worker ends the mail it was sending."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from dossiers.models import Dossier
from notices.models import Notice
from tests.factories.dossiers import DossierFactory
from tests.factories.notices import NoticeFactory
from tests.notices.smtp import MailServer
from tests.waiting import somebody_waits_for_a_lock, wait_for
from tools.dev.servers import free_service_port

ROOT = Path(__file__).resolve().parents[2]


def our_environment(**more):
    address = urlsplit(os.environ["DATABASE_URL"])
    path = f"/{connection.settings_dict['NAME']}"
    return os.environ | {
        "DATABASE_URL": urlunsplit(address._replace(path=path)),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "ALLOWED_HOSTS": "127.0.0.1,testserver",
        "LOG_LEVEL": "INFO",
        **more,
    }


def start(command, environment, log):
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
    )


def end_with_its_children(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def mail_server():
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def web(transactional_db, tmp_path):
    """A web server on this test's database, as production starts it; gives its process and its address."""
    port = free_service_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--blocking-threads", "1", "--no-ws"]
    command += ["--respawn-failed-workers", "--workers-kill-timeout", "30", "portal.wsgi:application"]
    with (tmp_path / "web.log").open("w") as log:
        process = start(command, our_environment(), log)
    address = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return urllib.request.urlopen(f"{address}{reverse('live')}", timeout=5).status == 200
        except OSError:
            return False

    try:
        wait_for(answers, limit=60)
        yield process, address
    finally:
        end_with_its_children(process)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def test_a_click_that_was_begun_is_answered_before_the_web_server_stops(web, at):
    """The click waits for a lock that the test holds; the order to stop comes meanwhile."""
    process, address = web
    dossier = DossierFactory(at=at, requested=True)
    browser = Client()
    browser.force_login(dossier.holder.user)
    csrf = "c" * 32
    cookies = f"sessionid={browser.cookies['sessionid'].value}; csrftoken={csrf}"
    form = f"csrfmiddlewaretoken={csrf}&request_id=0b8f2a54-5f0e-4b5c-9d3a-1f0c2a6f7e11".encode()
    url = address + reverse("dossier_cancel", args=[dossier.pk])
    answers = []

    def click():
        request = urllib.request.Request(url, data=form, headers={"Cookie": cookies})
        try:
            urllib.request.build_opener(NoRedirect).open(request, timeout=30)
        except urllib.error.HTTPError as answer:
            answers.append(answer.code)
        except OSError as error:
            answers.append(error)

    clicking = threading.Thread(target=click)
    with transaction.atomic():
        Dossier.objects.select_for_update().get(pk=dossier.pk)
        clicking.start()
        wait_for(somebody_waits_for_a_lock, limit=60)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert process.poll() is None, "it left while a click was unanswered"
        assert answers == []
    clicking.join(30)
    assert answers == [302]
    dossier.refresh_from_db()
    assert dossier.state == "cancelled_by_holder"
    assert process.wait(30) == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{address}{reverse('live')}", timeout=5)


@pytest.mark.worker
def test_a_mail_that_was_begun_is_ended_before_the_worker_stops(transactional_db, at, mail_server, tmp_path):
    """The order to stop comes while the mail server hesitates; the next notice is left to the next worker."""
    first = NoticeFactory(created_at=at)
    begun, go_on = threading.Event(), threading.Event()

    def hesitate():
        begun.set()
        go_on.wait(20)

    mail_server.before_answer = hesitate
    environment = our_environment(EMAIL_URL=f"smtp://127.0.0.1:{mail_server.port}")
    command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "--beat", "--concurrency=1"]
    command += ["--without-gossip", "--without-mingle", f"--schedule={tmp_path / 'beat'}"]
    with (tmp_path / "worker.log").open("w") as log:
        process = start(command, environment, log)
    try:
        assert begun.wait(60), (tmp_path / "worker.log").read_text()
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert process.poll() is None, "it left while a mail was on its way"
        go_on.set()
        assert process.wait(60) == 0
    finally:
        end_with_its_children(process)
    first.refresh_from_db()
    assert first.delivered_at is not None
    assert [message["Message-ID"] for _to, message in mail_server.mails] == [f"<{first.pk}@exemple.invalid>"]
    assert not Notice.objects.waiting().exists()
