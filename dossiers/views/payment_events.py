"""Where the card service announces what happened. Public: it is known by its signature alone."""

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dossiers import payment_service, payments, tasks
from dossiers.payment_service import Forged

log = logging.getLogger(__name__)


@login_not_required
@csrf_exempt
@require_POST
def payment_events(request: HttpRequest) -> HttpResponse:
    """Verify, keep, answer. Handling comes after: a slow or broken handler loses nothing."""
    if not payment_service.is_ready():
        return HttpResponse(status=404)
    try:
        event = payment_service.read_event(request.body, request.headers.get("Stripe-Signature", ""))
    except Forged as fault:
        log.warning("payment event refused: %s", fault)
        return HttpResponse(status=400)
    if payments.receive(event, at=timezone.now()):
        tasks.handle_payment_events_soon()
    return HttpResponse(status=200)
