"""The catalogue. An OfferFactory() is open: certified, entitled, active, with a session far enough to be got.

Days are counted from now: tests run as at any moment.
"""

import datetime
import uuid

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from catalog import indexing
from catalog.geography import name_key, point_of
from catalog.models import (
    CatalogueImport,
    CatalogueImportLine,
    Certification,
    Habilitation,
    Offer,
    Provider,
    Session,
    Term,
    TermName,
    Town,
)
from rulebook import workdays
from tests.factories.accounts import OrganisationFactory, UserFactory


def today() -> datetime.date:
    return workdays.paris_day(timezone.now())


def in_days(days: int) -> datetime.date:
    return today() + datetime.timedelta(days=days)


class TownFactory(DjangoModelFactory):
    """Lyon, unless told otherwise; `point` follows from latitude, longitude and department."""

    class Meta:
        model = Town
        django_get_or_create = ("code",)

    code = "69123"
    name = "Lyon"
    name_key = factory.LazyAttribute(lambda o: name_key(o.name))
    department = factory.LazyAttribute(lambda o: o.code[:3] if o.code.startswith("97") else o.code[:2])
    region = "84"
    postal_codes = factory.LazyAttribute(lambda o: [o.code[:2] + "001"])
    population = 500_000
    latitude = 45.758
    longitude = 4.835
    point = factory.LazyAttribute(
        lambda o: point_of(latitude=o.latitude, longitude=o.longitude, department=o.department)
    )


class ProviderFactory(DjangoModelFactory):
    """An organisation that may teach: Qualiopi for training actions, not for skills reviews nor VAE."""

    class Meta:
        model = Provider

    organisation = factory.SubFactory(OrganisationFactory)
    activity_number = factory.Sequence(lambda n: f"{84_000_000_000 + n:011}")
    qualiopi_training = True


class CertificationFactory(DjangoModelFactory):
    """Active: registered for a year more."""

    class Meta:
        model = Certification

    class Params:
        ended = factory.Trait(registered_until=factory.LazyFunction(lambda: in_days(-1)))

    register = "RNCP"
    number = factory.Sequence(lambda n: 600_000 + n)  # no test writes one of these by hand
    code = factory.LazyAttribute(lambda o: f"{o.register}{o.number}")
    title = factory.Sequence(lambda n: f"Certification {n}")
    registered_until = factory.LazyFunction(lambda: in_days(365))
    imported_at = factory.LazyFunction(timezone.now)


class TermFactory(DjangoModelFactory):
    """A job sheet of ROME; `names=[…]`: its job names."""

    class Meta:
        model = Term
        skip_postgeneration_save = True

    nomenclature = Term.Nomenclature.ROME
    code = factory.Sequence(lambda n: f"M{9000 + n}")
    label = factory.Sequence(lambda n: f"Fiche {n}")

    @factory.post_generation
    def names(self, create, names, **_options):
        for name in names or ():
            TermName.objects.create(term=self, name=name)


class HabilitationFactory(DjangoModelFactory):
    class Meta:
        model = Habilitation

    certification = factory.SubFactory(CertificationFactory)
    siret = "00000000000000"
    role = Habilitation.Role.TRAIN_AND_EXAMINE
    is_active = True


class OfferFactory(DjangoModelFactory):
    """An open offer, indexed for the search, with one session in 60 days.

    `entitled=False`: its organisation is nobody's partner. `town=…`: takes place there. `sessions=0`: none.
    `skills_review=True`: a skills review, with its portal code and its organisation's certificate.
    """

    class Meta:
        model = Offer
        skip_postgeneration_save = True

    class Params:
        skills_review = factory.Trait(
            kind=Offer.Kind.SKILLS_REVIEW,
            certification=None,
            portal_code="CPF202",
            provider=factory.SubFactory(ProviderFactory, qualiopi_skills_review=True),
        )

    provider = factory.SubFactory(ProviderFactory)
    training_number = factory.Sequence(lambda n: f"F{1000 + n}")
    action_number = factory.Sequence(lambda n: f"A{1000 + n}")
    kind = Offer.Kind.CERTIFYING
    certification = factory.SubFactory(CertificationFactory)
    title = factory.Sequence(lambda n: f"Formation {n}")
    mode = Offer.Mode.ON_SITE
    hours = 140
    price_cents = 150_000
    town = None
    town_name = factory.LazyAttribute(lambda o: o.town.name if o.town else "")
    point = factory.LazyAttribute(lambda o: o.town.point if o.town else None)
    updated_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def entitled(self, create, extracted, **_kwargs):
        if create and extracted is not False and self.certification:
            HabilitationFactory(certification=self.certification, siret=self.provider.organisation.siret)

    @factory.post_generation
    def sessions(self, create, extracted, **_kwargs):
        if create:
            for _number in range(1 if extracted is None else extracted):
                SessionFactory(offer=self, indexed=False)

    @factory.post_generation
    def indexed(self, create, extracted, **_kwargs):
        if create and extracted is not False:
            indexing.reindex([self.pk], on=today())


class SessionFactory(DjangoModelFactory):
    """In 60 days, for a month. `permanent=True`: entry at any time. `too_soon=True`: tomorrow."""

    class Meta:
        model = Session
        skip_postgeneration_save = True

    class Params:
        permanent = factory.Trait(starts_on=None, ends_on=None)
        too_soon = factory.Trait(starts_on=factory.LazyFunction(lambda: in_days(1)))

    offer = factory.SubFactory(OfferFactory, sessions=0)
    number = factory.Sequence(lambda n: f"S{n}")
    starts_on = factory.LazyFunction(lambda: in_days(60))
    ends_on = factory.LazyAttribute(
        lambda o: o.starts_on + datetime.timedelta(days=30) if o.starts_on else None
    )

    @factory.post_generation
    def indexed(self, create, extracted, **_kwargs):
        if create and extracted is not False:
            indexing.reindex([self.offer_id], on=today())


class CatalogueImportFactory(DjangoModelFactory):
    """A file that an organisation sent, checked unless told otherwise; no file is kept."""

    class Meta:
        model = CatalogueImport

    provider = factory.SubFactory(ProviderFactory)
    sent_by = factory.SubFactory(UserFactory)
    request_id = factory.LazyFunction(uuid.uuid4)
    file_name = "catalogue.xml"
    size = 1234
    digest = "0" * 64
    state = CatalogueImport.State.CHECKED
    sent_at = factory.LazyFunction(timezone.now)
    asked_at = factory.LazyAttribute(lambda o: o.sent_at)
    checked_at = factory.LazyAttribute(lambda o: o.sent_at)
    counts = factory.LazyFunction(
        lambda: {"read": 3, "created": 1, "updated": 1, "unchanged": 0, "refused": 1, "hidden": 0}
    )


class CatalogueImportLineFactory(DjangoModelFactory):
    class Meta:
        model = CatalogueImportLine

    catalogue_import = factory.SubFactory(CatalogueImportFactory)
    step = CatalogueImportLine.Step.CHECK
    line = factory.Sequence(lambda n: n + 1)
    verdict = CatalogueImportLine.Verdict.CREATED
    subject = factory.Sequence(lambda n: f"formation F{n}, action A{n}")
    title = factory.Sequence(lambda n: f"Formation {n}")
