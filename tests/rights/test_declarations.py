"""What holders declare of themselves: made, proved, decided by somebody else, ended, and what it does to a
year that was credited already."""

import datetime
import os
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

import rulebook
from accounts.actors import SYSTEM
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from notices.messages import words_of
from notices.models import Notice
from portal import duty, exports
from rights import crediting_year, declarations, integrity
from rights.kinds import DeclarationKind, DeclarationState, PocketKind
from rights.models import PROOFS_FOLDER, Declaration, DeclarationProof, Movement, Pocket
from tests.factories.accounts import HolderFactory
from tests.factories.admissions import PDF, a_file, a_picture
from tests.factories.declarations import DeclarationProofFactory
from tests.factories.dossiers import admin_actor, holder_actor
from tests.factories.rights import DeclarationFactory, YearlyStatementFactory
from ui.documents import SIZE_MAX, private_storage
from ui.refusals import Refused

pytestmark = pytest.mark.django_db
LOW, BOE, HOURS = DeclarationKind.LOW_QUALIFIED, DeclarationKind.BOE, DeclarationKind.PREFERS_HOURS
AT = datetime.datetime(2025, 12, 3, 10, tzinfo=datetime.UTC)
URL = "/mes-droits/declarations"


@pytest.fixture(autouse=True)
def _files_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def holder():
    return HolderFactory(first_names="Élodie")


@pytest.fixture
def me(holder):
    return holder_actor(holder)


def declare(me, kind=LOW, *, proofs=None, at=AT, request_id=None):
    if proofs is None:
        proofs = [a_file(name="rqth.pdf")] if kind == BOE else []
    return declarations.declare(kind, proofs=proofs, by=me, at=at, request_id=request_id or uuid.uuid4())


def stored(holder):
    """What the ledger says of this holder, kind by kind."""
    pockets = Pocket.objects.filter(holder=holder, balance__gt=0).order_by("kind")
    return {pocket.kind: pocket.balance for pocket in pockets}


def files():
    storage = private_storage()
    return storage.listdir(PROOFS_FOLDER)[1] if storage.exists(PROOFS_FOLDER) else []


def plain(html):
    return html.replace("\u202f", " ").replace("\u00a0", " ")


# --- What it changes ----------------------------------------------------------------------------------


def test_what_it_changes_is_said_in_euros_from_the_rulebook():
    rules = rulebook.crediting_on(datetime.date(2025, 12, 31))
    assert plain(declarations.effect(LOW, rules=rules)) == (
        "Une année entière donne 800,00 € au lieu de 500,00 €, et le plafond passe de 5 000,00 € à "
        "8 000,00 €."
    )
    assert "300,00 € de plus, jusqu’à 800,00 € en tout" in plain(declarations.effect(BOE, rules=rules))
    assert "comptée en heures" in declarations.effect(HOURS, rules=rules)


# --- Declare ------------------------------------------------------------------------------------------


def test_a_declaration_counts_from_its_year_and_waits_for_somebody(me, holder):
    made = declare(me)
    assert (made.state, made.from_year, made.until_year) == (DeclarationState.PROPOSED, 2025, None)
    entry = JournalEntry.objects.get(action="declaration_made")
    assert entry.subject == f"holderprofile:{holder.pk}"


def test_on_the_evening_of_31_december_it_is_already_next_year_in_paris(me):
    assert declare(me, at=datetime.datetime(2025, 12, 31, 23, 30, tzinfo=datetime.UTC)).from_year == 2026


def test_what_is_only_a_choice_is_decided_by_nobody_else(me):
    made = declare(me, HOURS)
    assert made.state == DeclarationState.CONFIRMED
    assert not Notice.objects.exists()


