"""Transfers that the bank says we received: read, matched, confirmed when nothing is in doubt.

Only a reference that holds, on a dossier that waits for exactly this amount, confirms a registration by
itself; one that came in time confirms though its file comes after the silence was settled. Everything else
waits for a person, with what it may be. The same transfer read twice counts once.

Locks: the dossier, then the transfer (docs/locks.md).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from accounts import journal, matching
from accounts.actors import Actor
from accounts.permissions import NotAllowed
from catalog.imports import reading, values
from catalog.imports.reading import Source, Unusable
from catalog.imports.values import Wrong
from dossiers import announcements, guards, moves, payment_references, workflow
from dossiers.models import BankTransfer, CardPayment, Deadline, Dossier, FundingLine, Refund
from dossiers.states import ClockKind, State
from rulebook import workdays
from ui import french
from ui.refusals import Refused

__all__ = ["Unusable"]

FILE_BYTES_MAX = 20 * 2**20
INSTANT = timedelta(microseconds=1)
S = BankTransfer.State


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer of a file. `bank_id`: the bank's own number, "" where it gives none. Cents."""

    bank_id: str
    amount_cents: int
    booked_on: date
    text: str
    payer_name: str
    payer_iban: str


@dataclass(slots=True)
class Report:
    """What became of a file. `refused`: (line of the file, why)."""

    known: int = 0
    by_state: Counter = field(default_factory=Counter)
    refused: list[tuple[int, str]] = field(default_factory=list)

    @property
    def new(self) -> int:
        return sum(self.by_state.values())


# --- Reading -----------------------------------------------------------------------------------------


def read(source: Source, *, on_refusal) -> Iterator[Line]:
    """The credits of a camt.053 statement, or of a CSV file; `on_refusal(line, why)` hears of the others.

    Unusable: neither, or a file that means harm (document type, bomb, wrong encoding).
    """
    with reading.unpack(source, max_bytes=FILE_BYTES_MAX) as stream:
        is_xml = stream.head(200).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    yield from (_read_camt(source, on_refusal) if is_xml else _read_csv(source, on_refusal))


def _read_camt(source: Source, on_refusal) -> Iterator[Line]:
    for entry in reading.xml_records(
        source, root="Document", record="Ntry", depth=3, max_bytes=FILE_BYTES_MAX
    ):
        if _said(entry, "CdtDbtInd") != "CRDT" or _said(entry, "RvslInd") == "true":
            continue  # what we paid, or took back
        # « BOOK » before version 8 of the format, « Sts/Cd » since; what is not booked may never come.
        if (_said(entry, "Sts", "Cd") or _said(entry, "Sts")) not in {"BOOK", ""}:
            continue
        parts = entry.findall("{*}NtryDtls/{*}TxDtls") or [entry]
        for number, part in enumerate(parts, start=1):
            try:
                yield _camt_line(entry, part, number=number, is_alone=len(parts) == 1)
            except Wrong as wrong:
                on_refusal(reading.line_of(entry), str(wrong))


def _camt_line(entry, part, *, number: int, is_alone: bool) -> Line:
    amount = part.find("{*}Amt")
    if amount is None:
        amount = part.find("{*}AmtDtls/{*}TxAmt/{*}Amt")
    if amount is None and is_alone:
        amount = entry.find("{*}Amt")
    if amount is None:
        raise Wrong(_("Le montant manque."))
    if amount.get("Ccy") != "EUR":
        raise Wrong(_("Ce virement n’est pas en euros."))
    day = _said(entry, "ValDt", "Dt") or _said(entry, "BookgDt", "Dt") or _said(entry, "BookgDt", "DtTm")
    own = _said(part, "Refs", "AcctSvcrRef")
    shared = _said(entry, "AcctSvcrRef")
    texts = [found.text or "" for found in part.findall("{*}RmtInf/{*}Ustrd")]
    texts += [found.text or "" for found in part.findall("{*}RmtInf/{*}Strd/{*}CdtrRefInf/{*}Ref")]
    end_to_end = _said(part, "Refs", "EndToEndId")
    texts += [end_to_end] if end_to_end not in {"", "NOTPROVIDED"} else []
    texts += [] if texts else [_said(entry, "AddtlNtryInf")]
    payer = part.find("{*}RltdPties")
    return _line(
        bank_id=own or (shared and (shared if is_alone else f"{shared}/{number}")),
        amount=amount.text or "",
        booked_on=_iso_day(day),
        text=" ".join(texts),
        payer_name=_said(payer, "Dbtr", "Pty", "Nm") or _said(payer, "Dbtr", "Nm"),
        payer_iban=_said(payer, "DbtrAcct", "Id", "IBAN"),
    )


