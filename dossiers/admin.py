"""Dossiers in Django admin: to read, to search, and to act through the same verbs as everyone.

Transitions, deadlines, lines and payments are read-only. A bank transfer is recorded on the dossier's page;
a relief is proposed from the list of dossiers and confirmed, by another person, from the list of reliefs.
"""

from functools import partial
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.contrib import messages as flash
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import linebreaks_filter
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import journal
from accounts.actors import Actor, Role
from dossiers import controls, force_majeure, message_guards, messages, relief, training, workflow
from dossiers import payment_admin as payment_admin  # what holders pay has a module of its own
from dossiers import review_admin as review_admin  # so have reviews
from dossiers.forms import CompletionForm, EurosField, HoursField
from dossiers.models import (
    Batch,
    BatchLine,
    CalendarFeed,
    Claim,
    Completion,
    Control,
    Deadline,
    Dossier,
    Evidence,
    FirstSteps,
    FundingLine,
    Message,
    MessageReport,
    Payment,
    Postponement,
    ReadMark,
    Relief,
    Transition,
)
from dossiers.states import MOVES, VERB_WORDS, ClaimState, State
from dossiers.workflow import NotAllowed
from ui import french
from ui.admin import DoneFilter, Moves, ReadOnly, ReadOnlyTable, act_page, say
from ui.documents import as_download
from ui.fields import WordsField
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


