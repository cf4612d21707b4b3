"""The desk of whoever is on duty: figures, decisions, and the journal behind every page of the admin."""

import uuid
from datetime import timedelta

import pgtrigger
import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import journal
from accounts.models import ActivationAttempt, JournalEntry, SignIn
from catalog import favourites, saved_searches, wishes
from catalog.models import ImportRun
from dossiers import controls, messages, reviews
from dossiers.models import Batch, BatchLine, CalendarFeed, Deadline, FirstSteps, Payment, Relief
from dossiers.states import State
from notices.models import Notice
from portal import duty, figures, looks
from rights import adjustments, integrity, seals
from rights.models import LedgerCheck, YearlyCredit
from support.models import ScamReport
from tests.factories.accounts import HolderFactory, InvitationFactory, MembershipFactory, UserFactory
from tests.factories.admissions import JoinRequestFactory
from tests.factories.declarations import DeclarationProofFactory
from tests.factories.dossiers import DossierFactory, bring, holder_actor, provider_actor
from tests.factories.messages import MessageFactory, ReportFactory
from tests.factories.payments import (
    BankTransferFactory,
    CardPaymentFactory,
    PaymentEventFactory,
    RefundFactory,
)
from tests.factories.reviews import ReviewFactory
from tests.factories.rights import CreditFactory, YearlyStatementFactory
from tests.factories.support import TicketFactory

INDEX = reverse("admin:index")
DECISIONS = reverse("admin:desk_decisions")


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture(autouse=True)
def _a_portal_that_runs(db, now):
    figures.note_success(figures.SWEEP)
    integrity.nightly_check(at=now)
    for kind in ImportRun.Kind:
        ImportRun.objects.create(
            kind=kind, file_name="registre", file_digest="0", started_at=now, ended_at=now
        )


@pytest.fixture
def helper():
    """Somebody who answers requests for help, and nothing else."""
    user = UserFactory(is_staff=True)
    wanted = Permission.objects.filter(content_type__app_label="support")
    user.user_permissions.set(wanted)
    return user


def figure(title, user, *, at):
    [found] = [
        each for _group, group in duty.desk(user, at=at).groups for each in group if each.title == title
    ]
    return found


def lost_notice(at, name="a"):
    return Notice.objects.create(
        email=f"{name}@exemple.invalid",
        kind="password_changed",
        event_key=name,
        facts={"when": "lundi 23 novembre 2026 à 9 h"},
        created_at=at,
        given_up_at=at,
    )


# --- The dashboard ----------------------------------------------------------------------------------


def test_a_quiet_morning_says_so(admin_client_):
    page = admin_client_.get(INDEX).content.decode()
    assert "Tout va bien." in page
    assert "À regarder maintenant" not in page


def test_what_burns_stands_first(admin_client_, administrator, now):
    # Redis came back empty. Never `cache.clear()`: it empties what other processes of the run keep there.
    cache.delete_many([figures._key(figures.SWEEP)])
    lost_notice(now)
    ImportRun.objects.filter(kind="certifications").update(error="fichier coupé")
    page = admin_client_.get(INDEX).content.decode()
    assert "Tout va bien." not in page
    assert "Vérifiez beat et le worker." in page
    alarms = {each.title: each.level for each in duty.desk(administrator, at=now).alarms}
    assert "Dernière vérification" not in alarms  # kept in the database: a lost cache forgets nothing of it
    assert alarms["Certifications"] == duty.Level.ALARM
    assert alarms["Avis abandonnés"] == duty.Level.WATCH


def test_clocks_are_counted_and_lead_to_what_they_count(admin_client_, administrator, now):
    dossier = DossierFactory(requested=True)
    clock = Deadline.objects.get(dossier=dossier)
    for at, expected in (
        (clock.due_at - timedelta(days=3), [0, 0, 0]),
        (clock.due_at - timedelta(hours=2), [0, 1, 1]),
        (clock.due_at, [1, 0, 0]),
    ):
        row = duty.desk(administrator, at=at).clocks[0]
        assert [count for count, _url in row.counts] == expected
        for count, url in row.counts:
            assert len(admin_client_.get(url).context["cl"].result_list) == count


