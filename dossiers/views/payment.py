"""Paying what is left: the holder's page, the card, the way back from strong authentication.

The card is typed in the service's own field: only a token comes here. No verb of `payments` runs in a
transaction, for each may speak to the service.
"""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from csp.constants import SELF
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import holder_required
from dossiers import payment_screen, payment_service, payments
from dossiers.models import CardPayment, Dossier
from dossiers.payment_service import Intent, Stand
from dossiers.views.requests import visible_dossier
from ui.refusals import Refused, request_id_of

PAGE = "dossiers/holder/payment.html"
# A token of the service: never a row of digits, whatever somebody types in its place.
TOKEN_START, TOKEN_LENGTH_MAX = "tok_", 60


def opens_to_the_service(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """This page, and no other, may load the card service's script and frames."""

    @wraps(view)
    def opened(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if payment_service.is_ready() and response.status_code in {200, 422}:
            origins = list(settings.STRIPE_ORIGINS)
            response._csp_update = {
                "script-src": origins,
                "frame-src": [SELF, *origins],
                "connect-src": origins,
            }
        return response

    return opened


@holder_required
@require_safe
@opens_to_the_service
def dossier_payment(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    return _page(request, _payable(request, dossier_id))


@holder_required
@require_POST
@opens_to_the_service
def dossier_pay_by_card(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """The card's token, from the page's own script."""
    found = _payable(request, dossier_id)
    if not payment_service.is_ready():
        raise Http404
    token = request.POST.get("token", "")
    try:
        if not token.startswith(TOKEN_START) or len(token) > TOKEN_LENGTH_MAX:
            raise Refused(
                _(
                    "La carte n’a pas été lue. Le paiement par carte a besoin de JavaScript : "
                    "sans lui, payez par virement."
                )
            )
        payment, intent = payments.begin_card(
            found.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            token=token,
        )
    except Refused as refusal:
        return _page(request, _payable(request, dossier_id), error=refusal.message, status=422)
    return _answer(request, found, payment, intent)


@holder_required
@require_POST
@opens_to_the_service
def dossier_payment_look(request: HttpRequest, dossier_id: UUID, payment_id: UUID) -> HttpResponse:
    """« Où en est mon paiement ? »: the service is asked; the way back from strong authentication."""
    found = _payable(request, dossier_id)
    payment = get_object_or_404(CardPayment, pk=payment_id, dossier=found)
    payment, intent = payments.look(payment.pk, by=request.actor, at=timezone.now())
    return _answer(request, found, payment, intent)


@holder_required
@require_POST
def dossier_payment_abandon(request: HttpRequest, dossier_id: UUID, payment_id: UUID) -> HttpResponse:
    found = _payable(request, dossier_id)
    payment = get_object_or_404(CardPayment, pk=payment_id, dossier=found)
    try:
        payment = payments.abandon(payment.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _page(request, found, error=refusal.message, status=422)
    if payment.state == CardPayment.State.ABANDONED:
        messages.info(request, _("Ce paiement est abandonné. Rien n’a été débité."))
    return redirect("dossier_payment", found.pk)


def _payable(request: HttpRequest, dossier_id: UUID) -> Dossier:
    """The dossier, or 404: not for who acts, or nothing was ever left to pay."""
    found = visible_dossier(request, dossier_id)
    if not payments.has_remainder(found):
        raise Http404
    return found


def _answer(
    request: HttpRequest, found: Dossier, payment: CardPayment, intent: Intent | None
) -> HttpResponse:
    """After the service has spoken: authenticate, or see where it stands."""
    if intent is not None and intent.stand == Stand.TO_AUTHENTICATE:
        return _page(request, _payable(request, found.pk), intent=intent)
    if payment.state == CardPayment.State.SUCCEEDED:
        messages.success(request, _("Votre paiement est reçu : l’inscription est confirmée."))
    return redirect("dossier_payment", found.pk)


def _page(
    request: HttpRequest,
    found: Dossier,
    *,
    error: str = "",
    intent: Intent | None = None,
    status: int = 200,
) -> HttpResponse:
    shown = payment_screen.of(found, at=timezone.now())
    context = {
        "screen": shown,
        "dossier": found,
        "error": error,
        # For the one browser that authenticates; neither kept nor logged.
        "client_secret": intent.client_secret if intent else "",
        "service_script": settings.STRIPE_JS_URL,
        "service_key": settings.STRIPE_PUBLIC_KEY,
        "service_language": get_language() or "fr",
    }
    return render(request, PAGE, context, status=status)
