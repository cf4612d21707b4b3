"""Requests to join and measures, for the administration: facts to read, acts through the verbs.

Every look at a request and at a document is written down; every act says why.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import journal
from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from admissions import listing, measures, permissions, registers, reminders, screen, workflow
from admissions.downloads import as_download
from admissions.forms import (
    AdmitForm,
    CompletionForm,
    DecisionForm,
    MeasureForm,
    RefuseForm,
    SuspensionForm,
)
from admissions.models import Document, JoinRequest, JoinStep, Measure, MeasureStep
from admissions.states import FINAL_STATES, MEASURE_VERB_WORDS, MOVES, VERB_WORDS, MeasureState, State
from catalog.models import Habilitation, Provider
from ui import french
from ui.admin import DoneFilter, Moves, ReadOnly, ReadOnlyTable
from ui.refusals import Refused
from ui.templatetags.ui import weight


def administrator(request: HttpRequest) -> Actor:
    """In the admin one always acts as an admin, whatever role the site's pages show."""
    return Actor(role=Role.ADMIN, user=request.user)


def named(form_class: type[forms.Form], data: Any) -> forms.Form:
    """A form with the hidden name of its request: sent twice, it is obeyed once."""
    form = form_class(data)
    field = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    form.fields["request_id"] = field
    return form


class TurnFilter(admin.SimpleListFilter):
    title = gettext_lazy("à qui d’agir")
    parameter_name = "tour"

    def lookups(self, request, model_admin):
        return [
            ("nous", _("À l’administration")),
            ("retard", _("En retard")),
            ("demandeur", _("Au demandeur")),
            ("fini", _("Terminées")),
        ]

    def queryset(self, request, queryset):
        match self.value():
            case "nous":
                return queryset.filter(state__in=[State.SENT, State.RECEIVABLE])
            case "retard":
                return queryset.filter(pk__in=reminders.late(at=timezone.now()).values("pk"))
            case "demandeur":
                return queryset.filter(state__in=[State.DRAFT, State.COMPLETION_ASKED])
            case "fini":
                return queryset.filter(state__in=FINAL_STATES)
        return queryset


class Acts:
    """Pages that do one verb: its form, what it will do, and back to what it is about."""

    def act(
        self,
        request: HttpRequest,
        form_class: type[forms.Form],
        verb: Callable[..., Any],
        *,
        title: str,
        about: str,
        effect: str,
        back: str,
        button: str = "",
    ) -> HttpResponse:
        """`verb(by=, at=, request_id=, **what the form says)`."""
        if not self.has_act_permission(request):
            raise PermissionDenied
        form = named(form_class, request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                verb(by=administrator(request), at=timezone.now(), **form.cleaned_data)
            except (Refused, NotAllowed) as refusal:
                field = getattr(refusal, "field", "")
                form.add_error(field if field in form.fields else None, refusal.message)
            else:
                messages.success(request, _("C’est fait, gardé au journal, et dit aux personnes concernées."))
                return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "about": about,
            "effect": effect,
            "back": back,
            "button": button or title,
            "form": form,
            "opts": self.opts,
        }
        status = 422 if form.is_bound and form.errors else 200
        return render(request, "admissions/admin/act.html", context, status=status)


class DocumentInline(ReadOnlyTable):
    model = Document
    fields = ["link", "content_type", "heavy", "added_at"]
    readonly_fields = ["link", "heavy"]

    @admin.display(description=gettext_lazy("taille"))
    def heavy(self, document):
        return weight(document.size)

    @admin.display(description=gettext_lazy("fichier"))
    def link(self, document):
        url = reverse("admin:admissions_joinrequest_document", args=[document.join_request_id, document.pk])
        return format_html('<a href="{}">{}</a>', url, document.file_name)


class StepColumns(Moves):
    """The states of a request and those of a measure share a column: their words are said here."""

    states: type[TextChoices]

    @admin.display(description=gettext_lazy("de"), ordering="from_state")
    def before(self, step):
        return self.states(step.from_state).label

    @admin.display(description=gettext_lazy("vers"), ordering="to_state")
    def after(self, step):
        return self.states(step.to_state).label


