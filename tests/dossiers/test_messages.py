"""The thread of a dossier: who writes, until when, what is refused, what is told, reported and taken away."""

import uuid
from datetime import timedelta

import pgtrigger
import pytest
from django.core import mail
from django.db import ProgrammingError, transaction

from accounts import freezing
from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from catalog.models import Provider
from dossiers import message_guards, messages, threads
from dossiers.models import Dossier, Message, MessageReport, ReadMark
from dossiers.states import State
from dossiers.workflow import NotAllowed
from notices import outbox
from notices.kinds import Kind
from notices.messages import email_of, words_of
from notices.models import Notice
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory
from tests.factories.admissions import MeasureFactory
from tests.factories.dossiers import DossierFactory, act, admin_actor, bring, holder_actor, provider_actor
from tests.factories.messages import MessageFactory, ReportFactory, side
from ui.refusals import Refused, StalePage

pytestmark = pytest.mark.django_db
HOLDER, PROVIDER = Role.HOLDER, Role.PROVIDER
SIDES = [HOLDER, PROVIDER]
LIVING = [State.REQUESTED, State.PROPOSED, State.AWAITING_PAYMENT, State.ACCEPTED]
OVER = [
    State.REFUSED_BY_PROVIDER,
    State.REFUSED_BY_HOLDER,
    State.CANCELLED_BY_HOLDER,
    State.CANCELLED_BY_PROVIDER,
    State.LAPSED,
]


def send(dossier, role=HOLDER, *, at, words="Bonjour.", **fields):
    fields = {"by": side(dossier, role), "request_id": uuid.uuid4()} | fields
    return messages.send(dossier.pk, at=at, words=words, **fields)


def told(kind=Kind.MESSAGE_RECEIVED):
    return Notice.objects.filter(kind=kind)


def in_state(state, *, at):
    draft = DossierFactory(at=at, balance_cents=10_000 if state == State.AWAITING_PAYMENT else 500_000)
    return bring(draft, state, at=at)


def thread(dossier, role=HOLDER, *, at):
    fresh = Dossier.objects.select_related("holder", "provider__organisation").get(pk=dossier.pk)
    return threads.of(fresh, actor=side(fresh, role), at=at)


# --- Who writes, and until when ------------------------------------------------------------------------


@pytest.mark.parametrize("role", SIDES)
@pytest.mark.parametrize("state", LIVING)
def test_both_sides_write_while_the_dossier_lives(at, state, role):
    dossier = DossierFactory(at=at, **{state.value: True})
    message = send(dossier, role, at=at, words="  Bonjour,\nà quelle heure ?  ")
    assert (message.role, message.words, message.at) == (role, "Bonjour,\nà quelle heure ?", at)


@pytest.mark.parametrize("role", SIDES)
def test_a_draft_has_no_thread(at, role):
    draft = DossierFactory(at=at)
    with pytest.raises(NotAllowed):
        send(draft, role, at=at)


@pytest.mark.parametrize("state", OVER)
@pytest.mark.parametrize("role", SIDES)
def test_a_dossier_that_is_over_is_written_about_for_a_time_then_only_read(at, state, role):
    dossier = in_state(state, at=at)
    ended = dossier.transitions.latest("id").at
    last_day = workdays.paris_day(ended) + timedelta(days=message_guards.DAYS_AFTER_THE_END)
    closes = workdays.midnight_after(last_day)
    send(dossier, role, at=closes - timedelta(seconds=1))
    with pytest.raises(Refused, match="Ce fil est fermé"):
        send(dossier, role, at=closes)
    shown = thread(dossier, role, at=closes)
    assert len(shown.lines) == 1
    assert "on peut le relire" in shown.obstacle


def test_a_confirmed_registration_is_written_about_until_after_its_last_day(at):
    dossier = DossierFactory(at=at, accepted=True)
    last_day = dossier.ends_on + timedelta(days=message_guards.DAYS_AFTER_THE_END)
    closes = workdays.midnight_after(last_day)
    send(dossier, at=closes - timedelta(seconds=1))
    with pytest.raises(Refused, match="Ce fil est fermé"):
        send(dossier, at=closes)