def _read_csv(source: Source, on_refusal) -> Iterator[Line]:
    """Columns: date, montant, libellé; then, where the bank gives them, numéro, payeur, iban."""
    for number, row in reading.csv_rows(source, max_bytes=FILE_BYTES_MAX):
        row = {name.lower(): cell for name, cell in row.items()}
        if missing := [name for name in ("date", "montant", "libellé") if name not in row]:
            raise Unusable(_("La colonne « %(name)s » manque.") % {"name": missing[0]}, line=1)
        try:
            booked_on = values.french_date(row["date"])
            if booked_on is None:
                raise Wrong(_("La date manque."))
            yield _line(
                bank_id=row.get("numéro", ""),
                amount=row["montant"].replace(" ", "").replace("\u202f", "").replace("\xa0", ""),
                booked_on=booked_on,
                text=row["libellé"],
                payer_name=row.get("payeur", ""),
                payer_iban=row.get("iban", ""),
            )
        except Wrong as wrong:
            on_refusal(number, str(wrong))


def _line(*, bank_id: str, amount: str, booked_on: date, text: str, payer_name: str, payer_iban: str) -> Line:
    amount_cents = values.cents(amount)
    if not amount_cents:
        raise Wrong(_("Le montant est nul."))
    return Line(
        bank_id=values.line(bank_id)[:100],
        amount_cents=amount_cents,
        booked_on=booked_on,
        text=values.line(text)[:500],
        payer_name=values.line(payer_name)[:140],
        payer_iban="".join(payer_iban.split()).upper()[:34],
    )


def _said(element, *path: str) -> str:
    found = None if element is None else element.find("/".join(f"{{*}}{name}" for name in path))
    return "" if found is None else (found.text or "").strip()


def _iso_day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Wrong(_("« %(text)s » n’est pas une date.") % {"text": values.short(text)}) from None


# --- Importing ---------------------------------------------------------------------------------------


def import_file(source: Source, *, by: Actor, at: datetime) -> Report:
    """Read a file and take each of its transfers in, in a transaction of its own. By an administrator.

    Again, whole or in part, it changes nothing. Unusable: nothing was taken in after what it names.
    """
    report = Report()
    seen: Counter = Counter()
    lines = list(read(source, on_refusal=lambda number, why: report.refused.append((number, why))))
    for line in lines:
        seen[line] += 1
        state = take_in(line, bank_id=line.bank_id or _digest(line, seen[line]), by=by, at=at)
        if state is None:
            report.known += 1
        else:
            report.by_state[state] += 1
    return report


def _digest(line: Line, occurrence: int) -> str:
    """Where the bank gives no number: what the line says, and which of those that say the same it is."""
    said = (line.amount_cents, line.booked_on, line.text, line.payer_name, line.payer_iban, occurrence)
    return "sha256:" + hashlib.sha256(repr(said).encode()).hexdigest()


def take_in(line: Line, *, bank_id: str, by: Actor, at: datetime) -> BankTransfer.State | None:
    """One transfer: confirm what it pays when nothing is in doubt, else put it in the queue. None: known."""
    _check_admin(by)
    if BankTransfer.objects.filter(bank_id=bank_id).exists():
        return None
    guess = match(line)
    try:
        with transaction.atomic():
            state, note = guess.state, guess.note
            if state == S.MATCHED and guess.dossier is not None:
                try:
                    with transaction.atomic():
                        _confirm(guess.dossier, bank_id, line.amount_cents, line.booked_on, by=by, at=at)
                except Refused as refusal:
                    state, note = S.NEAR, refusal.message
            BankTransfer.objects.create(
                bank_id=bank_id,
                amount_cents=line.amount_cents,
                booked_on=line.booked_on,
                text=line.text,
                payer_name=line.payer_name,
                payer_iban=line.payer_iban,
                state=state,
                note=note[:255],
                dossier=guess.dossier,
                imported_at=at,
                imported_by=by.user,  # type: ignore[misc]  # an administrator is somebody
            )
    except IntegrityError:
        return None  # somebody imports the same file right now
    return state


