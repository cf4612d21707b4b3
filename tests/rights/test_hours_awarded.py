"""Hours of the former DIF, hours that prevent unfitness, and what an admin gives or cancels by hand."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.urls import reverse

from accounts.actors import SYSTEM, Actor, Role
from accounts.models import JournalEntry
from accounts.permissions import NotAllowed
from rights import awards, integrity, ledger
from rights.awards import AwardRefused
from rights.kinds import PocketKind, Unit
from rights.models import Award, Movement, Pocket
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.rights import CreditFactory, PurseFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 12, 10, tzinfo=UTC)
TOLD = {"by": SYSTEM, "at": NOW}
OPEN, CLOSED = date(2021, 7, 5), date(2021, 7, 6)
ON = date(2026, 3, 2)


@pytest.fixture
def holder():
    return HolderFactory()


def held(holder):
    found = Pocket.objects.filter(holder=holder, balance__gt=0).order_by("kind", "unit")
    return {(pocket.kind, pocket.unit): pocket.balance for pocket in found}


def dif(holder, hours=20, reference="DIF-1", on=OPEN, **fields):
    return awards.transfer_dif(holder, hours=hours, reference=reference, on=on, **(TOLD | fields))


def prevention(holder, hours=100, reference="AVIS-1", on=ON, employer="Mairie de Lens", **fields):
    return awards.grant_prevention(
        holder, hours=hours, reference=reference, on=on, employer=employer, **(TOLD | fields)
    )


# --- DIF --------------------------------------------------------------------------------------------------


def test_dif_hours_become_euros_at_15_euros_an_hour_once(holder):
    movement = dif(holder, Fraction("12.5"))
    assert held(holder) == {(PocketKind.DIF, Unit.EUR_CENT): 187_50}
    assert movement.value_date == OPEN
    assert movement.formula[0][1] == "12,5\u00a0h"
    assert dif(holder, Fraction("12.5")) == movement
    assert Movement.objects.count() == 1


def test_dif_is_cut_at_its_ceiling_whatever_was_spent_since(holder):
    dif(holder, 300)
    with pytest.raises(AwardRefused, match="pas possible"):
        dif(holder, 10_000, "DIF-2")
    movement = dif(holder, 100, "DIF-2")  # 4 500 € are there, 500 € of 1 500 € fit
    assert movement.amount == 500_00
    assert ["perdu au-dessus du plafond", "1\u202f000,00\u00a0€"] in movement.formula
    with pytest.raises(AwardRefused, match=r"plafond de 5.000,00.€ est atteint"):
        dif(holder, 1, "DIF-3")
    assert dif(holder, 300) and dif(holder, 100, "DIF-2") == movement
    assert integrity.check() == []


@pytest.mark.parametrize(
    ("fields", "sentence", "field"),
    [
        ({"on": CLOSED}, "Le report des heures de DIF est fermé", "hours"),
        ({"on": date(2014, 12, 31)}, "Aucune règle n’est connue", "on"),
        ({"on": date(2026, 5, 13)}, "dans le futur", "on"),
        ({"hours": -1}, "pas possible", "hours"),
        ({"hours": 0}, "Zéro heure", "hours"),
        ({"reference": " "}, "référence", "reference"),
    ],
)
def test_a_transfer_that_cannot_be_says_why(holder, fields, sentence, field):
    with pytest.raises(AwardRefused, match=sentence) as refused:
        dif(holder, **fields)
    assert refused.value.field == field
    assert not Movement.objects.exists()


def test_one_reference_is_one_event_of_one_person(holder):
    dif(holder)
    with pytest.raises(ledger.KeyReused):
        dif(holder, 21)
    with pytest.raises(ledger.KeyReused):
        dif(HolderFactory())


# --- Prevention of unfitness ------------------------------------------------------------------------------


def test_hours_that_prevent_unfitness_are_outside_the_caps_and_limited_over_a_career(holder):
    PurseFactory(holder=holder, unit=Unit.HOUR, amount=150)  # at the cap
    first = prevention(holder)
    assert held(holder) == {(PocketKind.ANNUAL, Unit.HOUR): 150, (PocketKind.DOTATION, Unit.HOUR): 100}
    assert prevention(holder) == first
    second = prevention(holder, 80, "AVIS-2", employer="Hôpital")
    assert (second.amount, second.target.label) == (50, "Hôpital")
    assert ["au-delà de 150\u00a0h en tout", "30\u00a0h"] in second.formula
    with pytest.raises(AwardRefused, match=r"plafond de 150.h est atteint"):
        prevention(holder, 1, "AVIS-3")
    assert integrity.check() == []


def test_hours_of_an_award_that_was_cancelled_can_be_given_again(holder):
    first = prevention(holder, 150)
    awards.cancel(first, reason="Mauvais agent", by=SYSTEM, at=NOW)
    with pytest.raises(AwardRefused, match="a été annulée"):
        prevention(holder, 150)
    assert prevention(holder, 150, "AVIS-2").amount == 150


@pytest.mark.parametrize(
    ("fields", "field"), [({"hours": -1}, "hours"), ({"employer": ""}, "employer"), ({"hours": 0}, "hours")]
)
def test_a_grant_that_cannot_be_says_why(holder, fields, field):
    with pytest.raises(AwardRefused) as refused:
        prevention(holder, **fields)
    assert refused.value.field == field


def test_only_the_administration_gives_and_cancels(holder):
    me = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
    for act in (dif, prevention):
        with pytest.raises(NotAllowed):
            act(holder, by=me)
    with pytest.raises(NotAllowed):
        awards.cancel(dif(holder), reason="Moi", by=me, at=NOW)


# --- Cancel -----------------------------------------------------------------------------------------------


def test_an_award_is_cancelled_by_a_counter_movement_once(holder):
    movement = dif(holder)
    with pytest.raises(AwardRefused, match="motif"):
        awards.cancel(movement, reason=" ", by=SYSTEM, at=NOW)
    counter = awards.cancel(movement, reason="Saisi deux fois", by=SYSTEM, at=NOW)
    assert awards.cancel(movement, reason="Saisi deux fois", by=SYSTEM, at=NOW) == counter
    assert held(holder) == {}
    assert integrity.check() == []


def test_what_is_no_award_is_not_cancelled_here(holder):
    with pytest.raises(AwardRefused, match="pas une attribution"):
        awards.cancel(CreditFactory(holder=holder), reason="Erreur", by=SYSTEM, at=NOW)


# --- The file ---------------------------------------------------------------------------------------------


def test_the_command_reads_both_and_says_the_line_that_is_wrong(holder, tmp_path, capsys):
    file = tmp_path / "droits.csv"
    lines = [
        "holder;right;reference;on;hours;employer",
        f"{holder.reference};dif;DIF-1;2021-07-05;12,5;",
        f"{holder.reference};prevention;AVIS-1;2026-03-02;40;Mairie de Lens",
        f"{holder.reference};dif;DIF-2;2021-07-05;beaucoup;",
        f"{holder.reference};dif;DIF-3;2021-07-06;1;",
    ]
    file.write_text("\n".join(lines))
    for _run in range(2):
        call_command("grant_rights", str(file))
    assert held(holder) == {(PocketKind.DIF, Unit.EUR_CENT): 187_50, (PocketKind.DOTATION, Unit.HOUR): 40}
    said = capsys.readouterr()
    assert "« beaucoup » n’est pas un nombre d’heures" in said.err
    assert "Le report des heures de DIF est fermé" in said.err


# --- The administration -----------------------------------------------------------------------------------


@pytest.fixture
def desk(client):
    client.clerk = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(client.clerk)
    return client


LIST = reverse("admin:rights_award_changelist")


def give(desk, right, **said):
    return desk.post(reverse("admin:rights_award_give", args=[right]), {"reason": "Oubli"} | said)


@pytest.mark.parametrize(
    ("right", "said", "amount"),
    [
        ("engagement", {"activity": "civic_service", "year": "2025", "quantity": "6"}, 240_00),
        ("prevention-c2p", {"points": "2", "reference": "C-1", "on": "02/03/2026"}, 1000_00),
        ("accident", {"rate_percent": "12", "reference": "A-1", "on": "02/03/2026"}, 7500_00),
        (
            "employeur",
            {"cause": "corrective", "employer": "Atelier", "reference": "E-1", "on": "02/03/2026"},
            3000_00,
        ),
        ("dif", {"hours": "12,5", "reference": "D-1", "on": "05/07/2021"}, 187_50),
        ("inaptitude", {"hours": "40", "employer": "Mairie", "reference": "P-1", "on": "02/03/2026"}, 40),
    ],
)
def test_each_right_is_given_from_its_page_once_and_journalled(desk, holder, right, said, amount):
    said |= {"holder": holder.reference}
    first = give(desk, right, **said)
    award = Award.objects.get()
    assert first.url == reverse("admin:rights_award_change", args=[award.pk])
    assert (award.amount, award.recorded_by) == (amount, desk.clerk)
    assert give(desk, right, **said).url == first.url
    entry = JournalEntry.objects.get(action="award_given")
    assert (entry.subject, entry.details["reason"]) == (f"holderprofile:{holder.pk}", "Oubli")
    assert integrity.check() == []


def test_the_page_asks_which_right_then_its_own_questions(desk):
    add = reverse("admin:rights_award_add")
    assert "Un report d’heures de DIF" in desk.get(add).text
    assert desk.post(add, {}).status_code == 422
    answer = desk.post(add, {"right": "dif"})
    assert answer.url == reverse("admin:rights_award_give", args=["dif"])
    assert "Jour du report" in desk.get(answer.url).text
    assert desk.get(reverse("admin:rights_award_give", args=["rien"])).status_code == 404


@pytest.mark.parametrize(
    ("right", "said", "sentence"),
    [
        ("dif", {"holder": "personne"}, "Aucun compte n’a cette référence."),
        ("dif", {"on": "06/07/2021"}, "Le report des heures de DIF est fermé."),
        ("dif", {"hours": "beaucoup"}, "Ce nombre n’est pas reconnu"),
        ("accident", {"rate_percent": "9"}, "Il faut une incapacité permanente"),
        ("engagement", {"activity": "civic_service", "year": "2025", "quantity": "5"}, "il faut"),
    ],
)
def test_what_the_law_does_not_give_is_said_beside_its_field(desk, holder, right, said, sentence):
    known = {"holder": holder.reference, "hours": "1", "reference": "R-1", "on": "05/07/2021"}
    answer = give(desk, right, **(known | said))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert not Movement.objects.exists()


def test_an_award_is_cancelled_with_a_reason_from_its_page(desk, holder):
    award = dif(holder)
    page = reverse("admin:rights_award_change", args=[award.pk])
    cancel = reverse("admin:rights_award_cancel", args=[award.pk])
    assert cancel in desk.get(page).text
    assert desk.post(cancel, {"reason": ""}).status_code == 422
    for _click in range(2):
        assert desk.post(cancel, {"reason": "Saisi deux fois"}).url == page
    html = desk.get(page).text
    assert cancel not in html
    assert JournalEntry.objects.filter(action="award_cancelled").count() == 1
    assert held(holder) == {}


def test_nobody_gives_or_cancels_their_own(desk, holder):
    award = dif(holder)
    holder.user = desk.clerk
    holder.save(update_fields=["user"])
    said = {"holder": holder.reference, "hours": "1", "reference": "R-1", "on": "05/07/2021"}
    assert "ses propres droits" in give(desk, "dif", **said).text
    cancel = reverse("admin:rights_award_cancel", args=[award.pk])
    assert "ses propres droits" in desk.post(cancel, {"reason": "Moi"}).text
    assert Movement.objects.count() == 1


def test_a_permission_is_needed_to_give_and_another_to_cancel(client, holder):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_award"))
    client.force_login(clerk)
    award = dif(holder)
    assert client.get(LIST).status_code == 200
    for address in (
        reverse("admin:rights_award_add"),
        reverse("admin:rights_award_give", args=["dif"]),
        reverse("admin:rights_award_cancel", args=[award.pk]),
    ):
        assert client.get(address).status_code == 403


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_holds_awards_only_and_reads_as_much_for_three_as_for_one(
    desk, count, django_assert_num_queries
):
    for number in range(count):
        dif(HolderFactory(), reference=f"D-{number}")
    CreditFactory()
    desk.get(LIST)
    with django_assert_num_queries(QUERIES):
        html = desk.get(LIST).text
    assert f"{count} attribution" in html


QUERIES = 5
"""Session, user, what waits; the rows, their counts, their filters; the journal of the look."""
