"""The administration of people, accounts and organisations. Every look at a holder is written down."""

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from accounts import freezing, journal_words, nir, profiles, sessions, sign_ins, teams
from accounts.actors import Actor, Role
from accounts.models import (
    ActivationAttempt,
    HolderProfile,
    Invitation,
    JournalEntry,
    LoginSession,
    Membership,
    Organisation,
    SignIn,
    User,
)
from rulebook import workdays
from ui.admin import ReadOnly, ReadOnlyTable
from ui.refusals import Refused

# One way in for everyone, with its limits and its confirmed addresses.
admin.site.login = secure_admin_login(admin.site.login)


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


class PasswordForm(AdminPasswordChangeForm):
    """An administrator chooses a password for somebody: it is told, and their sessions end."""

    def save(self, commit=True):
        with transaction.atomic():
            user = super().save(commit)
            sessions.end_others(user, keep=None)
            profiles.password_changed(user, at=timezone.now())
        return user


class MembershipInline(ReadOnlyTable):
    model = Membership
    fields = ("organisation", "role", "since")
    show_change_link = True


class PermissionsField(forms.ModelMultipleChoiceField):
    """Powers in words: « Dossiers · Consulter : dossier ». Django stores its own in English."""

    VERBS = {
        "add": _("Ajouter"),
        "change": _("Modifier"),
        "delete": _("Supprimer"),
        "view": _("Consulter"),
    }

    def label_from_instance(self, permission):
        model = permission.content_type.model_class()
        if model is None:
            return str(permission)
        verb, _line, name = permission.codename.partition("_")
        app = model._meta.app_config.verbose_name
        if verb in self.VERBS and name == model._meta.model_name:
            return f"{app} · {self.VERBS[verb]} : {model._meta.verbose_name}"
        return f"{app} · {permission.name}"


