"""What people see where nothing can be answered: the portal is closed, or an address is used the wrong way.

    python3 dev.py manage maintenance_mode on [--start 2026-05-12T22:00 --end 2026-05-12T23:00]
    python3 dev.py manage maintenance_mode off

closes the portal behind one page (django-maintenance-mode), opens it again. The administration, the health
addresses and the sign-in page stay open (settings: MAINTENANCE_MODE_…).
"""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from maintenance_mode.backends import AbstractStateBackend
from maintenance_mode.http import need_maintenance_response
from maintenance_mode.middleware import MaintenanceModeMiddleware


class StateFile(AbstractStateBackend):
    """Closed or open, in a file of this machine: neither the database nor the broker is asked.

    The package's own backend writes its file when it is read: a full disk would stop every page.
    """

    def get_value(self) -> bool | dict:
        try:
            return self.from_str_to_state_value(self._path().read_text())
        except FileNotFoundError:
            return False

    def set_value(self, value: bool | dict) -> None:
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(self.from_state_to_str_value(value))
        draft.replace(path)

    @staticmethod
    def _path() -> Path:
        return Path(settings.MAINTENANCE_MODE_STATE_FILE_PATH)


class MaintenanceMiddleware(MaintenanceModeMiddleware):
    """Stands before sessions and languages: a closed portal asks nothing of what is being repaired."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if not need_maintenance_response(request):
            return None
        response = render(None, "503.html", status=503)
        response["Retry-After"] = str(settings.MAINTENANCE_MODE_RETRY_AFTER)
        response["Cache-Control"] = "no-store"
        return response


class WrongMethodMiddleware:
    """An address that only takes a form, opened from the history or a mail: a page, not an empty answer."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or request.htmx or response.content:
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page
