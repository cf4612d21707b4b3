"""An organisation's own imports: checked, applied, undone; killed, raced, refused."""

import datetime
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction

from accounts.actors import Actor, Role
from accounts.models import JournalEntry
from catalog import editing, importing, tasks
from catalog.imports import offers, reading, report, snapshots
from catalog.models import (
    CatalogueImport,
    CatalogueImportLine,
    CertificationBlock,
    ImportRun,
    Offer,
    Session,
)
from tests.catalog.imports import making
from tests.catalog.imports.making import OTHER_SIRET, SIRET, action, catalogue, session, training
from tests.factories.accounts import MembershipFactory, OrganisationFactory, a_siret
from tests.factories.catalog import (
    CatalogueImportFactory,
    CatalogueImportLineFactory,
    CertificationFactory,
    HabilitationFactory,
    ProviderFactory,
    TownFactory,
    in_days,
)
from tests.factories.dossiers import DossierFactory
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

State = CatalogueImport.State


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return Path(settings.MEDIA_ROOT)


@pytest.fixture
def provider(db):
    TownFactory()
    certification = CertificationFactory(code="RNCP100", number=100)
    CertificationBlock.objects.create(certification=certification, code="RNCP100BC01", title="Un bloc")
    HabilitationFactory(certification=certification, siret=SIRET)
    return ProviderFactory(organisation=OrganisationFactory(siret=SIRET))


def actor_of(provider, role="manager"):
    user = MembershipFactory(organisation=provider.organisation, role=role).user
    return Actor(role=Role.PROVIDER, user=user, organisation=provider.organisation)


@pytest.fixture
def by(provider):
    return actor_of(provider)


@pytest.fixture
def send(tmp_path, by, at):
    def send(*trainings, content=None, by=by, at=at, request_id=None):
        content = catalogue(*trainings) if content is None else content
        source = replace(reading.find(making.put(tmp_path, content)), name="mon catalogue.xml")
        return importing.send(
            ContentFile(content), source, by=by, at=at, request_id=request_id or uuid.uuid4()
        )

    return send


@pytest.fixture
def applied(send, by, at):
    """`applied(*trainings)`: a catalogue sent, checked and applied."""

    def applied(*trainings, at=at):
        sent = send(*trainings, at=at)
        importing.carry_out(at=at)
        importing.apply(sent.pk, by=by, at=at)
        importing.carry_out(at=at)
        sent.refresh_from_db()
        assert sent.state == State.APPLIED, sent.error
        return sent

    return applied


def lines(sent, step):
    found = sent.lines.filter(step=step).order_by("line", "pk")
    return [(line.verdict, line.title or line.subject, line.reason) for line in found]


# --- Checking, applying ---------------------------------------------------------------------------


def test_a_check_says_all_that_would_change_and_changes_nothing(send, by, at, applied):
    applied(training(), training("F2", title="Qui reste"))
    before = Offer.objects.order_by("pk").values_list("title", "price_cents", "updated_at")
    before = list(before)
    prices = making.PRICES.replace("500.50", "1000.00").replace("600.60", "1200.00")
    sent = send(
        training(title="Autrement dit", actions=action(prices=prices, sessions=session() + session("S2"))),
        training("F2", title="Qui reste"),
        training("F3", title="Nouvelle"),
        training("F4", siret=OTHER_SIRET),
        training("F5", code="<code-RNCP>RNCP404</code-RNCP>"),
    )
    assert (sent.state, Offer.objects.count()) == (State.TO_CHECK, 2)
    assert importing.carry_out(at=at) == 1
    sent.refresh_from_db()
    assert (sent.state, sent.checked_at, sent.attempts) == (State.CHECKED, at, 0)
    assert list(Offer.objects.order_by("pk").values_list("title", "price_cents", "updated_at")) == before
    assert sent.counts | {"findings_left_out": 0} == {
        "read": 5, "created": 1, "updated": 1, "unchanged": 1, "refused": 2, "hidden": 0,
        "findings_left_out": 0,
    }  # fmt: skip
    told = lines(sent, "check")
    assert [verdict for verdict, _what, _why in told] == [
        "updated", "unchanged", "created", "refused", "refused",
    ]  # fmt: skip
    assert told[0][1] == "Autrement dit"
    assert told[0][2] == "Change\u00a0: intitulé, prix. 1 session ajoutée."
    assert "n'est pas celui de votre organisme" in told[3][2]
    assert "RNCP404" in told[4][2]
    assert not ImportRun.objects.filter(file_name="mon catalogue.xml", started_at__gt=at).exists()