def test_a_nomenclature_is_never_old_where_a_register_is(administrator, now):
    later = now + timedelta(days=40)
    assert figure("Certifications", administrator, at=later).level == duty.Level.WATCH
    assert not figure("Nomenclatures", administrator, at=later).level
    ImportRun.objects.all().delete()
    assert not figure("Nomenclatures", administrator, at=now).level


def test_a_missed_night_and_a_finding_raise_the_alarm(administrator, now, monkeypatch):
    title = "Dernière vérification"
    assert not figure(title, administrator, at=now).level
    assert figure(title, administrator, at=now + timedelta(hours=27)).level == duty.Level.ALARM
    wrong = integrity.Audit(pockets=1, movements=1, owned={}, reserved={})
    wrong.findings.append(integrity.Finding("rule", "pocket:1", ""))
    monkeypatch.setattr(integrity, "audit", lambda **options: wrong)
    integrity.nightly_check(at=now)
    assert "1 anomalie" in figure(title, administrator, at=now).note


def test_a_ledger_that_was_never_checked_raises_the_alarm(administrator, now):
    with pgtrigger.ignore("rights.LedgerCheck:ledger_check_is_never_edited"):
        LedgerCheck.objects.all().delete()
    assert figure("Dernière vérification", administrator, at=now).level == duty.Level.ALARM


def test_days_that_nobody_seals_raise_the_alarm(administrator, now):
    title = "Dernier jour scellé"
    assert figure(title, administrator, at=now).value == "Aucun"
    CreditFactory(at=now - timedelta(days=3))
    late = figure(title, administrator, at=now)
    assert late.level == duty.Level.ALARM
    assert "attendent d’être scellés" in late.note
    seals.seal_due(at=now)
    assert not figure(title, administrator, at=now).level


def test_a_register_that_did_not_come_is_told(administrator, now):
    assert not figure("Organismes", administrator, at=now).level
    late = now + timedelta(hours=27)
    assert figure("Organismes", administrator, at=late).level == duty.Level.WATCH
    assert not figure("Catalogue", administrator, at=late).level


def test_each_number_opens_what_it_counts(admin_client_, administrator, now):
    for _title, group in duty.desk(administrator, at=now).groups:
        for each in group:
            if each.url:
                answer = admin_client_.get(each.url)
                assert answer.status_code == 200, each.title


def test_the_number_of_queries_does_not_grow(admin_client_, now):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            admin_client_.get(INDEX)
        return len(seen)

    admin_client_.get(INDEX)
    before = queries()
    for number in range(5):
        lost_notice(now, str(number))
        TicketFactory()
    assert queries() == before <= 35


def test_people_see_only_what_they_may(client_for, helper, now):
    TicketFactory()
    lost_notice(now)
    JoinRequestFactory(state="sent")
    client = client_for(helper)
    page = client.get(INDEX).content.decode()
    assert "Avis abandonnés" not in page
    assert "Délais qui se terminent" not in page
    found = duty.desk(helper, at=now)
    assert (found.decisions, found.groups, found.clocks) == (1, [], [])
    assert list(duty.count(helper, at=now)) == ["aide"]
    assert client.get(DECISIONS + "?nature=avis").context["page"].paginator.count == 1


def test_staff_without_rights_see_nothing(client_for, now):
    client = client_for(UserFactory(is_staff=True))
    TicketFactory()
    assert "Vous n’avez encore aucun droit ici." in client.get(INDEX).content.decode()
    assert "Rien à décider." in client.get(DECISIONS).content.decode()


# --- Decisions --------------------------------------------------------------------------------------


def test_all_decisions_in_one_queue_the_most_urgent_first(admin_client_, administrator, now):
    ticket = TicketFactory()
    asked = JoinRequestFactory(state="sent")
    dossier = DossierFactory(awaiting_payment=True)
    lost_notice(now)
    Relief.objects.create(
        kind="extend", extra_days=1, reason="Panne", proposed_by=UserFactory(), proposed_at=now
    )
    Relief.objects.create(
        kind="extend", extra_days=1, reason="La mienne", proposed_by=administrator, proposed_at=now
    )
    rows = duty.decisions(administrator, at=now)[:50]
    assert len(rows) == 5
    dues = [row.until for row in rows if row.until]
    assert dues == sorted(dues) and len(dues) == 3
    assert [row.until for row in rows[3:]] == [None, None]
    page = admin_client_.get(DECISIONS).content.decode()
    for words in (ticket.number, asked.number, dossier.number, "Avis abandonné"):
        assert words in page
    for row in rows:
        assert admin_client_.get(row.url).status_code == 200, row.label


