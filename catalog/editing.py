"""Offers and sessions written by hand, by the members of their organisation.

An offer begins as a draft, which nobody else ever sees, and is published once nothing blocks it
(catalog.lint). An imported offer may be edited too: the next import of its file has the last word. What
people with a dossier were promised does not change (catalog.promises).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

import rulebook
from accounts import journal
from accounts.actors import Actor
from catalog import eligibility, indexing, lint, promises
from catalog.guards import NotReady, by_title, check_member, unless_an_import_holds_it
from catalog.models import Certification, Offer, Provider, Session
from rulebook import workdays
from ui import french
from ui.refusals import Refused

# An organisation of a few people does not write more at once; a program that fills the table does.
DRAFTS_MAX = 100
SESSIONS_MAX = 200
# Nobody announces a session so far ahead; a mistyped year does.
FURTHEST_YEARS = 3

COPIED = (
    "kind", "certification_id", "portal_code", "block_codes", "title", "summary", "objectives", "content",
    "expected_results", "prerequisites", "admission", "accessibility", "has_prerequisites", "mode", "hours",
    "rhythms", "languages", "entry_level", "price_cents", "extra_fees_cents", "vat_per_mille",
    "price_details", "particulars", "address", "postal_code", "town_name", "town_id", "point", "url",
    "contact_email", "contact_phone",
)  # fmt: skip


# --- Offers ---------------------------------------------------------------------------------------


@transaction.atomic
def start(
    *, by: Actor, at: datetime, request_id: UUID, kind: str, certification: Certification | None = None
) -> Offer:
    """A new draft of the actor's organisation; the same request again gives the same one.

    Refused: too many drafts, or a kind without its certification or portal code.
    """
    provider = lock_provider(by)
    if known := _of_request(provider, request_id):
        return known
    purpose = _purpose(kind, certification, at=at)
    return _add_draft(
        provider,
        request_id,
        by=by,
        at=at,
        fields=purpose
        | {
            "title": certification.title[:255] if certification else "",
            "contact_email": provider.organisation.email,
            "contact_phone": provider.organisation.phone,
        },
    )


@transaction.atomic
def set_purpose(
    offer_id: UUID, *, by: Actor, at: datetime, kind: str, certification: Certification | None = None
) -> Offer:
    """What the offer leads to. Another certification has other blocks: those chosen before are dropped."""
    offer = _lock_offer(offer_id, by=by)
    purpose = _purpose(kind, certification, at=at)
    if purpose["certification_id"] != offer.certification_id:
        purpose["block_codes"] = []
    return _write(offer, purpose, by=by, at=at)


@transaction.atomic
def write(offer_id: UUID, *, by: Actor, at: datetime, fields: Mapping[str, Any]) -> Offer:
    """Keep these fields of the offer; its place follows from `town` and `mode`.

    Refused: somebody has a dossier and would be given something else, or a published offer would lack what
    people need.
    """
    return _write(_lock_offer(offer_id, by=by), placed(dict(fields)), by=by, at=at)


@transaction.atomic
def duplicate(offer_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> Offer:
    """A new draft with the same words and the sessions still to come."""
    provider = lock_provider(by)
    source = Offer.objects.get(pk=offer_id)
    check_member(source.provider_id, by=by)
    if source.withheld_for:
        raise Refused(
            _("L’administration du portail retient cette offre : elle ne se copie pas avant d’être rendue.")
        )
    if known := _of_request(provider, request_id):
        return known
    copy = _add_draft(
        provider, request_id, by=by, at=at, fields={name: getattr(source, name) for name in COPIED}
    )
    coming = source.sessions.filter(
        Q(starts_on__isnull=True) | Q(starts_on__gt=workdays.paris_day(at)),
        recruitment=Session.Recruitment.OPEN,
    )
    Session.objects.bulk_create(copies_of(coming.order_by("starts_on", "pk")[:SESSIONS_MAX], offer=copy))
    return copy


def copies_of(sessions: Iterable[Session], *, offer: Offer) -> list[Session]:
    """The same dates for another offer, numbered anew; unsaved."""
    return [
        Session(
            offer=offer,
            number=f"S{position}",
            starts_on=session.starts_on,
            ends_on=session.ends_on,
            places=session.places,
            details=session.details,
        )
        for position, session in enumerate(sessions, start=1)
    ]


@transaction.atomic
def publish(offer_id: UUID, *, by: Actor, at: datetime) -> Offer:
    """Show a draft to people. NotReady: what blocks it, all of it."""
    done, refused = publish_each([offer_id], by=by, at=at)
    for _offer, remarks in refused:
        raise NotReady(remarks)
    if not done:
        raise Offer.DoesNotExist
    return done[0]


@transaction.atomic
def publish_each(
    ids: Collection[UUID], *, by: Actor, at: datetime
) -> tuple[list[Offer], list[tuple[Offer, list[lint.Remark]]]]:
    """The same for many drafts: those that people see now, and the others, each with what blocks it.

    One that is written already is left as it is. Three queries a draft at most, besides those of the lot.
    """
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    found = Offer.objects.select_related("provider__organisation", "certification")
    with unless_an_import_holds_it():
        locked = found.filter(pk__in=ids).select_for_update(of=("self",))
        # Locked by key, as everybody does; told by title.
        offers = sorted(locked.order_by("pk").prefetch_related("sessions"), key=by_title)
    for offer in offers:
        check_member(offer.provider_id, by=by)
    facts = eligibility.facts_of_each(offers)
    done, refused, published = [], [], []
    for offer in offers:
        sessions = list(offer.sessions.all()) if offer.is_draft else []
        blocking = (
            lint.obstacles(offer, sessions, facts[offer.pk], on=today, rules=rules) if offer.is_draft else []
        )
        if blocking:
            refused.append((offer, blocking))
            continue
        done.append(offer)
        if offer.is_draft:
            offer.is_draft, offer.is_published, offer.updated_at = False, True, at
            # At once: the next one may be its twin.
            offer.save(update_fields=["is_draft", "is_published", "updated_at"])
            published.append(offer)
    if published:
        indexing.reindex([offer.pk for offer in published], on=today)
        journal.record_each(by=by, action="publish", subjects={offer: {} for offer in published}, at=at)
    return done, refused


@transaction.atomic
def delete(offer_id: UUID, *, by: Actor, at: datetime) -> None:
    """Forget an offer with its sessions. Refused: neither a draft nor archived, or somebody had a dossier."""
    _done, refused = delete_each([offer_id], by=by, at=at)
    for _offer, words in refused:
        raise Refused(words)


@transaction.atomic
def delete_each(
    ids: Collection[UUID], *, by: Actor, at: datetime
) -> tuple[list[Offer], list[tuple[Offer, str]]]:
    """The same for many at once: those that are gone, and those that stay, each with why. Seven queries."""
    with unless_an_import_holds_it():
        found = Offer.objects.filter(pk__in=ids).select_for_update(of=("self",)).defer("content")
        offers = sorted(found.order_by("pk"), key=by_title)
    for offer in offers:
        check_member(offer.provider_id, by=by)
    held = promises.offers_held([offer.pk for offer in offers])
    gone, kept = [], []
    for offer in offers:
        if words := _why_kept(offer, has_dossiers=offer.pk in held):
            kept.append((offer, words))
        else:
            gone.append(offer)
    keys = [offer.pk for offer in gone]
    journal.record_each(
        by=by,
        action="delete",
        subjects={offer: {"title": offer.title, "number": offer.action_number} for offer in gone},
        at=at,
    )
    Session.objects.filter(offer__in=keys).delete()
    Offer.objects.filter(pk__in=keys).delete()
    return gone, kept


def _why_kept(offer: Offer, *, has_dossiers: bool) -> str:
    if offer.withheld_for:
        return _("L’administration du portail retient cette offre : elle ne se supprime pas.")
    if has_dossiers:
        return _("Des personnes ont un dossier sur cette offre : elle ne disparaît pas. Archivez-la.")
    if offer.state == Offer.State.PUBLISHED:
        return _("Masquez d’abord cette offre, puis archivez-la. Vous pourrez la supprimer ensuite.")
    if offer.state == Offer.State.SUSPENDED:
        return _("Archivez d’abord cette offre. Vous pourrez la supprimer ensuite.")
    return ""


def placed(fields: dict[str, Any]) -> dict[str, Any]:
    """A place is a town with all that follows from it; at a distance there is none."""
    if "mode" not in fields:
        return fields
    town = None if fields["mode"] == Offer.Mode.DISTANCE else fields.pop("town", None)
    fields.pop("town", None)
    return fields | {
        "town_id": town.pk if town else None,
        "town_name": town.name if town else "",
        "postal_code": town.postal_codes[0] if town and town.postal_codes else "",
        "point": town.point if town else None,
        "address": fields.get("address", "") if town else "",
    }


# --- Sessions -------------------------------------------------------------------------------------


@transaction.atomic
def add_session(
    offer_id: UUID, *, by: Actor, at: datetime, request_id: UUID, fields: Mapping[str, Any]
) -> Session:
    """A new session, open to registrations; the same request again gives the same one."""
    offer = _lock_offer(offer_id, by=by)
    number = f"S-{request_id.hex[:12].upper()}"
    if known := offer.sessions.filter(number=number).first():
        return known
    if offer.sessions.count() >= SESSIONS_MAX:
        raise Refused(
            _("Cette offre a déjà %(count)s sessions. Supprimez celles qui sont passées.")
            % {"count": SESSIONS_MAX}
        )
    session = Session(offer=offer, number=number, **fields)
    _check_dates(session, on=workdays.paris_day(at))
    session.save()
    _touch(offer, by=by, at=at, details={"session": session.number})
    return session


@transaction.atomic
def edit_session(session_id: UUID, *, by: Actor, at: datetime, fields: Mapping[str, Any]) -> Session:
    """Refused: its dates would change under people who have a dossier on it."""
    session = _lock_session(session_id, by=by)
    if promises.broken(session, fields):
        if promises.sessions_held([session.pk]):
            raise Refused(
                _(
                    "Des personnes ont un dossier sur cette session : ses dates ne changent plus."
                    " Fermez-la aux inscriptions et ajoutez-en une autre."
                ),
                field="starts_on",
            )
        for name, value in fields.items():
            setattr(session, name, value)
        _check_dates(session, on=workdays.paris_day(at))
    for name, value in fields.items():
        setattr(session, name, value)
    session.save(update_fields=list(fields))
    _touch(session.offer, by=by, at=at, details={"session": session.number})
    return session


@transaction.atomic
def set_recruitment(session_id: UUID, *, by: Actor, at: datetime, is_open: bool) -> Session:
    """Open the session to new registrations, or close it. Dossiers under way go on."""
    session = _lock_session(session_id, by=by)
    wanted = Session.Recruitment.OPEN if is_open else Session.Recruitment.CLOSED
    if session.recruitment != wanted:
        session.recruitment = wanted
        session.save(update_fields=["recruitment"])
        _touch(session.offer, by=by, at=at, details={"session": session.number, "open": is_open})
    return session


@transaction.atomic
def delete_session(session_id: UUID, *, by: Actor, at: datetime) -> None:
    """Refused: somebody has a dossier on it."""
    session = _lock_session(session_id, by=by)
    if promises.sessions_held([session.pk]):
        raise Refused(
            _("Des personnes ont un dossier sur cette session. Fermez-la plutôt aux nouvelles inscriptions.")
        )
    number = session.number
    session.delete()
    _touch(session.offer, by=by, at=at, details={"session": number, "deleted": True})


# --- Pieces ---------------------------------------------------------------------------------------


def lock_provider(by: Actor) -> Provider:
    """The organisation that acts, locked: its drafts are counted one request after the other."""
    check_member(by.organisation_id, by=by)
    return (
        Provider.objects.select_related("organisation")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=by.organisation_id)
    )


def _lock_offer(offer_id: UUID, *, by: Actor) -> Offer:
    """Refused: an import of the catalogue holds it longer than one can wait."""
    found = Offer.objects.select_related("provider__organisation", "certification")
    with unless_an_import_holds_it():
        offer = found.select_for_update(of=("self",)).get(pk=offer_id)
    check_member(offer.provider_id, by=by)
    return offer


def _lock_session(session_id: UUID, *, by: Actor) -> Session:
    """Its offer first, as everywhere."""
    offer = _lock_offer(Session.objects.values_list("offer", flat=True).get(pk=session_id), by=by)
    session = Session.objects.select_for_update(of=("self",)).get(pk=session_id)
    session.offer = offer
    return session


def number_of(request_id: UUID) -> str:
    """« P-3F9A1C2B7D40 »: no import gives such a number by chance, and one request gives one offer."""
    return f"P-{request_id.hex[:12].upper()}"


def _of_request(provider: Provider, request_id: UUID) -> Offer | None:
    number = number_of(request_id)
    return Offer.objects.filter(provider=provider, training_number=number, action_number=number).first()


def _add_draft(
    provider: Provider, request_id: UUID, *, by: Actor, at: datetime, fields: Mapping[str, Any]
) -> Offer:
    # Those taken over from an offer for the next certification are as many as that had (catalog.succession).
    written = Offer.objects.filter(provider=provider, is_draft=True, replaces__isnull=True)
    if written.count() >= DRAFTS_MAX:
        raise Refused(
            _("Vous avez déjà %(count)s brouillons. Publiez-les ou supprimez-en.") % {"count": DRAFTS_MAX}
        )
    number = number_of(request_id)
    offer = Offer.objects.create(
        provider=provider,
        training_number=number,
        action_number=number,
        is_handmade=True,
        is_draft=True,
        is_published=False,
        updated_at=at,
        **{"price_cents": 0, **fields},
    )
    journal.record(by=by, action="draft", subject=offer, at=at)
    return offer


def _purpose(kind: str, certification: Certification | None, *, at: datetime) -> dict[str, Any]:
    if kind == Offer.Kind.CERTIFYING:
        if certification is None:
            raise Refused(_("Choisissez la certification que la formation prépare."), field="q")
        return {"kind": kind, "certification_id": certification.pk, "portal_code": ""}
    rules = rulebook.on(workdays.paris_day(at))
    code = next((code for code, of in sorted(rules.portal_code_kinds.items()) if of == kind), None)
    if code is None:
        raise Refused(_("Cette nature d’action n’est pas proposée aujourd’hui."), field="kind")
    return {"kind": kind, "certification_id": None, "portal_code": code, "block_codes": []}


def _write(offer: Offer, fields: dict[str, Any], *, by: Actor, at: datetime) -> Offer:
    changed = {name: value for name, value in fields.items() if getattr(offer, name) != value}
    # An address of the same town may be more exact than the town: an import gave its position.
    if "town_id" not in changed:
        for name in ("point", "postal_code", "town_name"):
            changed.pop(name, None)
    if not changed:
        return offer
    if promises.broken(offer, changed) and promises.offers_held([offer.pk]):
        raise Refused(
            _(
                "Des personnes ont un dossier sur cette offre : sa nature, sa certification, sa modalité"
                " et sa commune ne changent plus. Dupliquez l’offre et masquez celle-ci."
            )
        )
    lacked = lint.missing(offer)
    for name, value in changed.items():
        setattr(offer, name, value)
    if not offer.is_draft:
        _check_whole(offer, lacked=lacked)
        offer.hand_edited_at = at
    offer.updated_at = at
    offer.save(update_fields=[*changed, "updated_at", "hand_edited_at"])
    if not offer.is_draft:
        indexing.reindex([offer.pk], on=workdays.paris_day(at))
        journal.record(by=by, action="edit", subject=offer, at=at, details={"fields": sorted(changed)})
    return offer


def _touch(offer: Offer, *, by: Actor, at: datetime, details: dict[str, Any]) -> None:
    """The offer's sessions changed by hand: an import, or undoing one, must know."""
    if offer.is_draft:
        return
    offer.updated_at = offer.hand_edited_at = at
    offer.save(update_fields=["updated_at", "hand_edited_at"])
    indexing.reindex([offer.pk], on=workdays.paris_day(at))
    journal.record(by=by, action="edit", subject=offer, at=at, details=details)


