"""Showing and withdrawing: an organisation its offers, an admin an organisation.

Whether an offer is open does not hang on these alone (catalog.eligibility). Nobody is suspended in
silence: admissions.measures announces, hears the organisation and tells it, and turns this switch.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actors import Actor
from accounts.permissions import NotAllowed
from catalog import search
from catalog.models import Offer, Provider
from ui.refusals import Refused


def publish(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Show the offer again, as far as the rules open it. By a member of its organisation, or an admin.

    Refused: a draft is first read again (catalog.editing.publish).
    """
    return _show(offer_id, True, by=by, at=at)


def hide(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Withdraw the offer from the search and from new registrations. By the same."""
    return _show(offer_id, False, by=by, at=at)


def suspend(provider_id: UUID, *, by: Actor, at: datetime, reason: str) -> Provider:
    """Close all the offers of an organisation; dossiers under way go on. By an admin, who says why."""
    return _set_state(provider_id, Provider.State.SUSPENDED, by=by, at=at, reason=reason)


def restore(provider_id: UUID, *, by: Actor, at: datetime, reason: str) -> Provider:
    """End a suspension. By an admin, who says why, or by the clock when its last day is over."""
    return _set_state(provider_id, Provider.State.ACTIVE, by=by, at=at, reason=reason)


@transaction.atomic
def _show(offer_id: UUID, is_published: bool, *, by: Actor, at: datetime) -> Offer:
    offer = Offer.objects.select_for_update().defer("search").get(pk=offer_id)
    if not (by.is_admin or by.is_system or (by.is_provider and by.organisation_id == offer.provider_id)):
        raise NotAllowed(_("Seul l’organisme de cette offre peut la montrer ou la masquer."))
    if is_published and offer.is_draft:
        raise Refused(_("Cette offre est un brouillon. Relisez-la avant de la publier."))
    if offer.is_published != is_published:
        offer.is_published = is_published
        offer.updated_at = at
        offer.save(update_fields=["is_published", "updated_at"])
        search.reindex([offer.pk])
        journal.record(by=by, action="publish" if is_published else "hide", subject=offer, at=at)
    return offer


@transaction.atomic
def _set_state(provider_id: UUID, state: Provider.State, *, by: Actor, at: datetime, reason: str) -> Provider:
    is_end_by_the_clock = by.is_system and state == Provider.State.ACTIVE
    if not (by.is_admin or is_end_by_the_clock):
        raise NotAllowed(_("Seule l’administration peut suspendre un organisme ou le rétablir."))
    if not reason.strip():
        raise ValueError("a suspension says why")
    provider = Provider.objects.select_for_update().get(pk=provider_id)
    if provider.state != state:
        provider.state = state
        provider.save(update_fields=["state"])
        action = "suspend" if state == Provider.State.SUSPENDED else "restore"
        journal.record(by=by, action=action, subject=provider, at=at, details={"reason": reason.strip()})
    return provider