def test_a_disability_is_proved_by_a_file(me):
    with pytest.raises(Refused, match="Joignez un justificatif") as refused:
        declare(me, BOE, proofs=[])
    assert refused.value.field == "proofs"
    proof = declare(me, BOE).proofs.get()
    assert (proof.file_name, proof.content_type, proof.size) == ("rqth.pdf", "application/pdf", len(PDF))
    assert proof.file.name.startswith(f"{PROOFS_FOLDER}/")
    assert "rqth" not in proof.file.name


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "est vide"),
        (b"<html><script>alert(1)</script></html>", "pas un PDF, un JPEG ou un PNG"),
        (b"<html></html>" + PDF, "pas un PDF, un JPEG ou un PNG"),
        (
            PDF.replace(b"trailer", b"/OpenAction << /S /JavaScript /JS (a) >> trailer"),
            "contient un programme",
        ),
    ],
)
def test_a_hostile_file_is_refused_and_nothing_is_written(me, content, sentence):
    with pytest.raises(Refused, match=sentence):
        declare(me, BOE, proofs=[a_file(), a_file(content, "rqth.pdf")])
    assert not Declaration.objects.exists()
    assert files() == []


def test_three_files_at_most_and_the_same_one_once(me):
    same = [a_file(name="a.pdf"), a_file(name="b.pdf")]
    assert declare(me, BOE, proofs=[*same, a_file(a_picture("PNG"), "c.png")]).proofs.count() == 2
    declarations.withdraw(Declaration.objects.get().pk, by=me, at=AT)
    with pytest.raises(Refused, match="3 fichiers au plus"):
        declare(me, BOE, proofs=[a_file() for _n in range(4)])


def test_sent_twice_it_is_made_once(me):
    request_id = uuid.uuid4()
    assert declare(me, request_id=request_id) == declare(me, request_id=request_id)
    assert Declaration.objects.count() == 1


def test_one_that_waits_or_is_in_force_is_not_declared_again(me):
    first = declare(me)
    with pytest.raises(Refused, match="déjà déclaré"):
        declare(me)
    declare(me, BOE)
    declarations.confirm(first.pk, by=admin_actor(), at=AT)
    with pytest.raises(Refused, match="déjà déclaré"):
        declare(me)
    declarations.end(first.pk, until_year=2025, by=me, at=AT)
    assert declare(me).state == DeclarationState.PROPOSED


def test_the_database_refuses_a_second_one_that_waits_or_is_open(holder):
    DeclarationFactory(holder=holder, state="proposed")
    with pytest.raises(IntegrityError, match="declaration_waits_alone"), transaction.atomic():
        DeclarationFactory(holder=holder, state="proposed")
    DeclarationFactory(holder=holder)
    with pytest.raises(IntegrityError, match="declaration_is_open_once"), transaction.atomic():
        DeclarationFactory(holder=holder)


def test_only_a_holder_declares():
    with pytest.raises(NotAllowed):
        declare(admin_actor())


# --- Decide -------------------------------------------------------------------------------------------


def test_a_confirmation_is_written_down_and_told(me, holder):
    made = declare(me)
    clerk = admin_actor()
    declarations.confirm(made.pk, by=clerk, at=AT)
    made.refresh_from_db()
    assert (made.state, made.decided_by) == (DeclarationState.CONFIRMED, clerk.user)
    assert JournalEntry.objects.filter(action="declaration_confirmed", user=clerk.user).count() == 1
    notice = Notice.objects.get()
    words = words_of(notice)
    assert notice.user == holder.user
    assert words.subject == "Votre déclaration est confirmée"
    assert "à partir de l’année travaillée 2025" in words.paragraphs[0]
    declarations.confirm(made.pk, by=clerk, at=AT)
    assert Notice.objects.count() == 1


def test_a_refusal_says_why_to_the_holder(me):
    made = declare(me, BOE)
    with pytest.raises(Refused, match="Dites pourquoi"):
        declarations.refuse(made.pk, reason="  ", by=admin_actor(), at=AT)
    declarations.refuse(made.pk, reason="La photo est illisible.", by=admin_actor(), at=AT)
    made.refresh_from_db()
    assert (made.state, made.reason) == (DeclarationState.REFUSED, "La photo est illisible.")
    words = words_of(Notice.objects.get())
    assert words.subject == "Votre déclaration est refusée"
    assert "Motif donné par l’administration : La photo est illisible." in words.paragraphs


