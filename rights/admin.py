"""The ledger, to look at. What an admin does here goes through the ledger: a counter-movement, or an
adjustment that another admin confirms. Nobody edits a balance.
"""

from functools import partial
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from accounts import journal
from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from rights import adjustments, awards, declarations, dotations, ledger
from rights.award_forms import FIELDS, FORMS, RightForm
from rights.envelope_forms import EnvelopeForm, FundForm, GrantForm, PayBackForm, RecallForm
from rights.kinds import HOLDER_KINDS, MovementKind, Origin, PocketKind, Unit
from rights.ledger import amount_in_words
from rights.models import (
    Adjustment,
    Award,
    Declaration,
    DeclarationProof,
    Earmark,
    Envelope,
    LedgerCheck,
    Movement,
    Pocket,
    Seal,
    SealedMovement,
    YearlyCredit,
    YearlyStatement,
)
from ui import french
from ui.admin import ReadOnly, act_page, say
from ui.documents import as_download
from ui.fields import EurosField
from ui.refusals import Refused


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


class ProposalForm(forms.Form):
    """The amount is asked in the unit of the pocket: euros with cents, or whole hours."""

    direction = forms.ChoiceField(
        label=_("Sens"),
        choices=Adjustment.Direction,
        widget=forms.RadioSelect,
        initial=Adjustment.Direction.UP,
    )
    reason = forms.CharField(
        label=_("Motif"),
        max_length=Adjustment._meta.get_field("reason").max_length,
        help_text=_("Le titulaire le lira sur son relevé."),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)
    field_order = ["direction", "amount", "reason"]

    def __init__(self, *args, unit, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["amount"] = (
            EurosField(label=_("Montant en euros"))
            if unit == Unit.EUR_CENT
            else forms.IntegerField(label=_("Nombre d’heures"), min_value=1)
        )
        self.order_fields(self.field_order)


@admin.register(Pocket)
class PocketAdmin(ReadOnlyAdmin):
    change_form_template = "rights/admin/pocket.html"
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

    # --- Propose an adjustment ---

    def get_urls(self):
        adjust = self.admin_site.admin_view(self.adjust_view)
        return [path("<uuid:pk>/regulariser/", adjust, name="rights_pocket_adjust"), *super().get_urls()]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        pocket = self.get_object(request, object_id)
        can_adjust = (
            pocket is not None
            and pocket.kind in HOLDER_KINDS
            and request.user.has_perm("rights.propose_adjustment")
        )
        return super().change_view(
            request, object_id, form_url, (extra_context or {}) | {"can_adjust": can_adjust}
        )

    def adjust_view(self, request, pk):
        if not request.user.has_perm("rights.propose_adjustment"):
            raise PermissionDenied
        pocket = get_object_or_404(Pocket.objects.select_related("holder"), pk=pk, kind__in=HOLDER_KINDS)
        form = ProposalForm(request.POST or None, unit=pocket.unit, initial={"request_id": uuid4()})
        if form.is_valid():
            wanted = form.cleaned_data
            try:
                proposed = adjustments.propose(
                    pocket.pk,
                    direction=Adjustment.Direction(wanted["direction"]),
                    amount=wanted["amount"],
                    reason=wanted["reason"],
                    request_id=wanted["request_id"],
                    by=_admin(request),
                    at=timezone.now(),
                )
            except (Refused, NotAllowed) as refusal:
                say(form, refusal)
            else:
                messages.success(
                    request, _("La régularisation est proposée. Une autre personne doit la confirmer.")
                )
                return redirect("admin:rights_adjustment_change", proposed.pk)
        note = _("%(pocket)s, qui contient %(amount)s. Rien ne bouge avant qu’une autre personne confirme.")
        return act_page(
            self,
            request,
            form,
            title=_("Proposer une régularisation"),
            note=note % {"pocket": pocket, "amount": self.amount(pocket)},
            back=reverse("admin:rights_pocket_change", args=[pocket.pk]),
        )


def _admin(request) -> Actor:
    """In the admin one is an admin, whatever the role chosen on the other pages."""
    return Actor(role=Role.ADMIN, user=request.user)


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
        movement = self.get_object(request, object_id)
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
        by, at = _admin(request), timezone.now()
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


# --- Awards -------------------------------------------------------------------------------------------


class AwardedKind(admin.SimpleListFilter):
    """Of the kinds of pocket, those that an award fills."""

    title = _("droits")
    parameter_name = "kind"

    def lookups(self, request, model_admin):
        return [(kind.value, kind.label) for kind in map(PocketKind, awards.AWARDED_KINDS)]

    def queryset(self, request, queryset):
        return queryset.filter(target__kind=self.value()) if self.value() else queryset


class Cancelled(admin.SimpleListFilter):
    title = _("annulée")
    parameter_name = "cancelled"

    def lookups(self, request, model_admin):
        return [("yes", _("Oui")), ("no", _("Non"))]

    def queryset(self, request, queryset):
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(reversed_by__isnull=self.value() == "no")


@admin.register(Award)
class AwardAdmin(ReadOnlyAdmin):
    """What no year of work gives: looked at, given by its verb, cancelled by a counter-movement."""

    change_form_template = "rights/admin/award.html"
    list_display = ["recorded_at", "right", "holder", "amount_shown", "reason", "is_cancelled", "recorded_by"]
    list_filter = [
        AwardedKind,
        Cancelled,
        "recorded_at",
    ]
    search_fields = [
        "key",
        "reason",
        "target__holder__reference",
        "target__holder__birth_name",
        "target__holder__used_name",
    ]
    search_help_text = _("Référence de la décision, motif, nom du titulaire ou référence de son compte")
    list_select_related = ["source", "target__holder", "recorded_by", "reversed_by"]
    fields = [
        "right",
        "holder",
        "amount_shown",
        "reason",
        "formula_shown",
        "value_date",
        "recorded_at",
        "recorded_by",
        "key",
        "cancelled_by",
    ]
    readonly_fields = fields

    def get_queryset(self, request):
        of_awards = Q()
        for key in awards.KEYS:
            of_awards |= Q(key__startswith=f"{key}:")
        return super().get_queryset(request).filter(of_awards, kind=MovementKind.CREDIT)

    @admin.display(description=_("droits"), ordering="target__kind")
    def right(self, award):
        return award.target.get_kind_display()

    @admin.display(description=_("titulaire"))
    def holder(self, award):
        return award.target.holder

    @admin.display(description=_("montant"), ordering="amount")
    def amount_shown(self, award):
        return amount_in_words(award.amount, award.target.unit)

    @admin.display(description=_("calcul"))
    def formula_shown(self, award):
        return " · ".join(f"{name} : {value}" for name, value in award.formula) or "–"

    @admin.display(description=_("annulée"), boolean=True)
    def is_cancelled(self, award):
        return self._counter(award) is not None

    @admin.display(description=_("annulée par"))
    def cancelled_by(self, award):
        counter = self._counter(award)
        if counter is None:
            return "–"
        url = reverse("admin:rights_movement_change", args=[counter.pk])
        return format_html('<a href="{}">{}</a>', url, counter)

    def _counter(self, award):
        return getattr(award, "reversed_by", None)

    # --- Give, cancel ---

    def has_add_permission(self, request):
        return request.user.has_perm("rights.grant_award")

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("attribuer/<slug:right>/", view(self.give_view), name="rights_award_give"),
            path("<int:pk>/annuler/", view(self.cancel_view), name="rights_award_cancel"),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        award = self.get_object(request, object_id)
        can_cancel = (
            award is not None
            and request.user.has_perm("rights.reverse_movement")
            and self._counter(award) is None
        )
        return super().change_view(
            request, object_id, form_url, (extra_context or {}) | {"can_cancel": can_cancel}
        )

    def add_view(self, request, form_url="", extra_context=None):
        """Which right, then its own questions."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RightForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return redirect("admin:rights_award_give", form.cleaned_data["right"])
        return self._page(
            request,
            form,
            title=_("Attribuer"),
            note=_("Chaque droit a ses questions : choisissez-en un."),
        )

    def give_view(self, request, right):
        """Fetch · validate · one verb · answer."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if right not in FORMS:
            raise Http404
        form = FORMS[right](request.POST or None)
        if form.is_valid():
            holder, reason = form.cleaned_data["holder"], form.cleaned_data["reason"]
            done = self._try(
                request,
                form,
                "award_given",
                holder,
                reason,
                lambda by, at: type(form).verb(holder, **form.said(), by=by, at=at),
            )
            if done is not None:
                messages.success(request, _("C’est attribué, et écrit dans le journal."))
                return redirect("admin:rights_award_change", done.pk)
        return self._page(
            request,
            form,
            title=_("Attribuer"),
            note=_("%s. Le montant est celui de la règle du jour donné.") % form.title,
        )

    def cancel_view(self, request, pk):
        """Fetch · validate · one verb · answer."""
        if not request.user.has_perm("rights.reverse_movement"):
            raise PermissionDenied
        award = get_object_or_404(self.get_queryset(request).select_related("target__holder"), pk=pk)
        form = ReversalForm(request.POST or None)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            done = self._try(
                request,
                form,
                "award_cancelled",
                award.target.holder,
                reason,
                lambda by, at: awards.cancel(award, reason=reason, by=by, at=at),
            )
            if done is not None:
                messages.success(request, _("L’attribution est annulée par un contre-mouvement."))
                return redirect("admin:rights_award_change", award.pk)
        note = _("%(amount)s donnés à %(holder)s : « %(reason)s ». Sa référence ne servira plus.")
        return self._page(
            request,
            form,
            title=_("Annuler l’attribution"),
            note=note
            % {
                "amount": self.amount_shown(award),
                "holder": award.target.holder,
                "reason": award.reason,
            },
            back=reverse("admin:rights_award_change", args=[award.pk]),
        )

    def _try(self, request, form, action, holder, reason, call):
        """The verb and its line in the journal, once; or None and why not on the form."""
        by, at = _admin(request), timezone.now()
        if holder.user == request.user:
            form.add_error(None, _("Personne n’attribue ni n’annule ses propres droits."))
            return None
        try:
            with transaction.atomic():
                done = call(by, at)
                if done.recorded_at == at:  # not a second click
                    journal.record(
                        by=by,
                        action=action,
                        subject=holder,
                        at=at,
                        details={"movement": done.pk, "key": done.key, "reason": reason},
                    )
                return done
        except awards.AwardRefused as refusal:
            field = FIELDS.get(refusal.field, refusal.field)
            form.add_error(field if field in form.fields else None, refusal.message)
        except ledger.LedgerError as error:
            form.add_error(None, str(error))
        return None

    def _page(self, request, form, *, title, note, back=""):
        back = back or reverse("admin:rights_award_changelist")
        return act_page(self, request, form, title=title, note=note, back=back)


# --- Adjustments --------------------------------------------------------------------------------------


class ConfirmationForm(forms.Form):
    """Nothing is asked: the click says it."""


class RejectionForm(forms.Form):
    reason = forms.CharField(
        label=_("Raison"),
        max_length=Adjustment._meta.get_field("answer").max_length,
        help_text=_("La personne qui propose la lira."),
    )


class WaitingFilter(admin.SimpleListFilter):
    title = _("attente")
    parameter_name = "attente"

    def lookups(self, request, model_admin):
        return [("attend", _("à décider")), ("expiree", _("expirées"))]

    def queryset(self, request, queryset):
        waiting = queryset.filter(state=Adjustment.State.PROPOSED)
        if self.value() == "attend":
            return waiting.filter(expires_at__gt=timezone.now())
        if self.value() == "expiree":
            return waiting.filter(expires_at__lte=timezone.now())
        return queryset


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    change_form_template = "rights/admin/adjustment.html"
    list_display = [
        "proposed_at",
        "amount_shown",
        "holder",
        "pocket_kind",
        "reason",
        "proposed_by",
        "state_shown",
    ]
    list_filter = [WaitingFilter, "state", "direction", "proposed_at"]
    search_fields = [
        "reason",
        "answer",
        "pocket__holder__reference",
        "pocket__holder__birth_name",
        "pocket__holder__used_name",
        "proposed_by__email",
    ]
    search_help_text = _("Motif, nom ou référence du titulaire, adresse de qui propose")
    list_select_related = ["pocket__holder", "proposed_by"]
    fields = [
        "pocket",
        "holder",
        "amount_shown",
        "reason",
        "state_shown",
        "proposed_by",
        "proposed_at",
        "expires_at",
        "decided_by",
        "decided_at",
        "answer",
        "movement_shown",
    ]
    readonly_fields = fields

    @admin.display(description=_("montant"), ordering="amount")
    def amount_shown(self, adjustment):
        return adjustments.in_words(adjustment)

    @admin.display(description=_("titulaire"))
    def holder(self, adjustment):
        return adjustment.pocket.holder

    @admin.display(description=_("droits"))
    def pocket_kind(self, adjustment):
        return adjustment.pocket.get_kind_display()

    @admin.display(description=_("état"), ordering="state")
    def state_shown(self, adjustment):
        is_expired = adjustment.is_expired(timezone.now())
        return _("Expirée") if is_expired else adjustment.get_state_display()

    @admin.display(description=_("mouvement"))
    def movement_shown(self, adjustment):
        movement = Movement.objects.filter(key=f"adjustment:{adjustment.pk}").first()
        if movement is None:
            return "–"
        url = reverse("admin:rights_movement_change", args=[movement.pk])
        return format_html('<a href="{}">{}</a>', url, movement)

    # --- Decide ---

    def get_urls(self):
        view = self.admin_site.admin_view
        acts = [
            path(
                f"<int:pk>/{word}/",
                view(partial(self.act_view, act=act)),
                name=f"rights_adjustment_{act}",
            )
            for word, act in (("confirmer", "confirm"), ("refuser", "reject"), ("retirer", "withdraw"))
        ]
        return [*acts, *super().get_urls()]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        adjustment = self.get_object(request, object_id)
        acts = {f"can_{act}": True for act in self._open_acts(request, adjustment)} if adjustment else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | acts)

    def _open_acts(self, request, adjustment):
        """What this person may do of it now; the verbs judge again."""
        if adjustment.state != Adjustment.State.PROPOSED:
            return []
        if adjustment.proposed_by == request.user:
            return ["withdraw"]
        is_open = not adjustment.is_expired(timezone.now())
        return ["confirm", "reject"] if is_open and request.user.has_perm("rights.decide_adjustment") else []

    def act_view(self, request, pk, *, act):
        """Fetch · validate · one verb · answer."""
        adjustment = get_object_or_404(
            Adjustment.objects.select_related("pocket__holder", "proposed_by"), pk=pk
        )
        permission = "propose_adjustment" if act == "withdraw" else "decide_adjustment"
        if not request.user.has_perm(f"rights.{permission}"):
            raise PermissionDenied
        titles = {
            "confirm": _("Confirmer la régularisation"),
            "reject": _("Refuser la régularisation"),
            "withdraw": _("Retirer ma proposition"),
        }
        is_posted = request.method == "POST"
        form = (RejectionForm if act == "reject" else ConfirmationForm)(request.POST if is_posted else None)
        if is_posted and form.is_valid():
            try:
                getattr(adjustments, act)(
                    adjustment.pk, **form.cleaned_data, by=_admin(request), at=timezone.now()
                )
            except (Refused, NotAllowed) as refusal:
                say(form, refusal)
            else:
                messages.success(request, _("C’est fait, et écrit dans le journal."))
                return redirect("admin:rights_adjustment_change", adjustment.pk)
        note = _("%(amount)s sur « %(pocket)s » de %(holder)s. Motif : « %(reason)s ». Proposée par %(who)s.")
        return act_page(
            self,
            request,
            form,
            title=titles[act],
            note=note
            % {
                "amount": adjustments.in_words(adjustment),
                "pocket": adjustment.pocket.get_kind_display(),
                "holder": adjustment.pocket.holder,
                "reason": adjustment.reason,
                "who": adjustment.proposed_by,
            },
            back=reverse("admin:rights_adjustment_change", args=[adjustment.pk]),
        )


