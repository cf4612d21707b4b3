"""One certification succeeds another: which, and an organisation's offers taken over from one to the next.

The offer of the old certification keeps its dossiers and its own life; the new one is a draft that its
organisation reads again and publishes (docs/offers.md). Nothing is copied twice, whoever presses the button.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actors import Actor
from catalog import editing
from catalog.guards import by_title, unless_an_import_holds_it
from catalog.models import Certification, CertificationBlock, Offer, Session, Succession
from rulebook import workdays
from ui import french
from ui.refusals import Refused

# A chain of successors is short; a circle in the register must not hold us.
DEPTH_MAX = 10


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What pressing the button did: drafts that were made, and how many offers had theirs already."""

    made: list[Offer]
    already: int


def successors_of(codes: Collection[str], *, on: date) -> dict[str, list[Certification]]:
    """Code → the certifications that replace it and are registered still, by code; those that ended too are
    followed to their own successors. As many queries as the longest chain has links, and one more."""
    links: dict[str, list[str]] = {}
    frontier = set(codes)
    for _depth in range(DEPTH_MAX):
        if not frontier:
            break
        pairs = Succession.objects.filter(old_code__in=frontier).order_by("old_code", "new_code")
        links |= {code: [] for code in frontier}
        for old, new in pairs.values_list("old_code", "new_code"):
            links[old].append(new)
        frontier = {new for found in links.values() for new in found} - set(links)
    known = Certification.objects.in_bulk({new for found in links.values() for new in found})
    return {code: _alive(code, links, known, on=on) for code in codes}


def _alive(
    code: str, links: dict[str, list[str]], known: dict[str, Certification], *, on: date
) -> list[Certification]:
    found: dict[str, Certification] = {}
    seen, waiting = {code}, list(links.get(code, []))
    while waiting:
        new = waiting.pop(0)
        if new in seen:
            continue
        seen.add(new)
        certification = known.get(new)
        if certification and _is_registered(certification, on=on):
            found[new] = certification
        else:
            waiting += links.get(new, [])
    return [found[new] for new in sorted(found)]


def _is_registered(certification: Certification, *, on: date) -> bool:
    """It may take effect later: an offer can be prepared for it already."""
    until = certification.registered_until
    return not certification.withdrawn and until is not None and until >= on


def to_take_over(organisation_id: UUID, old_code: str):
    """The offers of an organisation that the button is about: all but drafts and those that are put away."""
    return Offer.objects.filter(
        provider_id=organisation_id,
        certification_id=old_code,
        is_draft=False,
        archived_at__isnull=True,
        withheld_for="",
    )


@transaction.atomic
def take_over(*, old_code: str, new_code: str, by: Actor, at: datetime, request_id: UUID) -> TakenOver:
    """A draft for the next certification of each offer of the actor's organisation that has none yet.

    Words, price and place are the same; blocks are those of the same title; sessions are those that the old
    certification will not cover to their end. Refused: it is not the successor, or there is no offer.
    """
    provider = editing.lock_provider(by)
    today = workdays.paris_day(at)
    old = Certification.objects.filter(pk=old_code).first()
    new = next((each for each in successors_of([old_code], on=today)[old_code] if each.pk == new_code), None)
    if old is None or new is None:
        raise Refused(
            _("La certification %(new)s ne remplace pas %(old)s au répertoire national.")
            % {"new": new_code, "old": old_code}
        )
    found = to_take_over(provider.pk, old_code).select_for_update(of=("self",))
    with unless_an_import_holds_it():
        # Locked by key, as everybody does; told by title.
        offers = sorted(found.order_by("pk").prefetch_related("sessions"), key=by_title)
    if not offers:
        raise Refused(_("Vous n’avez plus d’offre à reprendre pour %(code)s.") % {"code": old_code})
    done = Offer.objects.filter(replaces__in=[offer.pk for offer in offers], certification=new)
    done_for = set(done.order_by("pk").values_list("replaces_id", flat=True))
    left = [offer for offer in offers if offer.pk not in done_for]
    blocks = _same_blocks(old, new) if any(offer.block_codes for offer in left) else {}
    drafts = [_draft_of(offer, old, new, blocks, request_id=request_id, at=at) for offer in left]
    Offer.objects.bulk_create(drafts, batch_size=500)
    Session.objects.bulk_create(
        [
            copy
            for offer, draft in zip(left, drafts, strict=True)
            for copy in editing.copies_of(_to_come(offer, old, new, on=today), offer=draft)
        ],
        batch_size=1000,
    )
    if drafts:
        journal.record(
            by=by,
            action="offers_taken_over",
            subject=provider,
            at=at,
            details={"from": old.pk, "to": new.pk, "offers": len(drafts)},
        )
    return TakenOver(drafts, len(done_for))


def _draft_of(
    offer: Offer,
    old: Certification,
    new: Certification,
    blocks: dict[str, str],
    *,
    request_id: UUID,
    at: datetime,
) -> Offer:
    draft = Offer(**{name: getattr(offer, name) for name in editing.COPIED})
    draft.provider_id = offer.provider_id
    # The actions of one training stay together under a number of their own.
    draft.training_number = editing.number_of(uuid5(request_id, f"training:{offer.training_number}"))
    draft.action_number = editing.number_of(uuid5(request_id, f"action:{offer.pk}"))
    draft.certification = new
    draft.replaces = offer
    draft.block_codes = sorted({blocks[code] for code in offer.block_codes if code in blocks})
    if offer.title == old.title[:255]:
        draft.title = new.title[:255]
    draft.is_handmade, draft.is_draft, draft.is_published = True, True, False
    draft.updated_at = at
    return draft


def _same_blocks(old: Certification, new: Certification) -> dict[str, str]:
    """Block of the old one → that of the new one which has the same title."""
    titles: dict[str, dict[str, str]] = {old.pk: {}, new.pk: {}}
    rows = CertificationBlock.objects.filter(certification__in=[old, new]).order_by("code")
    for certification, code, title in rows.values_list("certification_id", "code", "title"):
        titles[certification].setdefault(" ".join(title.split()).casefold(), code)
    return {code: titles[new.pk][title] for title, code in titles[old.pk].items() if title in titles[new.pk]}


def _to_come(offer: Offer, old: Certification, new: Certification, *, on: date) -> Iterable[Session]:
    """Entry at any time, and the open sessions that begin under the new certification and outlive the old."""
    covered_until = old.registered_until if not old.withdrawn else None
    for session in sorted(offer.sessions.all(), key=lambda each: (each.starts_on or date.min, str(each.pk))):
        if not session.is_open:
            continue
        if (
            session.starts_on is None
            or session.ends_on is None
            or (
                session.starts_on > on
                and (covered_until is None or session.ends_on > covered_until)
                and (new.effective_on is None or session.starts_on >= new.effective_on)
            )
        ):
            yield session


def what_replaces(codes: Collection[str], *, on: date) -> dict[str, str]:
    """Code → « RNCP39000 (à partir du 1 janvier 2027) », for letters; codes without successor are absent."""
    found = {}
    for code, each in successors_of(codes, on=on).items():
        words = [
            _("%(code)s, à partir du %(day)s") % {"code": new.pk, "day": french.short_day(new.effective_on)}
            if new.effective_on and new.effective_on > on
            else new.pk
            for new in each
        ]
        if words:
            found[code] = " ; ".join(words)
    return found