def test_another_organisation_s_actions_are_refused_without_a_word_on_it(send, at):
    """Whether that SIRET is of the portal is nobody's business."""
    ProviderFactory(organisation=OrganisationFactory(siret=OTHER_SIRET))
    numbers = [OTHER_SIRET, a_siret(99)]
    sent = send(training(siret=numbers[0]), training("F2", siret=numbers[1]))
    importing.carry_out(at=at)
    refused = [reason for *_rest, reason in lines(sent, "check")]
    assert [reason.partition(number)[2] for reason, number in zip(refused, numbers, strict=True)] == [
        f" n'est pas celui de votre organisme : {SIRET}."
    ] * 2
    assert not Offer.objects.exists()


def test_nothing_is_applied_before_it_is_asked(send, by, at):
    sent = send(training())
    importing.carry_out(at=at)
    assert importing.carry_out(at=at) == 0
    assert not Offer.objects.exists()
    importing.apply(sent.pk, by=by, at=at)
    importing.apply(sent.pk, by=by, at=at)  # a double click
    assert importing.carry_out(at=at) == 1
    importing.apply(sent.pk, by=by, at=at)  # the page was still open
    assert importing.carry_out(at=at) == 0
    sent.refresh_from_db()
    assert (sent.state, sent.run.created, sent.run.file_name) == (State.APPLIED, 1, "mon catalogue.xml")
    assert [verdict for verdict, *_rest in lines(sent, "apply")] == ["created"]
    assert not sent.lines.filter(step="check").exists()
    assert list(JournalEntry.objects.values_list("action", flat=True)) == ["import_to_apply"]


def test_a_file_that_cannot_be_read_says_why_and_changes_nothing(send, at):
    sent = send(content=catalogue(training())[:-30])
    importing.carry_out(at=at)
    sent.refresh_from_db()
    assert sent.state == State.UNUSABLE and "incomplet" in sent.error
    assert not Offer.objects.exists() and not sent.lines.exists()


def test_hidden_offers_and_remarks_have_their_lines(send, at, provider):
    provider.qualiopi_training = False
    provider.save()
    sent = send(training())
    importing.carry_out(at=at)
    assert [verdict for verdict, *_rest in lines(sent, "check")] == ["created", "hidden"]


def test_an_offer_changed_by_hand_is_named_before_it_is_replaced(applied, send, by, at):
    applied(training())
    editing.write(Offer.objects.get().pk, by=by, at=at, fields={"title": "À la main"})
    sent = send(training())
    importing.carry_out(at=at)
    told = lines(sent, "check")
    assert sorted(verdict for verdict, *_rest in told) == ["remark", "updated"]
    assert any("modifiée à la main" in reason for *_rest, reason in told)
    importing.apply(sent.pk, by=by, at=at)
    importing.carry_out(at=at)
    kept = Offer.objects.get()
    assert (kept.title, kept.hand_edited_at) == ("Développer une application", None)


# --- One at a time, once --------------------------------------------------------------------------


def test_the_same_request_sends_one_file(send):
    request_id = uuid.uuid4()
    assert send(training(), request_id=request_id) == send(training(), request_id=request_id)
    assert CatalogueImport.objects.count() == 1


def test_one_import_at_a_time_in_an_organisation(send, at):
    first = send(training())
    with pytest.raises(Refused, match="déjà en cours"):
        send(training())
    importing.carry_out(at=at)
    send(training())  # a new file takes the place of what waited for a decision
    first.refresh_from_db()
    assert first.state == State.ABANDONED


def test_the_table_keeps_it_so(provider):
    """Whatever a verb forgets."""
    CatalogueImportFactory(provider=provider, state=State.TO_CHECK)
    CatalogueImportFactory(state=State.TO_CHECK)
    with pytest.raises(IntegrityError, match="one_at_a_time"), transaction.atomic():
        CatalogueImportFactory(provider=provider, state=State.TO_UNDO)