def test_strangers_neither_write_nor_read_nor_report(at):
    message = MessageFactory(at=at)
    dossier = message.dossier
    strangers = [
        holder_actor(HolderFactory()),
        provider_actor(DossierFactory(at=at).provider),
        admin_actor(),
        SYSTEM,
        # Holder of the dossier, but acting for another organisation; member, but acting as a holder.
        Actor(
            role=PROVIDER, user=dossier.holder.user, organisation=DossierFactory(at=at).provider.organisation
        ),
        Actor(role=HOLDER, user=provider_actor(dossier.provider).user),
    ]
    for stranger in strangers:
        with pytest.raises(NotAllowed):
            send(dossier, at=at, by=stranger)
        with pytest.raises(NotAllowed):
            messages.mark_read(dossier.pk, by=stranger, at=at, until=message.pk)
        with pytest.raises(NotAllowed):
            messages.report(message.pk, by=stranger, at=at, request_id=uuid.uuid4(), motive="scam")
        assert threads.summary(dossier, stranger) is None
    assert Message.objects.count() == 1
    assert not ReadMark.objects.exists()


def test_a_frozen_account_reads_and_reports_and_sends_nothing(at):
    dossier = DossierFactory(at=at, requested=True)
    message = send(dossier, PROVIDER, at=at)
    holder = holder_actor(dossier.holder)
    freezing.freeze(dossier.holder.pk, by=holder, at=at)
    with pytest.raises(Refused, match="Votre compte est gelé"):
        send(dossier, at=at)
    assert "gelé" in thread(dossier, at=at).obstacle
    messages.mark_read(dossier.pk, by=holder, at=at, until=message.pk)
    messages.report(message.pk, by=holder, at=at, request_id=uuid.uuid4(), motive="scam")
    send(dossier, PROVIDER, at=at, words="Êtes-vous toujours là ?")


def test_a_suspended_organisation_still_answers_its_holders(at):
    """Dossiers go on (docs/decisions.md): their holders must be able to ask, and to be answered."""
    dossier = DossierFactory(at=at, accepted=True)
    MeasureFactory(provider=dossier.provider, verb="suspend_at_once", at=at)
    assert Provider.objects.get().state == Provider.State.SUSPENDED
    send(dossier, PROVIDER, at=at)
    send(dossier, HOLDER, at=at)


# --- What is written ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["", "   \n ", "\u202e\u2069"])
def test_an_empty_message_is_not_sent(at, words):
    dossier = DossierFactory(at=at, requested=True)
    with pytest.raises(Refused, match="Écrivez votre message") as refused:
        send(dossier, at=at, words=words)
    assert refused.value.field == "words"
    assert not Message.objects.exists()


def test_a_message_has_a_length_that_is_counted_and_told(at):
    dossier = DossierFactory(at=at, requested=True)
    most = message_guards.WORDS_MAX
    send(dossier, at=at, words="a" * most)
    with pytest.raises(Refused, match=f"{most + 1} signes\u00a0: {most} au plus"):
        send(dossier, at=at, words="a" * (most + 1))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Appelez le 06 12 34 56 78", "un numéro de téléphone («\u00a006 12 34 56 78\u00a0»)"),
        ("camille arobase exemple point fr", "une adresse e-mail"),
        ("voir www.exemple.invalid", "un lien"),
        ("ma carte 4111 1111 1111 1111", "un numéro de carte bancaire"),
        ("FR76 3000 6000 0112 3456 7890 189", "un IBAN"),
        ("185057800608491", "un numéro de sécurité sociale"),
    ],
)
@pytest.mark.parametrize("role", SIDES)
def test_what_leaks_is_refused_beside_the_field_and_nothing_is_kept(at, role, words, said):
    dossier = DossierFactory(at=at, requested=True)
    before = Notice.objects.count()
    with pytest.raises(Refused) as refused:
        send(dossier, role, at=at, words=words)
    assert said in refused.value.message
    assert refused.value.field == "words"
    assert not Message.objects.exists()
    assert Notice.objects.count() == before


def test_signs_that_turn_the_text_are_taken_off(at):
    message = MessageFactory(at=at, words="bonjour \u202eruojnob\u202c")
    assert message.words == "bonjour ruojnob"


