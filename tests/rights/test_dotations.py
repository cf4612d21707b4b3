"""Funders' envelopes: what comes in, what is granted, what comes back, and what is refused."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.actors import SYSTEM, Actor, Role
from accounts.permissions import NotAllowed
from notices.models import Notice
from rights import dotations, earmarks, integrity, ledger, tasks
from rights.dotations import DotationRefused, Wish
from rights.kinds import FunderKind, MovementKind, Origin, PocketKind
from rights.models import Earmark, Movement, Pocket
from tests.factories.accounts import HolderFactory
from tests.factories.dotations import EnvelopeFactory, GrantFactory
from tests.factories.rights import PurseFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 12, 10, tzinfo=UTC)
TODAY = date(2026, 5, 12)


def balance(pocket):
    return Pocket.objects.get(pk=getattr(pocket, "pk", pocket)).balance


def wish(**fields):
    return Wish(
        **{
            "holder": fields.pop("holder", None) or HolderFactory(),
            "amount": 300_00,
            "origin": Origin.VOLUNTARY,
            "reference": str(uuid.uuid4()),
        }
        | fields
    )


def grant(envelope, **fields):
    return dotations.grant(envelope, wish(**fields), by=SYSTEM, at=NOW)


def reserve(purse, amount):
    return ledger.reserve(
        lines=[(purse.pk, amount)], key=str(uuid.uuid4()), at=NOW, by=SYSTEM, reason="Dossier"
    )


# --- Money in, money out -----------------------------------------------------------------------------


def test_a_funder_pays_in_and_grants_and_the_holder_may_use_it_at_once():
    envelope, holder = EnvelopeFactory(cents=1_000_00, at=NOW), HolderFactory()
    movement = grant(envelope, holder=holder, amount=300_00)
    assert (movement.kind, movement.source_id) == (MovementKind.GRANT, envelope.pk)
    assert balance(envelope) == 700_00
    [purse] = ledger.purses(holder, at=NOW)
    assert (purse.kind, purse.label, purse.balance) == (PocketKind.DOTATION, "Atelier Nord", 300_00)
    assert (purse.origin, purse.funder_kind) == (Origin.VOLUNTARY, FunderKind.EMPLOYER)
    assert integrity.check() == []


@pytest.mark.parametrize(
    ("origin", "amount", "funder", "kind", "exempts_as"),
    [
        (Origin.VOLUNTARY, 100_00, FunderKind.EMPLOYER, PocketKind.DOTATION, FunderKind.EMPLOYER),
        (Origin.ADDITIONAL, 100_00, FunderKind.EMPLOYER, PocketKind.DOTATION, FunderKind.AGREEMENT),
        (Origin.CORRECTIVE, 3_000_00, FunderKind.EMPLOYER, PocketKind.CORRECTIVE, FunderKind.EMPLOYER),
        (Origin.DISMISSED, 3_000_00, FunderKind.EMPLOYER, PocketKind.DOTATION, FunderKind.EMPLOYER),
        (Origin.TOP_UP, 100_00, FunderKind.REGION, PocketKind.TOP_UP, FunderKind.REGION),
        (Origin.TOP_UP, 100_00, FunderKind.OPCO, PocketKind.TOP_UP, FunderKind.OPCO),
    ],
)
def test_the_four_sorts_of_an_employer_and_the_top_up_of_any_other_funder(
    origin, amount, funder, kind, exempts_as
):
    envelope = EnvelopeFactory(cents=5_000_00, funder_kind=funder, at=NOW)
    purse = grant(envelope, origin=origin, amount=amount).target
    assert (purse.kind, purse.funder_kind, purse.origin) == (kind, exempts_as, origin)
    assert purse.envelope_id == envelope.pk
    assert integrity.check() == []


def test_sorts_and_conditions_never_share_a_purse():
    envelope, holder = EnvelopeFactory(cents=9_000_00, at=NOW), HolderFactory()
    only = earmarks.conditions(certifications=["RNCP1"])
    for number, fields in enumerate(
        (
            {},
            {"conditions": only},
            {"expires_on": TODAY},
            {"origin": Origin.ADDITIONAL},
            {"origin": Origin.DISMISSED, "amount": 3_000_00},
        ),
        start=1,
    ):
        grant(envelope, holder=holder, **fields)
        assert Pocket.objects.filter(holder=holder).count() == number
    grant(envelope, holder=holder, conditions=only)
    assert Pocket.objects.filter(holder=holder).count() == 5
    assert Earmark.objects.count() == 1


def test_the_holder_is_told_what_for_and_until_when():
    holder = HolderFactory()
    only = earmarks.conditions(certifications=["RNCP1"])
    grant(EnvelopeFactory(at=NOW), holder=holder, conditions=only, expires_on=date(2026, 12, 31))
    [notice] = Notice.objects.filter(kind="dotation_granted")
    assert notice.user == holder.user
    assert notice.facts["funder"] == "Atelier Nord"
    assert "RNCP1" in notice.facts["conditions"]
    assert "2026" in notice.facts["expires"]


def test_who_has_no_login_yet_receives_too_and_nobody_is_told():
    holder = HolderFactory(user=None, activated_at=None)
    grant(EnvelopeFactory(at=NOW), holder=holder)
    assert [purse.balance for purse in ledger.purses(holder, at=NOW)] == [300_00]
    assert not Notice.objects.filter(kind="dotation_granted").exists()


def test_the_same_reference_gives_once():
    envelope, holder = EnvelopeFactory(at=NOW), HolderFactory()
    first = grant(envelope, holder=holder, reference="A-1")
    assert grant(envelope, holder=holder, reference="A-1") == first
    assert balance(envelope) == 700_00
    with pytest.raises(DotationRefused, match="déjà servi"):
        grant(envelope, holder=holder, reference="A-1", amount=1)
    with pytest.raises(DotationRefused, match="déjà servi"):
        grant(envelope, reference="A-1")


def test_the_same_transfer_is_paid_in_once():
    envelope = EnvelopeFactory(cents=0, at=NOW)
    told = {"reference": "VIR-9", "by": SYSTEM, "at": NOW}
    first = dotations.fund(envelope, amount=100, **told)
    assert dotations.fund(envelope, amount=100, **told) == first
    assert balance(envelope) == 100
    with pytest.raises(ledger.KeyReused), transaction.atomic():
        dotations.fund(envelope, amount=101, **told)


def test_what_an_envelope_still_holds_is_paid_back_and_no_more():
    envelope = EnvelopeFactory(cents=100, at=NOW)
    told = {"by": SYSTEM, "at": NOW, "reason": "Fin de budget"}
    with pytest.raises(ledger.NotEnough):
        dotations.pay_back(envelope, amount=101, key="1", **told)
    first = dotations.pay_back(envelope, amount=100, key="1", **told)
    assert dotations.pay_back(envelope, amount=100, key="1", **told) == first
    assert balance(envelope) == 0
    assert integrity.check() == []


# --- Refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": 1_000_01}, "n’a plus assez : il faut 1 000,01 € et il reste 1 000,00 €"),
        ({"amount": 0}, "supérieur à zéro"),
        ({"amount": -5}, "supérieur à zéro"),
        ({"amount": 100_000_01}, "vérifiez que le montant est en euros"),
        ({"expires_on": date(2026, 5, 11)}, "est déjà passé"),
        ({"conditions": earmarks.conditions(starts_until=date(2026, 5, 11))}, "Le fléchage a pris fin"),
        ({"origin": Origin.CORRECTIVE, "amount": 300_00}, "la loi fixe le montant à 3 000,00 €"),
        ({"origin": Origin.DISMISSED, "amount": 300_00}, "la loi fixe le montant à 3 000,00 €"),
        (
            {"origin": Origin.CORRECTIVE, "amount": 3_000_00, "expires_on": date(2027, 1, 1)},
            "sans condition ni date de fin",
        ),
        ({"origin": Origin.TOP_UP}, "n’attribue pas"),
        ({"reference": ""}, "Donnez la référence"),
        ({"reference": "x" * 65}, "Donnez la référence"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence_and_nothing_moves(fields, words):
    envelope = EnvelopeFactory(at=NOW)
    with pytest.raises(DotationRefused) as refused:
        grant(envelope, **fields)
    assert words in " ".join(str(refused.value).split())
    assert balance(envelope) == 1_000_00
    assert not Movement.objects.filter(kind=MovementKind.GRANT).exists()


def test_a_certification_outside_the_earmark_of_the_envelope_is_refused():
    web = earmarks.conditions(certifications=["RNCP1", "RNCP2"])
    envelope = EnvelopeFactory(conditions=web, at=NOW)
    with pytest.raises(DotationRefused, match="RNCP1, RNCP2"):
        grant(envelope, conditions=earmarks.conditions(certifications=["RNCP9"]))
    narrower = earmarks.conditions(certifications=["RNCP2"])
    assert grant(envelope, conditions=narrower).target.earmark.conditions == narrower
    # Whoever says nothing takes the conditions of the envelope.
    assert grant(envelope).target.earmark.conditions == web


def test_an_envelope_that_has_ended_grants_no_more_but_still_knows_what_it_gave():
    holder = HolderFactory()
    envelope = EnvelopeFactory(ends_on=TODAY, at=NOW)
    first = grant(envelope, holder=holder, reference="A-1")
    later = NOW + timedelta(days=1)
    with pytest.raises(DotationRefused, match="a pris fin"):
        dotations.grant(envelope, wish(), by=SYSTEM, at=later)
    again = wish(holder=holder, reference="A-1")
    assert dotations.grant(envelope, again, by=SYSTEM, at=later) == first


def test_one_who_is_refused_stops_nobody_else():
    envelope = EnvelopeFactory(cents=500_00, at=NOW)
    wishes = [wish(amount=amount) for amount in (300_00, 300_00, 200_00)]
    outcomes = dotations.grant_lot(envelope, wishes, by=SYSTEM, at=NOW)
    assert [outcome.is_new for outcome in outcomes] == [True, False, True]
    assert "n’a plus assez" in str(outcomes[1].refusal)
    assert balance(envelope) == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reference": "a b"}, "La référence a de 1 à 40"),
        ({"reference": ""}, "La référence a de 1 à 40"),
        ({"funder_name": " "}, "Donnez le nom du financeur"),
        ({"funder_siret": "12312312300000"}, "SIRET"),
        ({"ends_on": date(2026, 5, 11)}, "déjà passé"),
    ],
)
def test_an_envelope_that_makes_no_sense_is_not_opened(fields, words):
    with pytest.raises(DotationRefused, match=words):
        EnvelopeFactory(cents=0, at=NOW, **fields)
    assert not Pocket.objects.exists()


def test_the_same_envelope_is_opened_once():
    envelope = EnvelopeFactory(reference="RH-2026", at=NOW)
    assert EnvelopeFactory(reference="RH-2026", cents=0, at=NOW) == envelope
    with pytest.raises(DotationRefused, match="existe déjà"):
        EnvelopeFactory(reference="RH-2026", funder_name="Autre", at=NOW)
    with pytest.raises(DotationRefused, match="pas d’enveloppe « X »"):
        dotations.find_envelope("X")


def test_only_the_administration_and_the_portal_give():
    envelope, holder = EnvelopeFactory(at=NOW), HolderFactory()
    stranger = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
    told = {"by": stranger, "at": NOW}
    for call in (
        lambda: dotations.grant(envelope, wish(holder=holder), **told),
        lambda: dotations.fund(envelope, amount=1, reference="x", **told),
        lambda: dotations.recall(envelope, key="1", reason="x", **told),
        lambda: dotations.pay_back(envelope, amount=1, key="1", reason="x", **told),
    ):
        with pytest.raises(NotAllowed):
            call()


# --- The way back ------------------------------------------------------------------------------------


def test_what_is_not_used_in_time_goes_back_to_its_envelope_and_its_holder_is_told():
    envelope = EnvelopeFactory(at=NOW)
    purse = grant(envelope, expires_on=TODAY).target
    reserve(purse, 100_00)
    assert dotations.expire(at=NOW) == []  # its last day still counts
    later = NOW + timedelta(days=1)
    [returned] = dotations.expire(at=later)
    assert (returned.kind, returned.amount, returned.target_id) == ("expiry", 200_00, envelope.pk)
    assert balance(purse) == 0
    assert balance(envelope) == 900_00
    assert Notice.objects.get(kind="dotation_returned").user == purse.holder.user
    assert dotations.expire(at=later) == []
    assert integrity.check() == []


def test_what_a_dossier_gives_back_after_the_last_day_goes_on_to_the_envelope():
    envelope = EnvelopeFactory(at=NOW)
    purse = grant(envelope, expires_on=TODAY).target
    reserved = reserve(purse, 300_00)
    ledger.release(reserved=reserved, key="r", at=NOW + timedelta(days=1), by=SYSTEM, reason="Rétractation")
    assert balance(purse) == 0
    assert balance(envelope) == 1_000_00
    assert integrity.check() == []


def test_a_dotation_that_no_envelope_paid_goes_back_to_its_funder():
    purse = PurseFactory(kind=PocketKind.DOTATION, label="Région", expires_on=TODAY)
    [returned] = dotations.expire(at=NOW + timedelta(days=1))
    assert (returned.source_id, returned.target.kind, returned.target.label) == (
        purse.pk,
        PocketKind.FUNDER,
        "Région",
    )
    assert integrity.check() == []


def test_rights_of_ones_own_never_expire():
    PurseFactory(kind=PocketKind.ANNUAL, amount=100)
    grant(EnvelopeFactory(at=NOW))  # without a last day
    assert dotations.expire(at=NOW + timedelta(days=10_000)) == []


def test_the_clock_sends_it_back(monkeypatch):
    purse = PurseFactory(kind=PocketKind.TOP_UP, label="Région", expires_on=date(2020, 1, 1))
    tasks.return_ended_dotations()
    assert balance(purse) == 0


def test_a_funder_takes_back_what_is_unused_and_neither_what_waits_nor_what_the_law_owes():
    envelope = EnvelopeFactory(cents=9_000_00, at=NOW)
    one, two = grant(envelope).target, grant(envelope).target
    owed = grant(envelope, origin=Origin.DISMISSED, amount=3_000_00).target
    reserve(two, 100_00)
    told = {"by": SYSTEM, "at": NOW, "key": "r1", "reason": "Départ"}
    returned = dotations.recall(envelope, **told)
    assert sorted(movement.amount for movement in returned) == [200_00, 300_00]
    assert [balance(purse) for purse in (one, two, owed)] == [0, 0, 3_000_00]
    assert balance(envelope) == 9_000_00 - 3_000_00 - 100_00
    assert dotations.recall(envelope, **told) == []
    assert Notice.objects.filter(kind="dotation_returned").count() == 2
    assert integrity.check() == []


def test_a_recall_may_be_for_one_holder_and_says_why():
    envelope = EnvelopeFactory(at=NOW)
    one, two = grant(envelope).target, grant(envelope).target
    with pytest.raises(DotationRefused, match="Dites pourquoi"):
        dotations.recall(envelope, by=SYSTEM, at=NOW, key="1", reason=" ")
    dotations.recall(envelope, by=SYSTEM, at=NOW, key="1", reason="Départ", holder=one.holder)
    assert [balance(purse) for purse in (one, two)] == [0, 300_00]


# --- What the database keeps -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"earmark": None}, {"envelope": None}, {"expires_on": None}, {"origin": ""}]
)
def test_a_purse_keeps_its_terms(change):
    only = earmarks.conditions(levels=[5])
    purse = GrantFactory(at=NOW, conditions=only, expires_on=date(2027, 1, 1)).target
    with pytest.raises(IntegrityError, match="keeps its kind"), transaction.atomic():
        Pocket.objects.filter(pk=purse.pk).update(**change)


def test_an_earmark_is_never_edited():
    purse = GrantFactory(at=NOW, conditions=earmarks.conditions(levels=[5])).target
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        Earmark.objects.filter(pk=purse.earmark_id).update(levels=[8])


def test_the_cost_of_a_lot_does_not_follow_its_size(django_assert_max_num_queries):
    envelope = EnvelopeFactory(cents=9_000_00, at=NOW)
    for number in (1, 3):
        holders = [HolderFactory(user=None, activated_at=None) for _ in range(number)]
        wishes = [wish(holder=holder, amount=1) for holder in holders]
        with django_assert_max_num_queries(12):
            dotations.grant_lot(envelope, wishes, by=SYSTEM, at=NOW)
