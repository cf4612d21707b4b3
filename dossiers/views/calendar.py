"""« Mon agenda »: the address that a calendar program follows, and one date to keep.

The feed is read by machines that do not sign in: the address itself, signed and unguessable, opens it.
"""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import conditional_page, require_POST, require_safe

from accounts.actors import Role
from accounts.permissions import NotAllowed, holder_required
from dossiers import calendar, listing
from dossiers.permissions import visible_dossiers

# A program asks a few times a day, a person who tries things a few times an hour. By address, not by
# connection: the great calendar services read for thousands of people from the same machines.
READS_AN_HOUR_MAX = 60
HOUR_SECONDS = 3600
SHOWN = 8


@require_safe
def calendar_page(request: HttpRequest) -> HttpResponse:
    """What it is for, the private address, and the dates it holds now."""
    actor, at = request.actor, timezone.now()
    if actor.role not in (Role.HOLDER, Role.PROVIDER):
        raise NotAllowed(_("L’agenda est celui des titulaires et des organismes."))
    if not (actor.is_holder or actor.is_provider):
        return render(request, "dossiers/calendar_not_yet.html")
    feed = calendar.feed_of(actor)
    address = calendar.address(feed) if feed else ""
    dates = calendar.coming(actor, at=at)
    context = {
        "feed": feed,
        "address": address,
        # What phones and desktop programs open as a calendar to follow.
        "webcal": "webcal://" + address.partition("://")[2],
        "dates": dates[:SHOWN],
        "more": max(len(dates) - SHOWN, 0),
        "at": at,
    }
    return render(request, "dossiers/calendar.html", context)


@require_POST
def calendar_make(request: HttpRequest) -> HttpResponse:
    """A first address, or another: the former one is dead at once."""
    had_one = calendar.feed_of(request.actor) is not None
    calendar.make_feed(by=request.actor, at=timezone.now())
    messages.success(
        request,
        _("Votre nouvelle adresse est prête. L’ancienne ne donne plus rien.")
        if had_one
        else _("Votre adresse d’agenda est prête."),
    )
    return redirect("calendar")


@require_POST
def calendar_stop(request: HttpRequest) -> HttpResponse:
    calendar.stop_feed(by=request.actor)
    messages.success(request, _("L’adresse est supprimée : elle ne donne plus rien."))
    return redirect("calendar")


@login_not_required
@require_safe
@conditional_page
def calendar_feed(request: HttpRequest, signed: str) -> HttpResponse:
    """The dates of whoever this address belongs to, as they may see them now."""
    key = calendar.key_of(signed)
    if key is None:
        raise Http404
    if _reads(key) > READS_AN_HOUR_MAX:
        return HttpResponse(status=429, headers={"Retry-After": str(HOUR_SECONDS)})
    reader = calendar.reader_of(key)
    if reader is None:
        raise Http404
    # Read by a machine: in the portal's language, not in the one of a server abroad.
    with translation.override(settings.LANGUAGE_CODE):
        name = _("Portail formation · %(who)s") % {"who": reader.short_label}
        body = calendar.as_calendar(calendar.entries(reader, at=timezone.now()), name=name)
    return _file(body, "portail-formation.ics")


@holder_required
@require_safe
def dossier_event(request: HttpRequest, dossier_id: UUID, kind: str) -> HttpResponse:
    """One date of one dossier, to add to a calendar by hand. 404: not theirs, or no such date now."""
    mine = listing.with_clock(visible_dossiers(request.actor))
    found = calendar.with_revision(mine).filter(pk=dossier_id).first()
    dates = [entry for entry in calendar.of_dossier(found) if entry.kind == kind] if found else []
    if not dates:
        raise Http404
    return _file(calendar.as_calendar(dates, name=dates[0].title), f"{found.number}-{kind}.ics")


def _reads(key: UUID) -> int:
    """How often this address was read in its current hour, this time included."""
    counter = f"calendar-feed:{key}"
    cache.add(counter, 0, HOUR_SECONDS)
    try:
        return cache.incr(counter)
    except ValueError:  # its hour ended between the two
        return 1


def _file(body: bytes, name: str) -> HttpResponse:
    return HttpResponse(
        body,
        content_type="text/calendar; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            # No cache between us and its reader keeps it; no search engine lists it.
            "Cache-Control": "private, max-age=900",
            "X-Robots-Tag": "noindex",
        },
    )