def test_names_are_all_that_the_other_side_sees(at):
    dossier = DossierFactory(at=at, requested=True)
    member = provider_actor(dossier.provider).user
    send(dossier, HOLDER, at=at)
    send(dossier, PROVIDER, at=at)
    member.first_name = "Manon"
    member.save(update_fields=["first_name"])
    colleague = MembershipFactory(organisation=dossier.provider.organisation).user
    send(dossier, at=at, by=Actor(PROVIDER, user=colleague, organisation=dossier.provider.organisation))
    organisation = dossier.provider.organisation.name
    seen_by_holder = [line.who for line in thread(dossier, HOLDER, at=at).lines]
    assert seen_by_holder == ["Vous", f"{organisation} · Manon", organisation]
    seen_by_member = [line.who for line in thread(dossier, PROVIDER, at=at).lines]
    assert seen_by_member == [dossier.holder.display_name, "Vous", organisation]
    assert not any("@" in who for who in seen_by_holder + seen_by_member)


def test_whoever_is_on_both_sides_reads_who_wrote_as_what(at):
    dossier = DossierFactory(at=at, requested=True)
    user = dossier.holder.user
    MembershipFactory(user=user, organisation=dossier.provider.organisation)
    send(dossier, at=at, by=Actor(PROVIDER, user=user, organisation=dossier.provider.organisation))
    [line] = thread(dossier, HOLDER, at=at).lines
    assert line.who == dossier.provider.organisation.name
    assert not line.is_ours


# --- Twice, too often ------------------------------------------------------------------------------------


def test_a_double_click_sends_one_message_and_tells_once(at):
    dossier = DossierFactory(at=at, requested=True)
    request_id = uuid.uuid4()
    first = send(dossier, at=at, request_id=request_id)
    again = send(dossier, at=at, request_id=request_id, words="Autre chose")
    assert first == again
    assert Message.objects.get().words == "Bonjour."


def test_the_name_of_somebody_elses_request_is_refused(at):
    dossier = DossierFactory(at=at, requested=True)
    request_id = uuid.uuid4()
    send(dossier, at=at, request_id=request_id)
    with pytest.raises(StalePage):
        send(dossier, PROVIDER, at=at, request_id=request_id)


def test_nobody_floods_a_thread_and_the_other_side_still_writes(at):
    dossier = DossierFactory(at=at, requested=True)
    for _number in range(message_guards.MESSAGES_AN_HOUR_IN_A_THREAD):
        send(dossier, at=at)
    with pytest.raises(Refused, match="en une heure"):
        send(dossier, at=at + timedelta(minutes=59))
    send(dossier, PROVIDER, at=at)
    send(dossier, at=at + timedelta(hours=1, seconds=1))


def test_nobody_floods_everybody(at, monkeypatch):
    monkeypatch.setattr(message_guards, "MESSAGES_AN_HOUR", 2)
    first = DossierFactory(at=at, requested=True)
    by = holder_actor(first.holder)
    others = [DossierFactory(at=at, holder=first.holder, balance_cents=0, requested=True) for _number in "ab"]
    for dossier in (first, others[0]):
        send(dossier, at=at, by=by)
    with pytest.raises(Refused, match="Vous pourrez reprendre dans une heure"):
        send(others[1], at=at, by=by)


# --- Reading --------------------------------------------------------------------------------------------


def unread(dossier, role, *, at):
    listed = threads.with_unread(Dossier.objects.filter(pk=dossier.pk), side(dossier, role)).get()
    shown, summary = thread(dossier, role, at=at), threads.summary(dossier, side(dossier, role))
    assert listed.unread_messages == shown.unread == summary.unread
    return shown.unread


def test_a_message_waits_until_its_reader_says_so_or_answers(at):
    dossier = DossierFactory(at=at, requested=True)
    assert unread(dossier, PROVIDER, at=at) == 0
    first, second = send(dossier, at=at), send(dossier, at=at)
    assert unread(dossier, PROVIDER, at=at) == 2
    assert unread(dossier, HOLDER, at=at) == 0
    messages.mark_read(dossier.pk, by=side(dossier, PROVIDER), at=at, until=first.pk)
    assert unread(dossier, PROVIDER, at=at) == 1
    answer = send(dossier, PROVIDER, at=at, seen_until=second.pk)
    assert unread(dossier, PROVIDER, at=at) == 0
    assert unread(dossier, HOLDER, at=at) == 1
    messages.mark_read(dossier.pk, by=side(dossier, HOLDER), at=at, until=answer.pk)
    assert unread(dossier, HOLDER, at=at) == 0


