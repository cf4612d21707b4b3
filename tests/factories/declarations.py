"""Proofs of declarations: files kept where those of people are."""

import factory
from django.core.files.base import ContentFile
from django.utils import timezone
from factory.django import DjangoModelFactory

from rights.kinds import DeclarationKind
from rights.models import DeclarationProof
from tests.factories.admissions import PDF
from tests.factories.rights import DeclarationFactory


class DeclarationProofFactory(DjangoModelFactory):
    """A file that proves a declaration, kept where theirs are."""

    class Meta:
        model = DeclarationProof

    declaration = factory.SubFactory(DeclarationFactory, kind=DeclarationKind.BOE, state="proposed")
    file_name = "rqth.pdf"
    content_type = "application/pdf"
    size = len(PDF)
    digest = factory.Sequence(lambda n: f"{n:064x}")
    added_at = factory.LazyFunction(timezone.now)
    file = factory.LazyFunction(lambda: ContentFile(PDF, name="rqth.pdf"))
