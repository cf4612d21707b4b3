"""The rule that opens an offer, written twice: in words (catalog.eligibility) and in SQL (open_on)."""

import datetime
from dataclasses import replace
from itertools import product

import pytest
from django.db.models import Q
from django.utils import timezone

import rulebook
from accounts.actors import SYSTEM, VISITOR, Actor, Role
from catalog import eligibility
from catalog.models import Certification, Habilitation, Offer, Provider
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    in_days,
    today,
)
from tests.factories.dossiers import DossierFactory

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 11, 23)

DAYS = [None, *(DAY + datetime.timedelta(days=n) for n in (-1, 0, 1))]


def agree(offers, *, day=DAY):
    """The offers that both ways of saying the rule open; fails where they differ."""
    rules = rulebook.on(day)
    stored = Offer.objects.filter(pk__in=[offer.pk for offer in offers]).order_by("pk")
    facts = eligibility.facts_of_each(stored.select_related("provider__organisation", "certification"))
    in_words = {pk for pk, each in facts.items() if not eligibility.refusals(each, on=day, rules=rules)}
    in_sql = set(stored.open_on(day, rules).values_list("pk", flat=True))
    assert in_words == in_sql
    assert 0 < len(in_sql) < len(offers), "a comparison of nothing, or of everything, proves nothing"
    return in_sql


def offers_of(providers, **fields):
    """Unsaved offers, one for each provider."""
    return [
        OfferFactory.build(provider=provider, updated_at=timezone.now(), **fields) for provider in providers
    ]


def test_words_and_sql_agree_on_every_certification_and_entitlement():
    """Certification: withdrawn × effect × end. Entitlement: role × active × since, own SIRET or another's."""
    provider = ProviderFactory()
    own, other = provider.organisation.siret, "00000000000000"
    alone = [
        [(own, role, is_active, since)]
        for role, is_active, since in product(Habilitation.Role.values, [True, False], DAYS)
    ]
    together = [
        [],
        [(other, "CERTIFICATEUR", True, None)],
        [(own, "HABILITATION_ORGA", True, None), (other, "HABILITATION_FORMER", True, None)],
        [(own, "HABILITATION_ORGA", True, None), (own, "HABILITATION_FORMER", True, None)],
        [(own, "HABILITATION_FORMER", False, None), (own, "CERTIFICATEUR", True, DAYS[3])],
        [(own, "HABILITATION_FORMER", False, None), (own, "HABILITATION_ORGA_FORM", True, DAYS[2])],
    ]
    certifications, habilitations = [], []
    for withdrawn, start, end, entitlements in product([False, True], DAYS, DAYS, alone + together):
        certification = CertificationFactory.build(
            withdrawn=withdrawn, effective_on=start, registered_until=end
        )
        certifications.append(certification)
        habilitations += [
            Habilitation(
                certification=certification, siret=siret, role=role, is_active=active, active_from=since
            )
            for siret, role, active, since in entitlements
        ]
    Certification.objects.bulk_create(certifications)
    Habilitation.objects.bulk_create(habilitations)
    offers = [offer for each in certifications for offer in offers_of([provider], certification=each)]
    Offer.objects.bulk_create(offers)
    assert len(offers) == 2 * 4 * 4 * (len(alone) + len(together))
    agree(offers)


@pytest.mark.parametrize("day", [DAY, datetime.date(2021, 12, 31)], ids=["today", "before Qualiopi"])
def test_words_and_sql_agree_on_every_organisation_kind_and_code(day):
    """Organisation: state × three Qualiopi kinds × driving school. Offer: kind × code, or licence title."""
    flags = ["qualiopi_training", "qualiopi_skills_review", "qualiopi_vae", "is_approved_driving_school"]
    providers = [
        ProviderFactory(state=state, **dict(zip(flags, values, strict=True)))
        for state, *values in product(Provider.State.values, *[[False, True]] * 4)
    ]
    certification = CertificationFactory(registered_until=DAY)
    Habilitation.objects.bulk_create(
        HabilitationFactory.build(certification=certification, siret=each.organisation.siret)
        for each in providers
    )
    codes = {kind: code for code, kind in rulebook.on(day).portal_code_kinds.items()}
    coded = [
        {"kind": kind, "portal_code": code, "title": "Permis B"}
        for kind, own in codes.items()
        for code in (own, "CPF999", *(other for other in codes.values() if other != own))[:3]
    ]
    coded += [
        {"kind": kind, "portal_code": codes[kind], "title": title}
        for kind in ("licence_light", "licence_heavy", "vae")
        for title in ("Permis B1", "permis de conduire BE", "Code de la route")
    ]
    coded += [{"kind": "vae", "portal_code": codes["vae"], "is_published": False}]
    offers = [offer for each in coded for offer in offers_of(providers, certification=None, **each)]
    offers += offers_of(providers, certification=certification)
    Offer.objects.bulk_create(offers)
    agree(offers, day=day)


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_words_and_sql_agree_on_every_declaration_of_activity(monkeypatch, is_asked_for):
    """Its number × the day it lapsed, where the law asks for a number and where it does not."""
    law = replace(rulebook.on(DAY), activity_number_required=is_asked_for)
    monkeypatch.setattr(rulebook, "on", lambda day: law)
    causes = Provider.Lapse.values
    providers = [
        ProviderFactory(
            activity_number=number,
            activity_lapsed_on=day,
            activity_lapse=causes[position % len(causes)] if day else "",
            qualiopi_vae=True,
        )
        for position, (number, day) in enumerate(product(["", "84691234567"], DAYS))
    ]
    offers = offers_of(providers, certification=None, kind="vae", portal_code="CPF200")
    Offer.objects.bulk_create(offers)
    assert len(agree(offers)) == (2 if is_asked_for else 4)


