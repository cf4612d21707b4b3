"""Uploads are hostile until proven otherwise; documents are seen by few and kept no longer than needed."""

import io
import os
import stat
import zipfile
import zlib
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from admissions import documents, reminders
from admissions.models import FOLDER, Document, JoinRequest
from admissions.states import State
from tests.factories.accounts import UserFactory
from tests.factories.admissions import PDF, JoinRequestFactory, a_file, a_picture, act, author_actor
from tests.factories.dossiers import admin_actor
from ui import documents as checks
from ui.documents import private_storage
from ui.refusals import Refused

pytestmark = pytest.mark.django_db

HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
ACTION = b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>'


def a_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "a" * 100)
    return content.getvalue()


def a_stream(content: bytes, dictionary: bytes) -> bytes:
    """A PDF with one stream."""
    objects = b"2 0 obj << %s /Length %d >> stream\n%s\nendstream endobj\n"
    return PDF.replace(b"trailer", objects % (dictionary, len(content), content) + b"trailer")


def packed(objects: bytes) -> bytes:
    """A PDF whose objects lie in a stream, as most programs write them since 2003."""
    return a_stream(zlib.compress(objects), b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode")


def stored(document) -> bytes:
    with document.file.open() as file:
        return file.read()


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        (PDF, "kbis.PDF", "application/pdf"),
        (a_picture("PNG"), "carte.png", "image/png"),
        (a_picture("JPEG"), "photo.jpg", "image/jpeg"),
        (a_picture("JPEG"), "menteur.pdf", "image/jpeg"),
    ],
)
def test_real_documents_are_kept_as_what_they_are(content, name, found, at):
    asked = JoinRequestFactory(empty=True)
    document = documents.add(
        asked.pk, Document.Kind.EXTRACT, a_file(content, name), by=author_actor(asked), at=at
    )
    assert document.content_type == found
    assert document.file_name.endswith(checks.TYPES[found])
    assert stored(document) == content


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (HTML, "kbis.pdf"),
        (SVG, "kbis.png"),
        (b"", "vide.pdf"),
        (b"   \n" + PDF, "decale.pdf"),
        (HTML + PDF, "polyglotte.pdf"),
        (PDF[:-8], "coupe.pdf"),
        (a_picture("PNG")[:-12], "coupee.png"),
        (b"\xff\xd8\xff\xe0" + b"0" * 100, "coupee.jpg"),
        (b"GIF89a" + b"0" * 50, "image.png"),
        (a_zip(), "archive.pdf"),
        (b"MZ" + b"\0" * 200, "programme.pdf"),
        (PDF.replace(b"/Type", b"/OpenAction <</S /JavaScript /JS (app.alert\\(1\\))>> /Type"), "actif.pdf"),
        (PDF.replace(b"/Type", b"/Launch /Type"), "lance.pdf"),
        (PDF.replace(b"/Type", ACTION.replace(b"Java", b"J#61v#61") + b"/Type"), "epele.pdf"),
        (PDF.replace(b"/Type", b"/S /Rendition /JS (app.alert\\(1\\)) /Type"), "film.pdf"),
        (packed(b"1 0 << /Type /Catalog " + ACTION + b" >>"), "range.pdf"),
        (packed(ACTION).replace(b"/ObjStm", b"/O#62jStm"), "range-epele.pdf"),
        (packed(ACTION).replace(zlib.compress(ACTION)[-4:], b"0000"), "somme-fausse.pdf"),
        (packed(b" " * 20_000_000), "bombe.pdf"),
    ],
)
def test_everything_else_is_refused(content, name, at):
    asked = JoinRequestFactory(empty=True)
    with pytest.raises(Refused) as refusal:
        documents.add(asked.pk, Document.Kind.EXTRACT, a_file(content, name), by=author_actor(asked), at=at)
    assert refusal.value.field == "extract"
    assert not Document.objects.exists()


def test_a_scan_is_no_program_whatever_its_bytes_look_like(at):
    """Among nine million bytes of a picture, « /JS » comes by chance."""
    pixels = (b"\x07/JS(\xff\n/JS \x00stream\n" + bytes(range(256))) * 1000
    kept = packed(b"1 0 << /Type /Catalog >>").replace(b"trailer", b"%%obj\ntrailer")
    for content in (a_stream(pixels, b"/Subtype /Image /Filter /DCTDecode"), kept):
        assert checks.check(a_file(content), kind="extract") == content