def _check_whole(offer: Offer, *, lacked: list[lint.Remark]) -> None:
    """What people can see loses nothing they need to decide; what an import left out is not asked for."""
    for remark in lint.missing(offer):
        if remark not in lacked:
            raise Refused(remark.sentence, field=remark.field)


def _check_dates(session: Session, *, on: date) -> None:
    """A session of the future, that ends after it starts, and that the offer does not have already."""
    if session.starts_on is not None:
        if session.ends_on is None or session.ends_on < session.starts_on:
            raise Refused(_("La session finit avant de commencer. Vérifiez les deux dates."), field="ends_on")
        if session.starts_on <= on:
            raise Refused(_("Choisissez un premier jour à venir."), field="starts_on")
        furthest = on + timedelta(days=366 * FURTHEST_YEARS)
        if session.ends_on > furthest:
            raise Refused(
                _("Vérifiez l’année : la session doit finir avant le %(day)s.")
                % {"day": french.day(furthest)},
                field="ends_on",
            )
    twins = Session.objects.filter(
        offer=session.offer_id, starts_on=session.starts_on, ends_on=session.ends_on, details=session.details
    )
    if twins.exclude(pk=session.pk).exists():
        raise Refused(
            _("Cette session existe déjà. Pour un autre groupe aux mêmes dates, précisez-le."),
            field="details",
        )
