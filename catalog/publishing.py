"""The life of a written offer: shown, hidden, archived; and an admin's word on it, or on its organisation.

Whether an offer is open does not hang on these alone (catalog.eligibility). Nobody is suspended in
silence: admissions.measures announces, hears the organisation and tells it, and turns this switch.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

import rulebook
from accounts import journal
from accounts import listing as people
from accounts.actors import Actor
from accounts.permissions import NotAllowed
from catalog import indexing
from catalog.guards import by_title, unless_an_import_holds_it
from catalog.models import Offer, Provider
from notices import outbox
from notices.kinds import Kind
from rulebook import workdays
from ui.refusals import Refused


class Verb(StrEnum):
    """What can be done with a written offer; the values stand in the journal."""

    PUBLISH = "publish"
    HIDE = "hide"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"


TARGETS = {
    Verb.PUBLISH: Offer.State.PUBLISHED,
    Verb.HIDE: Offer.State.SUSPENDED,
    Verb.ARCHIVE: Offer.State.ARCHIVED,
    Verb.UNARCHIVE: Offer.State.SUSPENDED,
}


def publish(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Show the offer again, as far as the rules open it. By a member of its organisation, or an admin.

    Refused: a draft is first read again (catalog.editing.publish); an archived one first taken out.
    """
    return _move_one(Verb.PUBLISH, offer_id, by=by, at=at)