def test_a_yes_that_was_wrong_is_taken_back_with_its_own_words(me):
    made = declare(me)
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    later = AT + datetime.timedelta(days=30)
    declarations.refuse(made.pk, reason="Un BEP est au passeport.", by=admin_actor(), at=later)
    words = [words_of(notice).subject for notice in Notice.objects.order_by("created_at")]
    assert words == ["Votre déclaration est confirmée", "Votre déclaration ne compte plus"]


def test_nobody_decides_about_their_own_and_the_database_agrees(holder):
    clerk = admin_actor()
    holder.user, clerk = clerk.user, clerk
    holder.save(update_fields=["user"])
    made = DeclarationFactory(holder=holder, state="proposed")
    for act in (declarations.confirm, lambda pk, **told: declarations.refuse(pk, reason="Non", **told)):
        with pytest.raises(NotAllowed, match="propre déclaration"):
            act(made.pk, by=clerk, at=AT)
    with pytest.raises(IntegrityError, match="decides about their own"), transaction.atomic():
        Declaration.objects.filter(pk=made.pk).update(state="confirmed", decided_by=clerk.user, decided_at=AT)
    assert not duty.decisions(clerk.user, at=AT, kind="declaration")[:10]


def test_who_has_no_permission_decides_nothing(me):
    made = declare(me)
    with pytest.raises(NotAllowed, match="pas le droit"):
        declarations.confirm(made.pk, by=me, at=AT)


def test_what_is_refused_or_withdrawn_is_declared_anew(me):
    made = declare(me)
    declarations.withdraw(made.pk, by=me, at=AT)
    declarations.withdraw(made.pk, by=me, at=AT)
    for act in (declarations.confirm, lambda pk, **told: declarations.refuse(pk, reason="Non", **told)):
        with pytest.raises(Refused, match="Retirée"):
            act(made.pk, by=admin_actor(), at=AT)
    with pytest.raises(IntegrityError, match="declared anew"), transaction.atomic():
        Declaration.objects.filter(pk=made.pk).update(state="confirmed")


def test_what_was_decided_is_not_withdrawn(me):
    made = declare(me)
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    with pytest.raises(Refused, match="Confirmée"):
        declarations.withdraw(made.pk, by=me, at=AT)


def test_it_waits_in_the_queue_of_the_desk(me):
    made = declare(me)
    clerk = admin_actor()
    [row] = duty.decisions(clerk.user, at=AT, kind="declaration")[:10]
    assert row.url == reverse("admin:rights_declaration_change", args=[made.pk])
    declarations.confirm(made.pk, by=clerk, at=AT)
    assert not duty.decisions(clerk.user, at=AT, kind="declaration")[:10]


# --- End ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2024, 2026, 99_999])
def test_the_last_year_is_one_that_can_be(me, year):
    made = declare(me)
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    with pytest.raises(Refused, match="comprise entre 2025 et 2025"):
        declarations.end(made.pk, until_year=year, by=me, at=AT)


def test_an_end_is_said_once(me):
    made = declare(me)
    with pytest.raises(Refused, match="À examiner"):
        declarations.end(made.pk, until_year=2025, by=me, at=AT)
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    later = AT + datetime.timedelta(days=365)
    declarations.end(made.pk, until_year=2025, by=me, at=later)
    declarations.end(made.pk, until_year=2025, by=me, at=later)
    with pytest.raises(Refused, match="déjà dite : 2025"):
        declarations.end(made.pk, until_year=2026, by=me, at=later)


def test_nobody_touches_the_declaration_of_another(me):
    made = declare(me)
    stranger = holder_actor(HolderFactory())
    with pytest.raises(NotAllowed, match="pas la vôtre"):
        declarations.withdraw(made.pk, by=stranger, at=AT)
    with pytest.raises(NotAllowed, match="pas la vôtre"):
        declarations.end(made.pk, until_year=2025, by=stranger, at=AT)


