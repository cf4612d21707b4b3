"""The import pages: what is sent is looked at, what waits is followed, what was done is read."""

import csv
import gzip
import io
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog import importing
from catalog.models import CatalogueImport, CatalogueImportLine, Offer
from tests.catalog.imports.making import catalogue, training
from tests.factories.accounts import MembershipFactory
from tests.factories.catalog import (
    CatalogueImportFactory,
    CatalogueImportLineFactory,
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    TownFactory,
)

pytestmark = pytest.mark.django_db

State = CatalogueImport.State


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


def send(client, content, *, name="catalogue.xml", status=302, **data):
    file = SimpleUploadedFile(name, content, content_type="text/xml")
    data = {"request_id": str(uuid.uuid4()), "file": file, **data}
    response = client.post(reverse("provider_import_new"), data)
    assert response.status_code == status, response.content.decode()[:2000]
    return response


def page_of(client, name, *args, **asked):
    response = client.get(reverse(name, args=args), asked)
    assert response.status_code == 200
    return response.content.decode()


def act(client, name, sent, status=302):
    response = client.post(reverse(name, args=[sent.pk]))
    assert response.status_code == status
    return response


# --- Sending --------------------------------------------------------------------------------------


@pytest.fixture
def entitled(provider):
    """The organisation has a town, and a certification it may prepare for."""
    town = TownFactory()
    provider.postal_code, provider.address = town.postal_codes[0], "1 rue du Pont"
    provider.save()
    certification = CertificationFactory(code="RNCP100", number=100, title="Cuisinier & traiteur")
    HabilitationFactory(certification=certification, siret=provider.organisation.siret)
    return provider


def test_from_the_file_to_the_search_and_back(member_client, client_for, entitled, at):
    manager = client_for(MembershipFactory(organisation=entitled.organisation, role="manager").user)
    content = catalogue(training(siret=entitled.organisation.siret))
    answer = send(member_client, content)
    sent = CatalogueImport.objects.get()
    assert answer.url == reverse("provider_import", args=[sent.pk])
    page = page_of(member_client, "provider_import", sent.pk)
    assert "every 2s" in page and '<noscript><meta http-equiv="refresh"' in page
    importing.carry_out(at=at)
    page = page_of(member_client, "provider_import", sent.pk)
    assert "Voici ce qui changerait" in page and "every 2s" not in page and "http-equiv" not in page
    assert not Offer.objects.exists()
    act(member_client, "provider_import_apply", sent)
    importing.carry_out(at=at)
    page = page_of(member_client, "provider_import", sent.pk)
    assert "Annuler cet import" not in page and "Un responsable" in page
    act(member_client, "provider_import_undo", sent, status=403)
    assert "Annuler cet import" in page_of(manager, "provider_import", sent.pk)
    act(manager, "provider_import_undo", sent)
    importing.carry_out(at=at)
    assert "Supprimées" in page_of(manager, "provider_import", sent.pk)
    assert not Offer.objects.exists()
    assert "Annulé après coup" in page_of(manager, "provider_imports")


def test_the_example_is_taken_by_our_own_importer(member_client, entitled, at):
    content = member_client.get(reverse("provider_import_example")).content
    send(member_client, content)
    importing.carry_out(at=at)
    sent = CatalogueImport.objects.get()
    assert (sent.state, sent.counts["created"], sent.counts["refused"], sent.counts["hidden"]) == (
        State.CHECKED, 1, 0, 0,
    ), list(sent.lines.values_list("reason", flat=True))  # fmt: skip


def test_the_example_suits_an_organisation_that_has_nothing_yet(member_client, provider, at):
    send(member_client, member_client.get(reverse("provider_import_example")).content)
    importing.carry_out(at=at)
    sent = CatalogueImport.objects.get()
    assert (sent.state, sent.counts["created"], sent.counts["hidden"]) == (State.CHECKED, 1, 1)


