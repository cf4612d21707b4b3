"""Why an offer is not open, each reason at a time. No database."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from catalog.eligibility import CertificationFacts, Code, EntitlementFacts, OfferFacts, refusals
from rulebook.loading import rules_in_file

DAY = date(2026, 11, 23)
RULES = rules_in_file(DAY)
EVE = DAY - timedelta(days=1)
MORROW = DAY + timedelta(days=1)

PARTNER = EntitlementFacts(role="HABILITATION_ORGA_FORM", is_active=True)
CERTIFICATION = CertificationFacts(code="RNCP40344", registered_until=date(2028, 3, 28))
TRAINING = OfferFacts(
    kind="training",
    qualiopi=frozenset({"training"}),
    certification=CERTIFICATION,
    entitlements=(PARTNER,),
)
LICENCE = OfferFacts(
    kind="licence_light",
    portal_code="CPF206",
    licence_category="B",
    qualiopi=frozenset({"training"}),
    is_approved_driving_school=True,
)


def codes(facts, *, on=DAY, rules=RULES):
    return [reason.code for reason in refusals(facts, on=on, rules=rules)]


def with_certification(**changes):
    return replace(TRAINING, certification=replace(CERTIFICATION, **changes))


def with_entitlements(*entitlements):
    return replace(TRAINING, entitlements=entitlements)


def lapsed(day, cause):
    return replace(TRAINING, activity_lapsed_on=day, activity_lapse=cause)


@pytest.mark.parametrize(
    "facts",
    [
        TRAINING,
        lapsed(MORROW, "report_missing"),
        with_certification(registered_until=DAY),
        with_certification(effective_on=DAY),
        with_entitlements(EntitlementFacts(role="CERTIFICATEUR", is_active=True)),
        with_entitlements(EntitlementFacts(role="HABILITATION_FORMER", is_active=True, active_from=DAY)),
        # One role that entitles is enough, whatever the others.
        with_entitlements(
            EntitlementFacts(role="HABILITATION_ORGA", is_active=True),
            replace(PARTNER, is_active=False),
            EntitlementFacts(role="HABILITATION_FORMER", is_active=True, active_from=EVE),
        ),
        OfferFacts(kind="skills_review", portal_code="CPF202", qualiopi=frozenset({"skills_review"})),
        OfferFacts(kind="vae", portal_code="CPF200", qualiopi=frozenset({"vae"})),
        OfferFacts(kind="business_creation", portal_code="CPF203", qualiopi=frozenset({"training"})),
        OfferFacts(kind="volunteer_training", portal_code="CPF204", qualiopi=frozenset({"training"})),
        LICENCE,
        replace(LICENCE, licence_category=""),
        replace(LICENCE, kind="licence_heavy", portal_code="CPF207", licence_category="C"),
    ],
)
def test_open(facts):
    assert refusals(facts, on=DAY, rules=RULES) == []


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        (replace(TRAINING, is_draft=True, is_published=False), Code.DRAFT, "pas fini d’écrire"),
        (replace(TRAINING, is_published=False), Code.HIDDEN, "masqué"),
        (
            replace(TRAINING, is_published=False, withheld_for="Le code est faux."),
            Code.WITHHELD,
            "code est faux",
        ),
        (replace(TRAINING, is_published=False, is_archived=True), Code.ARCHIVED, "archivé"),
        (replace(TRAINING, has_activity_number=False), Code.ACTIVITY_UNDECLARED, "déclaration d’activité"),
        (lapsed(DAY, "report_missing"), Code.ACTIVITY_LAPSED, "n’a pas été transmis"),
        (lapsed(EVE, "report_empty"), Code.ACTIVITY_LAPSED, "ne montre aucune formation"),
        (lapsed(EVE, "withdrawn"), Code.ACTIVITY_LAPSED, "annulée depuis le 22\u00a0novembre 2026"),
        (replace(TRAINING, is_provider_active=False), Code.PROVIDER_SUSPENDED, "suspendu"),
        (replace(TRAINING, qualiopi=frozenset()), Code.QUALIOPI_MISSING, "actions de formation"),
        (replace(TRAINING, qualiopi=frozenset({"vae", "skills_review"})), Code.QUALIOPI_MISSING, "Qualiopi"),
        (
            OfferFacts(kind="skills_review", portal_code="CPF202", qualiopi=frozenset({"training"})),
            Code.QUALIOPI_MISSING,
            "bilans de compétences",
        ),
        (
            OfferFacts(kind="vae", portal_code="CPF200", qualiopi=frozenset({"training"})),
            Code.QUALIOPI_MISSING,
            "validation des acquis",
        ),
        (replace(TRAINING, certification=None, entitlements=()), Code.CERTIFICATION_MISSING, "certification"),
        (with_certification(withdrawn=True), Code.CERTIFICATION_WITHDRAWN, "RNCP40344 a été retirée"),
        (with_certification(registered_until=None), Code.CERTIFICATION_UNDATED, "n’a pas de date de fin"),
        (
            with_certification(registered_until=EVE),
            Code.CERTIFICATION_ENDED,
            "a pris fin le 22\u00a0novembre 2026",
        ),
        (
            with_certification(effective_on=MORROW),
            Code.CERTIFICATION_NOT_STARTED,
            "effet que le 24\u00a0novembre 2026",
        ),
        (with_entitlements(), Code.NOT_ENTITLED, "n’est pas habilité"),
        (
            with_entitlements(EntitlementFacts(role="HABILITATION_ORGA", is_active=True)),
            Code.ROLE_CANNOT_TRAIN,
            "mais pas y former",
        ),
        (with_entitlements(replace(PARTNER, is_active=False)), Code.ENTITLEMENT_INACTIVE, "plus active"),
        (
            with_entitlements(EntitlementFacts(role="CERTIFICATEUR", is_active=False)),
            Code.ENTITLEMENT_INACTIVE,
            "plus active",
        ),
        (
            with_entitlements(replace(PARTNER, active_from=MORROW)),
            Code.ENTITLEMENT_NOT_STARTED,
            "ne commence que le 24\u00a0novembre 2026",
        ),
        (replace(LICENCE, portal_code="CPF999"), Code.PORTAL_CODE_UNKNOWN, "CPF999"),
        (replace(LICENCE, portal_code="CPF207"), Code.PORTAL_CODE_OF_ANOTHER_KIND, "autre nature"),
        (replace(LICENCE, is_approved_driving_school=False), Code.SCHOOL_NOT_APPROVED, "agréée"),
        (replace(LICENCE, licence_category="B1"), Code.LICENCE_EXCLUDED, "permis B1"),
        (replace(LICENCE, licence_category="BE"), Code.LICENCE_EXCLUDED, "permis BE"),
    ],
)
def test_one_reason(facts, code, words):
    [reason] = refusals(facts, on=DAY, rules=RULES)
    assert reason.code == code
    assert words in reason.sentence
    assert reason.sentence.endswith(".")


def test_every_code_has_its_case():
    """A reason added to the module gets its line in the table above."""
    [table] = [mark for mark in test_one_reason.pytestmark if mark.name == "parametrize"]
    assert {code for _facts, code, _words in table.args[1]} == set(Code)


def test_a_number_is_asked_for_while_the_law_asks_for_it():
    facts = replace(TRAINING, has_activity_number=False)
    assert codes(facts, rules=replace(RULES, activity_number_required=False)) == []


def test_all_the_reasons_are_said():
    facts = replace(with_certification(registered_until=EVE), is_published=False, entitlements=())
    assert codes(facts) == [Code.HIDDEN, Code.CERTIFICATION_ENDED, Code.NOT_ENTITLED]


def test_the_days_around_the_end_of_a_registration():
    facts = with_certification(registered_until=DAY)
    assert codes(facts, on=DAY) == []
    assert codes(facts, on=MORROW) == [Code.CERTIFICATION_ENDED]


def test_qualiopi_was_not_asked_for_before_2022():
    """Mandatory since 1 January 2022, as the rulebook says."""
    before, after = date(2021, 12, 31), date(2022, 1, 1)
    facts = replace(TRAINING, qualiopi=frozenset())
    assert codes(facts, on=before, rules=rules_in_file(before)) == []
    assert codes(facts, on=after, rules=rules_in_file(after)) == [Code.QUALIOPI_MISSING]


def test_every_reason_is_said_in_its_own_sentence():
    reasons = refusals(replace(TRAINING, is_published=False, is_provider_active=False), on=DAY, rules=RULES)
    assert len({str(reason) for reason in reasons}) == 2
