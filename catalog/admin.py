"""The catalogue behind the scenes. What importers write is read here; verbs change the rest."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

import rulebook
from catalog import eligibility, publishing
from catalog.models import (
    CatalogueImport,
    CatalogueImportLine,
    Certification,
    CertificationBlock,
    CertificationIndex,
    CertificationOutcome,
    CertificationStatement,
    CertificationWord,
    EndWarning,
    Favourite,
    Habilitation,
    ImportRefusal,
    ImportRun,
    JobName,
    MarketPrice,
    Offer,
    OfferIndex,
    OfferWords,
    Provider,
    RegisterWord,
    SavedSearch,
    Session,
    Succession,
    Suggestion,
    SynonymGroup,
    Term,
    TermName,
    Town,
    Visibility,
    Wish,
    Word,
)
from catalog.templatetags.catalog import rich_text
from rulebook import workdays
from ui import french
from ui.admin import ReadOnly, ReadOnlyTable
from ui.refusals import Refused


def _today():
    return workdays.paris_day(timezone.now())


class ActiveToday(admin.SimpleListFilter):
    title = _("active aujourd’hui")
    parameter_name = "active"

    def lookups(self, request, model_admin):
        return [("oui", _("Oui")), ("non", _("Non"))]

    def queryset(self, request, queryset):
        active = Certification.objects.active_on(_today())
        if self.value() == "oui":
            return queryset.filter(pk__in=active.values("pk"))
        return queryset.exclude(pk__in=active.values("pk")) if self.value() == "non" else queryset


class OpenToday(admin.SimpleListFilter):
    title = _("ouverte aujourd’hui")
    parameter_name = "ouverte"

    def lookups(self, request, model_admin):
        return [("oui", _("Oui")), ("non", _("Non"))]

    def queryset(self, request, queryset):
        today = _today()
        opened = Offer.objects.open_on(today, rulebook.on(today)).values("pk")
        if self.value() == "oui":
            return queryset.filter(pk__in=opened)
        return queryset.exclude(pk__in=opened) if self.value() == "non" else queryset


class LifeOfOffer(admin.SimpleListFilter):
    title = _("vie de l’offre")
    parameter_name = "vie"

    def lookups(self, request, model_admin):
        return Offer.State.choices

    def queryset(self, request, queryset):
        found = {
            Offer.State.DRAFT: models.Q(is_draft=True),
            Offer.State.PUBLISHED: models.Q(is_published=True),
            Offer.State.SUSPENDED: models.Q(is_draft=False, is_published=False, archived_at__isnull=True),
            Offer.State.ARCHIVED: models.Q(archived_at__isnull=False),
        }
        return queryset.filter(found[self.value()]) if self.value() in found else queryset


class NewCode(admin.SimpleListFilter):
    title = _("certification nouvelle")
    parameter_name = "nouvelle"

    def lookups(self, request, model_admin):
        return [("connue", _("Au catalogue")), ("inconnue", _("Absente du catalogue"))]

    def queryset(self, request, queryset):
        known = Certification.objects.values("code")
        if self.value() == "connue":
            return queryset.filter(new_code__in=known)
        return queryset.exclude(new_code__in=known) if self.value() == "inconnue" else queryset


class Accents(admin.SimpleListFilter):
    title = _("orthographe")
    parameter_name = "orthographe"

    def lookups(self, request, model_admin):
        return [("differe", _("Avec accents ou majuscules")), ("meme", _("Comme sa clé"))]

    def queryset(self, request, queryset):
        if self.value() == "differe":
            return queryset.exclude(spelling=models.F("key"))
        return queryset.filter(spelling=models.F("key")) if self.value() == "meme" else queryset


@admin.register(Town)
class TownAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["name", "code", "department", "postal_codes", "population", "is_approximate"]
    list_filter = ["is_approximate", "region"]
    search_fields = ["name", "name_key", "code"]


class BlockInline(ReadOnlyTable):
    model = CertificationBlock
    fields = ["code", "title"]


class OutcomeInline(ReadOnlyTable):
    model = CertificationOutcome


@admin.register(Certification)
class CertificationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["code", "short_title_of", "level", "is_active_today", "registered_until", "withdrawn"]
    list_filter = [ActiveToday, "register", "level", "withdrawn", "source"]
    search_fields = ["code", "title", "short_code"]
    date_hierarchy = "registered_until"
    inlines = [BlockInline, OutcomeInline]

    @admin.display(description=_("intitulé"), ordering="title")
    def short_title_of(self, certification):
        return certification.title[:120]

    @admin.display(description=_("active aujourd’hui"), boolean=True)
    def is_active_today(self, certification):
        return certification.is_active(on=_today())


class OfCertification(ReadOnly, admin.ModelAdmin):
    """Rows of a certification, whose code is their column: nothing else of it is read."""

    @admin.display(description=_("certification"), ordering="certification_id")
    def certification_code(self, row):
        return row.certification_id


@admin.register(CertificationBlock)
class CertificationBlockAdmin(OfCertification):
    list_display = ["code", "title", "certification_code"]
    list_filter = ["certification__register", "certification__level"]
    search_fields = ["code", "title", "certification__code"]


@admin.register(CertificationOutcome)
class CertificationOutcomeAdmin(OfCertification):
    list_display = ["certification_code", "year", "certified", "employed_percent", "in_the_job_later_percent"]
    list_filter = ["year"]
    search_fields = ["certification__code"]


@admin.register(CertificationStatement)
class CertificationStatementAdmin(OfCertification):
    list_display = ["certification_code", "source", "imported_at"]
    list_filter = ["source"]
    search_fields = ["certification__code"]
    date_hierarchy = "imported_at"


@admin.register(CertificationIndex)
class CertificationIndexAdmin(OfCertification):
    list_display = ["certification_code", "title_size"]
    fields = ["certification", "title_size"]
    list_filter = ["certification__register", "certification__level"]
    search_fields = ["certification__code"]


@admin.register(CertificationWord)
class CertificationWordAdmin(OfCertification):
    list_display = ["word", "certification_code", "place", "registered_until"]
    list_filter = ["place"]
    search_fields = ["word__startswith", "=certification__code"]


@admin.register(OfferIndex)
class OfferIndexAdmin(OfCertification):
    list_display = ["title", "certification_code", "mode", "closes_on"]
    list_filter = ["kind", "mode", "level", "is_permanent"]
    search_fields = ["title", "certification__code"]
    fields = ["title", "certification", "provider", "kind", "mode", "price_cents", "starts", "closes_on"]


@admin.register(OfferWords)
class OfferWordsAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__"]
    fields = ["offer"]
    list_filter = ["offer__kind"]
    search_fields = ["offer__title"]


@admin.register(Term)
class TermAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["code", "label", "nomenclature", "broader"]
    list_filter = ["nomenclature"]
    search_fields = ["code", "label"]


@admin.register(TermName)
class TermNameAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["name", "term"]
    list_filter = ["term__nomenclature"]
    list_select_related = ["term"]
    search_fields = ["name", "term__code"]


class HowMany(admin.SimpleListFilter):
    """By how many an array holds: the fewest there are, or more."""

    field: str
    fewest: int
    choices_told: tuple[tuple[str, Any], tuple[str, Any]]

    def lookups(self, request, model_admin):
        return self.choices_told

    def queryset(self, request, queryset):
        few, many = (value for value, _label in self.choices_told)
        if self.value() == few:
            return queryset.filter(**{f"{self.field}__len": self.fewest})
        if self.value() == many:
            return queryset.filter(**{f"{self.field}__len__gt": self.fewest})
        return queryset


class Initials(HowMany):
    title, parameter_name = _("taille"), "taille"
    field, fewest = "names", 2
    choices_told = (("deux", _("Deux noms")), ("plus", _("Trois noms ou plus")))


@admin.register(SynonymGroup)
class SynonymGroupAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__"]
    list_filter = [Initials]
    search_fields = ["names"]


@admin.register(RegisterWord)
class RegisterWordAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["key", "is_in_a_title"]
    list_filter = ["is_in_a_title"]
    search_fields = ["key"]


class Jobs(HowMany):
    title, parameter_name = _("métiers de ce nom"), "metiers"
    field, fewest = "codes", 1
    choices_told = (("un", _("Un seul")), ("plus", _("Plusieurs")))


@admin.register(JobName)
class JobNameAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["key", "codes"]
    list_filter = [Jobs]
    search_fields = ["key"]


@admin.register(Succession)
class SuccessionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["old_code", "new_code"]
    list_filter = [NewCode]
    search_fields = ["old_code", "new_code"]


@admin.register(Habilitation)
class HabilitationAdmin(OfCertification):
    list_display = ["certification_code", "siret", "name", "role", "is_active", "active_from"]
    list_filter = ["role", "is_active"]
    search_fields = ["certification__code", "siret", "name"]


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin):
    list_display = [
        "organisation",
        "siret",
        "activity_number",
        "state",
        "qualiopi_training",
        "qualiopi_skills_review",
        "qualiopi_vae",
        "is_approved_driving_school",
    ]
    list_filter = [
        "state",
        "qualiopi_training",
        "qualiopi_skills_review",
        "qualiopi_vae",
        "is_approved_driving_school",
        "activity_lapse",
    ]
    list_select_related = ["organisation"]
    search_fields = ["organisation__name", "organisation__siret", "activity_number"]
    autocomplete_fields = ["organisation"]
    readonly_fields = ["state"]  # by measures, which say why (admissions)
    change_form_template = "catalog/admin/provider.html"

    @admin.display(description=_("SIRET"), ordering="organisation__siret")
    def siret(self, provider):
        return provider.organisation.siret

    def has_delete_permission(self, request, obj=None):
        return False


class ReasonForm(forms.Form):
    """Why an offer is withheld, in words for its organisation."""

    reason = forms.CharField(
        label=_("Pourquoi"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("L’organisme lit cette phrase. Dites ce qui est faux, et quoi corriger."),
    )


RICH_TEXTS = (
    *("summary", "objectives", "content", "expected_results"),
    *("prerequisites", "admission", "accessibility"),
)


def shaped(name):
    """A text of an offer, shown as the public page shows it."""

    @admin.display(description=Offer._meta.get_field(name).verbose_name)
    def shown(offer):
        return rich_text(getattr(offer, name)) or "–"

    shown.__name__ = name
    return shown


@admin.register(Offer)
class OfferAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "title",
        "provider",
        "kind",
        "certification_code",
        "portal_code",
        "mode",
        "price",
        "town_name",
    ]
    list_filter = [OpenToday, LifeOfOffer, "is_handmade", "kind", "mode"]
    list_select_related = ["provider__organisation"]
    search_fields = [
        "title",
        "training_number",
        "action_number",
        "certification__code",
        "provider__organisation__siret",
    ]
    exclude = ["point", "price_cents", "extra_fees_cents", *RICH_TEXTS]
    readonly_fields = ["price", "extra_fees", *map(shaped, RICH_TEXTS), "why_not_open"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    date_hierarchy = "updated_at"
    change_form_template = "catalog/admin/offer.html"

    def get_urls(self):
        view = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/retenir", view(self.withhold), name="catalog_offer_withhold"),
            path("<uuid:pk>/rendre", view(self.release), name="catalog_offer_release"),
        ]
        return own + super().get_urls()

    def withhold(self, request, pk):
        """Take it off the search, with a reason that its organisation reads."""
        offer = self._theirs(request, pk)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                reason = form.cleaned_data["reason"]
                publishing.withhold(offer.pk, by=request.actor, at=timezone.now(), reason=reason)
            except Refused as refusal:
                form.add_error("reason", refusal.message)
            else:
                messages.success(request, _("L’offre est retenue. L’organisme l’apprend avec votre raison."))
                return redirect("admin:catalog_offer_change", offer.pk)
        context = self.admin_site.each_context(request)
        context |= {"title": _("Retenir cette offre"), "offer": offer, "form": form}
        status = 422 if form.errors else 200
        return render(request, "catalog/admin/reason.html", context, status=status)

    def release(self, request, pk):
        offer = self._theirs(request, pk)
        if request.method == "POST":
            publishing.release(offer.pk, by=request.actor, at=timezone.now())
            messages.success(
                request, _("L’offre est rendue à l’organisme, qui l’apprend. Elle reste masquée.")
            )
        return redirect("admin:catalog_offer_change", offer.pk)

    def _theirs(self, request, pk):
        if not (request.actor.is_admin and request.user.has_perm("catalog.change_offer")):
            raise PermissionDenied
        return get_object_or_404(Offer.objects, pk=pk)

    @admin.display(description=_("certification"), ordering="certification_id")
    def certification_code(self, offer):
        return offer.certification_id

    @admin.display(description=_("prix TTC"), ordering="price_cents")
    def price(self, offer):
        return french.euros(offer.price_cents)

    @admin.display(description=_("frais annexes"))
    def extra_fees(self, offer):
        return french.euros(offer.extra_fees_cents)

    @admin.display(description=_("pourquoi elle n’est pas ouverte"))
    def why_not_open(self, offer):
        today = _today()
        reasons = eligibility.refusals(eligibility.facts_of(offer), on=today, rules=rulebook.on(today))
        return " ".join(reason.sentence for reason in reasons) or _("Elle est ouverte.")


@admin.register(Session)
class SessionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["offer", "number", "starts_on", "ends_on", "recruitment", "is_guaranteed"]
    list_filter = ["recruitment", "is_guaranteed"]
    list_select_related = ["offer"]
    search_fields = ["number", "offer__title"]
    date_hierarchy = "starts_on"


@admin.register(Favourite)
class FavouriteAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["user", "offer", "added_at"]
    list_filter = ["added_at"]
    list_select_related = ["user", "offer"]
    search_fields = ["user__email", "offer__title"]
    date_hierarchy = "added_at"


@admin.register(SavedSearch)
class SavedSearchAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["user", "name", "alert", "told_until", "added_at"]
    list_filter = ["alert", "added_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "name"]
    date_hierarchy = "added_at"


@admin.register(Wish)
class WishAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["user", "job", "town", "level", "written_at"]
    list_filter = ["level", "written_at"]
    list_select_related = ["user", "town"]
    search_fields = ["user__email", "job"]
    date_hierarchy = "written_at"


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["label", "kind", "code", "weight"]
    list_filter = ["kind"]
    search_fields = ["label", "code"]


@admin.register(EndWarning)
class EndWarningAdmin(OfCertification):
    list_display = ["sent_at", "provider", "certification_code", "ends_on", "months"]
    list_filter = ["months"]
    list_select_related = ["provider__organisation"]
    search_fields = ["certification__code", "provider__organisation__name", "provider__organisation__siret"]
    date_hierarchy = "ends_on"


@admin.register(Visibility)
class VisibilityAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["offer", "is_open", "since", "codes"]
    list_filter = ["is_open"]
    list_select_related = ["offer"]
    search_fields = ["offer__title", "offer__provider__organisation__siret"]
    date_hierarchy = "since"


@admin.register(MarketPrice)
class MarketPriceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["code", "title", "siret", "department", "hours", "price_cents", "observed_on"]
    list_filter = ["department"]
    search_fields = ["code", "siret", "title"]
    date_hierarchy = "observed_on"


@admin.register(Word)
class WordAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["spelling", "key"]
    list_filter = [Accents]
    search_fields = ["key"]


class RefusalInline(ReadOnlyTable):
    model = ImportRefusal


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "started_at",
        "kind",
        "file_name",
        "read",
        "created",
        "updated",
        "unchanged",
        "refused",
        "hidden",
        "ended_at",
        "error",
    ]
    list_filter = ["kind"]
    search_fields = ["file_name", "file_digest"]
    date_hierarchy = "started_at"
    inlines = [RefusalInline]


@admin.register(ImportRefusal)
class ImportRefusalAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["run", "line", "verdict", "subject", "reason"]
    list_filter = ["verdict", "run__kind"]
    list_select_related = ["run"]
    search_fields = ["subject", "reason"]


@admin.register(CatalogueImport)
class CatalogueImportAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "sent_at",
        "provider",
        "file_name",
        "state",
        "attempts",
        "checked_at",
        "applied_at",
        "undone_at",
        "error",
    ]
    list_filter = ["state"]
    list_select_related = ["provider__organisation"]
    search_fields = ["file_name", "digest", "provider__organisation__name", "provider__organisation__siret"]
    exclude = ["file", "request_id"]  # no address leads to the file
    date_hierarchy = "sent_at"


@admin.register(CatalogueImportLine)
class CatalogueImportLineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["catalogue_import", "step", "line", "verdict", "subject", "title", "reason"]
    list_filter = ["step", "verdict"]
    list_select_related = ["catalogue_import__provider__organisation"]
    search_fields = ["subject", "title", "reason", "catalogue_import__provider__organisation__siret"]
    exclude = ["before", "digest"]
