"""Each guard of tests/guards.py, tests/settings.py and pyproject.toml catches the fault it is there for."""

import os
import random
import socket
import subprocess
import sys
import tomllib
import uuid
import warnings
from types import SimpleNamespace

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F
from django.http import HttpResponse
from django.template import Context, Template
from django.template.loader import render_to_string
from django.urls import path

from accounts.models import Membership, User
from notices.models import Notice
from tests import conftest, guards
from tests.conftest import ROOT

pytestmark = pytest.mark.urls(__name__)

PAGE = "<html><body><form><label for='town'>Ville</label><input id='town'></form>%s</body></html>"


@login_not_required
def writes(request):
    Notice.objects.create(email="a@exemple.invalid", event_key=uuid.uuid4(), created_at="2026-01-05T00:00Z")
    return HttpResponse("fait")


@login_not_required
def shows(request):
    return HttpResponse(PAGE % request.GET["html"])


urlpatterns = [path("writes", writes), path("shows", shows)]


# --- Reading and writing --------------------------------------------------------------------------


def test_a_get_that_writes_fails(client, db):
    with pytest.raises(guards.Fault, match="a GET wrote to notices_notice"), transaction.atomic():
        client.get("/writes")
    assert not Notice.objects.exists()
    assert client.post("/writes").status_code == 200
    assert Notice.objects.count() == 1


@pytest.mark.parametrize(
    "sql",
    [
        'INSERT INTO "dossiers_dossier" ("id") VALUES (1)',
        'UPDATE "dossiers_dossier" SET "state" = %s',
        "update dossiers_dossier set state = 'x'",
        'DELETE FROM "dossiers_dossier"',
        'WITH x AS (UPDATE "dossiers_dossier" SET "state" = %s RETURNING 1) SELECT 1',
        "COPY dossiers_dossier FROM STDIN",
        "TRUNCATE TABLE dossiers_dossier",
    ],
)
def test_every_way_of_writing_is_recognised(sql):
    found = guards.WRITE.search(sql)
    assert (found["first"] or found["inner"]) == "dossiers_dossier"


def test_reading_and_locking_are_not_writing():
    assert not guards.WRITE.search(
        'SELECT "updated_at" FROM "t" WHERE "update" = %s FOR UPDATE OF "t" SKIP LOCKED'
    )


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<p onclick='go()'>", "inline handler onclick"),
        ("<p hx-on:click='go()'>", "inline handler hx-on"),
        ("<p style='color: red'>", "style attribute on <p>"),
        ("<style>p {}</style>", "inline <style>"),
        ("<script>go()</script>", "inline <script>"),
        ("<p id='town'>", "id « town » stands 2 times"),
        ("{{ name }}", "left-over template tag"),
        ("<p title='{% url %}'>", "left-over template tag"),
        ("<label for='street'>Rue</label>", "for points to « street », which is absent"),
        ("<input aria-describedby='town hint'>", "aria-describedby points to « hint », which is absent"),
    ],
)
def test_a_faulty_page_fails(client, html, fault):
    with pytest.raises(guards.Fault, match=fault):
        client.get("/shows", {"html": html})


def test_a_sound_page_passes(client):
    html = "<script src='/static/a.js'></script><script type='application/json' id='d'>{\"a\": {}}</script>"
    assert client.get("/shows", {"html": html}).status_code == 200


# --- Templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    ["{{ absent }}", "{{ user.absent }}", "{{ absent|default:'—' }}", "{% translate absent %}"],
)
def test_an_unknown_template_variable_fails(template):
    with pytest.raises(guards.Fault, match="absent"):
        Template("{% load i18n %}" + template).render(Context({"user": User()}))


def test_asking_whether_a_variable_is_there_passes():
    template = Template("{% if absent %}là{% else %}pas là{% endif %}{% firstof absent 'x' %}")
    assert template.render(Context({})) == "pas làx"


def test_a_missing_related_row_is_as_false_and_empty_as_in_production(db):
    user = User.objects.create_user("a@exemple.invalid")
    template = Template("{% if user.holder %}oui{% else %}non{% endif %}[{{ user.holder }}]")
    assert template.render(Context({"user": user})) == "non[]"


@pytest.mark.urls("portal.urls")
def test_templates_of_other_packages_may_count_on_silence():
    assert "<title>" in render_to_string("admin/base.html")


# --- Queries --------------------------------------------------------------------------------------


