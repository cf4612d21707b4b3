"""The portal's settings, as tests run them: made for one process of one run, on servers given by name.

pytest reads them through `--ds=tests.settings`; the Celery worker that a test starts reads them too,
so that both share the clock, the queue and the cache of the test.
"""

import atexit
import os
import shutil
import tempfile
import time
import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

if os.environ.get("PORTAL_ENV") == "production":
    raise pytest.UsageError("Tests never run on production settings: unset PORTAL_ENV.")
if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
    raise pytest.UsageError("Tests need PostgreSQL and a broker; this starts both: python3 dev.py test")

os.environ["PORTAL_ENV"] = "test"
os.environ.setdefault("SECRET_KEY", "for-tests-" * 6)
os.environ.setdefault("NIR_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ.setdefault("PORTAL_BASE_URL", "http://testserver")
# Files that tests send: a folder for each process of the run, which goes with the one that made it.
# The Celery worker that a test starts has the folder of its test.
if os.environ.get("PORTAL_TEST_MEDIA_OF") != os.environ.get("PYTEST_XDIST_WORKER", "main"):
    os.environ["PORTAL_TEST_MEDIA_OF"] = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["MEDIA_ROOT"] = tempfile.mkdtemp(prefix="portal-test-media-")
    atexit.register(shutil.rmtree, os.environ["MEDIA_ROOT"], ignore_errors=True)

from portal.settings import *  # noqa: F403 - the environment above comes first
from portal.settings import CACHES, CELERY_BROKER_TRANSPORT_OPTIONS

# One run, and one process of it, shares its Redis with nobody: every key carries this name.
RUN = os.environ.setdefault("PORTAL_TEST_RUN", f"portal-test:{uuid.uuid4().hex}")
PROCESS = f"{RUN}:{os.environ.get('PYTEST_XDIST_WORKER', 'main')}:"
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {"global_keyprefix": PROCESS}


def cache_key(key, key_prefix, version):
    """Each test has an empty cache: its keys begin with its own name, shortened to fit in one."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    return f"{PROCESS}{uuid.uuid5(uuid.NAMESPACE_URL, test).hex}:{key}"


CACHES = {"default": CACHES["default"] | {"KEY_FUNCTION": cache_key}}

# Argon2 is slow on purpose; here nobody guesses passwords.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# PORTAL_TEST_AT=2026-03-29T23:30 (Paris) runs the suite as at that moment. The clock goes on from
# there, and the processes of one run agree on it.
if as_at := os.environ.get("PORTAL_TEST_AT"):
    begun = float(os.environ.setdefault("PORTAL_TEST_BEGUN", str(time.time())))
    there = datetime.fromisoformat(as_at)
    there = there if there.tzinfo else there.replace(tzinfo=ZoneInfo("Europe/Paris"))
    time_machine.travel(there.timestamp() + time.time() - begun, tick=True).start()
