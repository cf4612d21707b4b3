"""The rulebook as agents read it: every value ever in force, and nothing to edit."""

from datetime import date
from decimal import Decimal

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy as _

from rulebook.models import Parameter

# How a unit says that whole numbers are cents.
CENTS = "centimes d'euro"


class InForceOn(admin.SimpleListFilter):
    """Today, or any day on which a rule began; another day is typed in the search box."""

    title = _("en vigueur le")
    parameter_name = "le"

    def lookups(self, request, model_admin):
        starts = {period.lower for period in Parameter.objects.order_by().values_list("in_force", flat=True)}
        days = [timezone.localdate(), *sorted(starts, reverse=True)]
        return [(day.isoformat(), f"{day:%d/%m/%Y}") for day in dict.fromkeys(days)]

    def queryset(self, request, queryset):
        day = parse_day(self.value() or "")
        return queryset.filter(in_force__contains=day) if day else queryset


@admin.register(Parameter)
class ParameterAdmin(admin.ModelAdmin):
    list_display = (
        "label",
        "readable_value",
        "readable_unit",
        "first_day",
        "last_day",
        "is_core_law",
        "legal_reference",
    )
    # The whole law of a day on one page.
    list_per_page = 400
    list_filter = (InForceOn, "is_core_law", "label")
    search_fields = ("name", "label", "legal_reference", "note")
    search_help_text = _("Un mot, ou un jour (31/12/2025) pour les règles en vigueur ce jour-là.")
    ordering = ("name", "in_force")
    fields = (
        "name",
        "label",
        "readable_value",
        "readable_unit",
        "first_day",
        "last_day",
        "legal_reference",
        "note",
        "is_core_law",
    )
    readonly_fields = fields

    @admin.display(description=_("valeur"))
    def readable_value(self, row):
        return readable(row.value, in_euros=_is_money(row))

    @admin.display(description=_("unité"), ordering="unit")
    def readable_unit(self, row):
        return row.unit.replace(CENTS, "euros") if _is_money(row) else row.unit

    @admin.display(description=_("depuis le"), ordering="in_force")
    def first_day(self, row):
        return date_format(row.in_force.lower)

    @admin.display(description=_("remplacée le"))
    def last_day(self, row):
        return date_format(row.in_force.upper) if row.in_force.upper else _("sans fin connue")

    def get_search_results(self, request, queryset, search_term):
        if day := parse_day(search_term):
            return queryset.filter(in_force__contains=day), False
        return super().get_search_results(request, queryset, search_term)

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


def parse_day(text: str) -> date | None:
    """A day as people write it (31/12/2025) or in ISO 8601; None for anything else."""
    parts = text.strip().split("/")
    try:
        return date.fromisoformat("-".join(part.zfill(2) for part in reversed(parts)))
    except ValueError:
        return None


def _is_money(row) -> bool:
    return CENTS in row.unit and not isinstance(row.value, str)


def readable(value, *, in_euros: bool = False) -> str:
    """A value in words: lists with commas, groups with arrows, mappings item by item; cents as euros."""
    if isinstance(value, dict):
        return ", ".join(f"{key} : {readable(item, in_euros=in_euros)}" for key, item in value.items()) or "–"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return " → ".join(readable(group, in_euros=in_euros) for group in value)
    if isinstance(value, list):
        return ", ".join(readable(item, in_euros=in_euros) for item in value) or "–"
    if in_euros and isinstance(value, int):
        return number_format(Decimal(value) / 100, 2, force_grouping=True) + "\N{NO-BREAK SPACE}€"
    return str(value)