@dataclass(frozen=True, slots=True)
class Guess:
    """What a transfer may pay. `state`: MATCHED, NEAR or UNKNOWN; `note`: why, for a person."""

    state: BankTransfer.State
    dossier: Dossier | None = None
    note: str = ""


def match(line: Line) -> Guess:
    """What this transfer pays, as far as its text, its amount and who paid tell. Reads only."""
    found = payment_references.find(line.text)
    sure = list(Dossier.objects.filter(number__in=found.sure).select_related("holder").order_by("number"))
    if len(sure) > 1:
        return Guess(S.NEAR, None, _("Le libellé nomme plusieurs dossiers."))
    if sure:
        [dossier] = sure
        if dossier.state != State.AWAITING_PAYMENT and not _lapsed_though_paid(
            dossier, _last_instant(line.booked_on)
        ):
            return Guess(S.NEAR, dossier, _("Ce dossier n’attend pas de paiement."))
        wanted = workflow.remainder_line(dossier).amount_cents
        if wanted != line.amount_cents:
            words = {"received": french.euros(line.amount_cents), "wanted": french.euros(wanted)}
            return Guess(S.NEAR, dossier, _("Reçu %(received)s au lieu de %(wanted)s.") % words)
        return Guess(S.MATCHED, dossier)
    waiting = _waiting_for(line.amount_cents)
    near = [dossier for dossier in waiting if dossier.number in found.near]
    if near:
        return Guess(S.NEAR, near[0] if len(near) == 1 else None, _("Un chiffre de la référence diffère."))
    said = _words(f"{line.payer_name} {line.text}")
    named = [
        dossier
        for dossier in waiting
        if any(
            name and _words(name) <= said for name in (dossier.holder.birth_name, dossier.holder.used_name)
        )
    ]
    if len(named) == 1:
        return Guess(S.NEAR, named[0], _("Sans référence : le montant et le nom correspondent."))
    return Guess(S.UNKNOWN, None, _("Aucune référence de dossier n’est reconnue."))


NEAR_READ_MAX = 500


def _waiting_for(amount_cents: int) -> list[Dossier]:
    """Dossiers that wait for exactly this amount."""
    lines = FundingLine.objects.filter(
        kind=FundingLine.Kind.PAYMENT,
        amount_cents=amount_cents,
        reserved__isnull=True,
        dossier__state=State.AWAITING_PAYMENT,
    )
    found = {line.dossier_id: line.dossier for line in lines.select_related("dossier__holder").order_by("id")}
    waiting = list(found.values())[:NEAR_READ_MAX]
    return [dossier for dossier in waiting if workflow.remainder_line(dossier).amount_cents == amount_cents]


def _words(text: str) -> set[str]:
    """Without accents, signs and case: banks write names in their own way."""
    return set(matching.name_key(text).split())


def _confirm(
    dossier: Dossier, bank_id: str, amount_cents: int, booked_on: date, *, by: Actor, at: datetime
) -> None:
    """Book it; a dossier that lapsed before we knew is brought back in the same transaction."""
    # A day to come makes nobody early.
    paid_at = min(at, _last_instant(booked_on))
    with transaction.atomic():
        dossier = moves.lock(dossier.pk)
        if _lapsed_though_paid(dossier, paid_at):
            workflow.reinstate(
                dossier.pk,
                by=by,
                at=at,
                request_id=uuid5(NAMESPACE_URL, f"bank-transfer:{bank_id}:reinstate"),
                reason=_("Le virement était arrivé dans le délai."),
            )
        workflow.confirm_payment(
            dossier.pk,
            by=by,
            at=at,
            paid_at=paid_at,
            request_id=uuid5(NAMESPACE_URL, f"bank-transfer:{bank_id}"),
            reference=bank_id,
            amount_cents=amount_cents,
        )