def test_an_answer_does_not_read_what_arrived_after_its_page_was_shown(at):
    dossier = DossierFactory(at=at, requested=True)
    shown = send(dossier, at=at)
    send(dossier, at=at, words="Encore une question.")
    send(dossier, PROVIDER, at=at, seen_until=shown.pk)
    assert unread(dossier, PROVIDER, at=at) == 1


def test_a_team_shares_what_it_has_read(at):
    dossier = DossierFactory(at=at, requested=True)
    message = send(dossier, at=at)
    colleague = MembershipFactory(organisation=dossier.provider.organisation).user
    by = Actor(PROVIDER, user=colleague, organisation=dossier.provider.organisation)
    messages.mark_read(dossier.pk, by=by, at=at, until=message.pk)
    assert unread(dossier, PROVIDER, at=at) == 0


def test_a_mark_never_goes_back_and_takes_no_key_from_elsewhere(at):
    dossier, other = DossierFactory(at=at, requested=True), DossierFactory(at=at, requested=True)
    by = side(dossier, PROVIDER)
    messages.mark_read(dossier.pk, by=by, at=at, until=10**18)  # nothing to read yet
    assert not ReadMark.objects.exists()
    first = send(dossier, at=at)
    elsewhere = send(other, at=at)
    messages.mark_read(dossier.pk, by=by, at=at, until=elsewhere.pk)
    assert ReadMark.objects.get().read_until == first
    second = send(dossier, at=at)
    messages.mark_read(dossier.pk, by=by, at=at, until=second.pk)
    messages.mark_read(dossier.pk, by=by, at=at, until=first.pk)
    assert ReadMark.objects.get().read_until == second


# --- What is told ---------------------------------------------------------------------------------------


def test_one_notice_a_burst_until_it_is_read(at):
    dossier = DossierFactory(at=at, requested=True)
    for minutes in range(5):
        last = send(dossier, PROVIDER, at=at + timedelta(minutes=minutes))
    assert told().count() == 1
    messages.mark_read(dossier.pk, by=holder_actor(dossier.holder), at=at, until=last.pk)
    send(dossier, PROVIDER, at=at + timedelta(minutes=9))
    send(dossier, PROVIDER, at=at + timedelta(minutes=10))
    assert told().count() == 2


def test_a_message_left_unread_is_recalled_by_the_next_ones_once_a_day(at):
    dossier = DossierFactory(at=at, requested=True)
    send(dossier, PROVIDER, at=at)
    send(dossier, PROVIDER, at=at + timedelta(hours=23))
    assert told().count() == 1
    send(dossier, PROVIDER, at=at + timedelta(hours=25))
    send(dossier, PROVIDER, at=at + timedelta(hours=26))
    assert told().count() == 2


def test_a_notice_says_who_and_where_and_never_what(at):
    dossier = DossierFactory(at=at, requested=True)
    member = provider_actor(dossier.provider).user
    secret = "Je préfère le matin, à cause de mon traitement"
    send(dossier, at=at, words=secret)
    organisation = dossier.provider.organisation
    assert told().filter(user=member).exists()
    for notice in told():
        words = words_of(notice)
        assert dossier.holder.display_name in words.subject
        assert words.url.endswith(f"/demandes/{dossier.pk}/messages")
        assert words.button == "Lire et répondre"
        sent = email_of(notice).message().as_bytes().decode()
        assert "traitement" not in sent + str(notice.facts)
        assert dossier.holder.user.email not in sent
    send(dossier, PROVIDER, at=at)
    mine = told().get(user=dossier.holder.user)
    assert words_of(mine).subject == f"{organisation.name} vous a écrit"
    assert mine.link == f"/mes-dossiers/{dossier.pk}/messages"
    outbox.deliver_due(at=at, limit=20)
    assert any(dossier.holder.user.email in sent.to for sent in mail.outbox)