class CompletionInline(ReadOnlyTable):
    model = Completion
    fields = ["version", "rate", "cause", "force_majeure", "words", "declared_at", "declared_by"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("declared_by")


class PostponementInline(ReadOnlyTable):
    model = Postponement
    fields = ["proposed_at", "was_starts_on", "was_ends_on", "starts_on", "ends_on", "session", "reason"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("session__offer")


class WordsForm(forms.Form):
    """A sentence that the people of the dossier will read."""

    reason = forms.CharField(
        label=gettext_lazy("Raison"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Elle est dite aux deux côtés."),
    )


class PrivateWordsForm(WordsForm):
    """On a force majeure: its reason may speak of health."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = gettext_lazy("Dite au titulaire seulement, jamais à l’organisme.")


class GrantForm(forms.Form):
    """What a funder grants, all that is asked unless it says less."""

    amount = EurosField(
        label=gettext_lazy("Montant accordé"),
        required=False,
        help_text=gettext_lazy("Vide : tout ce qui est demandé."),
    )


class CorrectionForm(CompletionForm):
    """What a control found instead of what was declared."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.fields["evidence"]
        self.fields["words"].label = gettext_lazy("Ce que le contrôle a trouvé")
        self.fields["words"].required = True
        self.fields["done_hours"].help_text = ""
        self.fields["force_majeure"].label = gettext_lazy("La personne a été empêchée par une force majeure")

    @staticmethod
    def initial_of(declared: Completion) -> dict:
        """What is declared now, to be corrected; never its words, which are somebody else's."""
        return {
            "total_hours": HoursField.typed(declared.total_minutes),
            "done_hours": HoursField.typed(declared.done_minutes),
            "cause": declared.cause,
            "force_majeure": declared.force_majeure,
        }


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
        help_text=gettext_lazy("Pour une prolongation ; sans effet pour un rétablissement."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Raison"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Elle est dite aux personnes concernées."),
    )
    dossiers = forms.ModelMultipleChoiceField(
        queryset=Dossier.objects.all(), widget=forms.MultipleHiddenInput
    )


DOSSIER_ACTS = {
    "controler": "control",
    "corriger": "correct",
    "conclure": "release",
    "annuler-pour-le-financeur": "funder",
    "accorder-l-aide": "grant",
    "refuser-l-aide": "deny",
}
ACT_WORDS = {
    "control": (
        gettext_lazy("Ouvrir un contrôle"),
        gettext_lazy("Tant qu’il est ouvert, le service fait n’est pas validé de lui-même."),
    ),
    "correct": (
        gettext_lazy("Corriger le service fait"),
        gettext_lazy("Cette déclaration remplace celle de l’organisme. Concluez ensuite le contrôle."),
    ),
    "release": (
        gettext_lazy("Conclure le contrôle"),
        gettext_lazy("Le service fait est validé aussitôt, tel qu’il est maintenant, et l’argent réglé."),
    ),
    "grant": (
        gettext_lazy("Accorder l’aide demandée"),
        gettext_lazy("Au nom du financeur, qui l’a écrit. Le titulaire valide ensuite."),
    ),
    "deny": (
        gettext_lazy("Refuser l’aide demandée"),
        gettext_lazy("Au nom du financeur. Le titulaire décide ensuite sans elle."),
    ),
    "funder": (
        gettext_lazy("Annuler pour le financeur"),
        gettext_lazy("Tout ce qui est réservé ou payé est rendu."),
    ),
}


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
    inlines = [
        TransitionInline,
        DeadlineInline,
        PostponementInline,
        FundingLineInline,
        PaymentInline,
        CompletionInline,
    ]
    change_form_template = "dossiers/agent/dossier.html"
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
            *(
                path(
                    f"<uuid:dossier_id>/{word}/",
                    view(partial(self.act_view, act=act)),
                    name=f"dossiers_dossier_{act}",
                )
                for word, act in DOSSIER_ACTS.items()
            ),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        dossier = self.get_object(request, object_id)
        acts = {f"can_{act}": True for act in self._open_acts(request, dossier)} if dossier else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | acts)

    def _open_acts(self, request, dossier):
        """What this person may do of it now; the verbs judge again."""
        may_control = request.user.has_perm("dossiers.control_completion")
        is_controlled = Control.objects.filter(dossier=dossier, released_at__isnull=True).exists()
        is_declared = dossier.state == State.COMPLETION_DECLARED and may_control
        open_now = {
            "control": is_declared and not is_controlled,
            "correct": is_declared and is_controlled,
            "release": is_declared and is_controlled,
            "grant": self.has_act_permission(request) and dossier.state == State.FUNDER_REVIEW,
            "deny": self.has_act_permission(request) and dossier.state == State.FUNDER_REVIEW,
            "funder": self.has_act_permission(request)
            and dossier.state in MOVES["call_off_for_funder"].sources,
        }
        return [act for act, is_open in open_now.items() if is_open]

    def act_view(self, request: HttpRequest, dossier_id, *, act: str) -> HttpResponse:
        """Fetch · validate · one verb · answer."""
        dossier = get_object_or_404(Dossier, pk=dossier_id)
        is_for_a_funder = act in ("funder", "grant", "deny")
        permission = "dossiers.change_dossier" if is_for_a_funder else "dossiers.control_completion"
        if not request.user.has_perm(permission):
            raise PermissionDenied
        form_class = {"correct": CorrectionForm, "grant": GrantForm, "deny": PrivateWordsForm}.get(
            act, WordsForm
        )
        declared = dossier.completions.order_by("-version").first() if act == "correct" else None
        initial = CorrectionForm.initial_of(declared) if declared else None
        form = form_class(request.POST if request.method == "POST" else None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                _act(act, dossier, form, by=admin_actor(request))
            except (Refused, NotAllowed) as refusal:
                say(form, refusal)
            else:
                flash.success(
                    request, _("C’est fait, écrit dans l’histoire du dossier, et dit aux deux côtés.")
                )
                return redirect("admin:dossiers_dossier_change", dossier.pk)
        title, note = ACT_WORDS[act]
        back = reverse("admin:dossiers_dossier_change", args=[dossier.pk])
        return act_page(self, request, form, title=title, note=f"{dossier.number} · {note}", back=back)

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
                flash.success(request, _("C’est enregistré, et le titulaire est prévenu."))
                return redirect("admin:dossiers_dossier_change", dossier.pk)
        to_pay = ""
        if dossier.state == State.AWAITING_PAYMENT:
            to_pay = french.euros(workflow.remainder_line(dossier).amount_cents)
        title = _("Virement pour le dossier %(number)s") % {"number": dossier.number}
        return self._form_page(request, form, title=title, help_text=_("Reste à payer : %s") % to_pay)

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
                flash.success(request, _("La remise est proposée. Une autre personne doit la confirmer."))
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


def _opened(request: HttpRequest, file: Evidence, dossier: Dossier) -> HttpResponse:
    """The file as a download, and a line of the journal."""
    journal.record(
        by=admin_actor(request),
        action="claim_proof_opened",
        subject=dossier.holder,
        at=timezone.now(),
        details={"dossier": dossier.number, "file": file.file_name},
    )
    return as_download(file.file, name=file.file_name, content_type=file.content_type)


def _act(act: str, dossier: Dossier, form: forms.Form, *, by: Actor) -> None:
    at = timezone.now()
    if act == "correct":
        told = form.told()
        training.correct_completion(
            dossier.pk, by=by, at=at, request_id=uuid4(), reason=told.pop("words"), **told
        )
        return
    if act == "grant":
        amount = form.cleaned_data["amount"]
        workflow.grant_top_up(dossier.pk, by=by, at=at, request_id=uuid4(), amount_cents=amount)
        return
    reason = form.cleaned_data["reason"]
    if act == "deny":
        workflow.refuse_top_up(dossier.pk, by=by, at=at, request_id=uuid4(), reason=reason)
        return
    if act == "control":
        controls.open_control(dossier.pk, by=by, at=at, words=reason)
    elif act == "release":
        controls.release_control(dossier.pk, by=by, at=at, request_id=uuid4(), outcome=reason)
    else:
        workflow.call_off_for_funder(dossier.pk, by=by, at=at, request_id=uuid4(), reason=reason)


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


@admin.register(Claim)
class ClaimAdmin(ReadOnly, admin.ModelAdmin):
    """Force majeure: decided here, with a reason that both sides read, by somebody else than its holder."""

    change_form_template = "dossiers/agent/claim.html"
    list_display = ["made_at", "dossier", "state", "decided_by", "decided_at"]
    list_filter = ["state", "made_at"]
    list_select_related = ["dossier", "decided_by"]
    search_fields = ["dossier__number", "dossier__holder__birth_name"]
    search_help_text = gettext_lazy("Numéro du dossier, ou nom du titulaire")
    fields = ["dossier", "holder", "words", "files", "state", "made_at", "decided_at", "decided_by", "reason"]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("titulaire"))
    def holder(self, claim):
        return claim.dossier.holder

    @admin.display(description=gettext_lazy("justificatifs"))
    def files(self, claim):
        links = [
            (reverse("admin:dossiers_claim_evidence", args=[claim.pk, file.pk]), file.file_name)
            for file in claim.evidence.all()
        ]
        return format_html_join(" · ", '<a href="{}">{}</a>', links) or "–"

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/reconnaitre/",
                view(partial(self.decide_view, act="grant")),
                name="dossiers_claim_grant",
            ),
            path(
                "<int:pk>/rejeter/",
                view(partial(self.decide_view, act="reject")),
                name="dossiers_claim_reject",
            ),
            path(
                "<int:pk>/pieces/<uuid:evidence_id>", view(self.evidence_view), name="dossiers_claim_evidence"
            ),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        claim = self.get_object(request, object_id)
        can_decide = (
            claim is not None
            and claim.state == ClaimState.OPEN
            and request.user.has_perm("dossiers.decide_claim")
            and claim.dossier.holder.user != request.user
        )
        return super().change_view(
            request, object_id, form_url, (extra_context or {}) | {"can_decide": can_decide}
        )

    def decide_view(self, request: HttpRequest, pk: int, *, act: str) -> HttpResponse:
        """Fetch · validate · one verb · answer."""
        claim = get_object_or_404(Claim.objects.select_related("dossier__holder"), pk=pk)
        if not request.user.has_perm("dossiers.decide_claim"):
            raise PermissionDenied
        form = PrivateWordsForm(request.POST if request.method == "POST" else None)
        verb = force_majeure.grant_claim if act == "grant" else force_majeure.reject_claim
        if request.method == "POST" and form.is_valid():
            try:
                verb(
                    claim.dossier_id,
                    by=admin_actor(request),
                    at=timezone.now(),
                    request_id=uuid4(),
                    reason=form.cleaned_data["reason"],
                )
            except (Refused, NotAllowed) as refusal:
                say(form, refusal)
            else:
                flash.success(request, _("C’est décidé, écrit dans le journal, et dit aux deux côtés."))
                return redirect("admin:dossiers_claim_change", claim.pk)
        title, note = {
            "grant": (_("Reconnaître la force majeure"), _("Tout est rendu au titulaire et aux financeurs.")),
            "reject": (
                _("Ne pas reconnaître la force majeure"),
                _("Le dossier est réglé comme une annulation tardive : les droits sont perdus."),
            ),
        }[act]
        back = reverse("admin:dossiers_claim_change", args=[claim.pk])
        note = f"{claim.dossier.number} · {claim.dossier.holder} · {note}"
        return act_page(self, request, form, title=title, note=note, back=back)

    def evidence_view(self, request: HttpRequest, pk: int, evidence_id) -> HttpResponse:
        """A file about somebody's health: every opening is written down."""
        claim = get_object_or_404(Claim.objects.select_related("dossier__holder"), pk=pk)
        if not self.has_view_permission(request, claim):
            raise PermissionDenied
        return _opened(request, get_object_or_404(Evidence, pk=evidence_id, claim=claim), claim.dossier)