def _last_instant(booked_on: date) -> datetime:
    """The day the bank gives a transfer counts, to its end, whenever its file is read."""
    return workdays.midnight_after(booked_on) - INSTANT


def _lapsed_though_paid(dossier: Dossier, paid_at: datetime) -> bool:
    """It is without follow-up for want of a payment that had come in time (docs/decisions.md, 59)."""
    if dossier.state != State.LAPSED:
        return False
    clock = Deadline.objects.filter(dossier=dossier, outcome=Deadline.Outcome.MISSED).latest(
        "closed_at", "id"
    )
    return clock.kind == ClockKind.PAYMENT and paid_at < clock.due_at


# --- Deciding ----------------------------------------------------------------------------------------


def attach(transfer_id: int, *, number: str, reason: str, by: Actor, at: datetime) -> BankTransfer:
    """This transfer pays this dossier. By an administrator, who says why; the amount must be exact.

    Effects: the registration is confirmed; MATCHED; a line of the journal.
    """
    _check_admin(by)
    guards.check_reason(reason)
    dossier = Dossier.objects.filter(number="".join(number.split())).first()
    if dossier is None:
        raise Refused(_("Aucun dossier ne porte ce numéro."), field="number")
    with transaction.atomic():
        # The dossier first, as everywhere.
        moves.lock(dossier.pk)
        transfer = _undecided(transfer_id)
        try:
            _confirm(dossier, transfer.bank_id, transfer.amount_cents, transfer.booked_on, by=by, at=at)
        except Refused as refusal:
            raise Refused(refusal.message, field="number") from None
        transfer.dossier = dossier
        return _decide(transfer, S.MATCHED, reason=reason, action="transfer_attached", by=by, at=at)


def send_back(transfer_id: int, *, reason: str, by: Actor, at: datetime) -> BankTransfer:
    """This transfer is not ours: it must go back to who paid. By an administrator, who says why."""
    _check_admin(by)
    guards.check_reason(reason)
    with transaction.atomic():
        transfer = _undecided(transfer_id)
        return _decide(transfer, S.TO_SEND_BACK, reason=reason, action="transfer_to_send_back", by=by, at=at)


def set_aside(transfer_id: int, *, reason: str, by: Actor, at: datetime) -> BankTransfer:
    """Neither paid nor sent back: not a payment of ours. By an administrator, who says why."""
    _check_admin(by)
    guards.check_reason(reason)
    with transaction.atomic():
        transfer = _undecided(transfer_id)
        return _decide(transfer, S.SET_ASIDE, reason=reason, action="transfer_set_aside", by=by, at=at)


def mark_sent_back(
    transfer_id: int, *, reference: str, sent_on: date, by: Actor, at: datetime
) -> BankTransfer:
    """It has left our bank, on that day, under that reference. By an administrator.

    Effects: SENT_BACK; the refund that waited for it is sent, and its holder told; a line of the journal.
    """
    _check_admin(by)
    transfer = BankTransfer.objects.get(pk=transfer_id)
    refund = waiting_refunds().filter(payment_reference=transfer.bank_id).first()
    if refund is not None:
        mark_refund_sent(refund.pk, reference=reference, sent_on=sent_on, by=by, at=at)
        return BankTransfer.objects.get(pk=transfer_id)
    with transaction.atomic():
        transfer = BankTransfer.objects.select_for_update().get(pk=transfer_id)
        if transfer.state == S.SENT_BACK:
            return transfer
        if transfer.state != S.TO_SEND_BACK:
            raise Refused(_("Ce virement n’est pas à renvoyer."))
        _leave(transfer, reference=reference, sent_on=sent_on, by=by, at=at)
        details = {"reference": transfer.sent_reference, "day": sent_on.isoformat()}
        journal.record(by=by, action="transfer_sent_back", subject=transfer, at=at, details=details)
    return transfer


def to_send_back() -> QuerySet[BankTransfer]:
    """Transfers that a person must send back, and that no refund stands for."""
    stands_for = waiting_refunds().filter(payment_reference=OuterRef("bank_id"))
    return BankTransfer.objects.filter(~Exists(stands_for), state=S.TO_SEND_BACK)


