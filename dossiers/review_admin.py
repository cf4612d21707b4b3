"""Reviews in Django admin: words read and published or refused, reports decided. All through the verbs.

The queue of what waits, with its age, stands among the decisions (portal.duty) and first in each list here.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.template.defaultfilters import linebreaks_filter
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dossiers import reviews
from dossiers.acts_admin import Acts
from dossiers.models import ProviderFigures, Review, ReviewReport, ReviewText
from dossiers.review_models import MARKS
from ui.admin import ReadOnly, ReadOnlyTable


class NothingToSay(forms.Form):
    """A decision that says nothing beside itself."""


class MotiveForm(forms.Form):
    motive = forms.ChoiceField(
        label=gettext_lazy("Motif, que l’auteur lira"),
        choices=[("", "---------"), *ReviewText.Motive.choices],
        error_messages={"required": gettext_lazy("Choisissez un motif.")},
    )


class StateFilter(admin.SimpleListFilter):
    """What waits to be read comes first: the rest is a choice."""

    title = gettext_lazy("état")
    parameter_name = "etat"
    waiting: tuple[str, Any] = ("state", ReviewText.State.WAITING)
    words = gettext_lazy("À lire")
    others = [choice for choice in ReviewText.State.choices if choice[0] != ReviewText.State.WAITING]

    def lookups(self, request, model_admin):
        return [*self.others, ("tous", _("Tous"))]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        return [first | {"display": self.words}, *others]

    def queryset(self, request, queryset):
        name, waiting = self.waiting
        if self.value() == "tous":
            return queryset
        return queryset.filter(**{name: self.value() or waiting})


class OutcomeFilter(StateFilter):
    title = gettext_lazy("décision")
    waiting = ("outcome", "")
    words = gettext_lazy("À décider")
    others = ReviewReport.Outcome.choices


class Decided(Acts):
    """One of two verbs is chosen for each; the next one waits in the list."""

    # Act → what it does, in words.
    EFFECTS: dict[str, Any]

    def quoted(self, row: Any) -> str:
        """The text that is decided about."""
        raise NotImplementedError

    def next_after(self, row: Any) -> str:
        return reverse(f"admin:dossiers_{self.opts.model_name}_changelist")

    def in_words(self, row: Any, act: str) -> str:
        return f"« {self.quoted(row)} » {self.EFFECTS[act]}"


DECIDED = gettext_lazy("C’est décidé, et les personnes concernées sont prévenues.")


class ReviewTextInline(ReadOnlyTable):
    model = ReviewText
    fields = ["role", "words", "at", "state", "motive", "decided_by", "decided_at"]
    readonly_fields = fields


@admin.register(Review)
class ReviewAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["written_at", "offer", "mean", "edited_at"]
    list_filter = ["written_at"]
    search_fields = ["dossier__number", "dossier__offer__title", "dossier__provider__organisation__name"]
    list_select_related = ["dossier__offer"]
    date_hierarchy = "written_at"
    fields = ["dossier", *MARKS, "written_at", "edited_at"]
    inlines = [ReviewTextInline]

    @admin.display(description=gettext_lazy("offre"), ordering="dossier__offer__title")
    def offer(self, review):
        return review.dossier.offer

    @admin.display(description=gettext_lazy("moyenne"))
    def mean(self, review):
        return review.mean_words


@admin.register(ReviewText)
class ReviewTextAdmin(Decided, admin.ModelAdmin):
    """« Texte d’un avis »: read, then published or refused for a motive of the list."""

    ACTS = {
        "publier": (gettext_lazy("Publier ce texte"), NothingToSay, reviews.publish, DECIDED),
        "refuser": (gettext_lazy("Ne pas publier ce texte"), MotiveForm, reviews.refuse, DECIDED),
    }
    EFFECTS = {
        "publier": gettext_lazy("Tout le monde le lira. L’organisme est prévenu et peut y répondre."),
        "refuser": gettext_lazy("Son auteur lira le motif. Les notes comptent toujours."),
    }
    list_display = ["at", "role", "offer", "excerpt", "state", "motive", "decided_by"]
    list_filter = [StateFilter, "role", "motive", "at"]
    search_fields = ["words", "review__dossier__number", "review__dossier__offer__title"]
    list_select_related = ["review__dossier__offer", "decided_by"]
    date_hierarchy = "at"
    permission = "dossiers.change_reviewtext"
    fields = ["acts", "offer", "role", "text", "at", "state", "motive", "decided_by", "decided_at"]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("offre"), ordering="review__dossier__offer__title")
    def offer(self, text):
        return text.review.dossier.offer

    @admin.display(description=gettext_lazy("texte"))
    def excerpt(self, text):
        return text.words[:80] + ("…" if len(text.words) > 80 else "")

    @admin.display(description=gettext_lazy("texte"))
    def text(self, text):
        return linebreaks_filter(text.words)

    def possible(self, row):
        return list(self.ACTS) if row.state == ReviewText.State.WAITING else []

    def quoted(self, row):
        return row.words


@admin.register(ReviewReport)
class ReviewReportAdmin(Decided, admin.ModelAdmin):
    """« Avis signalé »: its text stays or goes, whatever the marks say."""

    ACTS = {
        "laisser": (gettext_lazy("Laisser ce texte"), NothingToSay, reviews.keep, DECIDED),
        "retirer": (gettext_lazy("Retirer ce texte"), MotiveForm, reviews.remove, DECIDED),
    }
    EFFECTS = {
        "laisser": gettext_lazy("Il reste affiché. L’organisme qui l’a signalé est prévenu."),
        "retirer": gettext_lazy(
            "Son auteur lira le motif, l’organisme est prévenu. Les notes comptent toujours."
        ),
    }
    list_display = ["at", "offer", "motive", "outcome", "decided_by", "decided_at"]
    list_filter = [OutcomeFilter, "motive", "at"]
    search_fields = ["words", "text__words", "text__review__dossier__offer__title"]
    list_select_related = ["text__review__dossier__offer", "decided_by"]
    date_hierarchy = "at"
    permission = "dossiers.change_reviewreport"
    fields = [
        "acts",
        "offer",
        "reviewed",
        "motive",
        "words",
        "user",
        "at",
        "outcome",
        "decided_by",
        "decided_at",
    ]
    readonly_fields = fields

    @admin.display(description=gettext_lazy("offre"), ordering="text__review__dossier__offer__title")
    def offer(self, report):
        return report.text.review.dossier.offer

    @admin.display(description=gettext_lazy("texte signalé"))
    def reviewed(self, report):
        return linebreaks_filter(report.text.words)

    def possible(self, row):
        return [] if row.outcome else list(self.ACTS)

    def quoted(self, row):
        return row.text.words


@admin.register(ProviderFigures)
class ProviderFiguresAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["provider", "requests", "answered", "refused", "median_minutes", "counted_on"]
    list_filter = ["counted_on"]
    search_fields = ["provider__organisation__name", "provider__organisation__siret"]
    list_select_related = ["provider__organisation"]