def test_a_program_does_not_fill_the_disk(send, at, monkeypatch):
    monkeypatch.setattr(importing, "SENDS_A_DAY_MAX", 2)
    for _ in range(2):
        send(training())
        importing.carry_out(at=at)
    with pytest.raises(Refused, match="2 fichiers"):
        send(training())
    send(training(), at=at + datetime.timedelta(days=1, minutes=1))


def test_an_import_is_abandoned_until_it_is_applied(send, by, at):
    sent = send(training())
    importing.abandon(sent.pk, by=by, at=at)
    assert importing.carry_out(at=at) == 0
    with pytest.raises(Refused, match="ne peut plus être appliqué"):
        importing.apply(sent.pk, by=by, at=at)
    sent = send(training())
    importing.carry_out(at=at)
    importing.apply(sent.pk, by=by, at=at)
    importing.abandon(sent.pk, by=by, at=at)
    assert importing.carry_out(at=at) == 0 and not Offer.objects.exists()


def test_what_is_applied_is_not_abandoned(applied, by, at):
    with pytest.raises(Refused, match="terminé"):
        importing.abandon(applied(training()).pk, by=by, at=at)


# --- The worker -----------------------------------------------------------------------------------


def test_a_worker_that_dies_has_done_nothing_and_the_next_does_it_all(send, by, at, monkeypatch):
    sent = send(training(), training("F2"))
    importing.carry_out(at=at)
    importing.apply(sent.pk, by=by, at=at)
    real = importing._keep_lines

    def die(*args):
        raise SystemExit  # what a kill looks like from inside: nothing after it runs

    monkeypatch.setattr(importing, "_keep_lines", die)
    with pytest.raises(SystemExit):
        importing.carry_out(at=at)
    sent.refresh_from_db()
    assert (sent.state, sent.attempts, Offer.objects.count()) == (State.TO_APPLY, 1, 0)
    monkeypatch.setattr(importing, "_keep_lines", real)
    importing.carry_out(at=at)
    sent.refresh_from_db()
    assert (sent.state, Offer.objects.count(), Session.objects.count()) == (State.APPLIED, 2, 2)


def test_a_file_that_always_kills_is_set_aside_and_the_others_go_on(send, at, monkeypatch, caplog):
    sent = send(training())
    other = CatalogueImportFactory(state=State.TO_CHECK, sent_at=at, asked_at=at)
    monkeypatch.setattr(offers, "run", lambda *args, **kwargs: 1 / 0)
    for _ in range(importing.ATTEMPTS_MAX + 1):
        importing.carry_out(at=at)
    sent.refresh_from_db()
    other.refresh_from_db()
    assert sent.state == State.UNUSABLE and "Rien n’a changé" in sent.error
    assert other.state == State.UNUSABLE and "n’est plus gardé" in other.error
    assert "set aside" in caplog.text


def test_an_apply_or_an_undo_that_fails_can_be_asked_again(send, by, at, monkeypatch):
    sent = send(training())
    importing.carry_out(at=at)
    importing.apply(sent.pk, by=by, at=at)
    with monkeypatch.context() as broken:
        broken.setattr(offers, "run", lambda *args, **kwargs: 1 / 0)
        for _ in range(importing.ATTEMPTS_MAX + 1):
            importing.carry_out(at=at)
    sent.refresh_from_db()
    assert sent.state == State.CHECKED and sent.error
    importing.apply(sent.pk, by=by, at=at)
    importing.carry_out(at=at)
    sent.refresh_from_db()
    assert (sent.state, sent.error) == (State.APPLIED, "")


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_it_once(send, by, at, monkeypatch):
    sent = send(training())
    importing.carry_out(at=at)
    importing.apply(sent.pk, by=by, at=at)
    together, real, runs = threading.Barrier(2, timeout=10), importing._begin, []

    def begin(import_id):
        begun = real(import_id)
        together.wait()
        return begun

    def work():
        try:
            runs.append(importing.carry_out(at=at))
        finally:
            connection.close()

    monkeypatch.setattr(importing, "_begin", begin)
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert sorted(runs) == [0, 1]
    assert Offer.objects.count() == 1 and ImportRun.objects.filter(kind="catalogue").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_step_waits_for_its_turn_and_nobody_waits_for_a_step(send, by, at):
    """While another catalogue is imported the step stays owed; while it runs, its page answers at once."""
    sent = send(training())
    holding, done = threading.Event(), threading.Event()

    def import_another():
        try:
            with transaction.atomic():
                assert report.take_turn(ImportRun.Kind.CATALOGUE)
                CatalogueImport.objects.select_for_update().get(pk=sent.pk)
                holding.set()
                done.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=import_another)
    thread.start()
    assert holding.wait(10)
    try:
        assert importing.carry_out(at=at) == 0
        with pytest.raises(Refused, match="en ce moment"):
            importing.abandon(sent.pk, by=by, at=at)
    finally:
        done.set()
        thread.join(20)
    assert importing.carry_out(at=at) == 1