@admin.register(Control)
class ControlAdmin(ReadOnly, admin.ModelAdmin):
    """What is looked at before it is validated; concluded from the dossier's page."""

    list_display = ["opened_at", "dossier", "opened_as", "opened_by", "released_at", "released_by"]
    list_filter = ["opened_as", ("released_at", admin.EmptyFieldListFilter), "opened_at"]
    list_select_related = ["dossier", "opened_by", "released_by"]
    search_fields = ["dossier__number", "words"]
    search_help_text = gettext_lazy("Numéro du dossier, ou mots de la contestation")


@admin.register(Postponement)
class PostponementAdmin(ReadOnly, admin.ModelAdmin):
    """Other dates that were proposed; what became of them stands in the dossier's history."""

    list_display = ["proposed_at", "dossier", "was_starts_on", "starts_on", "ends_on", "reason"]
    list_filter = ["proposed_at"]
    list_select_related = ["dossier"]
    search_fields = ["dossier__number", "reason"]
    search_help_text = gettext_lazy("Numéro du dossier, ou mots de la raison")


@admin.register(Completion)
class CompletionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["declared_at", "dossier", "version", "rate", "cause", "force_majeure", "declared_by"]
    list_filter = ["cause", "force_majeure", "declared_at"]
    list_select_related = ["dossier", "declared_by"]
    search_fields = ["dossier__number"]
    search_help_text = gettext_lazy("Numéro du dossier")
    fields = [
        *("dossier", "version", "rate", "total_minutes", "done_minutes", "cause", "force_majeure", "words"),
        *("files", "declared_at", "declared_by"),
    ]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("justificatifs"))
    def files(self, completion):
        links = [
            (reverse("admin:dossiers_completion_evidence", args=[completion.pk, file.pk]), file.file_name)
            for file in completion.evidence.all()
        ]
        return format_html_join(" · ", '<a href="{}">{}</a>', links) or "–"

    def get_urls(self):
        view = self.admin_site.admin_view(self.evidence_view)
        name = "dossiers_completion_evidence"
        return [path("<int:pk>/pieces/<uuid:evidence_id>", view, name=name), *super().get_urls()]

    def evidence_view(self, request: HttpRequest, pk: int, evidence_id) -> HttpResponse:
        """A file about somebody's health: every opening is written down."""
        completion = get_object_or_404(Completion.objects.select_related("dossier__holder"), pk=pk)
        if not self.has_view_permission(request, completion):
            raise PermissionDenied
        file = get_object_or_404(Evidence, pk=evidence_id, completion=completion)
        return _opened(request, file, completion.dossier)