class JoinStepColumns(StepColumns):
    verb_words, states = VERB_WORDS, State


class MeasureStepColumns(StepColumns):
    verb_words, states = MEASURE_VERB_WORDS, MeasureState


class JoinStepInline(JoinStepColumns, ReadOnlyTable):
    model = JoinStep
    fields = ["at", "done", "after", "side", "user", "words", "notes"]
    readonly_fields = ["done", "after", "notes"]

    @admin.display(description=gettext_lazy("notes"))
    def notes(self, step):
        return step.details.get("notes", "")


@admin.register(JoinRequest)
class JoinRequestAdmin(Acts, ReadOnly, admin.ModelAdmin):
    list_display = ["number", "name", "formatted_siret", "state", "delay", "sent_at", "author"]
    list_filter = [TurnFilter, "state", "sent_at"]
    search_fields = ["number", "name", "siret", "activity_number", "author__email", "manager_name"]
    search_help_text = gettext_lazy("Numéro, nom, SIRET, NDA, adresse du demandeur ou personne responsable.")
    list_select_related = ["author"]
    date_hierarchy = "sent_at"
    show_full_result_count = False
    change_form_template = "admissions/admin/join_request.html"
    inlines = [DocumentInline, JoinStepInline]
    readonly_fields = ["delay", "siblings"]
    fieldsets = [
        (None, {"fields": ["number", "state", "delay", "author", "sent_at", "siblings", "organisation"]}),
        (
            gettext_lazy("L’organisme"),
            {"fields": ["siret", "name", "address", "postal_code", "town_name", "email", "phone"]},
        ),
        (gettext_lazy("Activité"), {"fields": ["activity_number", "last_report_on", "has_no_report"]}),
        (
            gettext_lazy("Qualiopi"),
            {
                "fields": [
                    "qualiopi_training",
                    "qualiopi_skills_review",
                    "qualiopi_vae",
                    "qualiopi_apprenticeship",
                    "certificate_number",
                    "certifier",
                    "certified_from",
                    "certified_until",
                ]
            },
        ),
        (
            gettext_lazy("Ce qu’il veut proposer"),
            {"fields": ["certification_codes", "other_kinds", "school_approval"]},
        ),
        (
            gettext_lazy("La personne responsable"),
            {
                "fields": [
                    "manager_name",
                    "manager_position",
                    "is_legal_representative",
                    "has_no_conviction",
                    "extract_issued_on",
                ]
            },
        ),
    ]

    def has_act_permission(self, request):
        return request.user.has_perm("admissions.change_joinrequest")

    def get_queryset(self, request):
        """A draft is nobody's business but its author's."""
        return super().get_queryset(request).exclude(state=State.DRAFT)

    def get_ordering(self, request):
        """The minute that runs out first; what waits for nobody comes last, the newest first."""
        return [listing.WAITS_UNTIL.asc(nulls_last=True), "-sent_at", "pk"]

    @admin.display(description=gettext_lazy("SIRET"), ordering="siret")
    def formatted_siret(self, asked):
        return french.siret(asked.siret)

    @admin.display(description=gettext_lazy("à répondre avant"), ordering=listing.WAITS_UNTIL)
    def delay(self, asked):
        if asked.due_at is None:
            return "–"
        at = timezone.now()
        words = french.last_minute(asked.due_at)
        if asked.due_at <= at:
            return format_html("<strong>{}</strong>", _("En retard : %(due)s") % {"due": words})
        return f"{words} · {french.left(asked.due_at, at)}"

    @admin.display(description=gettext_lazy("autres demandes pour ce SIRET"))
    def siblings(self, asked):
        return ", ".join(f"{each.number} ({each.author})" for each in registers.others_for(asked)) or "–"

    def get_urls(self):
        view = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/completer", view(self.complete), name="admissions_joinrequest_complete"),
            path("<uuid:pk>/recevable", view(self.receivable), name="admissions_joinrequest_receivable"),
            path("<uuid:pk>/referencer", view(self.admit), name="admissions_joinrequest_admit"),
            path("<uuid:pk>/refuser", view(self.refuse), name="admissions_joinrequest_refuse"),
            path(
                "<uuid:pk>/pieces/<uuid:document_id>",
                view(self.document),
                name="admissions_joinrequest_document",
            ),
        ]
        return own + super().get_urls()

    def change_view(self, request, object_id, form_url="", extra_context=None):
        asked = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if asked and self.has_view_permission(request, asked):
            at = timezone.now()
            extra |= {
                "screen": screen.of(asked, at=at),
                "record": registers.public_record(asked.siret),
                "has_people": registers.has_people(asked.siret),
                "habilitations": Habilitation.objects.filter(siret=asked.siret)
                .select_related("certification")
                .order_by("certification", "role")[:100],
                "changes": changes_of(asked),
                "verbs": [
                    verb
                    for verb in MOVES
                    if self.has_act_permission(request)
                    and asked.state in MOVES[verb].sources
                    and permissions.may(verb, asked, administrator(request))
                ],
            }
        return super().change_view(request, object_id, form_url, extra)

    def complete(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self._decide(
            request,
            pk,
            CompletionForm,
            workflow.ask_completion,
            title=_("Demander un complément"),
            effect=_("Le demandeur est prévenu. Il corrige et envoie de nouveau ; nos délais attendent."),
        )

    def receivable(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self._decide(
            request,
            pk,
            forms.Form,
            workflow.declare_receivable,
            title=_("Déclarer la demande recevable"),
            effect=_("Le dossier est complet. Le demandeur est prévenu de la date limite de décision."),
        )

    def admit(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self._decide(
            request,
            pk,
            AdmitForm,
            workflow.admit,
            title=_("Référencer l’organisme"),
            effect=_(
                "L’organisme est créé avec ses catégories Qualiopi, le demandeur en devient responsable et "
                "peut publier. Les deux adresses sont prévenues."
            ),
        )

    def refuse(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self._decide(
            request,
            pk,
            RefuseForm,
            workflow.refuse,
            title=_("Refuser la demande"),
            effect=_("Le demandeur lit vos motifs, votre explication, et comment contester."),
        )

    def _decide(self, request, pk, form_class, verb, *, title, effect):
        asked = get_object_or_404(self.get_queryset(request), pk=pk)
        return self.act(
            request,
            form_class,
            partial(verb, asked.pk),
            title=title,
            about=str(asked),
            effect=effect,
            back=reverse("admin:admissions_joinrequest_change", args=[asked.pk]),
        )

    def document(self, request: HttpRequest, pk: UUID, document_id: UUID) -> HttpResponse:
        asked = get_object_or_404(self.get_queryset(request), pk=pk)
        document = get_object_or_404(Document, pk=document_id, join_request=asked)
        if not self.has_view_permission(request, asked):
            raise PermissionDenied
        journal.record(
            by=administrator(request),
            action="join_document_opened",
            subject=document,
            at=timezone.now(),
            details={"join_request": asked.number, "kind": document.kind},
        )
        return as_download(document)


def changes_of(asked: JoinRequest) -> list[tuple[str, str, str]]:
    """What the last sending changed from the one before: label, before, after."""
    sent = list(JoinStep.objects.filter(join_request=asked, verb="send").order_by("-id")[:2])
    if len(sent) < 2:
        return []
    after, before = (step.details for step in sent)
    found = [
        (screen.field_label(name), _said(before["answers"].get(name)), _said(value))
        for name, value in after["answers"].items()
        if before["answers"].get(name) != value
    ]
    kinds = sorted({each["kind"] for each in (*before["documents"], *after["documents"])})
    for kind in kinds:
        names = [
            ", ".join(each["name"] for each in side["documents"] if each["kind"] == kind)
            for side in (before, after)
        ]
        digests = [
            {each["digest"] for each in side["documents"] if each["kind"] == kind} for side in (before, after)
        ]
        if digests[0] != digests[1]:
            found.append((screen.field_label(kind), *names))
    return found


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return _("Oui") if value else _("Non")
    return ", ".join(value) if isinstance(value, list) else str(value or "–")


@admin.register(JoinStep)
class JoinStepAdmin(JoinStepColumns, admin.ModelAdmin):
    list_display = ["at", "join_request", "done", "before", "after", "side", "user"]
    list_filter = [DoneFilter, "side", "at"]
    fields = [
        "join_request",
        "done",
        "before",
        "after",
        "side",
        "user",
        "at",
        "words",
        "request_id",
        "details",
    ]
    readonly_fields = fields
    list_select_related = ["join_request", "user"]
    search_fields = ["join_request__number", "join_request__name", "words"]
    date_hierarchy = "at"


@admin.register(Document)
class DocumentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["file_name", "kind", "join_request", "content_type", "size", "added_at"]
    list_filter = ["kind", "content_type", "added_at"]
    list_select_related = ["join_request"]
    search_fields = ["file_name", "join_request__number", "join_request__name", "digest"]
    # The file itself opens from its request, where the look is written down.
    fields = ["join_request", "kind", "file_name", "content_type", "size", "digest", "added_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).exclude(join_request__state=State.DRAFT)


# --- Measures -------------------------------------------------------------------------------------------


class MeasureStepInline(MeasureStepColumns, ReadOnlyTable):
    model = MeasureStep
    fields = ["at", "done", "after", "side", "user", "words"]
    readonly_fields = ["done", "after"]


class DecideFilter(admin.SimpleListFilter):
    title = gettext_lazy("à décider")
    parameter_name = "decider"

    def lookups(self, request, model_admin):
        return [("oui", _("Répondues, ou délai terminé"))]

    def queryset(self, request, queryset):
        if self.value() == "oui":
            return queryset.filter(pk__in=listing.measures_to_decide(at=timezone.now()).values("pk"))
        return queryset


@admin.register(Measure)
class MeasureAdmin(Acts, ReadOnly, admin.ModelAdmin):
    list_display = ["provider", "state", "is_urgent", "opened_at", "answer_due_at", "ends_on", "situation"]
    list_filter = [DecideFilter, "state", "is_urgent", "opened_at"]
    list_select_related = ["provider__organisation"]
    search_fields = ["provider__organisation__name", "provider__organisation__siret", "reason"]
    date_hierarchy = "opened_at"
    inlines = [MeasureStepInline]

    def has_act_permission(self, request):
        return request.user.has_perm("admissions.change_measure")

    @admin.display(description=gettext_lazy("situation"))
    def situation(self, measure):
        url = reverse("admin:admissions_measure_standing", args=[measure.provider_id])
        return format_html('<a href="{}">{}</a>', url, _("Voir et décider"))

    def get_urls(self):
        view = self.admin_site.admin_view
        own = [
            path("organisme/<uuid:provider_id>", view(self.standing), name="admissions_measure_standing"),
            *(
                path(
                    f"organisme/<uuid:provider_id>/{address}",
                    view(partial(self.begin, verb=verb)),
                    name=f"admissions_measure_{verb}",
                )
                for verb, address in (
                    ("warn", "avertir"),
                    ("intend", "annoncer-une-suspension"),
                    ("suspend_at_once", "suspendre-en-urgence"),
                )
            ),
            *(
                path(
                    f"<int:measure_id>/{address}",
                    view(partial(self.decide, verb=verb)),
                    name=f"admissions_measure_{verb}",
                )
                for verb, address in (
                    ("suspend", "suspendre"),
                    ("confirm", "confirmer"),
                    ("drop", "classer-sans-suite"),
                    ("lift", "lever"),
                )
            ),
        ]
        return own + super().get_urls()

    def standing(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        """Where an organisation stands: its measures, what it answered, and what can be done now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        provider = get_object_or_404(Provider.objects.select_related("organisation"), pk=provider_id)
        shown = screen.measures_of(provider.pk, at=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Situation de l’organisme"),
            "provider": provider,
            "measures": [(each, self._verbs(each)) for each in shown],
            "has_open": any(each.is_open for each in shown),
            "can_act": self.has_act_permission(request),
            "opts": self.opts,
        }
        return render(request, "admissions/admin/standing.html", context)

    def _verbs(self, shown: screen.MeasureScreen) -> list[tuple[str, str]]:
        """The addresses and words of what can be done with this measure."""
        measure = shown.measure
        verbs = {
            MeasureState.WARNED: [("drop", _("Retirer l’avertissement"))],
            MeasureState.INTENDED: [
                ("suspend", _("Décider la suspension")),
                ("drop", _("Classer sans suite")),
            ],
            MeasureState.SUSPENDED: [("lift", _("Lever la suspension"))],
        }.get(MeasureState(measure.state), [])
        if measure.state == MeasureState.SUSPENDED and measure.is_urgent:
            verbs = [("confirm", _("Confirmer la suspension")), *verbs]
        return [
            (reverse(f"admin:admissions_measure_{verb}", args=[measure.pk]), words) for verb, words in verbs
        ]

    def begin(self, request: HttpRequest, provider_id: UUID, verb: str) -> HttpResponse:
        provider = get_object_or_404(Provider.objects.select_related("organisation"), pk=provider_id)
        form_class, title, effect = {
            "warn": (
                MeasureForm,
                _("Avertir l’organisme"),
                _("Ses responsables lisent vos motifs et peuvent répondre. Ses offres restent visibles."),
            ),
            "intend": (
                MeasureForm,
                _("Annoncer une suspension"),
                _(
                    "Ses responsables lisent vos motifs et ont un délai pour répondre. Ses offres restent "
                    "visibles ; vous déciderez ensuite."
                ),
            ),
            "suspend_at_once": (
                SuspensionForm,
                _("Suspendre en urgence"),
                _(
                    "Ses offres ferment tout de suite. Dites dans les motifs pourquoi cela ne peut pas "
                    "attendre. L’organisme pourra répondre ; vous confirmerez ou lèverez ensuite."
                ),
            ),
        }[verb]
        return self.act(
            request,
            form_class,
            partial(getattr(measures, verb), provider.pk),
            title=title,
            about=str(provider),
            effect=effect,
            back=reverse("admin:admissions_measure_standing", args=[provider.pk]),
        )

    def decide(self, request: HttpRequest, measure_id: int, verb: str) -> HttpResponse:
        measure = get_object_or_404(Measure.objects.select_related("provider__organisation"), pk=measure_id)
        form_class, title, effect = {
            "suspend": (
                DecisionForm,
                _("Décider la suspension"),
                _(
                    "Ses offres ferment tout de suite. Les dossiers confirmés continuent. L’organisme lit "
                    "vos raisons et comment contester."
                ),
            ),
            "confirm": (
                SuspensionForm,
                _("Confirmer la suspension"),
                _("La suspension urgente est gardée. L’organisme lit vos raisons et comment contester."),
            ),
            "drop": (
                MeasureForm,
                _("Classer sans suite"),
                _("La mesure est close sans effet. L’organisme lit pourquoi."),
            ),
            "lift": (
                MeasureForm,
                _("Lever la suspension"),
                _("Ses offres sont de nouveau visibles, si les règles les ouvrent. L’organisme est prévenu."),
            ),
        }[verb]
        return self.act(
            request,
            form_class,
            partial(getattr(measures, verb), measure.pk),
            title=title,
            about=str(measure.provider),
            effect=effect,
            back=reverse("admin:admissions_measure_standing", args=[measure.provider_id]),
        )


@admin.register(MeasureStep)
class MeasureStepAdmin(MeasureStepColumns, admin.ModelAdmin):
    list_display = ["at", "measure", "done", "before", "after", "side", "user"]
    list_filter = [DoneFilter, "side", "at"]
    fields = ["measure", "done", "before", "after", "side", "user", "at", "words", "request_id", "details"]
    readonly_fields = fields
    list_select_related = ["measure__provider__organisation", "user"]
    search_fields = ["measure__provider__organisation__name", "words"]
    date_hierarchy = "at"