def test_one_kind_and_pages(admin_client_, administrator, now, monkeypatch):
    monkeypatch.setattr("portal.admin.DECISIONS_PER_PAGE", 2)
    for number in range(3):
        lost_notice(now, str(number))
    TicketFactory()
    page = admin_client_.get(DECISIONS, {"nature": "avis", "page": 2})
    assert [row.label for row in page.context["page"].object_list] == ["Avis abandonné"]
    assert "Page précédente" in page.content.decode()
    assert admin_client_.get(DECISIONS, {"nature": "rien"}).context["page"].paginator.count == 4


# --- The journal ------------------------------------------------------------------------------------


def test_every_model_of_the_admin_is_personal_or_not():
    registered = {model._meta.label for model in admin.site._registry}
    assert not looks.PERSONAL.keys() & looks.IMPERSONAL
    assert registered == looks.PERSONAL.keys() | looks.IMPERSONAL


@pytest.mark.parametrize("label", sorted(looks.PERSONAL))
def test_a_list_of_people_is_written_down(label, admin_client_):
    model = apps.get_model(label)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert admin_client_.get(address, {"q": "Martin 1 84 12 76 451 089"}).status_code == 200
    line = JournalEntry.objects.get(action=f"{looks.name_of(model)}_listed")
    assert line.subject == f"{model._meta.model_name}:*"
    assert line.details == {"q": "Martin …"}


def test_a_list_of_registers_is_nobody_s_business(admin_client_):
    admin_client_.get(reverse("admin:catalog_town_changelist"))
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize("label", sorted(looks.PERSONAL))
def test_every_page_about_a_person_writes_a_line(label, admin_client_, administrator, now):
    dossier = DossierFactory(awaiting_payment=True)
    organisation = dossier.provider.organisation
    MembershipFactory(organisation=organisation)
    InvitationFactory(organisation=organisation)
    ActivationAttempt.objects.create(user=administrator, at=now)
    SignIn.objects.create(user=administrator, at=now)
    FirstSteps.objects.get_or_create(holder=dossier.holder)
    CalendarFeed.objects.create(user=administrator, made_at=now)
    Payment.objects.create(dossier=dossier, reference="R1", amount_cents=1, outcome="refused", at=now)
    CardPaymentFactory(dossier_id=dossier.pk)
    PaymentEventFactory()
    BankTransferFactory()
    RefundFactory(dossier=dossier)
    Relief.objects.create(kind="extend", reason="Panne", proposed_by=administrator, proposed_at=now)
    credit = CreditFactory(at=now - timedelta(days=2))
    CreditFactory(key="dif:CERTIFICAT-1", kind="dif", at=now - timedelta(days=2))
    seals.seal_due(at=now)
    YearlyStatementFactory(holder=dossier.holder)
    DeclarationProofFactory(declaration__holder=dossier.holder)
    YearlyCredit.objects.create(
        holder=dossier.holder,
        year=2025,
        version=1,
        unit="eur_cent",
        annual=50_000,
        increase=0,
        lost=0,
        cap=500_000,
        balance_before=0,
        statement_ids=[],
        declaration_ids=[],
        recorded_at=now,
    )
    adjustments.propose(
        credit.target_id,
        direction=adjustments.Direction.UP,
        amount=1,
        reason="Oubli",
        by=looks.Actor(role="admin", user=administrator),
        at=now,
        request_id=uuid.uuid4(),
    )
    batch = Batch.objects.create(
        provider=dossier.provider,
        answer="propose",
        prepared_by=administrator,
        prepared_at=now,
        creation_request_id=uuid.uuid4(),
    )
    BatchLine.objects.create(batch=batch, dossier=dossier, position=1)
    EmailAddress.objects.get_or_create(user=administrator, email=administrator.email)
    JoinRequestFactory(state="sent")
    before = now - timedelta(days=80)
    DossierFactory(claimed=True, at=before)
    bring(DossierFactory(), State.POSTPONED, at=now)
    declared = DossierFactory(completion_declared=True, at=before)
    moment = declared.transitions.latest("at").at + timedelta(hours=1)
    by = holder_actor(declared.holder)
    controls.open_control(declared.pk, by=by, at=moment, words="Je suis venue tous les jours.")
    asked = DossierFactory(requested=True)
    message = MessageFactory(dossier=asked, role="provider")
    ReportFactory(message=message)
    messages.mark_read(asked.pk, by=holder_actor(asked.holder), at=now, until=message.pk)
    review = ReviewFactory(published=True)
    by = provider_actor(review.dossier.provider)
    reviews.report(review.pk, by=by, at=now, request_id=uuid.uuid4(), motive="person")
    ticket = TicketFactory()
    favourites.keep(dossier.offer, user=dossier.holder.user, at=now)
    saved_searches.keep("q=anglais", name="", alert="none", user=dossier.holder.user, at=now)
    wishes.write(dossier.holder.user, job="Anglais", town=None, level=None, budget_cents=None, at=now)
    ScamReport.objects.create(ticket=ticket, happened_on=now.date(), channel="phone")
    lost_notice(now)
    journal.record(by=looks.Actor(role="admin", user=administrator), action="x", subject=dossier, at=now)
    model = apps.get_model(label)
    row = admin.site._registry[model].get_queryset(_request(administrator)).order_by("-pk").first()
    before = JournalEntry.objects.count()
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    answer = admin_client_.get(address)
    if label == "accounts.LoginSession":
        assert answer.status_code in {302, 403}  # its key opens it: no page shows it
        return
    assert answer.status_code == 200
    assert JournalEntry.objects.count() == before + 1
    line = JournalEntry.objects.latest("pk")
    assert (line.user, line.role, line.action) == (administrator, "admin", f"{looks.name_of(model)}_viewed")
    assert line.subject == journal.subject_of(looks._about(row))


