"""« Mes notifications »: each person reads their own; those of others do not exist (404)."""

from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from notices import inbox, messages
from notices.models import Notice
from ui.htmx import page_or_fragment

NOTICES_A_PAGE = 20
UNREAD = "a-lire"


@require_safe
def notices(request):
    unread_only = request.GET.get("voir") == UNREAD
    counts = inbox.counts(request.user)
    paginator = Paginator(inbox.of(request.user, unread_only=unread_only), NOTICES_A_PAGE)
    paginator.count = counts["unread" if unread_only else "all"]
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "page": page,
        "items": [(notice, messages.words_of(notice)) for notice in page],
        "counts": counts,
        # Known already: the menu need not count again.
        "unread_notices": counts["unread"],
        "tabs": [
            (_("Toutes"), "?", counts["all"], not unread_only),
            (_("À lire"), f"?voir={UNREAD}", counts["unread"], unread_only),
        ],
        "unread_only": unread_only,
    }
    return page_or_fragment(request, "notices/inbox.html", "notices/_list.html", context)


@require_POST
def notice_open(request, notice_id):
    """One tap: read, and on the page it is about."""
    notice = get_object_or_404(Notice.objects.of(request.user), pk=notice_id)
    inbox.mark_read(notice, at=timezone.now())
    # A path of the portal: the outbox writes no other (notices.outbox.write).
    return redirect(notice.link or "notices")


@require_POST
def notice_read(request, notice_id):
    notice = get_object_or_404(Notice.objects.of(request.user), pk=notice_id)
    inbox.mark_read(notice, at=timezone.now())
    return redirect("notices")


@require_POST
def notices_read(request):
    inbox.mark_all_read(user=request.user, at=timezone.now())
    return redirect("notices")