def test_the_verbs_ask_for_a_task_that_exists():
    assert tasks.carry_out_imports.name == importing.CARRY_OUT_TASK


def test_progress_is_told_and_may_be_lost(send, at, monkeypatch):
    sent = send(training())
    assert importing.progress_of(sent) is None
    importing.carry_out(at=at)
    done, total = importing.progress_of(sent)
    assert 0 < done <= total == sent.size

    class Down:
        def get(self, *args):
            raise ConnectionError

        set = delete = get

    monkeypatch.setattr(importing, "cache", Down())
    sent = send(training())
    assert importing.progress_of(sent) is None
    assert importing.carry_out(at=at) == 1


# --- Undoing --------------------------------------------------------------------------------------


def undone(sent, *, by, at):
    importing.undo(sent.pk, by=by, at=at)
    importing.carry_out(at=at)
    sent.refresh_from_db()
    assert sent.state == State.UNDONE, sent.error
    return lines(sent, "undo")


def picture():
    """Everything of the offers and sessions that an import may touch."""
    offers = Offer.objects.order_by("training_number").values(
        "training_number", "title", "price_cents", "mode", "town", "point", "hours", "content",
        "certification", "hand_edited_at", "is_published", "rhythms", "languages", "entry_level",
    )  # fmt: skip
    sessions = Session.objects.order_by("offer__training_number", "number").values(
        "number", "starts_on", "ends_on", "recruitment", "is_guaranteed", "details"
    )
    return list(offers), list(sessions)


def test_undoing_puts_everything_back(applied, by, at):
    applied(training(), training("F2"))
    editing.write(Offer.objects.get(training_number="F2").pk, by=by, at=at, fields={"price_details": "Café"})
    before = picture()
    prices = making.PRICES.replace("500.50", "1000.00").replace("600.60", "1200.00")
    more = '<extra info="code-rythme-formation">2</extra><extra info="code-niveau-entree">14</extra>'
    changed = action(
        prices=prices, mode="2", sessions=session("S2") + session("S3"), language="EN", more=more
    )
    sent = applied(
        training(title="Autrement", actions=changed, content="Autre"), training("F2"), training("F3")
    )
    assert picture() != before
    told = undone(sent, by=by, at=at)
    assert [verdict for verdict, *_rest in told] == ["restored", "removed"]
    assert picture() == before
    assert sent.counts["restored"] == 1 and sent.counts["removed"] == 1
    found = Offer.objects.get(training_number="F1")
    assert "developp" in str(found.index.words.search) and "autr" not in str(found.index.words.search)


def test_what_was_imported_before_these_fields_existed_can_still_be_undone(applied, by):
    sent = applied(training())
    offer = Offer.objects.get()
    Offer.objects.update(languages=[], particulars={})  # as it was kept then
    before = {name for name in snapshots.OFFER_FIELDS if name not in snapshots.LATER_FIELDS}
    kept = snapshots.of(Offer.objects.get(), offer.sessions.order_by("number"))
    line = {**kept, "offer": {name: kept["offer"][name] for name in before}}
    assert snapshots.digest(line) == snapshots.digest(kept)
    assert snapshots.digest(kept) != sent.lines.get(step="apply").digest, "what was said since counts"


def test_undoing_twice_does_it_once(applied, by, at):
    sent = applied(training())
    undone(sent, by=by, at=at)
    importing.undo(sent.pk, by=by, at=at)
    assert importing.carry_out(at=at) == 0