# --- Proofs -------------------------------------------------------------------------------------------


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    list_display = ["day", "count", "hash", "made_at"]
    list_filter = ["day"]
    date_hierarchy = "day"
    search_fields = ["hash", "root", "day"]
    search_help_text = _("Empreinte, racine ou jour (2026-03-10)")
    fields = [
        "day",
        "count",
        "first_id",
        "last_id",
        "root",
        "previous_hash",
        "hash",
        "made_at",
        "movements",
    ]
    readonly_fields = fields

    def get_queryset(self, request):
        return super().get_queryset(request).defer("branches")

    @admin.display(description=_("mouvements"))
    def movements(self, seal):
        url = f"{reverse('admin:rights_sealedmovement_changelist')}?seal__day__exact={seal.pk}"
        return format_html('<a href="{}">{}</a>', url, _("Voir ses mouvements"))


@admin.register(SealedMovement)
class SealedMovementAdmin(ReadOnlyAdmin):
    list_display = ["movement", "seal", "position", "leaf_shown"]
    list_filter = ["seal__day"]
    search_fields = ["=movement__id", "movement__key", "movement__target__holder__reference"]
    search_help_text = _("Numéro ou clé d’un mouvement, référence du compte d’un titulaire")
    list_select_related = ["movement", "seal"]
    fields = ["movement", "seal", "position", "leaf_shown"]
    readonly_fields = fields

    @admin.display(description=_("empreinte"))
    def leaf_shown(self, place):
        return bytes(place.leaf).hex()


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnlyAdmin):
    list_display = ["at", "movements", "pockets", "findings", "head_day", "head_hash"]
    list_filter = ["at"]
    search_fields = ["head_hash", "worst"]
    search_help_text = _("Empreinte, règle ou ligne")
    fields = ["at", "movements", "pockets", "findings", "worst_shown", "head_day", "head_hash"]
    readonly_fields = fields

    @admin.display(description=_("les premières anomalies"))
    def worst_shown(self, check):
        return format_html_join("", "<p>{} · {} · {}</p>", check.worst) or "–"


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
    exclude = ["agreed_cents"]
    readonly_fields = ["agreed"]

    @admin.display(description=_("accord plus favorable"))
    def agreed(self, statement):
        return french.euros(statement.agreed_cents)


