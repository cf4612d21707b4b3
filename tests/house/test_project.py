"""The project checks itself: layers, imports, migrations, the timetable, the admin, verbs and notices."""

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.template.loader import get_template

from accounts.actors import Actor
from dossiers import announcements
from dossiers.states import MOVES
from notices.kinds import Kind
from portal.celery import app as celery_app
from tests.conftest import ROOT
from tests.factories.dossiers import verb_named

OUR_APPS = [
    "accounts",
    "admissions",
    "catalog",
    "dossiers",
    "notices",
    "portal",
    "rights",
    "rulebook",
    "support",
    "ui",
]
WEB = ("django.http", "django.shortcuts", "django.forms", "django.views", "django.template")
WORDS_OF_NOTICES = ROOT / "templates" / "notices"


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def our_files():
    return sorted(path for name in OUR_APPS for path in (ROOT / name).rglob("*.py"))


# --- Code -------------------------------------------------------------------------------------------


def test_each_layer_imports_downwards_only():
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert done.returncode == 0, done.stdout


def test_rules_know_nothing_of_the_web():
    """import-linter cannot name a part of Django; the modules are those of its contract on rules."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [rules] = [contract for contract in contracts if contract["name"].startswith("Rules know neither")]
    for module in rules["source_modules"]:
        imported = imports_of(ROOT / f"{module.replace('.', '/')}.py")
        assert not [name for name in imported if name.startswith(WEB)], module


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_import_hides_in_a_function():
    """An inline import hides a circle. Type checking may import upwards: it never runs."""
    hidden = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in our_files()
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


def test_no_module_is_a_drawer():
    assert [path for path in our_files() if path.stem in {"utils", "helpers", "common", "misc"}] == []


def test_nobody_reads_the_clock_in_a_rule():
    """The clock is an argument; views, tasks and commands read it, with django.utils.timezone.now()."""
    borders = {
        "views",
        "commands",
        "tasks.py",
        "admin.py",
        "acts_admin.py",
        "payment_admin.py",
        "identity.py",
        "pages.py",
        "health.py",
        "metrics.py",
        "sitemaps.py",
    }
    readers = [
        str(path.relative_to(ROOT))
        for path in our_files()
        if not borders & set(path.relative_to(ROOT).parts)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today", "localdate"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"timezone", "datetime", "date"}
    ]
    assert readers == []


# --- Database ---------------------------------------------------------------------------------------


def test_the_migrations_say_what_the_models_say(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def our_models():
    return [model for name in OUR_APPS for model in apps.get_app_config(name).get_models()]


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_the_admin_shows_every_model_and_finds_in_it(model):
    model_admin = admin.site._registry.get(model)
    assert model_admin, "register it in its app's admin.py"
    assert model_admin.search_fields
    assert model_admin.list_display != ("__str__",)


# --- What the clock runs ----------------------------------------------------------------------------


def test_the_timetable_names_tasks_that_exist():
    celery_app.loader.import_default_modules()
    named = {entry["task"] for entry in celery_app.conf.beat_schedule.values()}
    assert named - set(celery_app.tasks) == set()


def test_every_task_is_three_lines():
    """Read the clock, call a verb, log: rules in a task are out of reach of everybody else."""
    celery_app.loader.import_default_modules()
    ours = [task for name, task in celery_app.tasks.items() if name.partition(".")[0] in OUR_APPS]
    assert ours
    for task in ours:
        [function] = ast.parse(inspect.getsource(task.run)).body
        body = [
            node
            for node in function.body
            if not isinstance(node, ast.Expr) or not ast.get_docstring(function)
        ]
        assert len(body) <= 3, task.name


# --- Verbs and notices ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", MOVES)
def test_every_move_is_a_verb_that_is_told_who_when_and_which_request(verb):
    parameters = inspect.signature(verb_named(verb)).parameters
    for name in ("by", "at", "request_id"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY, name
    assert Actor.__name__ in str(parameters["by"].annotation)


def test_every_move_has_a_decision_about_who_is_told():
    assert set(announcements.NOTICES) == set(MOVES)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_notice_has_its_words(kind):
    assert get_template(f"notices/{kind}.txt")


def test_every_template_of_words_has_its_kind():
    words = {path.stem for path in WORDS_OF_NOTICES.glob("*.txt")} - {"mail"}
    assert words == set(Kind.values)


def test_every_kind_is_told_by_someone():
    code = "\n".join(path.read_text() for path in our_files() if path.parts[-2:] != ("notices", "kinds.py"))
    assert [kind for kind in Kind if f"Kind.{kind.name}" not in code and f'"{kind}"' not in code] == []
