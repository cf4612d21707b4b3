"""Dossiers in Django admin: to read, to search, and to act through the same verbs as everyone.

Transitions, deadlines, lines and payments are read-only. A bank transfer is recorded on the dossier's page;
a relief is proposed from the list of dossiers and confirmed, by another person, from the list of reliefs.
"""

from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor, Role
from dossiers import payment_admin as payment_admin  # what holders pay has a module of its own
from dossiers import relief, workflow
from dossiers.forms import EurosField
from dossiers.models import (
    Batch,
    BatchLine,
    CalendarFeed,
    Deadline,
    Dossier,
    FirstSteps,
    FundingLine,
    Payment,
    Relief,
    Transition,
)
from dossiers.states import VERB_WORDS, State
from dossiers.workflow import NotAllowed
from ui import french
from ui.admin import DoneFilter, Moves, ReadOnly, ReadOnlyTable
from ui.refusals import Refused


def admin_actor(request: HttpRequest) -> Actor:
    """In the admin one always acts as an admin, whatever role the site's pages show."""
    return Actor(role=Role.ADMIN, user=request.user)


class TransitionColumns(Moves):
    verb_words = VERB_WORDS

    @admin.display(description=gettext_lazy("personne"), ordering="user")
    def person(self, move):
        if move.user is None:
            return "–"
        url = reverse("admin:accounts_user_change", args=[move.user_id])
        return format_html('<a href="{}">{}</a>', url, move.user)


