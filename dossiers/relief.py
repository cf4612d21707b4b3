"""Giving time back after an outage: one admin proposes, another confirms, with a reason.

An extension closes the running clock as MOOT and opens a new one; a reinstatement is a move of
its own, reserving again (docs/decisions.md, 19). Everyone concerned is told why. One dossier that
cannot be helped does not stop the others: the relief keeps what happened to each.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from accounts.permissions import NotAllowed
from dossiers import announcements, clocks, moves, training, workflow
from dossiers.models import Deadline, Dossier, Relief
from dossiers.states import ClockKind
from rulebook import workdays
from ui.refusals import Refused

# Not law: it stops slips. An outage longer than four weeks takes two reliefs.
EXTRA_DAYS_MAX = 20
VERBS = {
    Relief.Kind.REINSTATE: workflow.reinstate,
    Relief.Kind.ANNUL_ENTRY: training.annul_entry,
    Relief.Kind.CALL_OFF: workflow.give_all_back,
}
DONE = "ok"
"""What a relief's report says of a dossier that was helped; else, why not."""


def propose(
    *, kind: Relief.Kind, dossiers: Iterable[UUID], reason: str, extra_days: int = 0, by: Actor, at: datetime
) -> Relief:
    """Ask for a relief. Effects: a Relief row that waits for another admin."""
    _check_admin(by)
    found = list(Dossier.objects.filter(pk__in=list(dossiers)))
    if not found:
        raise Refused(_("Choisissez au moins un dossier."), field="dossiers")
    if not reason.strip():
        raise Refused(_("Donnez la raison : elle sera dite aux personnes concernées."), field="reason")
    if kind == Relief.Kind.EXTEND and not 1 <= extra_days <= EXTRA_DAYS_MAX:
        raise Refused(
            _("Une prolongation ajoute de 1 à %(max)s jours ouvrés.") % {"max": EXTRA_DAYS_MAX},
            field="extra_days",
        )
    with transaction.atomic():
        relief = Relief.objects.create(
            kind=kind,
            reason=reason.strip(),
            extra_days=extra_days if kind == Relief.Kind.EXTEND else 0,
            proposed_by=by.user,
            proposed_at=at,
        )
        relief.dossiers.set(found)
    return relief


def confirm(relief_id: int, *, by: Actor, at: datetime) -> Relief:
    """Carry a relief out. By another admin than the one who proposed it. Once.

    Each dossier is helped in its own transaction, with a request id of its own: a confirmation
    that was cut off halfway is taken up by confirming again.
    """
    _check_admin(by)
    with transaction.atomic():
        relief = Relief.objects.select_for_update(of=("self",)).get(pk=relief_id)
        if relief.confirmed_by_id is None:
            if relief.proposed_by == by.user:
                raise NotAllowed(_("Une autre personne que celle qui propose doit confirmer."))
            relief.confirmed_by = by.user
            relief.confirmed_at = at
            relief.save(update_fields=["confirmed_by", "confirmed_at"])
    report = dict(relief.report)
    for dossier_id in relief.dossiers.order_by("pk").values_list("pk", flat=True):
        if report.get(str(dossier_id)) == DONE:
            continue
        try:
            if relief.kind == Relief.Kind.EXTEND:
                extend(dossier_id, relief=relief, by=by, at=at)
            else:
                request_id = uuid5(NAMESPACE_URL, f"relief:{relief.pk}:{dossier_id}")
                verb = VERBS[Relief.Kind(relief.kind)]
                verb(dossier_id, by=by, at=at, request_id=request_id, reason=relief.reason)
            report[str(dossier_id)] = DONE
        except Refused as error:
            report[str(dossier_id)] = error.message
        Relief.objects.filter(pk=relief.pk).update(report=report)
    relief.report = report
    return relief


def extend(dossier_id: UUID, *, relief: Relief, by: Actor, at: datetime) -> None:
    """Give one dossier's running clock more business days, counted from its last day, or from today
    when that day is past. Effects: the old clock MOOT, a new one, `free_until` follows, notices."""
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        if Deadline.objects.filter(dossier=dossier, opened_by_relief=relief).exists():
            return
        clock = Deadline.objects.filter(dossier=dossier, closed_at__isnull=True).first()
        if clock is None:
            raise Refused(_("Aucun délai ne court sur ce dossier."))
        kind = ClockKind(clock.kind)
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        period = workdays.period(max(clock.last_day, today), relief.extra_days)
        period = clocks.until_start_at_most(period, starts_on=clocks.never_after(dossier, kind))
        if period.expires_at <= max(clock.due_at, at):
            raise Refused(_("Ce délai ne peut pas aller plus loin que le début de la formation."))
        clocks.close_clock(dossier, kind, at=at, outcome=Deadline.Outcome.MOOT)
        new = clocks.open_clock(dossier, kind, at=at, rules=rules, period=period, relief=relief)
        if kind == ClockKind.WITHDRAWAL:
            dossier.free_until = new.due_at
            dossier.save(update_fields=["free_until"])
        announcements.tell_extension(dossier, new, relief=relief, at=at)


def _check_admin(by: Actor) -> None:
    if not by.is_admin:
        raise NotAllowed(_("Seule l’administration peut rendre du temps."))
