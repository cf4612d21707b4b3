"""Requests to join, brought to a state by the verbs people use; measures, opened by an admin."""

import uuid
from datetime import timedelta
from io import BytesIO

import factory
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from factory.django import DjangoModelFactory
from PIL import Image

from accounts.actors import Actor, Role
from admissions import completeness, documents, measures, workflow
from admissions.models import Document, JoinRequest, Measure
from admissions.states import State
from rulebook import workdays
from tests.factories.accounts import UserFactory, a_siret
from tests.factories.catalog import ProviderFactory
from tests.factories.dossiers import admin_actor

PDF = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


def a_picture(kind="PNG", colour="white") -> bytes:
    content = BytesIO()
    Image.new("RGB", (20, 20), colour).save(content, kind)
    return content.getvalue()


def a_file(content: bytes = PDF, name: str = "piece.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def author_actor(asked: JoinRequest) -> Actor:
    return Actor(role=Role.HOLDER, user=asked.author)


def answers(at, **changed):
    """All that the pages ask, as they keep it."""
    today = workdays.paris_day(at)
    return {
        "name": "Atelier des Lices",
        "address": "3 rue des Lices",
        "postal_code": "35000",
        "town_name": "Rennes",
        "email": "contact@lices.exemple.invalid",
        "phone": "02 99 00 00 00",
        "activity_number": "53351234567",
        "last_report_on": today - timedelta(days=30),
        "qualiopi_training": True,
        "certificate_number": "Q-2025-001",
        "certifier": "Certif Ouest",
        "certified_from": today - timedelta(days=100),
        "certified_until": today + timedelta(days=900),
        "certification_codes": ["RNCP90001"],
        "manager_name": "Élodie Martin",
        "manager_position": "Gérante",
        "is_legal_representative": True,
        "has_no_conviction": True,
        "extract_issued_on": today - timedelta(days=10),
    } | changed


class JoinRequestFactory(DjangoModelFactory):
    """A complete draft; `empty=True`: only its SIRET. `state=`: brought there, every move at `at`."""

    class Meta:
        model = JoinRequest

    author = factory.SubFactory(UserFactory)
    siret = factory.Sequence(lambda n: a_siret(5_000_000 + n))
    at = factory.LazyFunction(timezone.now)
    state = State.DRAFT
    empty = False

    @classmethod
    def _create(cls, model_class, *args, **wanted):
        at, state = wanted.pop("at"), State(wanted.pop("state"))
        author, siret, is_empty = wanted.pop("author"), wanted.pop("siret"), wanted.pop("empty")
        by = Actor(role=Role.HOLDER, user=author)
        asked = workflow.create(siret, by=by, at=at, request_id=uuid.uuid4())
        if not is_empty:
            workflow.edit(asked.pk, by=by, at=at, fields=answers(at, **wanted))
            for kind in completeness.needed_documents(JoinRequest.objects.get(pk=asked.pk)):
                documents.add(asked.pk, Document.Kind(kind), a_file(name=f"{kind}.pdf"), by=by, at=at)
        for verb in PATHS[state]:
            act(verb, asked, at=at)
        return JoinRequest.objects.get(pk=asked.pk)


PATHS = {
    State.DRAFT: (),
    State.SENT: ("send",),
    State.COMPLETION_ASKED: ("send", "ask_completion"),
    State.RECEIVABLE: ("send", "declare_receivable"),
    State.ADMITTED: ("send", "declare_receivable", "admit"),
    State.REFUSED: ("send", "refuse"),
    State.WITHDRAWN: ("send", "withdraw"),
}

SAID = {
    "send": {"declares": True},
    "ask_completion": {"words": "Le certificat est illisible.", "items": ["qualiopi", "activity_number"]},
    "declare_receivable": {},
    "admit": {"notes": "Tout est vérifié."},
    "refuse": {"motives": ["activity_number"], "words": "Le numéro n’existe pas."},
    "withdraw": {},
}


def act(verb, asked, *, at, by=None, **changed):
    """One verb by whoever does it, with a request of its own."""
    if by is None:
        by = author_actor(asked) if verb in {"send", "withdraw"} else admin_actor()
    said = {"request_id": uuid.uuid4()} | SAID[verb] | changed
    return getattr(workflow, verb)(asked.pk, by=by, at=at, **said)


class MeasureFactory(factory.Factory):
    """`verb`: warn, intend or suspend_at_once; opened at `at` against `provider`."""

    class Meta:
        model = Measure

    provider = factory.SubFactory(ProviderFactory)
    verb = "intend"
    at = factory.LazyFunction(timezone.now)
    by = factory.LazyFunction(admin_actor)
    words = "Vos offres annoncent un prix et en facturent un autre."

    @classmethod
    def _create(cls, model_class, *args, **wanted):
        return getattr(measures, wanted.pop("verb"))(
            wanted.pop("provider").pk, request_id=uuid.uuid4(), **wanted
        )