# --- Reporting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", SIDES)
def test_a_side_reports_what_the_other_wrote(at, role):
    author = messages.OTHER_SIDE[role]
    message = MessageFactory(at=at, role=author)
    reported = messages.report(
        message.pk,
        by=side(message.dossier, role),
        at=at,
        request_id=uuid.uuid4(),
        motive="scam",
        words="Il veut que j’appelle le 06 12 34 56 78.",
    )
    assert (reported.role, reported.outcome) == (role, "")
    assert JournalEntry.objects.get(action="message_reported").details == {
        "message": message.pk,
        "motive": "scam",
    }
    [mine] = thread(message.dossier, role, at=at).lines
    [theirs] = thread(message.dossier, author, at=at).lines
    assert (mine.is_reported, mine.can_report, mine.words) == (True, False, message.words)
    # Its author is told nothing before somebody has read it.
    assert (theirs.is_reported, theirs.can_report) == (False, False)
    assert not told(Kind.MESSAGE_HIDDEN).exists()


def test_nobody_reports_their_own_side(at):
    message = MessageFactory(at=at)
    with pytest.raises(NotAllowed):
        messages.report(
            message.pk, by=holder_actor(message.dossier.holder), at=at, request_id=uuid.uuid4(), motive="scam"
        )


def test_a_message_is_reported_once(at):
    message = MessageFactory(at=at)
    by, request_id = side(message.dossier, PROVIDER), uuid.uuid4()
    first = messages.report(message.pk, by=by, at=at, request_id=request_id, motive="abuse")
    assert messages.report(message.pk, by=by, at=at, request_id=request_id, motive="scam") == first
    with pytest.raises(Refused, match="déjà signalé"):
        messages.report(message.pk, by=by, at=at, request_id=uuid.uuid4(), motive="scam")


@pytest.mark.parametrize(
    ("motive", "words", "field"),
    [
        ("invented", "", "motive"),
        ("other", "", "words"),
        ("other", "   ", "words"),
        ("scam", "a" * 1001, "words"),
        ("scam", "Il a ma carte 4111 1111 1111 1111", "words"),
    ],
)
def test_a_report_says_what_is_wrong_and_carries_no_secret(at, motive, words, field):
    message = MessageFactory(at=at)
    with pytest.raises(Refused) as refused:
        messages.report(
            message.pk,
            by=side(message.dossier, PROVIDER),
            at=at,
            request_id=uuid.uuid4(),
            motive=motive,
            words=words,
        )
    assert refused.value.field == field
    assert not MessageReport.objects.exists()


def test_reports_are_limited_by_the_day(at, monkeypatch):
    monkeypatch.setattr(message_guards, "REPORTS_A_DAY", 1)
    first = ReportFactory(at=at).message
    second = send(first.dossier, at=at)
    by = side(first.dossier, PROVIDER)
    with pytest.raises(Refused, match="Reprenez demain"):
        messages.report(second.pk, by=by, at=at, request_id=uuid.uuid4(), motive="scam")
    messages.report(
        second.pk, by=by, at=at + timedelta(days=1, seconds=1), request_id=uuid.uuid4(), motive="scam"
    )


def test_what_is_hidden_is_read_by_no_side_and_both_are_told_why(at):
    reported = ReportFactory(at=at, hidden="Il demandait un code reçu par SMS.")
    message, dossier = reported.message, reported.message.dossier
    for role in SIDES:
        [line] = thread(dossier, role, at=at).lines
        assert line.words == ""
        assert line.hidden_because == "Il demandait un code reçu par SMS."
        assert not line.can_report
        assert message.words not in str(line)
    author = told(Kind.MESSAGE_HIDDEN).get(user=dossier.holder.user)
    assert "que vous avez écrit" in words_of(author).paragraphs[0]
    reader = told(Kind.MESSAGE_HIDDEN).get(user=side(dossier, PROVIDER).user)
    assert "que vous avez signalé" in words_of(reader).paragraphs[0]
    for notice in (author, reader):
        assert "Il demandait un code reçu par SMS." in " ".join(words_of(notice).paragraphs)
    entry = JournalEntry.objects.get(action="message_hidden")
    assert (entry.role, entry.subject) == (Role.ADMIN, f"dossier:{dossier.pk}")
    assert Message.objects.get(pk=message.pk).words == message.words  # a judge may ask for it