def test_what_changed_since_is_left_with_its_reason(applied, by, at):
    sent = applied(training(), training("F2"), training("F3"))
    editing.write(Offer.objects.get(training_number="F1").pk, by=by, at=at, fields={"title": "À la main"})
    session_of_2 = Session.objects.get(offer__training_number="F2")
    editing.set_recruitment(session_of_2.pk, by=by, at=at, is_open=False)
    told = undone(sent, by=by, at=at)
    assert sorted(verdict for verdict, *_rest in told) == ["kept", "kept", "removed"]
    assert all("depuis" in why for verdict, _what, why in told if verdict == "kept")
    assert sorted(Offer.objects.values_list("training_number", flat=True)) == ["F1", "F2"]


def enrol(training_number):
    """Somebody has a dossier on the session of that training."""
    found = Session.objects.select_related("offer__provider__organisation").get(
        offer__training_number=training_number
    )
    DossierFactory(session=found)
    return found


def test_a_new_offer_where_people_enrolled_is_hidden_not_removed(applied, by, at):
    sent = applied(training(actions=action(sessions=far())))
    enrol("F1")
    assert [verdict for verdict, *_rest in undone(sent, by=by, at=at)] == ["withdrawn"]
    kept = Offer.objects.get()
    assert (kept.is_published, kept.sessions.get().recruitment) == (False, "closed")


def far():
    """A session near enough for the certification of the tests, far enough to be asked for."""
    return session(starts=f"{in_days(60):%Y%m%d}", ends=f"{in_days(90):%Y%m%d}")


def test_what_people_enrolled_for_is_not_taken_from_them(applied, by, at):
    """Enrolled since the import, on what it made: neither place nor dates go back under them."""
    applied(training(actions=action(mode="2", address="", sessions=far())))
    sent = applied(training(actions=action(sessions=far())))
    enrol("F1")
    [(verdict, _what, why)] = undone(sent, by=by, at=at)
    assert verdict == "kept" and "dossier" in why
    assert Offer.objects.get().mode == "on_site"


def test_a_session_people_enrolled_for_stays_closed(applied, by, at):
    applied(training())
    sent = applied(training(actions=action(sessions=session() + far().replace('"S1"', '"S9"'))))
    added = Session.objects.select_related("offer").get(number="S9")
    DossierFactory(session=added)
    [(verdict, _what, why)] = undone(sent, by=by, at=at)
    assert verdict == "restored" and "reste, fermée" in why
    assert dict(Session.objects.values_list("number", "recruitment")) == {"S1": "open", "S9": "closed"}


def test_only_the_last_applied_import_within_its_days_by_a_manager(applied, by, at, provider):
    first, last = applied(training()), applied(training("F2"), at=at + datetime.timedelta(minutes=1))
    with pytest.raises(Refused, match="plus récent"):
        importing.undo(first.pk, by=by, at=at)
    with pytest.raises(PermissionDenied):
        importing.undo(last.pk, by=actor_of(provider, role="member"), at=at)
    late = at + datetime.timedelta(days=importing.UNDO_DAYS, minutes=2)
    with pytest.raises(Refused, match="30 jours"):
        importing.undo(last.pk, by=by, at=late)
    undone(last, by=by, at=at)
    undone(first, by=by, at=at)
    assert not Offer.objects.exists()


def test_what_was_not_applied_is_not_undone(send, by, at):
    sent = send(training())
    importing.carry_out(at=at)
    with pytest.raises(Refused, match="rien écrit"):
        importing.undo(sent.pk, by=by, at=at)


@pytest.mark.django_db(transaction=True)
def test_undoing_waits_for_who_enrols_at_that_moment(applied, by, at):
    sent = applied(training(actions=action(sessions=far())))
    found = Session.objects.select_related("offer__provider__organisation").get()
    importing.undo(sent.pk, by=by, at=at)

    def work():
        try:
            importing.carry_out(at=at)
        finally:
            connection.close()

    with transaction.atomic():
        DossierFactory(session=found)
        worker = threading.Thread(target=work)
        worker.start()
        worker.join(1)
        assert worker.is_alive(), "it waits"
    worker.join(20)
    assert [verdict for verdict, *_rest in lines(sent, "undo")] == ["withdrawn"]
    assert Session.objects.filter(pk=found.pk).exists()


