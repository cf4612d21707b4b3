"""Every address of the portal answers each role as tests/access_matrix.py says."""

import pytest
from django.contrib import admin
from django.db import transaction
from django.urls import NoReverseMatch, get_resolver, reverse

from tests.access_matrix import LOGIN, ROLES, ROWS, World

# Of the sign-in package: what a visitor needs to come in. Everything else there is for who is signed in.
SIGN_IN_PUBLIC = {
    "account_login",
    "account_logout",
    "account_signup",
    "account_inactive",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_confirm_login_code",
    "account_confirm_login",
}


def url_names(resolver, namespace=""):
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from url_names(pattern, inner)
        else:
            yield f"{namespace}{pattern.name}", pattern.callback


def names(of):
    """Names of the URLs whose name and view satisfy `of`."""
    return sorted({name for name, view in url_names(get_resolver()) if of(name, view.__module__)})


def is_admin(name, _module):
    return name.startswith("admin:")


def is_sign_in(_name, module):
    return module.startswith("allauth.")


def is_ours(name, module):
    return not is_admin(name, module) and not is_sign_in(name, module)


@pytest.fixture
def world(request, db):
    return World(request)


def answer_of(response):
    if response.status_code == 302 and response.url.startswith(reverse("account_login")):
        return LOGIN
    return response.status_code


def test_every_url_name_has_its_rows():
    ours = set(names(is_ours))
    assert "admin:None" not in ours
    assert ours - {row.name for row in ROWS} == set(), "add them to tests/access_matrix.py"
    assert {row.name for row in ROWS} - ours == set(), "rows of URLs that are gone"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method}-{row.name}")
def test_each_role_gets_its_answer(row, world, client_for):
    """The world of a row is made once; what each role did in it is undone before the next comes."""
    people = {role: world.person(role) for role in ROLES}
    address = reverse(row.name, args=row.about(world) if row.about else [])
    answers = {}
    for role, person in people.items():
        before = transaction.savepoint()
        client = client_for(person)
        response = client.post(address, row.data(world)) if row.method == "POST" else client.get(address)
        answers[role] = answer_of(response)
        transaction.savepoint_rollback(before)
    assert answers == {role: getattr(row, role) for role in ROLES}


# --- The admin and the sign-in package ----------------------------------------------------------------


def reversed_without_arguments(names):
    for name in names:
        try:
            yield name, reverse(name)
        except NoReverseMatch:
            continue


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_the_admin_is_closed_to_everyone_else(role, world, client_for):
    client = client_for(world.person(role))
    public = {"admin:login", "admin:logout", "admin:jsi18n"}
    tried = [
        (name, client.get(address).status_code)
        for name, address in reversed_without_arguments(names(is_admin))
        if name not in public
    ]
    assert len(tried) > 20
    assert [(name, code) for name, code in tried if code not in (302, 403)] == []


def test_every_list_of_the_admin_opens_and_is_searched(world, client_for):
    client = client_for(world.person("admin"))
    for model, model_admin in admin.site._registry.items():
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(address).status_code == 200, model
        if model_admin.search_fields:
            assert client.get(address, {"q": "Élodie"}).status_code == 200, model


def test_the_sign_in_pages_are_open_only_to_come_in(world, client_for):
    client = client_for(None)
    for name, address in reversed_without_arguments(names(is_sign_in)):
        answer = answer_of(client.get(address))
        if name in SIGN_IN_PUBLIC:
            assert answer in (200, 302, LOGIN), name
        else:
            assert answer == LOGIN, name


@pytest.mark.parametrize("role", [role for role in ROLES if role != "anonymous"])
def test_the_sign_in_pages_answer_whoever_is_signed_in(role, world, client_for):
    client = client_for(world.person(role))
    for name, address in reversed_without_arguments(names(is_sign_in)):
        assert client.get(address).status_code in (200, 302), name
