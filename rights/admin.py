"""The ledger, to look at. The one thing an admin does here is a counter-movement, through the ledger."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts import journal
from accounts.actors import Actor, Role
from rights import ledger
from rights.kinds import MovementKind
from rights.ledger import amount_in_words
from rights.models import Declaration, Movement, Pocket, YearlyCredit, YearlyStatement
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
    list_filter = ["kind", "unit", ContentFilter, "funder_kind", "expires_on"]
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
    fields = ["id", "kind", "label", "holder", "amount", "unit", "expires_on", "funder_kind", "movements"]
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


# --- The annual credit ----------------------------------------------------------------------------


class OfAHolderAdmin(ReadOnlyAdmin):
    list_select_related = ["holder"]
    search_fields = ["holder__reference", "holder__birth_name", "holder__used_name", "holder__first_names"]
    search_help_text = _("Nom du titulaire ou référence de son compte")


@admin.register(YearlyStatement)
class YearlyStatementAdmin(OfAHolderAdmin):
    list_display = ["year", "holder", "status", "employer_siret", "worked", "measure", "superseded_at"]
    list_filter = ["year", "status", "measure", ("superseded_at", admin.EmptyFieldListFilter), "boe"]
    search_fields = [*OfAHolderAdmin.search_fields, "employer_siret", "source"]
    search_help_text = _("Nom du titulaire, référence de son compte, SIRET ou fichier")


@admin.register(Declaration)
class DeclarationAdmin(OfAHolderAdmin):
    list_display = ["declared_at", "holder", "kind", "from_year", "until_year", "state", "decided_by"]
    list_filter = ["state", "kind", "from_year"]
    list_select_related = ["holder", "decided_by"]


@admin.register(YearlyCredit)
class YearlyCreditAdmin(OfAHolderAdmin):
    list_display = ["year", "version", "holder", "given", "lost_shown", "cap_shown", "recorded_at"]
    list_filter = ["year", "unit", "version"]
    fields = [
        "holder",
        "year",
        "version",
        "given",
        "increase_shown",
        "lost_shown",
        "cap_shown",
        "formula_shown",
        "statement_ids",
        "declaration_ids",
        "recorded_at",
    ]
    readonly_fields = fields

    @admin.display(description=_("donné"))
    def given(self, credit):
        return amount_in_words(credit.annual + credit.increase, credit.unit)

    @admin.display(description=_("dont majoration"))
    def increase_shown(self, credit):
        return amount_in_words(credit.increase, credit.unit)

    @admin.display(description=_("perdu au-dessus du plafond"))
    def lost_shown(self, credit):
        return amount_in_words(credit.lost, credit.unit)

    @admin.display(description=_("plafond"))
    def cap_shown(self, credit):
        return amount_in_words(credit.cap, credit.unit)

    @admin.display(description=_("calcul"))
    def formula_shown(self, credit):
        return " · ".join(f"{name} : {value}" for name, value in credit.formula) or "–"
