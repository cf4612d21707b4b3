"""Whatever stands in an address or a form, no page of ours breaks: PostgreSQL takes no null character and
no number beyond its own, and people's programs send both."""

import re
import uuid

import pytest
from django import forms
from django.db import transaction
from django.urls import NoReverseMatch, get_resolver, reverse
from django.urls.converters import UUIDConverter

from tests.access_matrix import ROLES, ROWS, World
from tests.conftest import ROOT

APPS = ("accounts", "admissions", "catalog", "dossiers", "notices", "portal", "rights", "support", "ui")
# Besides these: dates, other scripts, what a spreadsheet computes… are tried where each subject is tested.
HOSTILE = ("avant\x00après", "9" * 5000)
READ_IN_A_VIEW = re.compile(r"""(?:GET|POST)(?:\.get|\.getlist)?[(\[]\s*"([a-z_]+)\"""")
WRITTEN_IN_A_TEMPLATE = re.compile(r'\bname="([a-z_]+)"')


@pytest.fixture
def world(request, db):
    return World(request)


def subclasses(of):
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


@pytest.fixture(scope="session")
def field_names():
    """Every name that a form, a view or a template of ours knows."""
    found = {name for form in subclasses(forms.BaseForm) for name in getattr(form, "base_fields", ())}
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            found |= set(READ_IN_A_VIEW.findall(path.read_text()))
    for path in (ROOT / "templates").rglob("*.html"):
        found |= set(WRITTEN_IN_A_TEMPLATE.findall(path.read_text()))
    return sorted(found - {"request_id"})


def welcome(row):
    """Who gets the furthest at this address."""
    roles = ("holder", "member", "other_holder", "admin", "anonymous")
    return next((role for role in roles if getattr(row, role) in (200, 302, 422)), "holder")


def breaks(answer):
    return answer.status_code >= 500


def test_no_page_breaks_on_what_is_sent_to_it(world, client_for, field_names):
    assert {"q", "town", "page", "words", "next", "email"} <= set(field_names)
    clients = {role: client_for(world.person(role)) for role in ROLES}
    broken = []
    for row in ROWS:
        with transaction.atomic():  # undone: what one row leaves must not reach the limits of another
            address = reverse(row.name, args=row.about(world) if row.about else [])
            client = clients[welcome(row)]
            client.raise_request_exception = False
            for value in HOSTILE:
                typed = dict.fromkeys(field_names, value) | {"request_id": uuid.uuid4()}
                answer = client.get(address, typed) if row.method == "GET" else client.post(address, typed)
                if breaks(answer):
                    broken.append((row.method, row.name, value[:12]))
            transaction.set_rollback(True)
    assert broken == []


def test_no_address_breaks_on_what_stands_in_it(world, client_for):
    """Where an address holds anything but an id drawn by chance."""
    known, broken, tried = get_resolver().reverse_dict, [], 0
    for row in ROWS:
        [(_paths, _pattern, _defaults, converters)] = known.getlist(row.name)
        if all(isinstance(each, UUIDConverter) for each in converters.values()):
            continue
        client = client_for(world.person(welcome(row)))
        client.raise_request_exception = False
        with transaction.atomic():  # undone: what one row makes may stand in the way of another
            real = row.about(world)
            for place in range(len(real)):
                for value in (10**30, "0\x00", "x" * 5000):
                    try:
                        address = reverse(row.name, args=[*real[:place], value, *real[place + 1 :]])
                    except (NoReverseMatch, ValueError):
                        continue  # no such address: 404
                    tried += 1
                    if breaks(client.get(address) if row.method == "GET" else client.post(address)):
                        broken.append((row.method, row.name, str(value)[:12]))
            transaction.set_rollback(True)
    assert tried > 20
    assert broken == []