def test_unordered_querysets_are_shuffled(db):
    for number in range(20):
        User.objects.create_user(f"{number:02}@exemple.invalid")
    random.seed(7)
    assert [user.pk for user in User.objects.all()] != [user.pk for user in User.objects.all()]
    in_order = [user.pk for user in User.objects.order_by("pk")]
    assert in_order == sorted(in_order)


def test_a_lock_over_a_join_must_say_what_it_locks(db):
    with transaction.atomic():
        with pytest.raises(guards.Fault, match="needs of="):
            list(Membership.objects.select_for_update().select_related("user"))
        with pytest.raises(guards.Fault, match="needs of="):
            list(Membership.objects.select_for_update().filter(user__email="a"))
        list(Membership.objects.select_for_update(of=("self",)).select_related("user"))
        inner = User.objects.filter(holder__sex="F")  # a join that locks nothing
        list(Membership.objects.select_for_update().filter(user__in=inner).order_by("pk"))


def test_on_commit_hooks_run_when_the_outermost_block_ends(db):
    seen = []
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(lambda: seen.append("inner"))
        assert seen == []
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            transaction.on_commit(lambda: seen.append("rolled back"))
            1 / 0  # noqa: B018
    assert seen == ["inner"]
    transaction.on_commit(lambda: seen.append("at once"))
    assert seen == ["inner", "at once"]


def test_a_hook_of_a_failed_block_never_runs(db):
    seen = []
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        transaction.on_commit(lambda: seen.append("rolled back"))
        1 / 0  # noqa: B018
    with transaction.atomic():
        User.objects.update(first_name=F("last_name"))
    assert seen == []


# --- The session ----------------------------------------------------------------------------------


def test_no_network_beyond_this_machine():
    with pytest.raises(UserWarning, match=r"192\.0\.2\.1"):  # pytest-socket warns, and warnings are errors
        socket.create_connection(("192.0.2.1", 80), timeout=1)  # TEST-NET-1, RFC 5737


def test_warnings_are_errors():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_tests_run_in_random_order():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert any(line.startswith("pytest-randomly") for line in project["dependency-groups"]["dev"])
    assert "randomly" not in project["tool"]["pytest"]["ini_options"]["addopts"]


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_an_empty_cache(number):
    assert cache.get("tries") is None
    cache.set("tries", number)
    assert cache.get("tries") == number


def in_another_process(code, **environment):
    environment = {name: value for name, value in (os.environ | environment).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_tests_run_on_postgresql_whatever_the_address_says():
    assert connection.vendor == "postgresql"
    done = in_another_process(
        "from tests import settings; print(settings.DATABASES['default']['ENGINE'])",
        DATABASE_URL="sqlite:///a.db",
    )
    assert done.stdout.strip() == "django.db.backends.postgresql"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DATABASE_URL": None}, "python3 dev.py test"),
        ({"REDIS_URL": None}, "python3 dev.py test"),
        ({"PORTAL_ENV": "production"}, "never run on production"),
    ],
)
def test_without_servers_or_in_production_one_sentence_says_so(environment, sentence):
    done = in_another_process(
        "import pytest; pytest.main(['--co', '-q', '-p', 'no:randomly'])", **environment
    )
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("moment", "utc"),
    [
        ("2026-03-28T23:30", "2026-03-28T22:30"),
        ("2026-03-29T23:30", "2026-03-29T21:30"),
        ("2026-10-25T23:30", "2026-10-25T22:30"),
    ],
)
def test_the_suite_can_run_as_at_another_moment(moment, utc):
    code = "from tests import settings; from datetime import *; print(datetime.now(UTC).isoformat())"
    done = in_another_process(code, PORTAL_TEST_AT=moment, PORTAL_TEST_BEGUN=None)
    assert done.stdout.startswith(utc)


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_what_is_absent_is_not_run_unless_it_was_promised(monkeypatch, required, outcome):
    monkeypatch.setenv("PORTAL_REQUIRE_BROWSER", required)
    with pytest.raises(outcome, match="Chromium est absent"):
        conftest._absent(conftest.NO_BROWSER, "PORTAL_REQUIRE_BROWSER")


def test_the_last_lines_say_what_did_not_run_and_why():
    lines = []
    skipped = [SimpleNamespace(longrepr=("a.py", 1, f"Skipped: {conftest.NO_BROWSER}"))] * 2
    reporter = SimpleNamespace(
        stats={"skipped": skipped}, write_line=lambda line, **_look: lines.append(line)
    )
    conftest.pytest_terminal_summary(reporter)
    assert lines == [f"2 tests n'ont pas été exécutés : {conftest.NO_BROWSER}."]