# --- Promises, in an import -------------------------------------------------------------------------


def test_an_import_does_not_change_what_people_enrolled_for(applied, at):
    applied(training(actions=action(sessions=far())))
    found = enrol("F1")
    moved = session(starts="20300107", ends="20300630")
    sent = applied(training(title="Mieux dit", actions=action(sessions=moved)))
    kept = Session.objects.get()
    assert (kept.starts_on, kept.offer.title) == (found.starts_on, "Mieux dit")
    assert any("ses dates ne changent plus" in why for *_rest, why in lines(sent, "apply"))
    sent = applied(training(title="Encore", actions=action(mode="2", sessions=far())))
    assert [verdict for verdict, *_rest in lines(sent, "apply")] == ["refused"]
    kept = Offer.objects.get()
    assert (kept.mode, kept.title) == ("on_site", "Mieux dit")


# --- Who ------------------------------------------------------------------------------------------


def test_the_imports_of_others_are_out_of_reach(applied, send, at):
    sent = applied(training())
    stranger = actor_of(ProviderFactory())
    for verb in (importing.apply, importing.abandon, importing.undo):
        with pytest.raises((Refused, PermissionDenied)):
            verb(sent.pk, by=stranger, at=at)
    sent.refresh_from_db()
    assert sent.state == State.APPLIED
    with pytest.raises(PermissionDenied):
        send(training(), by=Actor(role=Role.HOLDER, user=stranger.user))


# --- Clearing away --------------------------------------------------------------------------------


def test_the_file_is_kept_under_a_name_of_ours_for_us_alone(send, media):
    sent = send(training())
    [kept] = [path for path in media.rglob("*") if path.is_file()]
    assert kept.name == str(sent.pk) and "catalogue" not in kept.name
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_old_files_and_what_undoing_needed_are_forgotten(applied, send, at, media):
    sent = applied(training())
    applied(training(title="Autre"), at=at + datetime.timedelta(seconds=1))
    assert importing.clear_away(at=at + datetime.timedelta(days=29)) == {
        "files": 0,
        "imports": 0,
        "strays": 0,
    }
    assert CatalogueImportLine.objects.filter(before__isnull=False).exists()
    late = at + datetime.timedelta(days=importing.FILE_DAYS, minutes=1)
    assert importing.clear_away(at=late)["files"] == 2
    sent.refresh_from_db()
    assert not sent.file and sent.lines.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]
    assert not CatalogueImportLine.objects.filter(before__isnull=False).exists()


def test_a_decision_never_taken_is_given_up(send, at):
    sent = send(training())
    importing.carry_out(at=at)
    importing.clear_away(at=at + datetime.timedelta(days=31))
    sent.refresh_from_db()
    assert sent.state == State.ABANDONED


def test_only_the_last_imports_of_each_organisation_are_kept(at, provider, monkeypatch):
    monkeypatch.setattr(importing, "KEPT_MAX", 2)
    for number in range(4):
        CatalogueImportLineFactory(
            catalogue_import__provider=provider,
            catalogue_import__sent_at=at + datetime.timedelta(minutes=number),
            catalogue_import__file_name=f"{number}.xml",
        )
    CatalogueImportFactory(file_name="aux voisins.xml")
    assert importing.clear_away(at=at)["imports"] == 2
    names = CatalogueImport.objects.order_by("file_name").values_list("file_name", flat=True)
    assert list(names) == ["2.xml", "3.xml", "aux voisins.xml"]


def test_a_file_whose_sending_was_never_committed_is_swept(send, media, at):
    send(training())
    stray = media / "catalogue-imports" / "perdu"
    stray.write_bytes(b"x")
    assert importing.clear_away(at=at)["strays"] == 0, "it may be on its way"
    assert importing.clear_away(at=at + datetime.timedelta(days=2))["strays"] == 1
    assert not stray.exists() and len(list(stray.parent.iterdir())) == 1


def test_an_offer_that_is_gone_is_said(applied, by, at):
    sent = applied(training())
    Session.objects.all().delete()
    Offer.objects.all().delete()
    assert [verdict for verdict, *_rest in undone(sent, by=by, at=at)] == ["kept"]
