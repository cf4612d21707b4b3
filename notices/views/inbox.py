"""« Mes avis »: each person reads their own; those of others do not exist (404)."""

from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from notices import inbox, messages
from notices.models import Notice

NOTICES_A_PAGE = 20


@require_safe
def notices(request):
    mine = Notice.objects.of(request.user)
    page = Paginator(mine, NOTICES_A_PAGE).get_page(request.GET.get("page"))
    items = [(notice, messages.words_of(notice)) for notice in page]
    context = {"page": page, "items": items, "unread": mine.unread().count()}
    return render(request, "notices/inbox.html", context)


@require_POST
def notice_read(request, notice_id):
    notice = get_object_or_404(Notice.objects.of(request.user), pk=notice_id)
    inbox.mark_read(notice, at=timezone.now())
    return redirect("notices")


@require_POST
def notices_read(request):
    inbox.mark_all_read(user=request.user, at=timezone.now())
    return redirect("notices")