class TransitionInline(TransitionColumns, ReadOnlyTable):
    model = Transition
    # Without `cause`, which is for programs: people read why in `reason`.
    fields = ["at", "done", "from_state", "to_state", "role", "person", "reason"]
    readonly_fields = ["done", "person"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("user")


class DeadlineInline(ReadOnlyTable):
    model = Deadline
    fields = ["kind", "opened_at", "last_day", "due_at", "closed_at", "outcome", "opened_by_relief"]
    ordering = ["id"]


class FundingLineInline(ReadOnlyTable):
    model = FundingLine
    fields = ["round", "position", "kind", "source", "amount", "reason"]
    readonly_fields = ["amount"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("source__holder")

    @admin.display(description=gettext_lazy("montant"))
    def amount(self, line):
        return french.euros(line.amount_cents)


class PaymentInline(ReadOnlyTable):
    model = Payment
    fields = ["reference", "amount", "outcome", "reason", "at"]
    readonly_fields = ["amount"]

    @admin.display(description=gettext_lazy("montant"))
    def amount(self, payment):
        return french.euros(payment.amount_cents)


class PaymentForm(forms.Form):
    """A bank transfer, as the statement shows it."""

    outcome = forms.ChoiceField(label=gettext_lazy("Ce que dit la banque"), choices=Payment.Outcome)
    reference = forms.CharField(
        label=gettext_lazy("Référence de la banque"),
        max_length=100,
        help_text=gettext_lazy("Une référence ne sert qu’une fois."),
    )
    amount = EurosField(label=gettext_lazy("Montant reçu"), required=False)
    reason = forms.CharField(label=gettext_lazy("Motif d’un refus"), max_length=255, required=False)
    request_id = forms.UUIDField(widget=forms.HiddenInput)


class ReliefForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("Nature"), choices=Relief.Kind)
    extra_days = forms.IntegerField(
        label=gettext_lazy("Jours ouvrés ajoutés"),
        min_value=0,
        max_value=relief.EXTRA_DAYS_MAX,
        initial=2,
        help_text=gettext_lazy("Pour une prolongation ; sans effet pour un rétablissement."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Raison"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Elle est dite aux personnes concernées."),
    )
    dossiers = forms.ModelMultipleChoiceField(
        queryset=Dossier.objects.all(), widget=forms.MultipleHiddenInput
    )


@admin.register(Dossier)
class DossierAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["number", "state", "holder", "provider", "offer", "price", "starts_on", "created_at"]
    list_filter = ["state", "silent_party", "starts_on", "created_at"]
    search_fields = [
        "number",
        "holder__birth_name",
        "holder__used_name",
        "offer__title",
        "provider__organisation__name",
    ]
    list_select_related = ["holder", "provider__organisation", "offer"]
    date_hierarchy = "created_at"
    inlines = [TransitionInline, DeadlineInline, FundingLineInline, PaymentInline]
    exclude = ["asked_price_cents", "price_cents"]
    actions = ["propose_relief"]
    show_full_result_count = False

    def has_act_permission(self, request):
        """May act through the verbs; nobody saves the row itself, which would undo what a verb just wrote."""
        return request.user.has_perm("dossiers.change_dossier")

    def get_readonly_fields(self, request, obj=None):
        said = {"asked_price_cents": "asked_price", "price_cents": "proposed_price"}
        fields = [said.get(field.name, field.name) for field in self.model._meta.fields]
        return [*fields, "payment_link"] if obj and obj.state == State.AWAITING_PAYMENT else fields

    @admin.display(description=gettext_lazy("prix"))
    def price(self, dossier):
        return french.euros(dossier.current_price_cents)

    @admin.display(description=gettext_lazy("prix affiché"))
    def asked_price(self, dossier):
        return french.euros(dossier.asked_price_cents)

    @admin.display(description=gettext_lazy("prix proposé"))
    def proposed_price(self, dossier):
        return "–" if dossier.price_cents is None else french.euros(dossier.price_cents)

    @admin.display(description=gettext_lazy("paiement"))
    def payment_link(self, dossier):
        url = reverse("admin:dossiers_dossier_payment", args=[dossier.pk])
        return format_html('<a href="{}">{}</a>', url, _("Enregistrer un virement"))

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("<uuid:dossier_id>/paiement/", view(self.record_payment), name="dossiers_dossier_payment"),
            path("remise-de-delai/", view(self.relief_form), name="dossiers_dossier_relief"),
            *super().get_urls(),
        ]

    def record_payment(self, request: HttpRequest, dossier_id) -> HttpResponse:
        dossier = get_object_or_404(Dossier, pk=dossier_id)
        if not self.has_act_permission(request):
            raise PermissionDenied
        form = PaymentForm(request.POST or None, initial={"request_id": uuid4()})
        if request.method == "POST" and form.is_valid():
            try:
                _record(dossier, form.cleaned_data, by=admin_actor(request))
            except Refused as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                messages.success(request, _("C’est enregistré, et le titulaire est prévenu."))
                return redirect("admin:dossiers_dossier_change", dossier.pk)
        to_pay = ""
        if dossier.state == State.AWAITING_PAYMENT:
            to_pay = french.euros(workflow.remainder_line(dossier).amount_cents)
        title = _("Virement pour le dossier %(number)s") % {"number": dossier.number}
        return self._form_page(request, form, title=title, help_text=_("Reste à payer : %s") % to_pay)

    @admin.action(description=gettext_lazy("Proposer une remise de délai"), permissions=["act"])
    def propose_relief(self, request, queryset):
        chosen = [str(pk) for pk in queryset.values_list("pk", flat=True)[:500]]
        form = ReliefForm(initial={"dossiers": chosen})
        return self._relief_page(request, form, len(chosen))

    def relief_form(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not self.has_act_permission(request):
            raise PermissionDenied
        form = ReliefForm(request.POST)
        if form.is_valid():
            chosen = form.cleaned_data
            try:
                relief.propose(
                    kind=Relief.Kind(chosen["kind"]),
                    dossiers=[dossier.pk for dossier in chosen["dossiers"]],
                    reason=chosen["reason"],
                    extra_days=chosen["extra_days"] or 0,
                    by=admin_actor(request),
                    at=timezone.now(),
                )
            except Refused as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                messages.success(request, _("La remise est proposée. Une autre personne doit la confirmer."))
                return redirect("admin:dossiers_relief_changelist")
        return self._relief_page(request, form, len(request.POST.getlist("dossiers")))

    def _relief_page(self, request, form, count):
        return self._form_page(
            request,
            form,
            title=_("Proposer une remise de délai"),
            help_text=_("%s dossiers choisis.") % count,
            action=reverse("admin:dossiers_dossier_relief"),
        )

    def _form_page(self, request, form, *, title, help_text, action=""):
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "help_text": help_text,
            "action": action,
            "opts": self.model._meta,
        }
        status = 422 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "dossiers/agent/admin_form.html", context, status=status)


def _record(dossier: Dossier, told: dict, *, by: Actor) -> None:
    at, request_id = timezone.now(), told["request_id"]
    if told["outcome"] == Payment.Outcome.CONFIRMED:
        workflow.confirm_payment(
            dossier.pk,
            by=by,
            at=at,
            request_id=request_id,
            reference=told["reference"],
            amount_cents=told["amount"] or 0,
        )
    else:
        workflow.refuse_payment(
            dossier.pk,
            by=by,
            at=at,
            request_id=request_id,
            reference=told["reference"],
            reason=told["reason"],
        )