HOSTILE = {
    "html": (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "DOCTYPE"),
    "another root": (b"<html><body/></html>", "lheo"),
    "entities": (
        b'<?xml version="1.0"?><!DOCTYPE lheo [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><lheo>&b;</lheo>',
        "DOCTYPE",
    ),
    "a file of the machine": (
        b'<?xml version="1.0"?><!DOCTYPE lheo [<!ENTITY x SYSTEM "file:///etc/passwd">]><lheo>&x;</lheo>',
        "DOCTYPE",
    ),
    "utf-16": ("<lheo/>".encode("utf-16"), "UTF-16"),
    "another encoding": (b'<?xml version="1.0" encoding="EBCDIC"?><lheo/>', "encodage"),
    "no xml at all": (b"%PDF-1.7 texte", "pas un document XML"),
    "an empty file": (b"", "vide"),
    "zip of nothing": (b"PK\x05\x06" + b"\0" * 18, "0 fichiers"),
    "a broken gzip": (b"\x1f\x8b\x08" + b"\0" * 20, "compressé"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_catalogue_is_refused_at_once_and_not_kept(member_client, provider, media, case):
    content, words = HOSTILE[case]
    answer = send(member_client, content, status=422)
    assert words in answer.content.decode()
    assert not CatalogueImport.objects.exists()
    assert not media.exists()


def test_an_encoding_that_is_said_is_the_one_the_file_is_read_in(member_client, entitled, at):
    """The file says UTF-8, and was written on an old Mac."""
    content = (
        catalogue(training(title="Société, été", siret=entitled.organisation.siret), encoding="UTF-8")
        .decode()
        .encode("mac_roman")
    )
    send(member_client, content)
    importing.carry_out(at=at)
    assert CatalogueImport.objects.get().state == State.UNUSABLE
    send(member_client, content, encoding="mac-roman")
    importing.carry_out(at=at)
    sent = CatalogueImport.objects.latest("sent_at")
    assert (sent.encoding, sent.state, sent.counts["created"]) == ("mac-roman", State.CHECKED, 1)
    assert sent.lines.get(verdict="created").title == "Société, été"


def test_an_encoding_that_seems_wrong_is_a_remark_that_the_sender_reads(member_client, entitled, at):
    content = catalogue(
        training(title="Société, été", siret=entitled.organisation.siret), encoding="ISO-8859-1"
    )
    send(member_client, content, encoding="mac-roman")
    importing.carry_out(at=at)
    [remark] = CatalogueImport.objects.get().lines.filter(verdict="remark")
    assert "ne semble pas écrit en Mac Roman" in remark.reason and remark.line == 5
    send(member_client, content, encoding="morse", status=422)


def test_a_bomb_is_refused_by_the_worker_and_changes_nothing(member_client, provider, at):
    body = catalogue(training()).replace(b"</offres>", b" " * 60_000_000 + b"</offres>")
    send(member_client, gzip.compress(body), name="petit.xml.gz")
    importing.carry_out(at=at)
    sent = CatalogueImport.objects.get()
    assert sent.state == State.UNUSABLE and ("fois sa taille" in sent.error or "dépasse" in sent.error)


def test_a_file_too_big_is_dropped_while_it_arrives(member_client, provider, media, monkeypatch):
    monkeypatch.setattr(importing, "SIZE_MAX", 100_000)
    answer = send(member_client, catalogue() + b" " * 200_000, status=422)
    assert "dépasse 0 Mo" in answer.content.decode() and not media.exists()


def test_a_name_made_to_hurt_is_only_a_name(member_client, entitled, media):
    send(member_client, catalogue(training(siret=entitled.organisation.siret)), name="=cmd|'x' <b>.xml")
    sent = CatalogueImport.objects.get()
    [kept] = [path for path in media.rglob("*") if path.is_file()]
    assert kept.name == str(sent.pk)
    assert "&lt;b&gt;" in page_of(member_client, "provider_import", sent.pk)


def test_the_token_is_asked_for_though_the_body_is_read_late(provider, member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member)
    send(client, catalogue(), status=403)
    assert not CatalogueImport.objects.exists()


def test_a_double_click_sends_one_file(member_client, provider):
    request_id = str(uuid.uuid4())
    for _ in range(2):
        send(member_client, catalogue(), request_id=request_id)
    assert CatalogueImport.objects.count() == 1
    assert "déjà en cours" in send(member_client, catalogue(), status=422).content.decode()
    send(member_client, catalogue(), request_id="", status=422)


def test_nothing_chosen_is_said(member_client, provider):
    response = member_client.post(reverse("provider_import_new"), {"request_id": str(uuid.uuid4())})
    assert response.status_code == 422 and "Choisissez un fichier" in response.content.decode()


# --- Following, reading -----------------------------------------------------------------------------


def test_the_fragment_says_where_it_is_and_stops_asking_when_done(member_client, provider):
    sent = CatalogueImportFactory(provider=provider, state=State.TO_CHECK)
    importing.cache.set(importing._progress_key(sent), (30, 100))
    headers = {"HX-Request": "true"}
    address = reverse("provider_import", args=[sent.pk])
    page = member_client.get(address, headers=headers).content.decode()
    assert 'value="30" max="100"' in page and "<html" not in page and "every 2s" in page
    CatalogueImport.objects.update(state=State.CHECKED)
    page = member_client.get(address, headers=headers).content.decode()
    assert "every 2s" not in page and 'hx-swap-oob="innerHTML:#import-dit"' in page


def test_how_many_wait_before(member_client, provider, at):
    CatalogueImportFactory(state=State.TO_CHECK, sent_at=at)
    sent = CatalogueImportFactory(provider=provider, state=State.TO_CHECK)
    assert "Un autre import passe avant" in page_of(member_client, "provider_import", sent.pk)


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_its_page(member_client, provider, at, state):
    sent = CatalogueImportFactory(
        provider=provider,
        state=state,
        error="Ligne 3 : le fichier s'arrête" if state == State.UNUSABLE else "",
        applied_at=at if state in {State.APPLIED, State.TO_UNDO, State.UNDONE} else None,
        undone_at=at if state == State.UNDONE else None,
    )
    page = page_of(member_client, "provider_import", sent.pk)
    assert str(State(state).label) in page
    assert str(State(state).label) in page_of(member_client, "provider_imports")


def test_once_applied_it_is_said_what_the_offers_still_lack(member_client, provider, at):
    sent = CatalogueImportFactory(provider=provider, state=State.APPLIED, applied_at=at)
    assert "À compléter" not in page_of(member_client, "provider_import", sent.pk)
    OfferFactory(provider=provider, accessibility="")
    page = page_of(member_client, "provider_import", sent.pk)
    assert "À compléter" in page and f"{reverse('provider_offers')}?lack=accueil" in page


def test_lines_by_verdict_what_is_wrong_first(member_client, provider):
    sent = CatalogueImportFactory(provider=provider)
    for number in range(60):
        CatalogueImportLineFactory(catalogue_import=sent, title=f"Nouvelle {number:02}", line=number + 1)
    CatalogueImportLineFactory(catalogue_import=sent, verdict="refused", title="", reason="SIRET inconnu")
    CatalogueImportLineFactory(catalogue_import=sent, verdict="created", step="apply", title="Autre étape")
    page = page_of(member_client, "provider_import", sent.pk)
    assert "SIRET inconnu" in page and "Nouvelle 00" not in page
    page = page_of(member_client, "provider_import", sent.pk, verdict="created")
    assert "Nouvelle 00" in page and "Nouvelle 59" not in page and "Autre étape" not in page
    assert "Nouvelle 59" in page_of(member_client, "provider_import", sent.pk, verdict="created", page=2)
    assert "SIRET inconnu" in page_of(member_client, "provider_import", sent.pk, verdict="n'importe quoi")


def test_the_report_holds_every_line_and_computes_nothing(member_client, provider):
    sent = CatalogueImportFactory(provider=provider)
    CatalogueImportLineFactory(catalogue_import=sent, title='=HYPERLINK("http://mal.example")', line=7)
    CatalogueImportLineFactory(
        catalogue_import=sent, verdict="refused", subject="@SUM(1+1)", reason="-2+3; non", line=9, title=""
    )
    response = member_client.get(reverse("provider_import_report", args=[sent.pk]))
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert rows[0] == ["Ligne", "Verdict", "Élément", "Intitulé", "Précisions"]
    assert rows[1][0] == "7" and rows[1][3].startswith("'=")
    assert rows[2][2:] == ["'@SUM(1+1)", "", "'-2+3; non"]
    assert "attachment" in response["Content-Disposition"]


@pytest.mark.parametrize("count", [1, 3])
def test_pages_ask_as_much_for_three_as_for_one(member_client, provider, count, django_assert_num_queries):
    imports = [CatalogueImportFactory(provider=provider, request_id=uuid.uuid4()) for _ in range(count)]
    for _ in range(count):
        CatalogueImportLineFactory(catalogue_import=imports[0], offer=OfferFactory(provider=provider))
    member_client.get(reverse("provider_import_new"))
    frame = frame_of(member_client)
    with django_assert_num_queries(frame + 1):
        page_of(member_client, "provider_imports")
    with django_assert_num_queries(frame + 4):  # the import, counts, how many lines, lines
        page_of(member_client, "provider_import", imports[0].pk)
    CatalogueImport.objects.filter(pk=imports[0].pk).update(
        state=State.APPLIED, applied_at=imports[0].sent_at
    )
    with django_assert_num_queries(frame + 7):  # and whether it can be undone, the law, what offers lack
        page_of(member_client, "provider_import", imports[0].pk)


def frame_of(client):
    """What any page of a member costs: session, person, roles, what the frame shows."""
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("provider_import_new"))
    return len(asked) - 1  # without what that page itself asks


# --- Others' ----------------------------------------------------------------------------------------


def test_the_imports_of_others_do_not_exist(other_member_client, member_client, provider):
    sent = CatalogueImportFactory(provider=provider)
    CatalogueImportLineFactory(catalogue_import=sent, title="Secret de fabrication")
    for name in ("provider_import", "provider_import_report"):
        assert other_member_client.get(reverse(name, args=[sent.pk])).status_code == 404
    for name in ("provider_import_apply", "provider_import_abandon", "provider_import_undo"):
        act(other_member_client, name, sent, status=404)
        assert member_client.get(reverse(name, args=[sent.pk])).status_code == 405
    assert sent.file_name not in page_of(other_member_client, "provider_imports")
    assert CatalogueImport.objects.get().state == State.CHECKED
    assert CatalogueImportLine.objects.count() == 1


def test_a_refusal_stands_on_the_page(member_client, provider):
    sent = CatalogueImportFactory(provider=provider, state=State.ABANDONED)
    answer = act(member_client, "provider_import_apply", sent, status=422)
    assert "ne peut plus être appliqué" in answer.content.decode()
