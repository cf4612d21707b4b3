"""Storms: a whole portal is broken in every way it can break, and must keep its promises (README.md).

Whoever imports this package becomes a process of a portal of its own, in a folder of its own, on free ports:
scenery, load and proofs then use the portal's own code. Nothing of `.var` is touched.
"""

import atexit
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import django

from tools.dev.checkout import ROOT
from tools.dev.servers import HOST, free_service_port

if sys.platform != "linux":
    print("Storms read /proc: they run on Linux only.")
    sys.exit(2)

FOLDER = Path(tempfile.mkdtemp(prefix="portal-storm-"))
FOLDER.chmod(0o711)  # as root, another user runs PostgreSQL
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
PASSWORD = secrets.token_hex(16)
PORTS = {name: free_service_port() for name in ("postgres", "broker", "web", "mail")}
ADDRESS = f"http://{HOST}:{PORTS['web']}"
OURS = {
    "PYTHONPATH": os.fspath(ROOT),
    "PYTHONUNBUFFERED": "1",
    "DJANGO_SETTINGS_MODULE": "portal.settings",
    "PORTAL_ENV": "development",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "NIR_KEYS": "c3Rvcm0tc3Rvcm0tc3Rvcm0tc3Rvcm0tc3Rvcm0tMTI=",
    "PORTAL_BASE_URL": ADDRESS,
    "MEDIA_ROOT": os.fspath(FOLDER / "media"),
    "EMAIL_URL": f"smtp://{HOST}:{PORTS['mail']}",
    "DATABASE_URL": f"postgres://portal:{PASSWORD}@{HOST}:{PORTS['postgres']}/portal",
    "REDIS_URL": f"redis://:{PASSWORD}@{HOST}:{PORTS['broker']}/0",
}
os.environ.update(OURS)
os.environ.pop("STATEMENT_SECONDS", None)
django.setup()
