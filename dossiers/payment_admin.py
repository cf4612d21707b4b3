"""Money of holders in Django admin: tries by card, events, refunds, transfers; what waits for a decision.

Everything is read-only; what is decided goes through the verbs of `payments` and `transfers`, with a reason.
"""

import tempfile

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import journal
from accounts.actors import Actor
from catalog.imports import reading
from dossiers import payments, transfers
from dossiers.acts_admin import Acts, admin_of
from dossiers.models import BankTransfer, CardPayment, PaymentEvent, Refund
from ui import french
from ui.admin import ReadOnlyTable, act_page

STATEMENT_BYTES_MAX = transfers.FILE_BYTES_MAX
REFUSED_SHOWN = 20


class ReasonForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Raison"), max_length=255)


class ReferenceForm(forms.Form):
    reference = forms.CharField(
        label=gettext_lazy("Référence donnée par notre banque"),
        max_length=100,
        help_text=gettext_lazy("Faites d’abord le virement à la banque, puis recopiez sa référence."),
    )


class SentBackForm(ReferenceForm):
    sent_on = forms.DateField(
        label=gettext_lazy("Jour du renvoi"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


class AttachForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("Numéro du dossier"), max_length=20)
    reason = forms.CharField(
        label=gettext_lazy("Raison"),
        max_length=255,
        help_text=gettext_lazy("Ce qui montre que ce virement paie ce dossier. Elle est gardée au journal."),
    )


class StatementForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Relevé de la banque"),
        help_text=gettext_lazy(
            "camt.053 (XML), ou CSV en UTF-8 séparé par des points-virgules, avec les colonnes "
            "date, montant, libellé et, si la banque les donne, numéro, payeur, iban. "
            "20 Mo au plus. Le même relevé peut être importé deux fois : chaque virement compte une fois."
        ),
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > STATEMENT_BYTES_MAX:
            raise forms.ValidationError(_("Ce fichier dépasse 20 Mo."))
        return file


class OfMoney(Acts):
    """Facts with an amount."""

    @admin.display(description=gettext_lazy("montant"), ordering="amount_cents")
    def amount(self, row):
        return french.euros(row.amount_cents)


# --- Cards -------------------------------------------------------------------------------------------


def give_back(payment_id, *, reason: str, by: Actor, at) -> None:
    refund = payments.give_back_set_aside(payment_id, at=at)
    journal.record(
        by=by, action="card_payment_given_back", subject=refund.dossier, at=at, details={"reason": reason}
    )


class RefundInline(ReadOnlyTable):
    model = Refund
    fields = ["due_at", "money", "state", "sent_at", "trouble"]
    readonly_fields = ["money"]

    @admin.display(description=gettext_lazy("montant"))
    def money(self, refund):
        return french.euros(refund.amount_cents)


@admin.register(CardPayment)
class CardPaymentAdmin(OfMoney, admin.ModelAdmin):
    list_display = ["began_at", "dossier", "amount", "state", "trouble", "settled_at"]
    list_filter = ["state", ("trouble", admin.EmptyFieldListFilter), "began_at"]
    search_fields = ["dossier__number", "service_id"]
    list_select_related = ["dossier"]
    date_hierarchy = "began_at"
    fields = [
        *("acts", "dossier", "round", "amount", "received", "state", "failure_words", "trouble"),
        *("service_id", "service_customer", "began_at", "asked_at", "settled_at", "request_id"),
    ]
    readonly_fields = fields
    inlines = [RefundInline]
    permission = "dossiers.change_cardpayment"
    ACTS = {
        "rendre": (
            gettext_lazy("Rembourser ce qui a été reçu"),
            ReasonForm,
            give_back,
            gettext_lazy("Le remboursement est demandé, et le titulaire prévenu."),
        )
    }

    def possible(self, row):
        is_set_aside = row.trouble and row.received_cents and row.state not in payments.PAID_OR_GIVEN_BACK
        return ["rendre"] if is_set_aside else []

    @admin.display(description=gettext_lazy("montant reçu"))
    def received(self, payment):
        return "–" if payment.received_cents is None else french.euros(payment.received_cents)

    @admin.display(description=gettext_lazy("motif du refus"))
    def failure_words(self, payment):
        return payments.failure_in_words(payment.failure) if payment.failure else "–"


def look_at(event_pk: int, *, reason: str, by: Actor, at) -> None:
    payments.mark_looked_at(event_pk, by=by, at=at)
    event = PaymentEvent.objects.get(pk=event_pk)
    journal.record(by=by, action="payment_event_looked_at", subject=event, at=at, details={"reason": reason})


@admin.register(PaymentEvent)
class PaymentEventAdmin(Acts, admin.ModelAdmin):
    list_display = ["received_at", "kind", "subject", "outcome", "note", "times", "handled_at", "looked_at"]
    list_filter = ["outcome", "kind", ("handled_at", admin.EmptyFieldListFilter), "received_at"]
    search_fields = ["event_id", "subject"]
    date_hierarchy = "received_at"
    fields = [
        *("acts", "event_id", "kind", "subject", "payload", "created_at", "received_at", "times", "tries"),
        *("next_try_at", "handled_at", "outcome", "note", "looked_at", "looked_by"),
    ]
    readonly_fields = fields
    permission = "dossiers.change_paymentevent"
    ACTS = {
        "regarde": (
            gettext_lazy("Dire que c’est regardé"),
            ReasonForm,
            look_at,
            gettext_lazy("C’est noté : cet évènement n’attend plus personne."),
        )
    }

    def possible(self, row):
        return ["regarde"] if row.outcome == PaymentEvent.Outcome.SET_ASIDE and row.looked_at is None else []


def retry(refund_id, *, reason: str, by: Actor, at) -> None:
    refund = payments.retry_refund(refund_id, at=at)
    journal.record(by=by, action="refund_retried", subject=refund.dossier, at=at, details={"reason": reason})


@admin.register(Refund)
class RefundAdmin(OfMoney, admin.ModelAdmin):
    list_display = ["due_at", "dossier", "amount", "way", "state", "trouble", "sent_at"]
    list_filter = ["state", "way", "due_at"]
    search_fields = ["dossier__number", "payment_reference", "service_id"]
    list_select_related = ["dossier"]
    date_hierarchy = "due_at"
    fields = [
        *("acts", "dossier", "amount", "way", "state", "trouble", "reason", "card_payment"),
        *("payment_reference", "due_at", "tries", "next_try_at", "service_id", "sent_at", "sent_by", "key"),
    ]
    readonly_fields = fields
    permission = "dossiers.change_refund"
    ACTS = {
        "relancer": (
            gettext_lazy("Réessayer sur la carte"),
            ReasonForm,
            retry,
            gettext_lazy("Le remboursement repart dans la minute."),
        ),
        "envoye": (
            gettext_lazy("Dire que c’est envoyé par virement"),
            ReferenceForm,
            transfers.mark_refund_sent,
            gettext_lazy("C’est noté, et le titulaire est prévenu."),
        ),
    }

    def possible(self, row):
        is_stuck = row.state == Refund.State.STUCK
        may_retry = is_stuck and row.way == Refund.Way.CARD and not row.service_id
        by_hand = is_stuck or (row.way == Refund.Way.TRANSFER and row.state == Refund.State.DUE)
        return ["relancer"] * may_retry + ["envoye"] * by_hand


# --- Transfers ---------------------------------------------------------------------------------------


class WaitingFilter(admin.SimpleListFilter):
    """What waits for a person, first of all."""

    title = gettext_lazy("à décider")
    parameter_name = "attend"

    def lookups(self, request, model_admin):
        return [("oui", _("Attend une décision")), ("renvoi", _("À renvoyer"))]

    def queryset(self, request, queryset):
        if self.value() == "oui":
            return queryset.filter(state__in=BankTransfer.WAITING)
        return (
            queryset.filter(state=BankTransfer.State.TO_SEND_BACK) if self.value() == "renvoi" else queryset
        )


@admin.register(BankTransfer)
class BankTransferAdmin(OfMoney, admin.ModelAdmin):
    list_display = ["booked_on", "amount", "text", "payer_name", "state", "note", "dossier"]
    list_filter = [WaitingFilter, "state", "booked_on"]
    search_fields = ["text", "payer_name", "bank_id", "dossier__number"]
    list_select_related = ["dossier"]
    date_hierarchy = "booked_on"
    fields = [
        *("acts", "amount", "booked_on", "text", "payer_name", "payer_iban", "state", "note", "guess"),
        *("decision_reason", "decided_by", "decided_at", "sent_on", "sent_reference", "sent_by"),
        *("bank_id", "imported_at", "imported_by"),
    ]
    readonly_fields = fields
    change_list_template = "dossiers/agent/transfers_list.html"
    permission = "dossiers.change_banktransfer"
    ACTS = {
        "rattacher": (
            gettext_lazy("Rattacher à un dossier"),
            AttachForm,
            transfers.attach,
            gettext_lazy("Le virement est rattaché : l’inscription est confirmée."),
        ),
        "a-renvoyer": (
            gettext_lazy("Le renvoyer à qui a payé"),
            ReasonForm,
            transfers.send_back,
            gettext_lazy("Le virement est à renvoyer."),
        ),
        "de-cote": (
            gettext_lazy("Le mettre de côté"),
            ReasonForm,
            transfers.set_aside,
            gettext_lazy("Le virement est mis de côté."),
        ),
        "renvoye": (
            gettext_lazy("Dire qu’il est renvoyé"),
            SentBackForm,
            transfers.mark_sent_back,
            gettext_lazy("C’est noté."),
        ),
    }

    def possible(self, row):
        if row.state in BankTransfer.WAITING:
            return ["rattacher", "a-renvoyer", "de-cote"]
        return ["renvoye"] if row.state == BankTransfer.State.TO_SEND_BACK else []

    def initial(self, row, act):
        if act == "renvoye":
            return {"sent_on": timezone.localdate()}
        return {"number": row.dossier.number} if act == "rattacher" and row.dossier else {}

    def in_words(self, row, act):
        return f"{row} · {row.payer_name} · {row.text} · {row.note}"

    @admin.display(description=gettext_lazy("dossier"), ordering="dossier")
    def guess(self, row):
        if row.dossier is None:
            return "–"
        url = reverse("admin:dossiers_dossier_change", args=[row.dossier_id])
        return format_html('<a href="{}">{}</a>', url, row.dossier.number)

    def get_urls(self):
        view = self.admin_site.admin_view(self.import_view)
        return [path("importer/", view, name="dossiers_banktransfer_import"), *super().get_urls()]

    def changelist_view(self, request, extra_context=None):
        can_import = self.has_act_permission(request)
        return super().changelist_view(request, (extra_context or {}) | {"can_import": can_import})

    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_act_permission(request):
            raise PermissionDenied
        form = StatementForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                report = _import(form.cleaned_data["file"], by=admin_of(request))
            except reading.Unusable as refusal:
                form.add_error("file", str(refusal))
            else:
                _tell(request, report)
                return redirect(reverse("admin:dossiers_banktransfer_changelist") + "?attend=oui")
        note = _(
            "Un virement qui porte la référence exacte et le montant exact confirme l’inscription. "
            "Tous les autres attendent une décision."
        )
        back = reverse("admin:dossiers_banktransfer_changelist")
        return act_page(self, request, form, title=_("Importer un relevé de virements"), note=note, back=back)


def _import(file, *, by: Actor) -> transfers.Report:
    at = timezone.now()
    with tempfile.NamedTemporaryFile(prefix="releve-") as kept:
        for chunk in file.chunks():
            kept.write(chunk)
        kept.flush()
        report = transfers.import_file(reading.find(kept.name), by=by, at=at)
    details = {"count": report.new, "file": str(file.name)[:100]}
    journal.record(by=by, action="transfers_imported", subject=BankTransfer, at=at, details=details)
    return report


def _tell(request: HttpRequest, report: transfers.Report) -> None:
    states = BankTransfer.State
    waiting = report.by_state[states.NEAR] + report.by_state[states.UNKNOWN]
    said = _(
        "%(new)s virements nouveaux : %(matched)s confirment une inscription, "
        "%(waiting)s attendent une décision. %(known)s étaient déjà connus."
    )
    numbers = {
        "new": report.new,
        "matched": report.by_state[states.MATCHED],
        "waiting": waiting,
        "known": report.known,
    }
    messages.success(request, said % numbers)
    for line, why in report.refused[:REFUSED_SHOWN]:
        messages.warning(request, _("Ligne %(line)s : %(why)s") % {"line": line, "why": why})
    if (more := len(report.refused) - REFUSED_SHOWN) > 0:
        messages.warning(
            request,
            ngettext("Et %(count)s autre ligne.", "Et %(count)s autres lignes.", more) % {"count": more},
        )