# --- The year that was credited already ---------------------------------------------------------------


def credit(year=2025):
    return crediting_year.credit_year(year, at=timezone.now(), by=SYSTEM)


def test_confirmed_after_the_year_was_credited_the_next_run_corrects_by_counter_movements(me, holder):
    YearlyStatementFactory(holder=holder)
    made = declare(me)
    credit()
    assert stored(holder) == {PocketKind.ANNUAL: 500_00}
    declarations.confirm(made.pk, by=admin_actor(), at=timezone.now())
    assert credit().corrected == 1
    assert stored(holder) == {PocketKind.ANNUAL: 500_00, PocketKind.INCREASE: 300_00}
    assert credit().seen == 0
    declarations.refuse(made.pk, reason="Un BEP.", by=admin_actor(), at=timezone.now())
    assert credit().corrected == 1
    assert stored(holder) == {PocketKind.ANNUAL: 500_00}
    [undone] = Movement.objects.exclude(reverses=None)
    assert (undone.amount, undone.source.kind) == (300_00, PocketKind.INCREASE)
    assert integrity.check() == []


def test_an_end_before_a_credited_year_takes_its_increase_back(me, holder):
    made = declare(me, at=datetime.datetime(2024, 6, 1, tzinfo=datetime.UTC))
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    for year in (2024, 2025):
        YearlyStatementFactory(holder=holder, year=year)
        credit(year)
    assert stored(holder) == {PocketKind.ANNUAL: 1000_00, PocketKind.INCREASE: 600_00}
    declarations.end(made.pk, until_year=2024, by=me, at=AT)
    assert (credit(2024).corrected, credit(2025).corrected) == (0, 1)
    assert stored(holder) == {PocketKind.ANNUAL: 1000_00, PocketKind.INCREASE: 300_00}
    assert integrity.check() == []


# --- Proofs are kept no longer than needed ------------------------------------------------------------


def test_a_withdrawn_declaration_leaves_no_file(me):
    made = declare(me, BOE)
    assert len(files()) == 1
    declarations.withdraw(made.pk, by=me, at=AT)
    assert (files(), DeclarationProof.objects.count()) == ([], 0)


def test_proofs_go_once_the_decision_can_no_longer_be_contested(me):
    decided = declare(me, BOE)
    declarations.confirm(decided.pk, by=admin_actor(), at=AT)
    waiting = DeclarationProofFactory()
    assert declarations.clear_away(at=datetime.datetime(2026, 2, 3, 22, tzinfo=datetime.UTC)) == 0
    assert declarations.clear_away(at=datetime.datetime(2026, 2, 3, 23, tzinfo=datetime.UTC)) == 1
    assert [proof.pk for proof in DeclarationProof.objects.all()] == [waiting.pk]
    assert files() == [waiting.file.name.rpartition("/")[2]]
    decided.refresh_from_db()
    assert decided.state == DeclarationState.CONFIRMED


def test_a_file_without_a_row_goes_after_a_day(me):
    proof = declare(me, BOE).proofs.get()
    path = private_storage().path(proof.file.name)
    proof.delete()
    now = timezone.now().timestamp()
    os.utime(path, (now, now))  # the disk has a clock of its own
    assert declarations.clear_away(at=timezone.now()) == 0  # it may be arriving
    two_days_ago = now - 2 * 86_400
    os.utime(path, (two_days_ago, two_days_ago))
    assert declarations.clear_away(at=timezone.now()) == 1
    assert files() == []


def test_they_are_in_the_copy_of_my_data(me, holder):
    declare(me, BOE)
    [said] = exports.everything_of(holder.user, at=AT)["droits"]["declarations"]
    assert (said["sorte"], said["etat"]) == ("Bénéficiaire de l’obligation d’emploi", "À examiner")
    assert said["justificatifs"] == ["rqth.pdf"]


