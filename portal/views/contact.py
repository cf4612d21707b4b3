"""« Nous écrire »: what it is about, what may already answer, then the form. Here because it knows dossiers.

What is typed is kept in the session while it is filled, so that nobody loses it by looking an answer up.
"""

from typing import Any

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import rulebook
from dossiers.permissions import visible_dossiers
from rulebook import workdays
from support import answers, workflow
from support.forms import ContactForm, ReportForm
from support.guards import TooMany
from support.models import Ticket
from support.permissions import as_asker
from support.states import SLUGS, Topic
from support.views.thread import say, status_of
from ui import french
from ui.htmx import page_or_fragment
from ui.refusals import Refused, request_id_of

# Session keys: what is being written, by topic; what a visitor has just sent.
KEPT, SENT = "contact_kept", "contact_sent"


@require_safe
@login_not_required
def contact(request: HttpRequest) -> HttpResponse:
    """« De quoi s'agit-il ? »"""
    kept = [topic for topic in Topic if topic in request.session.get(KEPT, {})]
    context = {"topics": _topics(request), "kept": kept, "phone_lines": settings.PORTAL_PHONE_LINES}
    return render(request, "support/contact.html", context)


@require_safe
@login_not_required
def contact_topic(request: HttpRequest, slug: str) -> HttpResponse:
    """What may already answer."""
    topic = _topic(slug)
    if topic == Topic.SCAM:
        return redirect("report_scam")
    questions = answers.on(rulebook.on(workdays.paris_day(timezone.now())))
    query = request.GET.get("q", "").strip()[:100]
    found = answers.find(query, questions)[:5] if query else answers.for_topic(topic, questions)
    about = request.GET.get("dossier", "")[:20]
    context = {"topic": topic, "query": query, "found": found, "parts": [], "dossier": about}
    return page_or_fragment(request, "support/contact_topic.html", "support/_questions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
def contact_write(request: HttpRequest, slug: str) -> HttpResponse:
    topic = _topic(slug)
    if topic == Topic.SCAM:
        return redirect("report_scam")
    return _write(request, topic, "support/contact_write.html")


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
def report_scam(request: HttpRequest) -> HttpResponse:
    return _write(request, Topic.SCAM, "support/report_scam.html")


@require_POST
@login_not_required
def contact_keep(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep what is typed, as it is typed (htmx) or by its button."""
    topic = _topic(slug)
    _keep(request, topic, _form(request, topic, request.POST))
    if request.htmx:
        return render(request, "support/_kept.html", {"at": timezone.now()})
    messages.success(
        request, _("Votre texte est gardé. Revenez aujourd’hui, sur cet appareil, pour le finir.")
    )
    return redirect("contact")


@require_safe
@login_not_required
def contact_sent(request: HttpRequest) -> HttpResponse:
    """What a visitor has sent: its number, when the answer comes, where the link went."""
    sent = request.session.get(SENT)
    if not sent:
        return redirect("contact")
    return render(request, "support/sent.html", {"sent": sent})


# --- Writing -------------------------------------------------------------------------------------


def _write(request: HttpRequest, topic: Topic, template: str) -> HttpResponse:
    form = _form(request, topic, request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                return _sent(request, topic, _open(request, topic, form))
            except Refused as refusal:
                say(refusal, form)
                status = status_of(refusal)
        _keep(request, topic, form)
    context = {
        "form": form,
        "topic": topic,
        "actor": as_asker(request.actor),
        "answer_by": workflow.answer_by(timezone.now()),
    }
    return render(request, template, context, status=status)


def _form(request: HttpRequest, topic: Topic, data: Any = None) -> ContactForm | ReportForm:
    by = as_asker(request.actor)
    kept = request.session.get(KEPT, {}).get(topic, {})
    today = workdays.paris_day(timezone.now())
    if topic == Topic.SCAM:
        return ReportForm(data, by=by, on=today, initial={"happened_on": today} | kept)
    dossiers = visible_dossiers(by).select_related("offer")
    if by.is_holder:
        dossiers = dossiers.filter(removed_from_list_at=None)
    asked = {"dossier": request.GET["dossier"]} if "dossier" in request.GET else {}
    return ContactForm(data, by=by, topic=topic, dossiers=dossiers, initial=kept | asked)


def _open(request: HttpRequest, topic: Topic, form: ContactForm | ReportForm) -> Ticket:
    if not ratelimit.consume(request, action="contact"):
        raise TooMany(
            _("Trop de demandes depuis cette connexion internet. Essayez de nouveau dans une heure.")
        )
    typed = form.cleaned_data
    return workflow.open(
        by=as_asker(request.actor),
        at=timezone.now(),
        request_id=request_id_of(request),
        topic=topic,
        words=typed["words"],
        subject=typed.get("subject", ""),
        email=typed.get("email", ""),
        name=typed.get("name", ""),
        dossier=typed.get("dossier"),
        scam=form.facts() if isinstance(form, ReportForm) else None,
    )


def _sent(request: HttpRequest, topic: Topic, ticket: Ticket) -> HttpResponse:
    kept = request.session.get(KEPT, {})
    if kept.pop(topic, None) is not None:
        request.session[KEPT] = kept
    if ticket.is_of_visitor:
        due = french.last_minute(ticket.due_at)
        request.session[SENT] = {"number": ticket.number, "email": ticket.email, "answer_by": due}
        return redirect("contact_sent")
    messages.success(request, _("Votre demande d’aide est envoyée."))
    return redirect("ticket", ticket.pk)


def _keep(request: HttpRequest, topic: Topic, form: ContactForm | ReportForm) -> None:
    request.session[KEPT] = request.session.get(KEPT, {}) | {topic: form.to_keep(request.POST)}


def _topic(slug: str) -> Topic:
    topic = next((Topic(topic) for topic, known in SLUGS.items() if known == slug), None)
    if topic is None:
        raise Http404
    return topic


def _topics(request: HttpRequest) -> list[Topic]:
    """An organisation's own topic first for its members, last for the others."""
    topics = [topic for topic in Topic if topic not in (Topic.SCAM, Topic.ORGANISATION, Topic.OTHER)]
    if request.actor.is_provider:
        return [
            Topic.ORGANISATION,
            Topic.DOSSIER,
            Topic.TECHNICAL,
            Topic.SAFETY,
            Topic.PERSONAL_DATA,
            Topic.OTHER,
        ]
    return [*topics, Topic.ORGANISATION, Topic.OTHER]
