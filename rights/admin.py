"""The ledger, to look at. What an admin does here goes through its verbs: a counter-movement, and what a
funder's envelope receives, grants, takes back and pays back."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts import journal
from accounts.actors import Actor, Role
from rights import dotations, ledger
from rights.envelope_forms import EnvelopeForm, FundForm, GrantForm, PayBackForm, RecallForm
from rights.kinds import MovementKind, Origin
from rights.ledger import amount_in_words
from rights.models import Earmark, Envelope, Movement, Pocket
from ui.admin import ReadOnly


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """Lists, search, filters; nothing to add, change or delete."""

    list_per_page = 50
    show_full_result_count = False


class ContentFilter(admin.SimpleListFilter):
    title = _("contenu")
    parameter_name = "contenu"

    def lookups(self, request, model_admin):
        return [("plein", _("avec quelque chose")), ("vide", _("vide"))]

    def queryset(self, request, queryset):
        if self.value() == "plein":
            return queryset.filter(balance__gt=0)
        if self.value() == "vide":
            return queryset.filter(balance=0)
        return queryset


@admin.register(Pocket)
class PocketAdmin(ReadOnlyAdmin):
    list_display = ["kind", "label", "holder", "amount", "expires_on", "funder_kind"]
    list_filter = ["kind", "unit", ContentFilter, "funder_kind", "origin", "expires_on"]
    search_fields = [
        "id",
        "label",
        "holder__reference",
        "holder__birth_name",
        "holder__used_name",
        "holder__first_names",
    ]
    search_help_text = _("Nom du titulaire, référence de son compte, précision ou identifiant de la poche")
    list_select_related = ["holder"]
    fields = [
        "id",
        "kind",
        "label",
        "holder",
        "amount",
        "unit",
        "expires_on",
        "funder_kind",
        "origin",
        "envelope",
        "earmark",
        "movements",
    ]
    readonly_fields = fields

    @admin.display(description=_("solde"), ordering="balance")
    def amount(self, pocket):
        return "–" if pocket.balance is None else amount_in_words(pocket.balance, pocket.unit)

    @admin.display(description=_("mouvements"))
    def movements(self, pocket):
        url = f"{reverse('admin:rights_movement_changelist')}?q={pocket.pk}"
        return format_html('<a href="{}">{}</a>', url, _("Voir ses mouvements"))


class ReversalForm(forms.Form):
    reason = forms.CharField(
        label=_("Motif"),
        max_length=Movement._meta.get_field("reason").max_length,
        help_text=_("Le titulaire le lira sur son relevé."),
    )


@admin.register(Movement)
class MovementAdmin(ReadOnlyAdmin):
    change_form_template = "rights/admin/movement.html"
    list_display = [
        "recorded_at",
        "kind",
        "amount_shown",
        "source",
        "target",
        "holder",
        "reason",
        "recorded_by",
    ]
    list_filter = ["kind", "source__unit", "target__kind", "recorded_at"]
    date_hierarchy = "recorded_at"
    search_fields = [
        "key",
        "reason",
        "source__id",
        "target__id",
        "source__holder__reference",
        "target__holder__reference",
        "target__holder__birth_name",
        "target__holder__used_name",
        "source__holder__birth_name",
        "source__holder__used_name",
    ]
    search_help_text = _("Clé, motif, nom du titulaire, référence de son compte ou identifiant d’une poche")
    list_select_related = ["source__holder", "target__holder", "recorded_by"]
    fields = [
        "kind",
        "amount_shown",
        "source",
        "target",
        "holder",
        "reason",
        "formula_shown",
        "value_date",
        "recorded_at",
        "recorded_by",
        "key",
        "reverses",
        "reversed_by_shown",
    ]
    readonly_fields = fields

    @admin.display(description=_("montant"), ordering="amount")
    def amount_shown(self, movement):
        return amount_in_words(movement.amount, movement.source.unit)

    @admin.display(description=_("titulaire"))
    def holder(self, movement):
        return movement.target.holder or movement.source.holder

    @admin.display(description=_("calcul"))
    def formula_shown(self, movement):
        return " · ".join(f"{name} : {value}" for name, value in movement.formula) or "–"

    @admin.display(description=_("corrigé par"))
    def reversed_by_shown(self, movement):
        return Movement.objects.filter(reverses=movement).first() or "–"

    # --- Correct ---

    def get_urls(self):
        correct = self.admin_site.admin_view(self.reverse_view)
        return [path("<int:pk>/corriger/", correct, name="rights_movement_reverse"), *super().get_urls()]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        movement = Movement.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        can_reverse = movement is not None and self._may_reverse(request) and self._is_reversible(movement)
        return super().change_view(
            request, object_id, form_url, (extra_context or {}) | {"can_reverse": can_reverse}
        )

    def reverse_view(self, request, pk):
        """Fetch · validate · one verb · answer."""
        if not self._may_reverse(request):
            raise PermissionDenied
        movement = get_object_or_404(Movement.objects.select_related("source", "target__holder"), pk=pk)
        form = ReversalForm(request.POST or None)
        if form.is_valid():
            try:
                self._reverse(request, movement, form.cleaned_data["reason"])
            except ledger.LedgerError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Le crédit est corrigé par un contre-mouvement."))
                return redirect("admin:rights_movement_change", movement.pk)
        context = self.admin_site.each_context(request) | {
            "title": _("Corriger un crédit"),
            "opts": self.model._meta,
            "movement": movement,
            "amount": amount_in_words(movement.amount, movement.source.unit),
            "form": form,
        }
        return render(request, "rights/admin/reverse.html", context, status=422 if form.errors else 200)

    def _may_reverse(self, request):
        return request.user.has_perm("rights.reverse_movement")

    def _is_reversible(self, movement):
        return (
            movement.kind == MovementKind.CREDIT and not Movement.objects.filter(reverses=movement).exists()
        )

    def _reverse(self, request, movement, reason):
        # In the admin one is an admin, whatever the role chosen on the other pages.
        by = Actor(role=Role.ADMIN, user=request.user)
        at = timezone.now()
        with transaction.atomic():
            is_second_click = not self._is_reversible(movement)
            counter = ledger.reverse(
                movement=movement, key=f"reverse:{movement.pk}", at=at, by=by, reason=reason
            )
            if is_second_click:
                return
            journal.record(
                by=by,
                action="reverse_movement",
                subject=movement.target.holder,
                at=at,
                details={"movement": movement.pk, "counter_movement": counter.pk, "reason": reason},
            )


@admin.register(Earmark)
class EarmarkAdmin(ReadOnlyAdmin):
    list_display = ["id", "certifications", "levels", "starts_from", "starts_until"]
    list_filter = ["starts_until"]
    search_fields = ["certifications"]
    search_help_text = _("Code d’une certification")


@admin.register(Envelope)
class EnvelopeAdmin(ReadOnlyAdmin):
    """A funder's budget: opened, then what is done with it, each by its verb and journalled."""

    change_form_template = "rights/admin/envelope.html"
    list_display = ["reference", "funder", "funder_kind", "left", "earmark", "ends_on", "opened_at"]
    list_filter = ["pocket__funder_kind", "ends_on"]
    search_fields = ["reference", "pocket__label", "funder_siret"]
    search_help_text = _("Référence de l’enveloppe, nom ou SIRET du financeur")
    list_select_related = ["pocket", "earmark"]
    fields = [
        "reference",
        "funder",
        "funder_kind",
        "funder_siret",
        "left",
        "earmark",
        "ends_on",
        "opened_at",
        "opened_by",
        "movements",
    ]
    readonly_fields = fields

    FORMS = {"fund": FundForm, "grant": GrantForm, "recall": RecallForm, "pay-back": PayBackForm}
    TITLES = {
        "open": _("Ouvrir une enveloppe"),
        "fund": _("Alimenter"),
        "grant": _("Attribuer"),
        "recall": _("Rappeler ce qui n’a pas servi"),
        "pay-back": _("Rendre au financeur"),
    }

    @admin.display(description=_("financeur"), ordering="pocket__label")
    def funder(self, envelope):
        return envelope.pocket.label

    @admin.display(description=_("sorte de financeur"), ordering="pocket__funder_kind")
    def funder_kind(self, envelope):
        return envelope.pocket.get_funder_kind_display()

    @admin.display(description=_("reste"), ordering="pocket__balance")
    def left(self, envelope):
        return amount_in_words(envelope.pocket.balance or 0, envelope.pocket.unit)

    @admin.display(description=_("mouvements"))
    def movements(self, envelope):
        url = f"{reverse('admin:rights_movement_changelist')}?q={envelope.pk}"
        return format_html('<a href="{}">{}</a>', url, _("Voir ses mouvements"))

    # --- What is done with it ---

    def has_add_permission(self, request):
        return self._may_manage(request)

    def get_urls(self):
        do = self.admin_site.admin_view(self.do_view)
        return [path("<uuid:pk>/faire/<slug:what>/", do, name="rights_envelope_do"), *super().get_urls()]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        deeds = [(what, self.TITLES[what]) for what in self.FORMS] if self._may_manage(request) else []
        return super().change_view(request, object_id, form_url, (extra_context or {}) | {"deeds": deeds})

    def add_view(self, request, form_url="", extra_context=None):
        """Fetch · validate · one verb · answer."""
        if not self._may_manage(request):
            raise PermissionDenied
        form = EnvelopeForm(request.POST or None)
        if form.is_valid():
            names = ("reference", "funder_name", "funder_siret", "funder_kind", "ends_on", "conditions")
            said = {name: form.cleaned_data[name] for name in names}
            envelope = self._try(
                request,
                form,
                "open",
                lambda by, at: dotations.open_envelope(by=by, at=at, **said),
            )
            if envelope is not None:
                messages.success(request, _("L’enveloppe est ouverte. Alimentez-la avec le virement reçu."))
                return redirect("admin:rights_envelope_change", envelope.pk)
        return self._page(request, form, "open")

    def do_view(self, request, pk, what):
        """Fetch · validate · one verb · answer."""
        if not self._may_manage(request):
            raise PermissionDenied
        envelope = get_object_or_404(Envelope.objects.select_related("pocket", "earmark"), pk=pk)
        if what not in self.FORMS:
            raise Http404
        options = {"funder_kind": envelope.pocket.funder_kind} if what == "grant" else {}
        form = self.FORMS[what](request.POST or None, **options)
        if form.is_valid():
            said = form.cleaned_data
            done = self._try(
                request, form, what, lambda by, at: self._do(envelope, what, said, by=by, at=at), envelope
            )
            if done is not None:
                messages.success(request, _("C’est fait."))
                return redirect("admin:rights_envelope_change", envelope.pk)
        return self._page(request, form, what, envelope)

    def _do(self, envelope, what, said, *, by, at):
        if what == "fund":
            return dotations.fund(envelope, amount=said["amount"], reference=said["reference"], by=by, at=at)
        if what == "grant":
            wish = dotations.Wish(
                holder=said["holder"],
                amount=said["amount"],
                origin=Origin(said["origin"]),
                reference=said["reference"],
                conditions=said["conditions"],
                expires_on=said["expires_on"],
            )
            return dotations.grant(envelope, wish, by=by, at=at)
        if what == "recall":
            return dotations.recall(
                envelope, by=by, at=at, key=str(said["key"]), reason=said["reason"], holder=said["holder"]
            )
        return dotations.pay_back(
            envelope, amount=said["amount"], key=str(said["key"]), by=by, at=at, reason=said["reason"]
        )

    def _may_manage(self, request):
        return request.user.has_perm("rights.manage_envelopes")

    def _try(self, request, form, what, call, envelope=None):
        """The verb and its line in the journal, or None and why not on the form."""
        # In the admin one is an admin, whatever the role chosen on the other pages.
        by, at = Actor(role=Role.ADMIN, user=request.user), timezone.now()
        try:
            with transaction.atomic():
                done = call(by, at)
                journal.record(
                    by=by,
                    action=f"envelope_{what}",
                    subject=envelope or done,
                    at=at,
                    details={
                        name: str(value)
                        for name, value in form.cleaned_data.items()
                        if value and name != "key"
                    },
                )
                return done
        except dotations.DotationRefused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        except ledger.LedgerError as error:
            form.add_error(None, str(error))
        return None

    def _page(self, request, form, what, envelope=None):
        context = self.admin_site.each_context(request) | {
            "title": self.TITLES[what],
            "opts": self.model._meta,
            "envelope": envelope,
            "left": self.left(envelope) if envelope else "",
            "form": form,
        }
        return render(request, "rights/admin/envelope_do.html", context, status=422 if form.errors else 200)
