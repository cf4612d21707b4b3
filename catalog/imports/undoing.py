"""Undoes what an import did to one offer, unless something else happened to it since."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from catalog import indexing, promises
from catalog.imports import snapshots
from catalog.models import CatalogueImportLine, Offer, Session
from rulebook import workdays

Verdict = CatalogueImportLine.Verdict


def undo(line: CatalogueImportLine, *, at: datetime) -> tuple[Verdict, str]:
    """What became of the offer of an applied line, and why. In the caller's transaction.

    Its offer and sessions are locked first: who enrols at that moment waits, or is seen.
    """
    offer = Offer.objects.select_for_update().filter(pk=line.offer_id).first()
    if offer is None:
        return Verdict.KEPT, _("Elle n’existe plus.")
    sessions = list(offer.sessions.order_by("number").select_for_update())
    if snapshots.digest(snapshots.of(offer, sessions)) != line.digest:
        return Verdict.KEPT, _("Elle a changé depuis cet import, à la main ou par un autre.")
    if line.verdict == Verdict.CREATED:
        return _take_away(offer, sessions, at=at)
    return _restore(offer, sessions, line.before, at=at)


def _take_away(offer: Offer, sessions: list[Session], *, at: datetime) -> tuple[Verdict, str]:
    if promises.offers_held([offer.pk]):
        _close(sessions)
        offer.is_published, offer.updated_at = False, at
        offer.save(update_fields=["is_published", "updated_at"])
        return Verdict.WITHDRAWN, _("Des personnes ont un dossier : elle est masquée, sans disparaître.")
    Session.objects.filter(pk__in=[session.pk for session in sessions]).delete()
    offer.delete()
    return Verdict.REMOVED, ""


def _restore(offer: Offer, sessions: list[Session], before: dict, *, at: datetime) -> tuple[Verdict, str]:
    known = before["sessions"]
    added = [session for session in sessions if session.number not in known]
    held = promises.sessions_held([session.pk for session in sessions])
    if _breaks(offer, before["offer"]) and promises.offers_held([offer.pk]):
        return Verdict.KEPT, _("Des personnes ont un dossier sur cette offre telle qu’elle est.")
    moved = [session for session in sessions if session.number in known and _breaks(session, known)]
    if held & _keys(moved):
        return Verdict.KEPT, _("Des personnes ont un dossier sur une session dont les dates changeraient.")
    snapshots.put_back(offer, before["offer"])
    offer.updated_at = at
    offer.save(update_fields=[*before["offer"], "updated_at"])
    for session in sessions:
        if session.number in known:
            snapshots.put_back(session, known[session.number])
    Session.objects.bulk_update(
        [session for session in sessions if session.number in known], snapshots.SESSION_FIELDS
    )
    free = [session for session in added if session.pk not in held]
    Session.objects.filter(pk__in=_keys(free)).delete()
    _close([session for session in added if session.pk in held])
    indexing.reindex([offer.pk], on=workdays.paris_day(at))
    if len(free) < len(added):
        return Verdict.RESTORED, _("Une session où des personnes ont un dossier reste, fermée.")
    return Verdict.RESTORED, ""


def _breaks(row: Offer | Session, values: dict) -> bool:
    """Whether putting these plain values back would change what people were promised."""
    plain = values.get(row.number, {}) if isinstance(row, Session) else values
    before = type(row)()
    snapshots.put_back(before, plain)
    return bool(promises.broken(row, {name: getattr(before, name) for name in plain}))


def _keys(sessions: Iterable[Session]) -> set[UUID]:
    return {session.pk for session in sessions}


def _close(sessions: list[Session]) -> None:
    Session.objects.filter(pk__in=_keys(sessions)).update(recruitment=Session.Recruitment.CLOSED)