# --- The pages of the holder --------------------------------------------------------------------------


@pytest.fixture
def mine(client, holder):
    client.force_login(holder.user)
    return client


def an_upload(content=PDF, name="rqth.pdf"):
    return SimpleUploadedFile(name, content)


def test_the_empty_page_says_what_can_be_declared_and_what_it_changes(mine):
    html = plain(mine.get(URL).text)
    assert "Rien pour l’instant." in html
    assert html.count(">Déclarer<") == 3
    assert "300,00 € de plus" in html


def test_a_declaration_is_made_with_its_proof_followed_and_withdrawn(mine, holder):
    address = f"{URL}/nouvelle/obligation-d-emploi"
    assert "Votre justificatif" in mine.get(address).text
    said = {"sworn": "on", "request_id": str(uuid.uuid4()), "proofs": [an_upload()]}
    answer = mine.post(address, said, follow=True)
    assert answer.redirect_chain == [(URL, 302)]
    assert "Votre déclaration est envoyée." in answer.text
    assert "À l’examen" in answer.text
    made = Declaration.objects.get(holder=holder)
    proof = mine.get(reverse("declaration_proof", args=[made.pk, made.proofs.get().pk]))
    assert (proof.content, proof["Content-Type"]) == (PDF, "application/pdf")
    assert proof["Content-Disposition"] == 'attachment; filename="rqth.pdf"'
    assert proof["Content-Security-Policy"] == "default-src 'none'; sandbox"
    answer = mine.post(reverse("declaration_withdraw", args=[made.pk]), follow=True)
    assert "ses justificatifs effacés" in answer.text


