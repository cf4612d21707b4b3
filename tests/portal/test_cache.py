"""Limits hold with Redis away, and people still sign in."""

import pytest
from django.urls import reverse

from portal import cache as portal_cache
from tests.factories.accounts import UserFactory

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def away():
    return portal_cache.Cache(NOWHERE, {"OPTIONS": {"socket_connect_timeout": 0.2}})


def test_with_redis_away_this_process_counts(away):
    assert away.add("tries", 1, timeout=60) is True
    assert away.add("tries", 1, timeout=60) is False
    assert away.incr("tries") == 2
    assert away.get("tries") == 2
    assert away.get_many(["tries", "other"]) == {"tries": 2}
    away.delete("tries")
    assert away.get("tries", "none") == "none"


def test_redis_is_asked_again_after_a_rest_and_not_each_time(away, monkeypatch):
    clock, asked = [1000.0], []
    monkeypatch.setattr(portal_cache.time, "monotonic", lambda: clock[0])

    def fail(*_args):
        asked.append(1)
        raise portal_cache.RedisError("away")

    monkeypatch.setattr(away._cache._redis, "get", fail)
    for _ in range(5):
        away.get("a")
    assert len(asked) == 1
    clock[0] += portal_cache.REST_SECONDS
    away.get("a")
    assert len(asked) == 2
    monkeypatch.setattr(away._cache._redis, "get", lambda key, default: "from Redis")
    clock[0] += portal_cache.REST_SECONDS
    assert away.get("a") == "from Redis"


def test_people_sign_in_while_redis_is_away(client, db, settings):
    settings.CACHES = {"default": {"BACKEND": "portal.cache.Cache", "LOCATION": NOWHERE}}
    user = UserFactory()
    user.set_password("quatre mots bien longs")
    user.save()
    user.emailaddress_set.update_or_create(email=user.email, defaults={"verified": True, "primary": True})
    response = client.post(
        reverse("account_login"), {"login": user.email, "password": "quatre mots bien longs"}
    )
    assert response.status_code == 302, response.text
    assert client.session["_auth_user_id"] == str(user.pk)