class DeclarationRefusalForm(forms.Form):
    reason = forms.CharField(
        label=_("Motif"),
        max_length=Declaration._meta.get_field("reason").max_length,
        help_text=_("Le titulaire le lira : dites ce qui manque, ou ce qui ne va pas."),
    )


class ToExamineFilter(admin.SimpleListFilter):
    title = _("attente")
    parameter_name = "attente"

    def lookups(self, request, model_admin):
        return [("attend", _("à examiner par moi"))]

    def queryset(self, request, queryset):
        if self.value() == "attend":
            return queryset.filter(pk__in=declarations.to_decide(request.user).values("pk"))
        return queryset


@admin.register(Declaration)
class DeclarationAdmin(OfAHolderAdmin):
    """What holders say of themselves: decided here, with a reason that they read, by somebody else."""

    change_form_template = "rights/admin/declaration.html"
    list_display = ["declared_at", "holder", "kind", "from_year", "until_year", "state", "decided_by"]
    list_filter = [ToExamineFilter, "state", "kind", "from_year"]
    list_select_related = ["holder", "decided_by"]
    fields = [
        "holder",
        "kind",
        "state",
        "from_year",
        "until_year",
        "proofs_shown",
        "declared_at",
        "decided_at",
        "decided_by",
        "reason",
    ]
    readonly_fields = fields

    @admin.display(description=_("justificatifs"))
    def proofs_shown(self, declaration):
        proofs = [
            (reverse("admin:rights_declaration_proof", args=[declaration.pk, proof.pk]), proof.file_name)
            for proof in declaration.proofs.all()
        ]
        return format_html_join(" · ", '<a href="{}">{}</a>', proofs) or "–"

    # --- Decide ---

    def get_urls(self):
        view = self.admin_site.admin_view
        acts = [
            path(
                f"<int:pk>/{word}/",
                view(partial(self.act_view, act=act)),
                name=f"rights_declaration_{act}",
            )
            for word, act in (("confirmer", "confirm"), ("refuser", "refuse"))
        ]
        proof = path(
            "<int:pk>/pieces/<uuid:proof_id>", view(self.proof_view), name="rights_declaration_proof"
        )
        return [*acts, proof, *super().get_urls()]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        declaration = self.get_object(request, object_id)
        acts = {f"can_{act}": True for act in self._open_acts(request, declaration)} if declaration else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | acts)

    def _open_acts(self, request, declaration):
        """What this person may do of it now; the verbs judge again."""
        if declaration.holder.user == request.user or not self._may_decide(request):
            return []
        state = Declaration.State(declaration.state)
        if state == Declaration.State.PROPOSED:
            return ["confirm", "refuse"]
        return ["refuse"] if state == Declaration.State.CONFIRMED else []

    def _may_decide(self, request):
        return request.user.has_perm("rights.decide_declaration")

    def act_view(self, request, pk, *, act):
        """Fetch · validate · one verb · answer."""
        declaration = get_object_or_404(Declaration.objects.select_related("holder"), pk=pk)
        if not self._may_decide(request):
            raise PermissionDenied
        is_taken_back = act == "refuse" and declaration.state == Declaration.State.CONFIRMED
        titles = {
            "confirm": _("Confirmer la déclaration"),
            "refuse": _("Ne plus compter la déclaration") if is_taken_back else _("Refuser la déclaration"),
        }
        is_posted = request.method == "POST"
        form = (DeclarationRefusalForm if act == "refuse" else ConfirmationForm)(
            request.POST if is_posted else None
        )
        if is_posted and form.is_valid():
            try:
                getattr(declarations, act)(
                    declaration.pk, **form.cleaned_data, by=_admin(request), at=timezone.now()
                )
            except (Refused, NotAllowed) as refusal:
                say(form, refusal)
            else:
                messages.success(request, _("C’est fait, écrit dans le journal, et dit au titulaire."))
                return redirect("admin:rights_declaration_change", declaration.pk)
        note = (
            _(
                "« %(kind)s » de %(holder)s, à partir de %(year)s. Les années déjà créditées sont corrigées "
                "au prochain crédit."
            )
            if act == "confirm" or is_taken_back
            else _("« %(kind)s » de %(holder)s, à partir de %(year)s. Aucun droit ne change.")
        )
        return act_page(
            self,
            request,
            form,
            title=titles[act],
            note=note
            % {
                "kind": declaration.get_kind_display(),
                "holder": declaration.holder,
                "year": declaration.from_year,
            },
            back=reverse("admin:rights_declaration_change", args=[declaration.pk]),
        )

    def proof_view(self, request, pk, proof_id):
        """A file about somebody's health: every opening is written down."""
        declaration = get_object_or_404(Declaration, pk=pk)
        proof = get_object_or_404(DeclarationProof, pk=proof_id, declaration=declaration)
        if not self.has_view_permission(request, declaration):
            raise PermissionDenied
        journal.record(
            by=_admin(request),
            action="declaration_proof_opened",
            subject=declaration.holder,
            at=timezone.now(),
            details={"declaration": declaration.pk, "file": proof.file_name},
        )
        return as_download(proof.file, name=proof.file_name, content_type=proof.content_type)


@admin.register(DeclarationProof)
class DeclarationProofAdmin(ReadOnlyAdmin):
    """What is kept of the files; they are opened from their declaration, which writes it down."""

    list_display = ["added_at", "declaration", "file_name", "content_type", "size"]
    list_filter = ["content_type", "added_at"]
    list_select_related = ["declaration"]
    search_fields = ["file_name", "declaration__holder__reference", "declaration__holder__birth_name"]
    search_help_text = _("Nom du fichier, nom du titulaire ou référence de son compte")
    fields = ["declaration", "file_name", "content_type", "size", "digest", "added_at"]
    readonly_fields = fields


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


# --- Funders' envelopes ---------------------------------------------------------------------------------


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