class PowersInWords:
    """For pages on which powers are chosen."""

    filter_horizontal = ()  # Django's two lists and their arrows cannot be read aloud, nor fit a phone

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        if db_field.related_model is Permission:
            kwargs["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)


# What only a superuser gives, or takes.
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(PowersInWords, DjangoUserAdmin):
    form = UserForm
    add_form = NewUserForm
    change_password_form = PasswordForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    readonly_fields = ("last_login", "date_joined", "former_email", "former_email_until")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name", "language")}),
        (
            _("Droits dans l’administration"),
            {"fields": ("is_active", *POWERS)},
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined", "former_email", "former_email_until")}),
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
        # Their access is closed instead: with them would go what Django wrote of what they did here, or
        # the last manager of an organisation, and nobody would be told.
        stays = obj is not None and (obj.is_staff or obj.memberships.exists())
        return not stays and super().has_delete_permission(request, obj)

    def get_inlines(self, request, obj):
        return self.inlines if obj else ()


# Django and allauth have registered theirs as they were imported above: these stand in their place.
admin.site.unregister([Group, EmailAddress])


@admin.register(Group)
class GroupAdmin(PowersInWords, DjangoGroupAdmin):
    """A group is a bundle of powers: who changes one it belongs to would give them to itself."""

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnly, AllauthEmailAddressAdmin):
    """An address is confirmed by its owner alone, from their mailbox: it opens invitations and resets."""

    actions = None


class IsActivatedFilter(admin.SimpleListFilter):
    title = _("activation")
    parameter_name = "activated"

    def lookups(self, request, model_admin):
        return [("yes", _("Activé")), ("no", _("En attente"))]

    def queryset(self, request, queryset):
        return queryset.filter(user__isnull=self.value() == "no") if self.value() else queryset


class IsFrozenFilter(admin.SimpleListFilter):
    title = _("gel")
    parameter_name = "frozen"

    def lookups(self, request, model_admin):
        return [("holder", _("Gelé par son titulaire")), ("portal", _("Gelé par le portail"))]

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        frozen = HolderProfile.objects.frozen(on=workdays.paris_day(timezone.now()))
        by = Role.HOLDER if self.value() == "holder" else Role.ADMIN
        return queryset.filter(pk__in=frozen.values("pk"), frozen_by=by)


class FreezeForm(forms.Form):
    reason = forms.CharField(
        label=_("Raison"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Le titulaire la lit. Elle est gardée au journal."),
    )


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
    list_filter = (IsActivatedFilter, IsFrozenFilter, "status", "has_apprenticeship", "diploma")
    search_fields = ("reference", "birth_name", "used_name", "first_names", "birth_name_key", "user__email")
    date_hierarchy = "imported_at"
    change_form_template = "accounts/admin/holder.html"
    readonly_fields = (
        *("reference", "masked_nir", "user", "imported_at", "activated_at"),
        *("frozen_at", "frozen_by", "freeze_reason", "thaws_on"),
    )
    fieldsets = (
        (None, {"fields": ("reference", "user", "imported_at", "activated_at")}),
        (_("Gel"), {"fields": ("frozen_at", "frozen_by", "freeze_reason", "thaws_on")}),
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
        context = {
            "may_freeze": holder is not None and self.has_change_permission(request, holder),
            "is_frozen": holder is not None and holder.is_frozen(on=workdays.paris_day(timezone.now())),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("<uuid:holder_id>/geler/", view(self.freeze), name="accounts_holderprofile_freeze"),
            path("<uuid:holder_id>/degeler/", view(self.thaw), name="accounts_holderprofile_thaw"),
            *super().get_urls(),
        ]

    def freeze(self, request, holder_id):
        return self._confirm(
            request,
            holder_id,
            FreezeForm(request.POST or None),
            freezing.freeze,
            title=_("Geler le compte"),
            help_text=_("Aucune inscription, aucune validation, jusqu’à ce que le portail le dégèle."),
        )

    def thaw(self, request, holder_id):
        return self._confirm(
            request,
            holder_id,
            forms.Form(request.POST if request.method == "POST" else None),
            freezing.thaw,
            title=_("Dégeler le compte"),
            help_text=_(
                "À faire après avoir vérifié l’identité du titulaire. C’est immédiat, et il est prévenu."
            ),
        )

    def _confirm(self, request, holder_id, form, verb, *, title, help_text):
        holder = get_object_or_404(HolderProfile, pk=holder_id)
        if not self.has_change_permission(request, holder):
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            try:
                verb(holder.pk, by=administrator(request), at=timezone.now(), **form.cleaned_data)
            except Refused as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                messages.success(request, _("C’est fait, gardé au journal, et le titulaire est prévenu."))
                return redirect("admin:accounts_holderprofile_change", holder.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "help_text": help_text,
            "holder": holder,
            "form": form,
            "opts": self.opts,
        }
        status = 422 if form.is_bound else 200
        return TemplateResponse(request, "accounts/admin/freeze.html", context, status=status)

    def save_model(self, request, obj, form, change):
        profiles.correct_identity(
            obj.pk, by=administrator(request), at=timezone.now(), values=form.cleaned_data
        )


@admin.register(Organisation)
class OrganisationAdmin(admin.ModelAdmin):
    list_display = ("name", "siret", "email", "phone")
    list_filter = (("email", admin.EmptyFieldListFilter),)
    search_fields = ("name", "siret", "email")

    def save_model(self, request, obj, form, change):
        """How it is reached changes through the verb, which tells its managers and both mailboxes."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        details = {name: form.cleaned_data[name] for name in ("email", "phone")}
        teams.change_details(obj.pk, by=administrator(request), at=timezone.now(), **details)
        obj.save(update_fields=["name", "siret"])


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    """Given, changed and taken by the verbs of teams, which tell people and keep the last manager."""

    list_display = ("user", "organisation", "role", "since")
    list_filter = ("role",)
    list_select_related = ("user", "organisation")
    search_fields = ("user__email", "organisation__name", "organisation__siret")
    autocomplete_fields = ("user", "organisation")
    fields = ("user", "organisation", "role")
    # One at a time: each is a decision, and the last manager stays.
    actions = None

    def get_readonly_fields(self, request, obj=None):
        return ("user", "organisation") if obj else ()

    def save_model(self, request, obj, form, change):
        by, at = administrator(request), timezone.now()
        if change:
            teams.change_role(obj.pk, by=by, at=at, role=obj.role)
        else:
            obj.pk = teams.add(obj.organisation_id, user=obj.user, role=obj.role, by=by, at=at).pk

    def delete_model(self, request, obj):
        teams.remove(obj.pk, by=administrator(request), at=timezone.now())

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refusal:
            messages.error(request, refusal.message)
            return redirect(request.path)

    def delete_view(self, request, object_id, extra_context=None):
        try:
            return super().delete_view(request, object_id, extra_context)
        except Refused as refusal:
            messages.error(request, refusal.message)
            return redirect("admin:accounts_membership_change", object_id)


@admin.register(Invitation)
class InvitationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("email", "organisation", "role", "created_at", "expires_at", "accepted_at", "revoked_at")
    list_filter = ("role", ("accepted_at", admin.EmptyFieldListFilter))
    list_select_related = ("organisation",)
    search_fields = ("email", "organisation__name", "organisation__siret")
    date_hierarchy = "created_at"


UNKNOWN_SYSTEM = "inconnu"


class SystemFilter(admin.SimpleListFilter):
    title = _("système")
    parameter_name = "systeme"

    def lookups(self, request, model_admin):
        # Those that are recognised, as they are written: reading them from the rows would read all of them.
        return [*((system, system) for system in sign_ins.SYSTEMS), (UNKNOWN_SYSTEM, _("inconnu"))]

    def queryset(self, request, queryset):
        wanted = self.value()
        if wanted is None:
            return queryset
        return queryset.filter(system="" if wanted == UNKNOWN_SYSTEM else wanted)


@admin.register(SignIn)
class SignInAdmin(ReadOnly, admin.ModelAdmin):
    """Whose sign-ins one may read is personal data: a look at one person's is written down."""

    list_display = ("at", "user", "succeeded", "device", "network")
    list_filter = ("succeeded", ("user", admin.EmptyFieldListFilter), SystemFilter)
    list_select_related = ("user",)
    search_fields = ("user__email", "network")
    date_hierarchy = "at"
    fields = ("user", "at", "succeeded", "device", "network")

    @admin.display(description=_("appareil"))
    def device(self, row):
        return sign_ins.device(row.browser, row.system)


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnly, admin.ModelAdmin):
    """Who is signed in. The key of a session opens it: no page, link or box of this list holds it."""

    list_display = ("user", "came_in", "expire_date")
    list_display_links = None
    list_select_related = ("user", "sign_in")
    list_filter = ("expire_date",)
    search_fields = ("user__email",)
    actions = None
    show_full_result_count = False

    @admin.display(description=_("connexion"), ordering="sign_in__at")
    def came_in(self, row):
        return row.sign_in.at if row.sign_in else None

    def get_queryset(self, request):
        return super().get_queryset(request).filter(user__isnull=False).defer("session_data")

    def has_view_permission(self, request, obj=None):
        return obj is None and super().has_view_permission(request)


@admin.register(ActivationAttempt)
class ActivationAttemptAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("user", "at", "succeeded")
    list_filter = ("succeeded",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    date_hierarchy = "at"
    fields = ("user", "at", "succeeded")


class ActionFilter(admin.SimpleListFilter):
    """By action, in words. All that can be done, so that no row is read to know which there are."""

    title = _("action")
    parameter_name = "action"
    LOOKS = {
        "_viewed": _("Fiche ou historique consultés"),
        "_listed": _("Liste consultée"),
        "_suggested": _("Recherche en tapant"),
        "_posted": _("Formulaire de l’administration"),
    }

    def lookups(self, request, model_admin):
        acts = sorted(journal_words.ACTIONS.items(), key=lambda pair: str(pair[1]))
        return [*self.LOOKS.items(), *acts]

    def queryset(self, request, queryset):
        if self.value() in self.LOOKS:
            return queryset.filter(action__endswith=self.value())
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("at", "user", "role", "done", "about", "told")
    list_filter = ("role", "at", ActionFilter)
    fields = ("at", "user", "role", "done", "code", "about", "subject", "told")
    readonly_fields = ("done", "code", "about", "told")
    list_select_related = ("user",)
    search_fields = ("user__email", "subject", "action", "details")
    search_help_text = _("Adresse e-mail de qui agit, personne ou dossier concerné, action, raison.")
    show_full_result_count = False
    date_hierarchy = "at"

    @admin.display(description=_("action"), ordering="action")
    def done(self, line):
        return journal_words.action_in_words(line.action)

    @admin.display(description=_("code de l’action"))
    def code(self, line):
        return line.action

    def get_search_results(self, request, queryset, search_term):
        """Actions are found by the words that people read, too."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if search_term and (codes := journal_words.actions_said(search_term)):
            found |= queryset.filter(action__in=codes)
        return found, may_repeat

    @admin.display(description=_("fiche"), ordering="subject")
    def about(self, line):
        """What it tells about, and the way there when the administration has a page for it."""
        words = journal_words.subject_in_words(line.subject)
        model, key = journal_words.subject_model(line.subject)
        if model is None or not self.admin_site.is_registered(model):
            return words
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        url = reverse(f"{place}_changelist") if key == "*" else reverse(f"{place}_change", args=[quote(key)])
        return format_html('<a href="{}">{}</a>', url, words)

    @admin.display(description=_("détails"))
    def told(self, line):
        pairs = journal_words.details_in_words(line.details)
        return format_html_join("", "<p>{} : {}</p>", pairs) or "–"