def test_what_follows_a_picture_is_left_out(at):
    asked = JoinRequestFactory(empty=True)
    for kind, name in (("PNG", "a.png"), ("JPEG", "a.jpg")):
        picture = a_picture(kind)
        document = documents.add(
            asked.pk,
            Document.Kind.IDENTITY,
            a_file(picture + HTML + a_zip(), name),
            by=author_actor(asked),
            at=at,
        )
        assert stored(document) == picture


def test_a_file_that_is_too_big_is_refused(at):
    asked = JoinRequestFactory(empty=True)
    upload = a_file(PDF[:9] + b"0" * checks.SIZE_MAX + PDF[9:])
    with pytest.raises(Refused, match="dépasse 10 Mo"):
        documents.add(asked.pk, Document.Kind.EXTRACT, upload, by=author_actor(asked), at=at)
    upload = a_file(PDF[:9] + b"0" * checks.SIZE_MAX + PDF[9:])
    upload.size = 5  # what a program says of itself
    with pytest.raises(Refused, match="dépasse 10 Mo"):
        documents.add(asked.pk, Document.Kind.EXTRACT, upload, by=author_actor(asked), at=at)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("..\\..\\windows\\system.ini", "system.pdf"),
        ("kbis.pdf.exe", "kbis.pdf.pdf"),
        ('x"; filename="y.html', "x filename y.pdf"),
        ("\r\nSet-Cookie: a=b.pdf", "Set-Cookie ab.pdf"),
        ("..", "document.pdf"),
        ("é" * 300 + ".pdf", "é" * 80 + ".pdf"),
    ],
)
def test_a_name_is_words_never_a_path(name, shown, at):
    made = checks.shown_name(name, "application/pdf")
    assert not set(made) & set('/\\";\r\n:')
    assert len(made) <= 100
    if '"' not in name:
        assert made == shown


def test_stored_under_a_drawn_name_that_only_the_portal_reads(at):
    asked = JoinRequestFactory(empty=True)
    upload = a_file(PDF, "../../ici.pdf")
    upload._name = "../../ici.pdf"
    document = documents.add(asked.pk, Document.Kind.EXTRACT, upload, by=author_actor(asked), at=at)
    assert document.file.name.startswith(f"{FOLDER}/")
    assert "ici" not in document.file.name
    assert len(document.file.name.split("/")) == 2
    assert stat.S_IMODE(os.stat(document.file.path).st_mode) == 0o600


def test_three_files_a_kind_and_the_same_one_once(at):
    asked = JoinRequestFactory(empty=True)
    by = author_actor(asked)
    for colour in ("red", "green", "blue"):
        upload = a_file(a_picture("PNG", colour), "carte.png")
        documents.add(asked.pk, Document.Kind.IDENTITY, upload, by=by, at=at)
    again = a_file(a_picture("PNG", "red"), "carte.png")
    documents.add(asked.pk, Document.Kind.IDENTITY, again, by=by, at=at)
    assert asked.documents.count() == 3
    with pytest.raises(Refused, match="déjà joint 3 fichiers"):
        documents.add(asked.pk, Document.Kind.IDENTITY, a_file(), by=by, at=at)
    documents.add(asked.pk, Document.Kind.EXTRACT, a_file(), by=by, at=at)


def test_only_its_author_adds_or_removes_and_only_before_sending(at):
    asked = JoinRequestFactory()
    document = asked.documents.first()
    for actor in (Actor(role=Role.HOLDER, user=UserFactory()), admin_actor()):
        with pytest.raises(NotAllowed):
            documents.add(asked.pk, Document.Kind.APPROVAL, a_file(), by=actor, at=at)
        with pytest.raises(NotAllowed):
            documents.remove(document.pk, by=actor, at=at)
    act("send", asked, at=at)
    with pytest.raises(Refused, match="ne se modifie plus"):
        documents.add(asked.pk, Document.Kind.APPROVAL, a_file(), by=author_actor(asked), at=at)
    with pytest.raises(Refused, match="ne se modifie plus"):
        documents.remove(document.pk, by=author_actor(asked), at=at)


def test_removed_its_file_is_gone(at):
    asked = JoinRequestFactory()
    document = asked.documents.first()
    path = document.file.path
    documents.remove(document.pk, by=author_actor(asked), at=at)
    assert not os.path.exists(path)


# --- What the clock forgets -----------------------------------------------------------------------------


