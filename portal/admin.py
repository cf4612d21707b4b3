"""The administration of the portal: Django's, with the desk of whoever is on duty as its first page."""

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import journal
from accounts.actors import Actor, Role
from portal import duty, looks

DECISIONS_PER_PAGE = 50


class DeskSite(admin.AdminSite):
    """Every page of it is written in the journal (portal.looks)."""

    site_header = site_title = gettext_lazy("Administration du portail")
    index_title = gettext_lazy("Ma permanence")
    # The desk lists all there is: beside each list, that would only take the place of its columns.
    enable_nav_sidebar = False

    def admin_view(self, view, cacheable=False):
        return super().admin_view(looks.written_down(view, clock=timezone.now), cacheable)

    def get_urls(self):
        own = [path("decisions/", self.admin_view(self.decisions), name="desk_decisions")]
        return own + super().get_urls()

    def index(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        at = timezone.now()
        context = {"at": at, "desk": duty.desk(request.user, at=at)}
        return super().index(request, context | (extra_context or {}))

    def decisions(self, request: HttpRequest) -> HttpResponse:
        at, kind = timezone.now(), request.GET.get("nature", "")
        counts = duty.count(request.user, at=at)
        kind = kind if kind in counts else ""
        page = Paginator(duty.decisions(request.user, at=at, kind=kind), DECISIONS_PER_PAGE).get_page(
            request.GET.get("page")
        )
        by = Actor(role=Role.ADMIN, user=request.user)
        journal.record(
            by=by,
            action="decisions_listed",
            subject=request.user,
            at=at,
            details={"kind": kind} if kind else {},
        )
        context = {
            **self.each_context(request),
            "title": _("Décisions à prendre"),
            "at": at,
            "page": page,
            "kind": kind,
            "counts": counts,
            "all": sum(each.count for each in counts.values()),
        }
        return TemplateResponse(request, "admin/decisions.html", context)