def test_the_comparison_can_fail(monkeypatch):
    """Without the day an entitlement begins, SQL would open what words refuse."""
    provider = ProviderFactory()
    later = OfferFactory(provider=provider, entitled=False)
    HabilitationFactory(
        certification=later.certification,
        siret=provider.organisation.siret,
        active_from=today() + datetime.timedelta(days=1),
    )
    offers = [later, OfferFactory(provider=provider)]
    agree(offers, day=today())
    monkeypatch.setattr(Offer.objects.all().__class__, "_entitled", lambda self, day, rules: Q())
    with pytest.raises(AssertionError):
        agree(offers, day=today())


# --- One offer -----------------------------------------------------------------------------------


def test_an_offer_of_the_factory_is_open(rules):
    offer = OfferFactory()
    assert eligibility.refusals(eligibility.facts_of(offer), on=today(), rules=rules) == []
    assert Offer.objects.open_on(today(), rules).get() == offer


def test_another_establishment_of_the_same_company_is_not_entitled(rules):
    """The entitlement belongs to a SIRET, not to its SIREN."""
    offer = OfferFactory(entitled=False)
    siret = offer.provider.organisation.siret
    HabilitationFactory(certification=offer.certification, siret=siret[:9] + "99999")
    reasons = eligibility.refusals(eligibility.facts_of(offer), on=today(), rules=rules)
    assert [why.code for why in reasons] == [eligibility.Code.NOT_ENTITLED]


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("Permis B", "B"),
        ("PERMIS B1 en 20 heures", "B1"),
        ("permis de conduire BE", "BE"),
        ("Permis B96 (remorque)", "B96"),
        ("Permis de conduire catégorie C1E", "C1E"),
        ("Permis de la route", ""),
        ("Code de la route", ""),
        ("Anglais niveau B1", ""),
    ],
)
def test_the_category_of_a_licence_is_read_in_its_title(title, category):
    offer = OfferFactory(kind="licence_light", portal_code="CPF206", certification=None, title=title)
    assert Offer.objects.get(pk=offer.pk).licence_category == category


def test_an_active_certification_says_the_same_in_python_and_in_sql():
    ends = [None, in_days(-1), in_days(0), in_days(1)]
    certifications = [
        CertificationFactory(withdrawn=withdrawn, effective_on=start, registered_until=end)
        for withdrawn, start, end in product([False, True], ends, ends)
    ]
    active = set(Certification.objects.active_on(today()))
    assert active == {each for each in certifications if each.is_active(on=today())}
    assert 0 < len(active) < len(certifications)


# --- Who sees it ---------------------------------------------------------------------------------


def test_only_its_organisation_and_an_admin_see_an_offer_that_is_not_open(rules):
    hidden, shown, foreign = OfferFactory(is_published=False), OfferFactory(), OfferFactory(entitled=False)
    member = MembershipFactory(organisation=hidden.provider.organisation)
    holder = HolderFactory()

    def seen_by(actor):
        return set(Offer.objects.visible_to(actor, on=today(), rules=rules))

    assert seen_by(VISITOR) == {shown}
    assert seen_by(Actor(role=Role.HOLDER, user=holder.user, holder=holder)) == {shown}
    provider = Actor(role=Role.PROVIDER, user=member.user, organisation=member.organisation)
    assert seen_by(provider) == {shown, hidden}
    admin = Actor(role=Role.ADMIN, user=UserFactory(is_staff=True))
    assert seen_by(admin) == seen_by(SYSTEM) == {hidden, shown, foreign}


def test_who_enrolled_still_sees_the_offer_that_has_closed(rules):
    """A certification that was obtained stays valid: what it was prepared by stays to be read."""
    session = SessionFactory(offer=OfferFactory())
    dossier = DossierFactory(accepted=True, session=session)
    Offer.objects.update(is_published=False)
    holder, other = dossier.holder, HolderFactory()

    def seen_by(holder):
        actor = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
        return list(Offer.objects.visible_to(actor, on=today(), rules=rules))

    assert (seen_by(holder), seen_by(other)) == ([session.offer], [])


# --- Sessions ------------------------------------------------------------------------------------


def test_the_first_session_that_can_still_be_got(rules):
    """Eleven business days after the proposal, equality allowed: 2027-05-07 → 2027-05-25."""
    proposal = datetime.date(2027, 5, 7)
    offer = OfferFactory(sessions=0)

    def session(**fields):
        return SessionFactory(offer=offer, **fields)

    just, eve = session(starts_on=datetime.date(2027, 5, 25)), session(starts_on=datetime.date(2027, 5, 24))
    always = session(permanent=True)
    closed = session(starts_on=datetime.date(2027, 6, 1), recruitment="closed")
    paused = session(permanent=True, recruitment="suspended")
    starts = {each: each.earliest_start(proposal, rules) for each in (just, eve, always, closed, paused)}
    assert starts == {
        just: datetime.date(2027, 5, 25),
        eve: None,
        always: datetime.date(2027, 5, 25),
        closed: None,
        paused: None,
    }
    assert set(offer.sessions.obtainable(proposal, rules)) == {just, always}


def test_a_draft_is_unfinished_rather_than_hidden(rules):
    draft = OfferFactory(is_draft=True, is_published=False)
    reasons = eligibility.refusals(eligibility.facts_of(draft), on=today(), rules=rules)
    assert [why.code for why in reasons] == [eligibility.Code.DRAFT]
    assert not Offer.objects.open_on(today(), rules).exists()
