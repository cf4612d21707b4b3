"""Requests for help in Django admin: the queue, and each thing done to one by the same verbs as everywhere.

Nothing is edited by hand. Whoever opens a ticket looks at somebody's words: it is written in the journal.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import linebreaks_filter
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import rulebook
from accounts.admin import administrator
from rulebook import workdays
from support import answers, listing, screen, workflow
from support.guards import WORDS_MAX
from support.models import AnswerModel, Entry, ScamReport, Ticket
from support.states import MOVES, VERB_WORDS, WAITING, State, Topic
from ui import french
from ui.admin import DoneFilter, Moves, ReadOnly
from ui.fields import WordsField
from ui.refusals import Refused


class WordsForm(forms.Form):
    words = WordsField(label=gettext_lazy("Ce que la personne lira"), max_length=WORDS_MAX, rows=12)
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["words"].widget.attrs["class"] = "vLargeTextField"


class TopicForm(forms.Form):
    topic = forms.ChoiceField(label=gettext_lazy("Nouveau sujet"), choices=Topic)
    request_id = forms.UUIDField(widget=forms.HiddenInput)


class StateFilter(admin.SimpleListFilter):
    """What is owed comes first: the rest is a choice."""

    title = gettext_lazy("file d’attente")
    parameter_name = "file"

    def lookups(self, request, model_admin):
        return [
            ("retard", _("En retard")),
            ("moi", _("Suivies par moi")),
            ("personne", _("Suivies par personne")),
            ("repondues", _("Réponse donnée")),
            ("closes", _("Closes")),
            ("toutes", _("Toutes")),
        ]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        return [first | {"display": _("Réponse attendue")}, *others]

    def queryset(self, request, queryset):
        match self.value():
            case "retard":
                return queryset.filter(state__in=WAITING, due_at__lte=timezone.now())
            case "moi":
                return queryset.filter(state__in=WAITING, taken_by=request.user)
            case "personne":
                return queryset.filter(state__in=WAITING, taken_by=None)
            case "repondues":
                return queryset.filter(state=State.ANSWERED)
            case "closes":
                return queryset.filter(state=State.CLOSED)
            case "toutes":
                return queryset
        return queryset.filter(state__in=WAITING)


class AskerFilter(admin.SimpleListFilter):
    title = gettext_lazy("qui demande")
    parameter_name = "qui"

    def lookups(self, request, model_admin):
        return [
            ("titulaire", _("Une personne connectée")),
            ("organisme", _("Une organisation")),
            ("visiteur", _("Un visiteur")),
        ]

    def queryset(self, request, queryset):
        match self.value():
            case "titulaire":
                return queryset.filter(user__isnull=False, organisation=None)
            case "organisme":
                return queryset.filter(organisation__isnull=False)
            case "visiteur":
                return queryset.filter(user=None)
        return queryset


@admin.register(Ticket)
class TicketAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["number", "due", "is_in_time", "title_of", "topic", "asker", "taken_by", "state"]
    list_filter = [StateFilter, "topic", AskerFilter, ("opened_at", admin.DateFieldListFilter)]
    list_select_related = ["user", "organisation", "taken_by"]
    search_fields = ["number", "subject", "email", "user__email", "organisation__name", "dossier__number"]
    ordering = [F("due_at").asc(nulls_last=True), "-opened_at"]
    sortable_by = ["due", "topic", "state"]
    date_hierarchy = "opened_at"
    show_full_result_count = False
    change_form_template = "support/admin/ticket.html"
    fields = ["number", "title_of", "topic", "state", "asker", "account", "dossier_link", "due", "taken_by"]
    fields += ["opened_at", "closed_at", "report", "thread"]
    actions = ["take_all"]

    # --- What is shown ---

    @admin.display(description=gettext_lazy("objet"))
    def title_of(self, ticket):
        return ticket.title

    @admin.display(description=gettext_lazy("qui demande"))
    def asker(self, ticket):
        if ticket.organisation:
            return f"{ticket.organisation} · {ticket.user}"
        return str(ticket.user) if ticket.user else f"{ticket.name} <{ticket.email}>".strip()

    @admin.display(description=gettext_lazy("réponse attendue"), ordering="due_at")
    def due(self, ticket):
        return french.last_minute(ticket.due_at) if ticket.due_at else "—"

    @admin.display(description=gettext_lazy("à temps"), boolean=True)
    def is_in_time(self, ticket):
        return None if ticket.due_at is None else ticket.due_at > timezone.now()

    @admin.display(description=gettext_lazy("compte"))
    def account(self, ticket):
        """Links to the pages where a look is written down too."""
        if ticket.is_of_visitor:
            return _(
                "Personne non connectée : rien ne prouve qui elle est. "
                "Ne dites rien d’un compte ni d’un dossier."
            )
        holder = getattr(ticket.user, "holder", None)
        links = [("accounts_user_change", ticket.user_id, _("Connexion"))]
        links += [("accounts_holderprofile_change", holder.pk, _("Compte de formation"))] if holder else []
        if ticket.organisation:
            links.append(("accounts_organisation_change", ticket.organisation_id, _("Organisation")))
        rows = ((reverse(f"admin:{name}", args=[pk]), words) for name, pk, words in links)
        return format_html_join(" · ", '<a href="{}">{}</a>', rows)

    @admin.display(description=gettext_lazy("dossier"))
    def dossier_link(self, ticket):
        if ticket.dossier is None:
            return "—"
        url = reverse("admin:dossiers_dossier_change", args=[ticket.dossier_id])
        return format_html('<a href="{}">{}</a>', url, ticket.dossier.number)

    @admin.display(description=gettext_lazy("démarchage"))
    def report(self, ticket):
        report = getattr(ticket, "scam_report", None)
        if report is None:
            return "—"
        facts = [
            french.day(report.happened_on),
            report.get_channel_display(),
            report.contact,
            report.organisation,
            *screen.given_words(report),
        ]
        return " · ".join(fact for fact in facts if fact)

    @admin.display(description=gettext_lazy("échange"))
    def thread(self, ticket):
        lines = listing.thread(ticket)
        rows = (
            (line.who, line.title, french.moment(line.at), linebreaks_filter(line.words)) for line in lines
        )
        return format_html_join("", "<p><strong>{}</strong> · {} · {}</p>{}", rows)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        ticket = self.get_object(request, object_id)
        if ticket and self.has_view_permission(request, ticket):
            verbs = [verb for verb in MOVES if State(ticket.state) in MOVES[verb]]
            may_act = self.has_act_permission(request)
            extra_context = (extra_context or {}) | {"verbs": verbs if may_act else [], "request_id": uuid4()}
        return super().change_view(request, object_id, form_url, extra_context)

    # --- What is done ---

    def has_act_permission(self, request):
        return request.user.has_perm("support.change_ticket")

    def get_urls(self):
        view = self.admin_site.admin_view
        own = [
            path("<uuid:ticket_id>/prendre/", view(self.take), name="support_ticket_take"),
            path("<uuid:ticket_id>/repondre/", view(self.answer), name="support_ticket_answer"),
            path("<uuid:ticket_id>/classer/", view(self.move), name="support_ticket_move"),
            path("<uuid:ticket_id>/clore/", view(self.close), name="support_ticket_close"),
        ]
        return own + super().get_urls()

    @admin.action(description=gettext_lazy("Prendre en charge"), permissions=["act"])
    def take_all(self, request, queryset):
        for ticket in queryset.order_by("due_at", "id"):
            try:
                workflow.take(ticket.pk, by=administrator(request), at=timezone.now(), request_id=uuid4())
            except Refused as refusal:
                messages.error(request, f"{ticket.number} : {refusal.message}")
        messages.success(request, _("C’est noté. Vous les retrouvez dans « Suivies par moi »."))

    def take(self, request: HttpRequest, ticket_id: UUID) -> HttpResponse:
        """A click, posted: no page of its own."""
        ticket = self._ticket(request, ticket_id)
        if request.method == "POST":
            try:
                request_id = UUID(request.POST.get("request_id", ""))
                workflow.take(ticket.pk, by=administrator(request), at=timezone.now(), request_id=request_id)
            except (Refused, ValueError) as refusal:
                messages.error(
                    request, getattr(refusal, "message", _("Rechargez la page, puis recommencez."))
                )
            else:
                messages.success(request, _("Vous suivez cette demande."))
        return redirect("admin:support_ticket_change", ticket.pk)

    def answer(self, request: HttpRequest, ticket_id: UUID) -> HttpResponse:
        """Starts from a model of answer (`?modele=`) or from an answer of the help page (`?aide=`)."""
        form = WordsForm(request.POST or None, initial=_blank() | {"words": _starting_words(request)})
        return self._act(
            request,
            ticket_id,
            workflow.answer,
            form,
            title=_("Répondre"),
            note=_("La réponse part par e-mail, et s’affiche dans l’échange."),
            template="support/admin/answer.html",
        )

    def move(self, request: HttpRequest, ticket_id: UUID) -> HttpResponse:
        form = TopicForm(request.POST or None, initial=_blank())
        note = _("La personne voit le nouveau sujet dans l’échange.")
        return self._act(request, ticket_id, workflow.move, form, title=_("Changer de sujet"), note=note)

    def close(self, request: HttpRequest, ticket_id: UUID) -> HttpResponse:
        form = WordsForm(request.POST or None, initial=_blank())
        note = _("Dites pourquoi : la personne le lit, par e-mail aussi, et peut rouvrir sa demande.")
        return self._act(request, ticket_id, workflow.close, form, title=_("Clore"), note=note)

    def _act(
        self,
        request: HttpRequest,
        ticket_id: UUID,
        verb: Callable,
        form: forms.Form,
        *,
        title: str,
        note: str,
        template: str = "support/admin/act.html",
    ) -> HttpResponse:
        ticket = self._ticket(request, ticket_id)
        if request.method == "POST" and form.is_valid():
            try:
                partial(verb, ticket.pk, by=administrator(request), at=timezone.now())(**form.cleaned_data)
            except Refused as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                messages.success(request, _("C’est fait. Au suivant."))
                return redirect("admin:support_ticket_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "note": note,
            "ticket": ticket,
            "form": form,
            "thread": listing.thread(ticket),
            "models": AnswerModel.objects.filter(topic__in=["", ticket.topic]),
            "questions": answers.for_topic(Topic(ticket.topic), _questions()),
            "opts": self.opts,
        }
        status = 422 if form.is_bound and form.errors else 200
        return render(request, template, context, status=status)

    def _ticket(self, request: HttpRequest, ticket_id: UUID) -> Ticket:
        if not self.has_act_permission(request):
            raise PermissionDenied
        return get_object_or_404(self.get_queryset(request).with_what_a_page_shows(), pk=ticket_id)


def _blank() -> dict:
    return {"request_id": uuid4()}


def _questions() -> list[answers.Shown]:
    return answers.on(rulebook.on(workdays.paris_day(timezone.now())))


def _starting_words(request: HttpRequest) -> str:
    if model_id := request.GET.get("modele", ""):
        model = AnswerModel.objects.filter(pk=model_id).first() if model_id.isdecimal() else None
        return model.words if model else ""
    for question in _questions():
        if question.slug == request.GET.get("aide"):
            url = request.build_absolute_uri(reverse("help_question", args=[question.slug]))
            return "\n".join([*question.paragraphs, *question.steps, url])
    return ""


@admin.register(Entry)
class EntryAdmin(Moves, admin.ModelAdmin):
    verb_words = VERB_WORDS
    list_display = ["at", "ticket", "done", "from_state", "to_state", "role", "user"]
    list_filter = [DoneFilter, "role", "at"]
    readonly_fields = ["done"]
    list_select_related = ["ticket", "user"]
    search_fields = ["ticket__number"]
    date_hierarchy = "at"
    exclude = ["verb", "words"]  # the words are read in the ticket, where a look is written down


@admin.register(ScamReport)
class ScamReportAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["happened_on", "channel", "contact", "organisation", "ticket"]
    list_filter = ["channel", "happened_on"]
    list_select_related = ["ticket"]
    search_fields = ["contact", "organisation", "ticket__number"]
    date_hierarchy = "happened_on"
    exclude = ["given"]
    readonly_fields = ["given_in_words"]

    @admin.display(description=gettext_lazy("ce qui a été donné"))
    def given_in_words(self, report):
        return ", ".join(str(ScamReport.Given(each).label) for each in report.given) or "–"


@admin.register(AnswerModel)
class AnswerModelAdmin(admin.ModelAdmin):
    list_display = ["title", "topic"]
    list_filter = ["topic"]
    search_fields = ["title", "words"]