@admin.register(Evidence)
class EvidenceAdmin(ReadOnly, admin.ModelAdmin):
    """What is kept of the files; they are opened from what they prove, which writes it down."""

    list_display = ["added_at", "claim", "completion", "file_name", "content_type", "size"]
    list_filter = ["content_type", "added_at"]
    list_select_related = ["claim__dossier", "completion__dossier"]
    search_fields = ["file_name", "claim__dossier__number", "completion__dossier__number"]
    search_help_text = gettext_lazy("Nom du fichier, ou numéro du dossier")
    fields = ["claim", "completion", "file_name", "content_type", "size", "digest", "added_at"]
    readonly_fields = fields


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
                flash.error(request, refusal.message)
                continue
            helped = sum(1 for outcome in done.report.values() if outcome == relief.DONE)
            flash.success(
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


@admin.register(Message)
class MessageAdmin(ReadOnly, admin.ModelAdmin):
    """Words are read on the page of one message, where the look is written down with its dossier."""

    list_display = ["at", "dossier", "role", "reported"]
    list_filter = ["role", "at", "report__outcome", "report__motive"]
    search_fields = [
        "words",
        "dossier__number",
        "dossier__holder__birth_name",
        "dossier__holder__used_name",
        "dossier__provider__organisation__name",
    ]
    list_select_related = ["dossier", "report"]
    date_hierarchy = "at"
    show_full_result_count = False
    fields = ["dossier", "role", "user", "at", "words", "report_link"]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("signalement"))
    def reported(self, message):
        report = getattr(message, "report", None)
        return (report.get_outcome_display() or _("À décider")) if report else "–"

    @admin.display(description=gettext_lazy("signalement"))
    def report_link(self, message):
        report = getattr(message, "report", None)
        if report is None:
            return "–"
        url = reverse("admin:dossiers_messagereport_change", args=[report.pk])
        return format_html('<a href="{}">{}</a>', url, report)


