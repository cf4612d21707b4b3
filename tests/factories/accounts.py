"""People, accounts and organisations. Names and numbers are invented; numbers have a right key."""

import datetime

import factory
from allauth.account.models import EmailAddress
from django.utils import timezone
from factory.django import DjangoModelFactory
from stdnum import luhn
from stdnum.fr import nir as register

from accounts import nir
from accounts.models import HolderProfile, Invitation, Membership, Organisation, User
from accounts.profiles import name_keys

PASSWORD = "quatre mots bien longs"


def an_nir(birth_date: datetime.date, *, sex: str = "F", order: int = 1) -> str:
    """An invented number of someone born that day: 15 characters with their key."""
    first = {"M": "1", "F": "2"}[sex]
    number = f"{first}{birth_date:%y%m}99{order // 1000 % 999 + 1:03}{order % 1000:03}"
    return number + register.calc_check_digits(number)


def a_siret(order: int) -> str:
    """An invented SIRET, with both its check digits."""
    siren = f"{10_000_000 + order:08}"
    siren += luhn.calc_check_digit(siren)
    return f"{siren}0001" + luhn.calc_check_digit(f"{siren}0001")


class UserFactory(DjangoModelFactory):
    """Someone who can sign in with PASSWORD: their address is confirmed (`confirmed=False`: not yet)."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"personne{n}@exemple.fr")

    @classmethod
    def _create(cls, model_class, *args, **fields):
        password = fields.pop("password", PASSWORD)
        return model_class.objects.create_user(password=password, **fields)

    @factory.post_generation
    def confirmed(self, create, extracted, **_kwargs):
        if create and extracted is not False:
            EmailAddress.objects.create(user=self, email=self.email, primary=True, verified=True)


class HolderFactory(DjangoModelFactory):
    """A training account, activated; `HolderFactory(activated=False)` still waits for its holder."""

    class Meta:
        model = HolderProfile

    class Params:
        activated = True
        number = factory.LazyAttributeSequence(lambda o, n: an_nir(o.birth_date, sex=o.sex or "F", order=n))

    reference = factory.Sequence(lambda n: f"REF-{n}")
    birth_name = factory.Sequence(lambda n: f"Martin {'abcdefghij'[n % 10]}{'abcdefghij'[n // 10 % 10]}")
    used_name = ""
    first_names = "Élodie Anne"
    birth_date = datetime.date(1985, 5, 31)
    sex = "F"
    status = HolderProfile.Status.PRIVATE_EMPLOYEE
    nir_encrypted = factory.LazyAttribute(lambda o: nir.encrypt(o.number) if o.number else None)
    nir_digest = factory.LazyAttribute(lambda o: nir.digest(o.number) if o.number else None)
    imported_at = factory.LazyFunction(timezone.now)
    user = factory.Maybe("activated", factory.SubFactory(UserFactory), None)
    activated_at = factory.LazyAttribute(lambda o: o.imported_at if o.user else None)

    @classmethod
    def _create(cls, model_class, *args, **fields):
        names = {name: fields[name] for name in ("birth_name", "used_name", "first_names")}
        return super()._create(model_class, *args, **(name_keys(**names) | fields))


class OrganisationFactory(DjangoModelFactory):
    class Meta:
        model = Organisation

    siret = factory.Sequence(lambda n: a_siret(1_000_000 + n))  # far from those that tests write by hand
    name = factory.Sequence(lambda n: f"Atelier {n}")
    email = factory.Sequence(lambda n: f"accueil{n}@atelier.example")


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    organisation = factory.SubFactory(OrganisationFactory)


class InvitationFactory(DjangoModelFactory):
    """One that waits; nobody is told of it."""

    class Meta:
        model = Invitation

    organisation = factory.SubFactory(OrganisationFactory)
    email = factory.Sequence(lambda n: f"invite{n}@exemple.fr")
    role = "member"
    created_at = factory.LazyFunction(timezone.now)
    sent_at = factory.SelfAttribute("created_at")
    expires_at = factory.LazyAttribute(lambda o: o.created_at + datetime.timedelta(days=14))