def hide(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Withdraw the offer from the search and from new registrations. By the same."""
    return _move_one(Verb.HIDE, offer_id, by=by, at=at)


def archive(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Put the offer away: it keeps its dossiers, and can be deleted if it has none. By the same.

    Refused: people can see it; a draft, which is simply deleted.
    """
    return _move_one(Verb.ARCHIVE, offer_id, by=by, at=at)


def unarchive(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Take the offer out of the archives; it stays hidden until it is shown. By the same."""
    return _move_one(Verb.UNARCHIVE, offer_id, by=by, at=at)


@transaction.atomic
def move_each(
    verb: Verb, ids: Collection[UUID], *, by: Actor, at: datetime
) -> tuple[list[Offer], list[tuple[Offer, str]]]:
    """One verb for many offers: those it was done to, and those that it refuses, each with why.

    One that is there already is done. Queries do not grow with the offers.
    """
    with unless_an_import_holds_it():
        found = Offer.objects.filter(pk__in=ids).select_for_update(of=("self",)).defer("content")
        # Locked by key, as everybody does; told by title.
        offers = sorted(found.order_by("pk"), key=by_title)
    if not (by.is_admin or by.is_system or by.is_provider):
        raise NotAllowed(_("Seul l’organisme de cette offre peut la montrer ou la masquer."))
    if by.is_provider and any(offer.provider_id != by.organisation_id for offer in offers):
        raise NotAllowed(_("Seul l’organisme de cette offre peut la montrer ou la masquer."))
    seen = _seen(offers, at=at) if verb == Verb.ARCHIVE else set()
    done, refused, moved = [], [], []
    for offer in offers:
        if words := REFUSALS[verb](offer, offer.pk in seen):
            refused.append((offer, words))
            continue
        done.append(offer)
        if offer.state != TARGETS[verb]:
            offer.is_published = verb == Verb.PUBLISH
            offer.archived_at = at if verb == Verb.ARCHIVE else None
            offer.updated_at = at
            moved.append(offer)
    if moved:
        keys = [offer.pk for offer in moved]
        Offer.objects.filter(pk__in=keys).update(
            is_published=verb == Verb.PUBLISH, archived_at=at if verb == Verb.ARCHIVE else None, updated_at=at
        )
        indexing.reindex(keys, on=workdays.paris_day(at))
        subjects: Mapping[Any, dict[str, Any]] = {offer: {} for offer in moved}
        journal.record_each(by=by, action=verb, subjects=subjects, at=at)
    return done, refused


def _move_one(verb: Verb, offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    done, refused = move_each(verb, [offer_id], by=by, at=at)
    for _offer, words in refused:
        raise Refused(words)
    if not done:
        raise Offer.DoesNotExist
    return done[0]


def _seen(offers: Collection[Offer], *, at: datetime) -> set[UUID]:
    """Those of them that people can see today."""
    today = workdays.paris_day(at)
    chosen = Offer.objects.filter(pk__in=[offer.pk for offer in offers if offer.is_published])
    return set(chosen.open_on(today, rulebook.on(today)).order_by("pk").values_list("pk", flat=True))


def _why_not_published(offer: Offer, _is_seen: bool) -> str:
    if offer.withheld_for:
        words = _("L’administration du portail retient cette offre : %(why)s Écrivez-nous quand c’est réglé.")
        return words % {"why": offer.withheld_for}
    if offer.is_draft:
        return _("Cette offre est un brouillon. Relisez-la avant de la publier.")
    if offer.state == Offer.State.ARCHIVED:
        return _("Cette offre est archivée. Sortez-la d’abord des archives.")
    return ""


def _why_not_hidden(offer: Offer, _is_seen: bool) -> str:
    if offer.is_draft:
        return _("C’est un brouillon, que personne d’autre ne voit.")
    if offer.state == Offer.State.ARCHIVED:
        return _("Cette offre est archivée : personne ne la voit plus.")
    return ""


def _why_not_archived(offer: Offer, is_seen: bool) -> str:
    if offer.is_draft:
        return _("Un brouillon ne s’archive pas. Gardez-le ou supprimez-le.")
    if is_seen:
        return _("Cette offre est visible dans la recherche. Masquez-la d’abord.")
    return ""


def _why_not_taken_out(offer: Offer, _is_seen: bool) -> str:
    return "" if offer.state == Offer.State.ARCHIVED else _("Cette offre n’est pas dans les archives.")


REFUSALS: Mapping[Verb, Callable[[Offer, bool], str]] = {
    Verb.PUBLISH: _why_not_published,
    Verb.HIDE: _why_not_hidden,
    Verb.ARCHIVE: _why_not_archived,
    Verb.UNARCHIVE: _why_not_taken_out,
}


# --- The administration ---------------------------------------------------------------------------


@transaction.atomic
def withhold(offer_id: UUID, *, by: Actor, at: datetime, reason: str) -> Offer:
    """Take an offer off the search until it is put right: its codes or its words mislead. By an admin.

    Effects: hidden, and its organisation cannot show it; the reason, as a sentence, on its page and in a
    notice. Dossiers under way go on. Refused: a draft, or no reason.
    """
    offer = _lock_for_admin(offer_id, by=by)
    reason = reason.strip()
    if not reason:
        raise Refused(_("Dites pourquoi : l’organisme le lira."), field="reason")
    if offer.is_draft:
        raise Refused(_("C’est un brouillon, que personne d’autre ne voit."))
    if reason[-1] not in ".!?":
        reason += "."
    if offer.withheld_for != reason:
        offer.withheld_for, offer.is_published, offer.updated_at = reason, False, at
        offer.save(update_fields=["withheld_for", "is_published", "updated_at"])
        indexing.reindex([offer.pk], on=workdays.paris_day(at))
        entry = journal.record(by=by, action="withhold", subject=offer, at=at, details={"reason": reason})
        _tell(offer, Kind.OFFER_WITHHELD, f"withhold:{entry.pk}", at=at)
    return offer


@transaction.atomic
def release(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Let its organisation show the offer again: it stays hidden until then. By an admin."""
    offer = _lock_for_admin(offer_id, by=by)
    if offer.withheld_for:
        offer.withheld_for, offer.updated_at = "", at
        offer.save(update_fields=["withheld_for", "updated_at"])
        entry = journal.record(by=by, action="release", subject=offer, at=at)
        _tell(offer, Kind.OFFER_RELEASED, f"release:{entry.pk}", at=at)
    return offer


def _lock_for_admin(offer_id: UUID, *, by: Actor) -> Offer:
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration peut retenir une offre ou la rendre."))
    found = Offer.objects.select_related("provider__organisation")
    with unless_an_import_holds_it():
        return found.select_for_update(of=("self",)).get(pk=offer_id)


def _tell(offer: Offer, kind: Kind, event_key: str, *, at: datetime) -> None:
    organisation = offer.provider.organisation
    facts = {
        "organisation_name": organisation.name,
        "training_title": offer.title,
        "reason": offer.withheld_for,
    }
    readers: list[dict[str, Any]] = [{"user": user} for user in people.people_of(organisation)]
    if organisation.email:
        readers.append({"email": organisation.email})
    link = reverse("provider_offer", args=[offer.pk])
    letters = [
        outbox.Letter(kind=kind, event_key=event_key, facts=facts, link=link, **reader) for reader in readers
    ]
    outbox.write_many(letters, at=at)


# --- An organisation ------------------------------------------------------------------------------


def suspend(provider_id: UUID, *, by: Actor, at: datetime, reason: str) -> Provider:
    """Close all the offers of an organisation; dossiers under way go on. By an admin, who says why."""
    return _set_state(provider_id, Provider.State.SUSPENDED, by=by, at=at, reason=reason)


def restore(provider_id: UUID, *, by: Actor, at: datetime, reason: str) -> Provider:
    """End a suspension. By an admin, who says why, or by the clock when its last day is over."""
    return _set_state(provider_id, Provider.State.ACTIVE, by=by, at=at, reason=reason)


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
        indexing.reindex_of(provider=provider, on=workdays.paris_day(at))
        action = "suspend" if state == Provider.State.SUSPENDED else "restore"
        journal.record(by=by, action=action, subject=provider, at=at, details={"reason": reason.strip()})
    return provider