class WaitingFilter(admin.SimpleListFilter):
    """What waits for a decision comes first: the rest is a choice."""

    title = gettext_lazy("file d’attente")
    parameter_name = "file"

    def lookups(self, request, model_admin):
        return [*MessageReport.Outcome.choices, ("tous", _("Tous"))]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        return [first | {"display": _("À décider")}, *others]

    def queryset(self, request, queryset):
        if self.value() == "tous":
            return queryset
        return queryset.filter(outcome=self.value() or "")


class DecisionForm(forms.Form):
    reason = WordsField(
        label=gettext_lazy("Ce que les personnes liront"),
        max_length=message_guards.REPORT_WORDS_MAX,
        rows=5,
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs["class"] = "vLargeTextField"


@admin.register(MessageReport)
class MessageReportAdmin(ReadOnly, admin.ModelAdmin):
    """« Message signalé »: read in its thread, then taken away or left, with a reason that people read."""

    list_display = ["at", "dossier", "motive", "role", "outcome", "decided_by", "decided_at"]
    list_filter = [WaitingFilter, "motive", "role", "at"]
    search_fields = ["words", "message__dossier__number", "message__dossier__provider__organisation__name"]
    list_select_related = ["message__dossier", "decided_by"]
    date_hierarchy = "at"
    change_form_template = "dossiers/agent/message_report.html"
    fields = ["dossier", "motive", "words", "role", "user", "at", "thread"]
    fields += ["outcome", "decision_reason", "decided_by", "decided_at"]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("dossier"), ordering="message__dossier__number")
    def dossier(self, report):
        return report.message.dossier.number

    @admin.display(description=gettext_lazy("le fil ; « ➤ » est le message signalé"))
    def thread(self, report):
        found = Message.objects.filter(dossier=report.message.dossier_id).select_related("report")
        rows = (
            (
                "➤ " if message.pk == report.message_id else "",
                message.get_role_display(),
                french.moment(message.at),
                linebreaks_filter(message.words),
            )
            for message in found.order_by("id")
        )
        return format_html_join("", "<p><strong>{}{}</strong> · {}</p>{}", rows)

    def has_act_permission(self, request):
        return request.user.has_perm("dossiers.change_messagereport")

    def change_view(self, request, object_id, form_url="", extra_context=None):
        report = self.get_object(request, object_id)
        may_act = report is not None and not report.outcome and self.has_act_permission(request)
        extra_context = (extra_context or {}) | {"may_decide": may_act}
        return super().change_view(request, object_id, form_url, extra_context)

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("<int:report_id>/retirer/", view(self.hide), name="dossiers_messagereport_hide"),
            path("<int:report_id>/laisser/", view(self.keep), name="dossiers_messagereport_keep"),
            *super().get_urls(),
        ]

    def hide(self, request: HttpRequest, report_id: int) -> HttpResponse:
        note = _("Le message n’est plus lu par personne. Les deux côtés lisent votre raison à sa place.")
        return self._decide(request, report_id, messages.hide, title=_("Retirer ce message"), note=note)

    def keep(self, request: HttpRequest, report_id: int) -> HttpResponse:
        note = _("Le message reste. Seul le côté qui l’a signalé lit votre raison.")
        return self._decide(request, report_id, messages.keep, title=_("Laisser ce message"), note=note)

    def _decide(self, request, report_id, verb, *, title, note):
        if not self.has_act_permission(request):
            raise PermissionDenied
        report = get_object_or_404(MessageReport.objects.select_related("message__dossier"), pk=report_id)
        form = DecisionForm(request.POST or None, initial={"request_id": uuid4()})
        if request.method == "POST" and form.is_valid():
            try:
                verb(report.pk, by=admin_actor(request), at=timezone.now(), **form.cleaned_data)
            except Refused as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                flash.success(request, _("C’est décidé, et les personnes concernées sont prévenues."))
                return redirect("admin:dossiers_messagereport_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "note": note,
            "report": report,
            "opts": self.opts,
        }
        status = 422 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "dossiers/agent/message_decision.html", context, status=status)


@admin.register(ReadMark)
class ReadMarkAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["dossier", "role", "at"]
    list_filter = ["role", "at"]
    search_fields = ["dossier__number"]
    list_select_related = ["dossier"]
    fields = ["dossier", "role", "read_until", "at", "user"]


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
