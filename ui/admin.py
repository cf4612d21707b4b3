"""What Django admin shows of facts that verbs write."""

from collections.abc import Mapping

from django.contrib import admin
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _


class ReadOnly:
    """Seen here, written elsewhere: by a verb, an importer or the portal itself. For pages and inlines."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ReadOnlyTable(ReadOnly, admin.TabularInline):
    """Rows of the page's subject, in a plain table."""

    extra = 0
    template = "admin/read_only_table.html"


class Moves(ReadOnly):
    """Rows that a verb wrote: `done` says in words what it did. For pages and inlines."""

    verb_words: Mapping[str, str]

    @admin.display(description=_("ce qui s’est passé"), ordering="verb")
    def done(self, move):
        return self.verb_words[move.verb]


class DoneFilter(admin.SimpleListFilter):
    """By verb, in the words of a `Moves`. All of them, so that no row is read to know which there are."""

    title = _("ce qui s’est passé")
    parameter_name = "verb"

    def lookups(self, request, model_admin):
        return list(model_admin.verb_words.items())

    def queryset(self, request, queryset):
        return queryset.filter(verb=self.value()) if self.value() else queryset


# --- One act on one page ------------------------------------------------------------------------------


def act_page(model_admin, request, form, *, title, note, back):
    """What it does, what it asks, and the way back."""
    context = model_admin.admin_site.each_context(request) | {
        "title": title,
        "opts": model_admin.model._meta,
        "form": form,
        "note": note,
        "back": back,
    }
    return render(request, "admin/act.html", context, status=422 if form.errors else 200)


def say(form, refusal) -> None:
    """What a verb refuses, beside its field where the form has it."""
    field = getattr(refusal, "field", "")
    form.add_error(field if field in form.fields else None, refusal.message)
