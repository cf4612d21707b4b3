"""Transfers received: read, matched, confirmed only when nothing is in doubt, else decided by a person."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from catalog.imports import reading
from dossiers import clocks, deadlines, payment_references, transfers
from dossiers.models import BankTransfer, Dossier, FundingLine, Payment, Refund
from dossiers.states import ClockKind
from notices.models import Notice
from rights import integrity
from rights.models import Movement
from tests.factories.accounts import HolderFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, holder_actor, noon
from tests.factories.payments import BankTransferFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>
<GrpHdr><MsgId>1</MsgId></GrpHdr><Stmt><Id>1</Id>{entries}</Stmt></BkToCstmrStmt></Document>"""
ENTRY_02 = """<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{number}</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
<RltdPties><Dbtr><Nm>{payer}</Nm></Dbtr><DbtrAcct><Id><IBAN>FR7699999000000000000000033</IBAN></Id></DbtrAcct>
</RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""
ENTRY_08 = ENTRY_02.replace("<Sts>BOOK</Sts>", "<Sts><Cd>BOOK</Cd></Sts>").replace(
    "<Dbtr><Nm>{payer}</Nm></Dbtr>", "<Dbtr><Pty><Nm>{payer}</Nm></Pty></Dbtr>"
)


@pytest.fixture
def dossier(at):
    holder = HolderFactory(birth_name="Le Bihan", first_names="Anne-Lise")
    return DossierFactory(awaiting_payment=True, holder=holder, at=at)


@pytest.fixture
def agent(db):
    return admin_actor()


def left_to_pay(dossier) -> int:
    return FundingLine.objects.get(dossier=dossier, kind="payment").amount_cents


def line(dossier, *, at, **fields):
    said = {
        "bank_id": "",
        "amount_cents": left_to_pay(dossier),
        "booked_on": timezone.localdate(at),
        "text": payment_references.of(dossier.number),
        "payer_name": "",
        "payer_iban": "",
    }
    return transfers.Line(**(said | fields))


def take(dossier, agent, *, at, bank_id="BQ1", **fields):
    return transfers.take_in(line(dossier, at=at, **fields), bank_id=bank_id, by=agent, at=at)


def state_of(dossier) -> str:
    return Dossier.objects.get(pk=dossier.pk).state


def a_file(tmp_path, text: str | bytes, name="releve.xml"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return reading.find(path)


def entry(template=ENTRY_08, **fields):
    said = {"currency": "EUR", "amount": "900.00", "way": "CRDT", "day": "2026-11-27", "number": "BQ1"}
    return template.format(**(said | {"payer": "MME LE BIHAN", "text": "RF62 1234 5678 903"} | fields))


# --- Matching ----------------------------------------------------------------------------------------


def test_the_exact_reference_and_amount_confirm_the_registration(dossier, agent, at):
    assert take(dossier, agent, at=at) == "matched"
    assert state_of(dossier) == "accepted"
    assert Payment.objects.get().reference == "BQ1"
    assert BankTransfer.objects.get().dossier == dossier


def test_the_same_transfer_twice_counts_once(dossier, agent, at):
    take(dossier, agent, at=at)
    assert take(dossier, agent, at=at) is None
    assert (BankTransfer.objects.count(), Movement.objects.filter(kind="payment").count()) == (1, 1)


@pytest.mark.parametrize("off", [-1, 1])
def test_an_amount_off_by_a_cent_waits_and_never_moves(dossier, agent, at, off):
    assert take(dossier, agent, at=at, amount_cents=left_to_pay(dossier) + off) == "near"
    assert state_of(dossier) == "awaiting_payment"
    transfer = BankTransfer.objects.get()
    assert transfer.dossier == dossier
    with pytest.raises(Refused, match="montant reçu"):
        transfers.attach(transfer.pk, number=dossier.number, reason="Un centime.", by=agent, at=at)
    assert (state_of(dossier), BankTransfer.objects.get().state) == ("awaiting_payment", "near")


def test_one_wrong_digit_waits_with_the_dossier_it_may_mean(dossier, agent, at):
    right = payment_references.compact(dossier.number)
    wrong = right[:-3] + str((int(right[-3]) + 1) % 10) + right[-2:]
    assert take(dossier, agent, at=at, text=wrong) == "near"
    assert (BankTransfer.objects.get().dossier, state_of(dossier)) == (dossier, "awaiting_payment")


def test_without_a_reference_a_name_and_an_amount_are_only_a_guess(dossier, agent, at):
    assert take(dossier, agent, at=at, text="formation", payer_name="MME LE BIHAN ANNE LISE") == "near"
    assert (BankTransfer.objects.get().dossier, state_of(dossier)) == (dossier, "awaiting_payment")


def test_a_stranger_is_not_recognised(dossier, agent, at):
    assert take(dossier, agent, at=at, text="loyer", payer_name="M. DURAND") == "unknown"
    assert BankTransfer.objects.get().dossier is None


def test_two_dossiers_in_one_text_wait(dossier, agent, at):
    other = DossierFactory(awaiting_payment=True, at=at)
    text = f"{payment_references.of(dossier.number)} et {payment_references.of(other.number)}"
    assert take(dossier, agent, at=at, text=text) == "near"
    assert BankTransfer.objects.get().dossier is None


def test_a_dossier_that_waits_for_nothing_waits_for_a_person(dossier, agent, at):
    act("cancel", dossier, at=at)
    assert take(dossier, agent, at=at) == "near"
    assert "n’attend pas" in BankTransfer.objects.get().note


def test_the_day_of_the_bank_counts_though_the_file_is_read_later(dossier, agent, at):
    clock = clocks.running(dossier, ClockKind.PAYMENT)
    later = clock.due_at + timedelta(hours=9)
    in_time = line(dossier, at=at, booked_on=clock.last_day)
    assert transfers.take_in(in_time, bank_id="BQ1", by=agent, at=later) == "matched"
    assert state_of(dossier) == "accepted"


def lapsed(dossier):
    """Its time to pay is over, and the clock has passed; the last day it could be paid."""
    clock = clocks.running(dossier, ClockKind.PAYMENT)
    deadlines.settle_overdue(at=clock.due_at)
    assert state_of(dossier) == "lapsed"
    return clock.last_day, clock.due_at + timedelta(hours=9)


def test_a_transfer_of_the_last_day_brings_back_what_lapsed_before_its_file_came(dossier, agent, at):
    last_day, next_morning = lapsed(dossier)
    in_time = line(dossier, at=at, booked_on=last_day)
    assert transfers.take_in(in_time, bank_id="BQ1", by=agent, at=next_morning) == "matched"
    assert state_of(dossier) == "accepted"
    moves = Dossier.objects.get(pk=dossier.pk).transitions.order_by("id").values_list("verb", flat=True)
    assert list(moves)[-3:] == ["lapse", "reinstate", "confirm_payment"]
    assert Dossier.objects.get(pk=dossier.pk).silent_party == ""
    assert transfers.take_in(in_time, bank_id="BQ1", by=agent, at=next_morning) is None
    assert not integrity.check()


@pytest.mark.parametrize("late", [1, 30])
def test_a_transfer_booked_after_the_last_day_brings_nothing_back(dossier, agent, at, late):
    last_day, next_morning = lapsed(dossier)
    too_late = line(dossier, at=at, booked_on=last_day + timedelta(days=late))
    assert transfers.take_in(too_late, bank_id="BQ1", by=agent, at=next_morning) == "near"
    assert (state_of(dossier), Movement.objects.filter(kind="payment").count()) == ("lapsed", 0)


def test_an_agent_who_attaches_a_transfer_in_time_brings_its_dossier_back_in_one_act(dossier, agent, at):
    last_day, next_morning = lapsed(dossier)
    assert (
        transfers.take_in(
            line(dossier, at=at, booked_on=last_day, text="formation"),
            bank_id="BQ1",
            by=agent,
            at=next_morning,
        )
        == "unknown"
    )
    transfer = BankTransfer.objects.get()
    transfers.attach(transfer.pk, number=dossier.number, reason="Elle a appelé.", by=agent, at=next_morning)
    transfer.refresh_from_db()
    assert (state_of(dossier), transfer.state) == ("accepted", "matched")


def test_what_cannot_be_brought_back_waits_for_a_person_and_nothing_has_moved(dossier, agent, at):
    last_day, _next_morning = lapsed(dossier)
    in_time = line(dossier, at=at, booked_on=last_day)
    first_day = noon(Dossier.objects.get(pk=dossier.pk).starts_on, at=at)
    assert transfers.take_in(in_time, bank_id="BQ1", by=agent, at=first_day) == "near"
    assert (state_of(dossier), Movement.objects.filter(kind="payment").count()) == ("lapsed", 0)
    assert "commenc" in BankTransfer.objects.get().note


def test_a_dossier_that_lapsed_for_another_reason_is_not_brought_back(agent, at):
    dossier = DossierFactory(lapsed=True, at=at)
    assert not transfers._lapsed_though_paid(dossier, at)


def test_a_transfer_of_the_day_after_is_too_late(dossier, agent, at):
    clock = clocks.running(dossier, ClockKind.PAYMENT)
    too_late = line(dossier, at=at, booked_on=clock.last_day + timedelta(days=1))
    assert transfers.take_in(too_late, bank_id="BQ1", by=agent, at=clock.due_at + timedelta(days=2)) == "near"
    assert state_of(dossier) == "awaiting_payment"


# --- Files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "template"), [("02", ENTRY_02), ("08", ENTRY_08)])
def test_a_statement_of_either_version_is_read(tmp_path, version, template):
    text = CAMT.format(version=version, entries=entry(template) + entry(template, way="DBIT", number="BQ2"))
    [found] = transfers.read(a_file(tmp_path, text), on_refusal=pytest.fail)
    assert (found.bank_id, found.amount_cents, str(found.booked_on)) == ("BQ1", 90_000, "2026-11-27")
    assert (found.text, found.payer_name) == ("RF62 1234 5678 903", "MME LE BIHAN")
    assert found.payer_iban == "FR7699999000000000000000033"


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"currency": "USD"}, "en euros"), ({"amount": "1.001"}, "décimales"), ({"day": "hier"}, "date")],
)
def test_a_line_that_cannot_be_taken_is_said_and_keeps_no_other_back(tmp_path, fields, words):
    refused = []
    text = CAMT.format(version="08", entries=entry(**fields) + entry(number="BQ2"))
    found = list(transfers.read(a_file(tmp_path, text), on_refusal=lambda *said: refused.append(said)))
    assert [each.bank_id for each in found] == ["BQ2"]
    assert len(refused) == 1
    assert words in refused[0][1]


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><Document>&a;</Document>',
        '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><Document/>',
        "<Document><BkToCstmrStmt>",
        "<html/>",
        "a;b\n1;2\n",
        b"date;montant;libell\xe9\n",
        "date\n",
    ],
)
def test_a_file_that_means_harm_or_nothing_is_refused_in_words(tmp_path, text):
    with pytest.raises(transfers.Unusable):
        list(transfers.read(a_file(tmp_path, text), on_refusal=pytest.fail))


def test_a_csv_imported_twice_counts_each_transfer_once(tmp_path, dossier, agent, at):
    amount = f"{left_to_pay(dossier) / 100:.2f}".replace(".", ",")
    day = timezone.localdate(at).strftime("%d/%m/%Y")
    twin = f"{day};50,00;don;M. DURAND;\n"
    text = (
        "Date;Montant;Libellé;Payeur;IBAN\n"
        f"{day};{amount};{payment_references.of(dossier.number)};MME LE BIHAN;\n{twin}{twin}"
    )
    source = a_file(tmp_path, text, "releve.csv")
    first = transfers.import_file(source, by=agent, at=at)
    assert (first.new, first.known, dict(first.by_state)) == (3, 0, {"matched": 1, "unknown": 2})
    again = transfers.import_file(source, by=agent, at=at)
    assert (again.new, again.known) == (0, 3)
    assert BankTransfer.objects.count() == 3


# --- Deciding ----------------------------------------------------------------------------------------


def test_an_agent_attaches_a_transfer_and_the_journal_says_why(dossier, agent, at):
    transfer = BankTransferFactory(amount_cents=left_to_pay(dossier), booked_on=timezone.localdate(at))
    transfers.attach(transfer.pk, number=dossier.number, reason="Elle a appelé.", by=agent, at=at)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.dossier, transfer.decided_by) == ("matched", dossier, agent.user)
    assert state_of(dossier) == "accepted"
    entry = JournalEntry.objects.get(action="transfer_attached")
    assert entry.details["reason"] == "Elle a appelé."
    with pytest.raises(Refused):
        transfers.attach(transfer.pk, number=dossier.number, reason="Encore.", by=agent, at=at)


@pytest.mark.parametrize("verb", ["send_back", "set_aside"])
def test_an_agent_sends_back_or_sets_aside_with_a_reason(agent, at, verb):
    transfer = BankTransferFactory()
    with pytest.raises(Refused):
        getattr(transfers, verb)(transfer.pk, reason=" ", by=agent, at=at)
    getattr(transfers, verb)(transfer.pk, reason="Un loyer.", by=agent, at=at)
    transfer.refresh_from_db()
    assert transfer.state in {"to_send_back", "set_aside"}
    assert transfer.decision_reason == "Un loyer."


def test_nobody_else_decides(dossier, at):
    transfer = BankTransferFactory()
    by, sent = holder_actor(dossier.holder), {"reference": "VIR-1", "sent_on": timezone.localdate(at)}
    for verb in (transfers.send_back, transfers.set_aside):
        with pytest.raises(NotAllowed):
            verb(transfer.pk, reason="Pour moi.", by=by, at=at)
    with pytest.raises(NotAllowed):
        transfers.mark_sent_back(transfer.pk, **sent, by=by, at=at)


def test_a_withdrawal_puts_the_transfer_among_those_to_send_back(dossier, agent, at):
    take(dossier, agent, at=at)
    act("withdraw", dossier, at=at)
    transfer, refund = BankTransfer.objects.get(), Refund.objects.get()
    assert (transfer.state, refund.state, refund.way) == ("to_send_back", "due", "transfer")
    assert not transfers.to_send_back(), "its refund stands in the queue for it"
    today = timezone.localdate(at)
    transfers.mark_sent_back(transfer.pk, reference="VIR-SORTANT-9", sent_on=today, by=agent, at=at)
    transfer.refresh_from_db()
    refund.refresh_from_db()
    assert (transfer.state, refund.state, refund.service_id) == ("sent_back", "sent", "VIR-SORTANT-9")
    assert (transfer.sent_on, transfer.sent_reference, transfer.sent_by) == (
        today,
        "VIR-SORTANT-9",
        agent.user,
    )
    assert Notice.objects.filter(kind="refund_sent", user=dossier.holder.user).count() == 1


def to_be_sent_back(agent, *, at, booked=3):
    transfer = BankTransferFactory(booked_on=timezone.localdate(at) - timedelta(days=booked))
    return transfers.send_back(transfer.pk, reason="Un loyer.", by=agent, at=at)


def test_what_was_sent_back_has_its_day_its_reference_and_its_person_beside_the_decision(agent, at):
    transfer, other, today = to_be_sent_back(agent, at=at), admin_actor(), timezone.localdate(at)
    assert list(transfers.to_send_back()) == [transfer]
    for _click in range(2):
        transfers.mark_sent_back(transfer.pk, reference="SORTANT-9", sent_on=today, by=other, at=at)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.sent_on, transfer.sent_reference) == ("sent_back", today, "SORTANT-9")
    assert (transfer.sent_by, transfer.decided_by) == (other.user, agent.user)
    assert transfer.decision_reason == "Un loyer."
    assert not transfers.to_send_back()
    details = JournalEntry.objects.get(action="transfer_sent_back").details
    assert details == {"reference": "SORTANT-9", "day": today.isoformat()}


@pytest.mark.parametrize(
    ("reference", "days", "field"), [(" ", 0, "reference"), ("S-9", -4, "sent_on"), ("S-9", 1, "sent_on")]
)
def test_without_a_reference_or_on_a_day_that_cannot_be_nothing_was_sent(agent, at, reference, days, field):
    transfer = to_be_sent_back(agent, at=at)
    day = timezone.localdate(at) + timedelta(days=days)
    with pytest.raises(Refused) as refusal:
        transfers.mark_sent_back(transfer.pk, reference=reference, sent_on=day, by=agent, at=at)
    assert refusal.value.field == field
    assert list(transfers.to_send_back()) == [transfer]


def test_the_database_keeps_no_transfer_that_left_without_its_day(agent, at):
    transfer = to_be_sent_back(agent, at=at)
    with pytest.raises(IntegrityError, match="bank_transfer_that_left_has_its_day"):
        BankTransfer.objects.filter(pk=transfer.pk).update(state="sent_back")


# --- The administration ------------------------------------------------------------------------------


def test_an_agent_imports_a_statement_and_decides_what_waits(client_for, administrator, dossier, at):
    client = client_for(administrator)
    amount = f"{left_to_pay(dossier) / 100 + 0.01:.2f}"
    day = timezone.localdate(at).isoformat()
    text = CAMT.format(
        version="08", entries=entry(amount=amount, day=day, text=payment_references.of(dossier.number))
    )
    file = SimpleUploadedFile("releve.xml", text.encode())
    page = client.post(reverse("admin:dossiers_banktransfer_import"), {"file": file}, follow=True)
    assert "1 attendent une décision" in page.text
    transfer = BankTransfer.objects.get()
    page = client.get(reverse("admin:dossiers_banktransfer_change", args=[transfer.pk]))
    assert "Rattacher à un dossier" in page.text
    address = reverse("admin:dossiers_banktransfer_act", args=[transfer.pk, "rattacher"])
    assert dossier.number in client.get(address).text
    answer = client.post(address, {"number": dossier.number, "reason": "Un centime de trop."})
    assert answer.status_code == 422
    assert "n’est pas celui qui reste à payer" in answer.text
    address = reverse("admin:dossiers_banktransfer_act", args=[transfer.pk, "a-renvoyer"])
    assert client.post(address, {"reason": "Montant faux."}).status_code == 302
    transfer.refresh_from_db()
    assert transfer.state == "to_send_back"


def test_a_file_that_cannot_be_read_is_said_beside_the_field(client_for, administrator):
    file = SimpleUploadedFile("releve.xml", b"<html/>")
    page = client_for(administrator).post(reverse("admin:dossiers_banktransfer_import"), {"file": file})
    assert page.status_code == 422
    assert "racine" in page.text


def test_an_agent_finds_what_must_go_back_on_the_desk_and_says_that_it_went(
    client_for, administrator, agent, at
):
    transfer = to_be_sent_back(agent, at=at)
    client = client_for(administrator)
    queue = reverse("admin:desk_decisions") + "?nature=virement-a-renvoyer"
    [row] = client.get(queue).context["page"].object_list
    assert row.url == reverse("admin:dossiers_banktransfer_change", args=[transfer.pk])
    address = reverse("admin:dossiers_banktransfer_act", args=[transfer.pk, "renvoye"])
    assert timezone.localdate().isoformat() in client.get(address).text
    answer = client.post(address, {"reference": "SORTANT-9", "sent_on": "2020-01-01"})
    assert answer.status_code == 422
    assert "Donnez le jour du renvoi" in answer.text
    said = {"reference": "SORTANT-9", "sent_on": timezone.localdate().isoformat()}
    assert "SORTANT-9" in client.post(address, said, follow=True).text
    assert client.get(queue).context["page"].paginator.count == 0