@pytest.mark.parametrize(
    ("said", "target", "sentence"),
    [
        ({"proofs": [b"%PDF"]}, "id_sworn", "Cochez cette case"),
        ({"sworn": "on"}, "id_proofs", "Joignez un justificatif"),
        ({}, "id_proofs", "Joignez un justificatif"),
        ({}, "id_sworn", "Cochez cette case"),
        ({"sworn": "on", "proofs": [b"MZ program"]}, "id_proofs", "Ce fichier n’est pas un PDF"),
        ({"sworn": "on", "proofs": [b"%PDF" + b"0" * SIZE_MAX]}, "id_proofs", "Ce fichier dépasse 10 Mo"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_kept(mine, said, target, sentence):
    said = said | {"request_id": str(uuid.uuid4())}
    if "proofs" in said:
        said["proofs"] = [an_upload(content) for content in said["proofs"]]
    answer = mine.post(f"{URL}/nouvelle/obligation-d-emploi", said)
    assert answer.status_code == 422
    assert f'<a href="#{target}">' in answer.text
    assert answer.text.count(sentence) == 2
    assert not Declaration.objects.exists()


def test_a_page_that_is_not_up_to_date_says_so(mine):
    answer = mine.post(f"{URL}/nouvelle/sans-diplome", {"sworn": "on"})
    assert answer.status_code == 422
    assert "Cette page n’est plus à jour" in answer.text


def test_no_such_declaration_is_404_and_one_that_is_made_leads_back(mine, me):
    assert mine.get(f"{URL}/nouvelle/nimporte-quoi").status_code == 404
    declare(me)
    assert mine.get(f"{URL}/nouvelle/sans-diplome").url == URL
    answer = mine.post(f"{URL}/nouvelle/sans-diplome", {"sworn": "on", "request_id": str(uuid.uuid4())})
    assert (answer.status_code, "Vous l’avez déjà déclaré" in answer.text) == (422, True)


def test_my_situation_has_changed(mine, me):
    made = declare(me)
    address = reverse("declaration_end", args=[made.pk])
    assert mine.get(address).url == URL
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    assert "Dernière année" in mine.get(address).text
    assert mine.post(address, {"until_year": "1999"}).status_code == 422
    assert "C’est noté" in mine.post(address, {"until_year": "2025"}, follow=True).text
    assert "Ne compte que pour l’année travaillée 2025." in mine.get(URL).text
    assert mine.post(address, {"until_year": "2026"}).status_code == 422


def test_withdrawing_what_was_decided_meanwhile_says_so(mine, me):
    made = declare(me)
    declarations.confirm(made.pk, by=admin_actor(), at=AT)
    answer = mine.post(reverse("declaration_withdraw", args=[made.pk]))
    assert answer.status_code == 422
    assert "Cette action n’est plus possible" in answer.text


def test_a_refusal_is_read_with_its_reason(mine, me):
    made = declare(me)
    declarations.refuse(made.pk, reason="Un <b>BEP</b> est connu.", by=admin_actor(), at=AT)
    assert "<q>Un &lt;b&gt;BEP&lt;/b&gt; est connu.</q>" in mine.get(URL).text


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_reads_as_much_for_three_as_for_one(mine, holder, count, django_assert_num_queries):
    for kind in list(DeclarationKind)[:count]:
        DeclarationProofFactory(declaration__holder=holder, declaration__kind=kind)
    DeclarationFactory(kind=LOW, state="proposed")  # of somebody else
    mine.get(URL)
    with django_assert_num_queries(QUERIES):
        html = mine.get(URL).text
    assert html.count("À l’examen") == count


QUERIES = 8
"""Five to know who reads and what waits; then declarations, their proofs, the law of the day."""


# --- The administration -------------------------------------------------------------------------------


@pytest.fixture
def desk(client):
    clerk = admin_actor()
    client.force_login(clerk.user)
    client.clerk = clerk
    return client


def test_the_admin_sees_the_proof_and_each_opening_is_written(desk, me):
    made = declare(me, BOE)
    proof = made.proofs.get()
    html = desk.get(reverse("admin:rights_declaration_change", args=[made.pk])).text
    address = reverse("admin:rights_declaration_proof", args=[made.pk, proof.pk])
    assert address in html
    assert desk.get(address).content == PDF
    assert JournalEntry.objects.filter(action="declaration_proof_opened").count() == 1
    other = DeclarationFactory(state="proposed")
    assert desk.get(reverse("admin:rights_declaration_proof", args=[other.pk, proof.pk])).status_code == 404


def test_the_admin_confirms_or_refuses_with_a_reason(desk, me):
    made = declare(me)
    page = reverse("admin:rights_declaration_change", args=[made.pk])
    confirm = reverse("admin:rights_declaration_confirm", args=[made.pk])
    refuse = reverse("admin:rights_declaration_refuse", args=[made.pk])
    assert confirm in desk.get(page).text
    assert "à partir de 2025" in desk.get(confirm).text
    assert desk.post(confirm).url == page
    html = desk.get(page).text
    assert confirm not in html
    assert "Ne plus compter" in html
    assert desk.post(refuse, {"reason": ""}).status_code == 422
    assert desk.post(refuse, {"reason": "Un BEP est connu."}).url == page
    made.refresh_from_db()
    assert (made.state, made.reason) == ("refused", "Un BEP est connu.")
    answer = desk.post(confirm)
    assert (answer.status_code, "a changé d’état" in answer.text) == (422, True)


def test_the_admin_offers_nothing_about_ones_own(desk, holder, me):
    made = declare(me)
    holder.user = desk.clerk.user
    holder.save(update_fields=["user"])
    html = desk.get(reverse("admin:rights_declaration_change", args=[made.pk])).text
    assert reverse("admin:rights_declaration_confirm", args=[made.pk]) not in html
    answer = desk.post(reverse("admin:rights_declaration_confirm", args=[made.pk]))
    assert (answer.status_code, "propre déclaration" in answer.text) == (422, True)


def test_the_list_of_the_admin_narrows_to_what_waits(desk, me):
    declare(me)
    DeclarationFactory()
    address = reverse("admin:rights_declaration_changelist")
    assert "1 déclaration du titulaire" in desk.get(address, {"attente": "attend"}).text