def _request(user):
    request = RequestFactory().get("/")
    request.user = user
    return request


def test_a_history_a_search_while_typing_and_an_act_are_written_down(admin_client_, administrator):
    holder = HolderFactory()
    admin_client_.get(reverse("admin:accounts_holderprofile_history", args=[holder.pk]))
    admin_client_.get(
        reverse("admin:autocomplete"),
        {"app_label": "accounts", "model_name": "membership", "field_name": "user", "term": "jeanne"},
    )
    address = reverse("admin:accounts_holderprofile_freeze", args=[holder.pk])
    admin_client_.post(address, {"reason": "Démarchage signalé"})
    lines = {line.action: line for line in JournalEntry.objects.all()}
    assert lines["holder_history_viewed"].subject == f"holderprofile:{holder.pk}"
    assert lines["user_suggested"].details == {"term": "jeanne"}
    assert lines["holder_freeze_posted"].details["reason"] == "Démarchage signalé"


def test_somebody_refused_leaves_no_line(client_for, helper):
    holder = HolderFactory()
    answer = client_for(helper).get(reverse("admin:accounts_holderprofile_change", args=[holder.pk]))
    assert answer.status_code == 403
    assert not JournalEntry.objects.exists()


def test_the_journal_is_found_by_person(admin_client_, administrator):
    holder = HolderFactory()
    admin_client_.get(reverse("admin:accounts_holderprofile_change", args=[holder.pk]))
    address = reverse("admin:accounts_journalentry_changelist")
    found = admin_client_.get(address, {"q": str(holder.pk)}).context["cl"].result_list
    assert [line.action for line in found] == ["holder_viewed"]
    assert list(admin_client_.get(address, {"q": "personne-inconnue"}).context["cl"].result_list) == []


def test_every_admin_searches_and_filters():
    ours = [
        each
        for model, each in admin.site._registry.items()
        if not model.__module__.startswith(("allauth", "django"))
    ]
    assert [str(each) for each in ours if not each.search_fields] == []
    assert [str(each) for each in ours if not each.list_filter] == []