@admin.register(Relief)
class ReliefAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "reason", "proposed_by", "proposed_at", "confirmed_by", "confirmed_at"]
    list_filter = ["kind", "confirmed_at"]
    search_fields = ["reason", "dossiers__number"]
    list_select_related = ["proposed_by", "confirmed_by"]
    readonly_fields = [
        "kind",
        "dossiers",
        "extra_days",
        "reason",
        "proposed_by",
        "proposed_at",
        "confirmed_by",
        "confirmed_at",
        "report",
    ]
    actions = ["confirm"]

    def has_act_permission(self, request):
        return request.user.has_perm("dossiers.change_relief")

    @admin.action(description=gettext_lazy("Confirmer et appliquer"), permissions=["act"])
    def confirm(self, request, queryset):
        for each in queryset.order_by("id"):
            try:
                done = relief.confirm(each.pk, by=admin_actor(request), at=timezone.now())
            except (Refused, NotAllowed) as refusal:
                messages.error(request, refusal.message)
                continue
            helped = sum(1 for outcome in done.report.values() if outcome == relief.DONE)
            messages.success(
                request,
                _("%(helped)s dossiers aidés sur %(all)s.") % {"helped": helped, "all": len(done.report)},
            )


@admin.register(Transition)
class TransitionAdmin(TransitionColumns, admin.ModelAdmin):
    list_display = ["at", "dossier", "done", "from_state", "to_state", "role", "person"]
    list_filter = [DoneFilter, "role", "to_state", "at"]
    fields = [
        "dossier",
        "done",
        "from_state",
        "to_state",
        "role",
        "person",
        "at",
        "reason",
        "cause",
        "request_id",
        "details",
    ]
    readonly_fields = fields
    search_fields = ["dossier__number", "reason"]
    list_select_related = ["dossier", "user"]
    date_hierarchy = "at"


@admin.register(Deadline)
class DeadlineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["dossier", "kind", "opened_at", "due_at", "closed_at", "outcome"]
    list_filter = ["kind", "outcome", ("closed_at", admin.EmptyFieldListFilter)]
    search_fields = ["dossier__number"]
    list_select_related = ["dossier"]


@admin.register(FundingLine)
class FundingLineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["dossier", "round", "position", "kind", "amount", "reason"]
    list_filter = ["kind"]
    search_fields = ["dossier__number"]
    list_select_related = ["dossier"]
    fields = ["dossier", "round", "position", "kind", "source", "reserved", "amount", "reason"]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("montant"))
    def amount(self, line):
        return french.euros(line.amount_cents)


@admin.register(Payment)
class PaymentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["reference", "dossier", "amount", "outcome", "reason", "at"]
    list_filter = ["outcome", "at"]
    search_fields = ["reference", "dossier__number"]
    list_select_related = ["dossier"]
    exclude = ["amount_cents"]
    readonly_fields = ["amount"]

    @admin.display(description=gettext_lazy("montant"))
    def amount(self, payment):
        return french.euros(payment.amount_cents)


@admin.register(FirstSteps)
class FirstStepsAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["holder", "rights_seen_at", "obligation_seen_at", "put_away_at"]
    list_filter = [("put_away_at", admin.EmptyFieldListFilter)]
    search_fields = ["holder__birth_name", "holder__used_name", "holder__user__email"]
    list_select_related = ["holder"]


@admin.register(CalendarFeed)
class CalendarFeedAdmin(ReadOnly, admin.ModelAdmin):
    """Who has an address and since when; never the address, which is its person's alone."""

    list_display = ["user", "organisation", "made_at"]
    list_filter = ["made_at", ("organisation", admin.EmptyFieldListFilter)]
    search_fields = ["user__email", "organisation__name"]
    list_select_related = ["user", "organisation"]
    fields = ["user", "organisation", "made_at"]


class BatchLineInline(ReadOnlyTable):
    model = BatchLine
    fields = ["position", "dossier", "outcome", "obstacle", "done_at"]
    readonly_fields = fields


@admin.register(Batch)
class BatchAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["provider", "answer", "motive", "confirmed_by", "confirmed_at", "finished_at"]
    list_filter = ["answer", "motive", "confirmed_at", ("finished_at", admin.EmptyFieldListFilter)]
    search_fields = ["provider__organisation__name", "confirmed_by__email", "lines__dossier__number"]
    list_select_related = ["provider__organisation", "confirmed_by"]
    date_hierarchy = "prepared_at"
    inlines = [BatchLineInline]


@admin.register(BatchLine)
class BatchLineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["batch", "position", "dossier", "outcome", "obstacle", "done_at"]
    list_filter = ["outcome"]
    search_fields = ["dossier__number", "obstacle"]
    list_select_related = ["batch", "dossier"]
    exclude = ["price_cents"]
    readonly_fields = ["price"]

    @admin.display(description=gettext_lazy("prix"))
    def price(self, line):
        return "–" if line.price_cents is None else french.euros(line.price_cents)
