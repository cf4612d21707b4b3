"""The administration of people, accounts and organisations. Every look at a holder is written down."""

from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import journal, nir, profiles
from accounts.actors import Actor, Role
from accounts.models import ActivationAttempt, HolderProfile, JournalEntry, Membership, Organisation, User
from ui.admin import ReadOnly

# One way in for everyone, with its limits and its confirmed addresses.
admin.site.login = secure_admin_login(admin.site.login)
admin.site.site_header = admin.site.site_title = _("Administration du portail")


def administrator(request) -> Actor:
    """Whoever works in Django's admin does so as an administrator, whatever role their pages show."""
    return Actor(role=Role.ADMIN, user=request.user)


class NewUserForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


class UserForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("organisation",)


# What only a superuser gives, or takes.
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = UserForm
    add_form = NewUserForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    readonly_fields = ("last_login", "date_joined")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name")}),
        (
            _("Droits dans l’administration"),
            {"fields": ("is_active", *POWERS)},
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),
    )

    def get_readonly_fields(self, request, obj=None):
        # Its owner changes an address, by confirming the new one, and both addresses are told.
        fields = (*self.readonly_fields, "email") if obj else self.readonly_fields
        return fields if request.user.is_superuser else (*fields, *POWERS)

    def has_change_permission(self, request, obj=None):
        # Whoever could change a colleague's password could act in their name, and above their own rights.
        is_above = obj is not None and obj.is_staff and obj != request.user and not request.user.is_superuser
        return not is_above and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        # Their access is closed instead: with them would go what Django wrote of what they did here.
        return not (obj and obj.is_staff) and super().has_delete_permission(request, obj)

    def get_inlines(self, request, obj):
        return self.inlines if obj else ()


class IsActivatedFilter(admin.SimpleListFilter):
    title = _("activation")
    parameter_name = "activated"

    def lookups(self, request, model_admin):
        return [("yes", _("Activé")), ("no", _("En attente"))]

    def queryset(self, request, queryset):
        return queryset.filter(user__isnull=self.value() == "no") if self.value() else queryset


class HolderForm(forms.ModelForm):
    """The names decide who may activate the account: they are written by profiles.correct_identity."""

    class Meta:
        model = HolderProfile
        fields = (*profiles.IDENTITY_FIELDS, *profiles.OWN_FIELDS)


@admin.register(HolderProfile)
class HolderProfileAdmin(admin.ModelAdmin):
    """Accounts come from imports and are never deleted; a correction tells its holder."""

    form = HolderForm
    list_display = (
        "birth_name",
        "used_name",
        "first_names",
        "birth_date",
        "status",
        "is_activated",
        "reference",
    )
    list_filter = (IsActivatedFilter, "status", "has_apprenticeship", "diploma")
    search_fields = ("reference", "birth_name", "used_name", "first_names", "birth_name_key", "user__email")
    date_hierarchy = "imported_at"
    readonly_fields = ("reference", "masked_nir", "user", "imported_at", "activated_at")
    fieldsets = (
        (None, {"fields": ("reference", "user", "imported_at", "activated_at")}),
        (_("Identité"), {"fields": (*profiles.IDENTITY_FIELDS, "masked_nir")}),
        (_("Coordonnées et situation"), {"fields": profiles.OWN_FIELDS}),
    )

    @admin.display(description=_("activé"), boolean=True, ordering="activated_at")
    def is_activated(self, holder):
        return holder.user_id is not None

    @admin.display(description=_("numéro de sécurité sociale"))
    def masked_nir(self, holder):
        return nir.masked(holder.nir_encrypted) or "—"

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def change_view(self, request, object_id, form_url="", extra_context=None):
        holder = self.get_object(request, object_id)
        if holder and self.has_view_permission(request, holder) and request.method == "GET":
            journal.record(
                by=administrator(request), action="holder_viewed", subject=holder, at=timezone.now()
            )
        return super().change_view(request, object_id, form_url, extra_context)

    def history_view(self, request, object_id, extra_context=None):
        holder = self.get_object(request, object_id)
        if holder and self.has_view_permission(request, holder):
            journal.record(
                by=administrator(request), action="holder_history_viewed", subject=holder, at=timezone.now()
            )
        return super().history_view(request, object_id, extra_context)

    def save_model(self, request, obj, form, change):
        profiles.correct_identity(
            obj.pk, by=administrator(request), at=timezone.now(), values=form.cleaned_data
        )


@admin.register(Organisation)
class OrganisationAdmin(admin.ModelAdmin):
    list_display = ("name", "siret", "email", "phone")
    list_filter = (("email", admin.EmptyFieldListFilter),)
    search_fields = ("name", "siret", "email")


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ("user", "organisation", "role")
    list_filter = ("role",)
    list_select_related = ("user", "organisation")
    search_fields = ("user__email", "organisation__name", "organisation__siret")
    autocomplete_fields = ("user", "organisation")


@admin.register(ActivationAttempt)
class ActivationAttemptAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("user", "at", "succeeded")
    list_filter = ("succeeded",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    date_hierarchy = "at"
    fields = ("user", "at", "succeeded")


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("at", "user", "role", "action", "subject")
    list_filter = ("role", "action")
    list_select_related = ("user",)
    search_fields = ("user__email", "subject")
    date_hierarchy = "at"