def test_documents_go_once_a_decision_can_no_longer_be_contested(at):
    asked = JoinRequestFactory(state=State.REFUSED, at=at)
    running = JoinRequestFactory(state=State.SENT, at=at)
    paths = [document.file.path for document in asked.documents.all()]
    reminders.clear_away(at=at + timedelta(days=58))
    assert asked.documents.count() == 3
    reminders.clear_away(at=at + timedelta(days=64))
    assert asked.documents.count() == 0
    assert not any(os.path.exists(path) for path in paths)
    assert running.documents.count() == 3
    assert JoinRequest.objects.filter(pk=asked.pk).exists()


def test_a_draft_left_for_half_a_year_goes_with_its_documents(at):
    draft, fresh = JoinRequestFactory(at=at), JoinRequestFactory(at=at + timedelta(days=100))
    path = draft.documents.first().file.path
    reminders.clear_away(at=at + timedelta(days=181))
    assert list(JoinRequest.objects.all()) == [fresh]
    assert not os.path.exists(path)


def test_a_file_without_its_row_goes_the_next_day(at):
    storage = private_storage()
    lost = storage.save(f"{FOLDER}/perdu", ContentFile(b"x"))
    kept = JoinRequestFactory().documents.first().file.name
    os.utime(storage.path(lost), (at.timestamp(), at.timestamp()))  # the disk has a clock of its own
    reminders.clear_away(at=at + timedelta(hours=1))
    assert storage.exists(lost)
    reminders.clear_away(at=at + timedelta(days=2))
    assert not storage.exists(lost)
    assert storage.exists(kept)


# --- Through the pages ------------------------------------------------------------------------------------


def test_a_document_leaves_as_a_download_that_runs_nothing(client_for):
    asked = JoinRequestFactory()
    document = asked.documents.first()
    address = reverse("join_document", args=[asked.pk, document.pk])
    answer = client_for(asked.author).get(address)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "no-store" in answer["Cache-Control"]
    assert answer.content == PDF
    os.remove(document.file.path)
    assert client_for(asked.author).get(address).status_code == 404


def test_the_documents_of_others_do_not_exist(client_for):
    asked, mine = JoinRequestFactory(), JoinRequestFactory()
    document = asked.documents.first()
    me = client_for(mine.author)
    for request_id in (asked.pk, mine.pk):
        address = reverse("join_document", args=[request_id, document.pk])
        assert me.get(address).status_code == 404
        remove = reverse("join_document_remove", args=[request_id, document.pk])
        assert me.post(remove).status_code == 404
    assert Document.objects.filter(pk=document.pk).exists()
    staff = UserFactory(is_staff=True, is_superuser=True)
    assert client_for(staff).get(reverse("join_document", args=[asked.pk, document.pk])).status_code == 404


def test_the_page_keeps_good_files_and_says_what_is_wrong_with_the_others(client_for):
    asked = JoinRequestFactory(empty=True)
    address = reverse("join_documents", args=[asked.pk])
    sent = {
        "extract": a_file(PDF, "kbis.pdf"),
        "qualiopi": a_file(HTML, "certificat.pdf"),
        "identity": [a_file(a_picture("PNG", "red"), "recto.png"), a_file(a_picture(), "verso.png")],
        "extract_issued_on": "2026-99-99",
    }
    answer = client_for(asked.author).post(address, sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Ce fichier n’est pas un PDF" in page
    assert "Cette date n’existe pas" in page
    assert sorted(asked.documents.values_list("kind", flat=True)) == ["extract", "identity", "identity"]
    assert 'href="#id_qualiopi"' in page


def test_a_hundred_megabytes_are_dropped_while_they_arrive(client_for, monkeypatch):
    monkeypatch.setattr("admissions.views.join.SIZE_MAX", 200_000)
    asked = JoinRequestFactory(empty=True)
    huge = a_file(PDF + b"0" * 1_000_000, "enorme.pdf")
    sent = {"extract": huge, "identity": a_file(PDF, "carte.pdf")}
    answer = client_for(asked.author).post(reverse("join_documents", args=[asked.pk]), sent)
    assert answer.status_code == 422
    assert "Ce fichier dépasse" in answer.content.decode()
    assert list(asked.documents.values_list("kind", flat=True)) == ["identity"]


def test_the_page_of_documents_asks_for_its_token(client_for):
    asked = JoinRequestFactory(empty=True)
    client = client_for(asked.author)
    client.handler.enforce_csrf_checks = True
    answer = client.post(reverse("join_documents", args=[asked.pk]), {"extract": a_file()})
    assert answer.status_code == 403
    assert not asked.documents.exists()