def test_what_is_left_is_told_to_who_reported_alone(at):
    reported = ReportFactory(at=at, kept="Ce sont des propos secs, sans insulte.")
    dossier = reported.message.dossier
    readers = {notice.user_id for notice in told(Kind.MESSAGE_KEPT)}
    assert side(dossier, PROVIDER).user.pk in readers
    assert dossier.holder.user.pk not in readers
    [line] = thread(dossier, PROVIDER, at=at).lines
    assert line.words
    assert not line.is_reported


def test_a_decision_is_taken_once_with_a_reason_by_an_administrator(at):
    reported = ReportFactory(at=at)
    admin, request_id = admin_actor(), uuid.uuid4()
    for verb in (messages.hide, messages.keep):
        for role in SIDES:
            with pytest.raises(NotAllowed):
                verb(
                    reported.pk,
                    by=side(reported.message.dossier, role),
                    at=at,
                    request_id=request_id,
                    reason="Non.",
                )
        with pytest.raises(Refused, match="Donnez une raison"):
            verb(reported.pk, by=admin, at=at, request_id=request_id, reason="  ")
    decided = messages.hide(reported.pk, by=admin, at=at, request_id=request_id, reason="Une arnaque.")
    again = messages.hide(reported.pk, by=admin, at=at, request_id=request_id, reason="Autre.")
    assert again.decision_reason == decided.decision_reason == "Une arnaque."
    with pytest.raises(Refused, match="déjà décidé"):
        messages.keep(reported.pk, by=admin_actor(), at=at, request_id=uuid.uuid4(), reason="Tout va bien.")
    assert told(Kind.MESSAGE_HIDDEN).filter(user=reported.message.dossier.holder.user).count() == 1


# --- The database has the last word ------------------------------------------------------------------------


def refused_by(name):
    return pytest.raises(ProgrammingError, match=name)


def test_a_message_is_never_changed_nor_erased(at):
    message = MessageFactory(at=at)
    with refused_by("message_is_never_changed"), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(words="Autre chose")
    with refused_by("message_is_never_changed"), transaction.atomic():
        Message.objects.filter(pk=message.pk).delete()


def test_no_message_enters_a_draft_whatever_the_code(at):
    draft = DossierFactory(at=at)
    with refused_by("message_follows_a_request"), transaction.atomic():
        Message.objects.create(
            dossier=draft, role=HOLDER, user=draft.holder.user, words="…", at=at, request_id=uuid.uuid4()
        )


def test_a_report_keeps_what_was_said_and_is_decided_once_whatever_the_code(at):
    reported = ReportFactory(at=at, kept="Rien à dire.")
    waiting = ReportFactory(at=at)
    with refused_by("message_report_is_decided_once"), transaction.atomic():
        MessageReport.objects.filter(pk=reported.pk).update(decision_reason="Autre raison.")
    with refused_by("message_report_keeps_what_was_said"), transaction.atomic():
        MessageReport.objects.filter(pk=waiting.pk).update(words="Autre chose.")
    with refused_by("message_report_is_kept"), transaction.atomic():
        MessageReport.objects.filter(pk=waiting.pk).delete()
    mine = MessageFactory(at=at)
    with refused_by("message_is_reported_by_the_other_side"), transaction.atomic():
        MessageReport.objects.create(
            message=mine, role=HOLDER, user=mine.user, motive="scam", at=at, request_id=uuid.uuid4()
        )


def test_a_mark_does_not_go_back_whatever_the_code(at):
    dossier = DossierFactory(at=at, requested=True)
    first, second = send(dossier, at=at), send(dossier, at=at)
    messages.mark_read(dossier.pk, by=side(dossier, PROVIDER), at=at, until=second.pk)
    with refused_by("read_mark_never_goes_back"), transaction.atomic():
        ReadMark.objects.update(read_until=first)


def test_without_its_trigger_the_words_would_change(at):
    message = MessageFactory(at=at)
    with pgtrigger.ignore("dossiers.Message:message_is_never_changed"):
        Message.objects.filter(pk=message.pk).update(words="Autre chose")
    assert Message.objects.get().words == "Autre chose"


def test_a_thread_outlives_its_dossier_s_moves(at):
    """A dossier that moves on keeps its thread; the verbs of the workflow know nothing of it."""
    dossier = DossierFactory(at=at, requested=True)
    send(dossier, at=at)
    act("cancel", dossier, at=at, reason="")
    assert len(thread(dossier, at=at).lines) == 1