def waiting_refunds() -> QuerySet[Refund]:
    """Refunds that a person makes at the bank: what is given back came by transfer."""
    return Refund.objects.filter(way=Refund.Way.TRANSFER, state=Refund.State.DUE)


def mark_refund_sent(
    refund_id: UUID, *, reference: str, by: Actor, at: datetime, sent_on: date | None = None
) -> Refund:
    """A refund left by transfer: one that came by transfer, or that no card would take. By an administrator.

    `sent_on`: the day it left our bank; today unless told. Effects: SENT; the holder is told; a line of the
    journal. Refused: already sent, or the card's own.
    """
    _check_admin(by)
    guards.check_reason(reference, field="reference")
    dossier_id = Refund.objects.values_list("dossier_id", flat=True).get(pk=refund_id)
    with transaction.atomic():
        dossier = moves.lock(dossier_id)
        refund = Refund.objects.select_for_update().get(pk=refund_id)
        is_by_hand = refund.way == Refund.Way.TRANSFER or refund.state == Refund.State.STUCK
        if refund.state == Refund.State.SENT or not is_by_hand:
            raise Refused(_("Ce remboursement est déjà envoyé, ou part seul sur la carte."))
        refund.state, refund.sent_at, refund.sent_by = Refund.State.SENT, at, by.user
        refund.service_id = refund.service_id or reference[:100]
        refund.save(update_fields=["state", "sent_at", "sent_by", "service_id"])
        if refund.card_payment_id:
            CardPayment.objects.filter(pk=refund.card_payment_id, state=CardPayment.State.REFUND_DUE).update(
                state=CardPayment.State.REFUNDED
            )
        # The transfer it came by waits to be sent back by nobody else.
        came_by = BankTransfer.objects.filter(bank_id=refund.payment_reference, state=S.TO_SEND_BACK)
        for transfer in came_by.select_for_update():
            day = sent_on or workdays.paris_day(at)
            _leave(transfer, reference=reference, sent_on=day, by=by, at=at)
        announcements.tell_refund(dossier, refund, at=at)
        journal.record(
            by=by,
            action="refund_sent_by_hand",
            subject=dossier,
            at=at,
            details={"reference": reference[:100], "amount": refund.amount_cents},
        )
    return refund


def _leave(transfer: BankTransfer, *, reference: str, sent_on: date, by: Actor, at: datetime) -> None:
    """Why it goes back was decided before, and by whom; this is that it went."""
    guards.check_reason(reference, field="reference")
    if not transfer.booked_on <= sent_on <= workdays.paris_day(at):
        raise Refused(
            _("Donnez le jour du renvoi : après sa réception, au plus tard aujourd’hui."), field="sent_on"
        )
    transfer.state, transfer.sent_on = S.SENT_BACK, sent_on
    transfer.sent_reference, transfer.sent_by = reference.strip()[:100], by.user
    transfer.save(update_fields=["state", "sent_on", "sent_reference", "sent_by"])


def _undecided(transfer_id: int) -> BankTransfer:
    transfer = BankTransfer.objects.select_for_update(of=("self",)).get(pk=transfer_id)
    if transfer.state not in BankTransfer.WAITING:
        raise Refused(
            _("Ce virement est déjà décidé : « %(state)s ».") % {"state": transfer.get_state_display()}
        )
    return transfer


def _decide(
    transfer: BankTransfer, state: BankTransfer.State, *, reason: str, action: str, by: Actor, at: datetime
) -> BankTransfer:
    transfer.state, transfer.decision_reason = state, reason.strip()[:255]
    transfer.decided_at, transfer.decided_by = at, by.user
    transfer.save(update_fields=["state", "decision_reason", "decided_at", "decided_by", "dossier"])
    details = {"reason": transfer.decision_reason}
    if transfer.dossier is not None:
        details["row"] = journal.subject_of(transfer.dossier)
    journal.record(by=by, action=action, subject=transfer, at=at, details=details)
    return transfer


def _check_admin(by: Actor) -> None:
    if not by.is_admin:
        raise NotAllowed(_("Seule une personne de l’administration peut le faire."))
