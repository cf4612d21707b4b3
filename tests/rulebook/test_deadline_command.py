"""`manage.py deadline`: the last day, the exact instant, the days skipped with why."""

import json
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from rulebook import loading, workdays
from rulebook.management.commands.deadline import KINDS

pytestmark = pytest.mark.django_db


def deadline(*args):
    out = StringIO()
    call_command("deadline", *args, stdout=out)
    return out.getvalue()


def deadline_json(*args):
    return json.loads(deadline(*args, "--json"))


def test_json_is_exactly_this():
    assert deadline_json("provider_answer", "2026-11-20") == {
        "kind": "provider_answer",
        "event": "2026-11-20",
        "days": 2,
        "unit": "business",
        "last_day": "2026-11-24",
        "expires_at": "2026-11-24T23:00:00Z",
        "skipped": [
            {"day": "2026-11-21", "why": "samedi"},
            {"day": "2026-11-22", "why": "dimanche"},
        ],
    }


@pytest.mark.parametrize(
    ("kind", "moment", "last_day", "expires_at"),
    [
        ("provider_answer", "2026-12-24", "2026-12-29", "2026-12-29T23:00:00Z"),
        ("holder_answer", "2026-12-24", "2026-12-31", "2026-12-31T23:00:00Z"),
        ("holder_answer", "2026-04-30", "2026-05-07", "2026-05-07T22:00:00Z"),
        ("withdrawal", "2026-04-30", "2026-05-26", "2026-05-26T22:00:00Z"),
        ("payment", "2026-04-30", "2026-05-11", "2026-05-11T22:00:00Z"),
        ("earliest_start", "2026-12-24", "2027-01-12", "2027-01-12T23:00:00Z"),
        ("earliest_start", "2027-05-07", "2027-05-25", "2027-05-25T22:00:00Z"),
        ("free_cancellation", "2026-06-01", "2026-05-20", "2026-05-20T22:00:00Z"),
        # Midnight, from either side and from elsewhere.
        ("provider_answer", "2026-11-18T23:59", "2026-11-20", "2026-11-20T23:00:00Z"),
        ("provider_answer", "2026-11-19T00:00", "2026-11-23", "2026-11-23T23:00:00Z"),
        ("provider_answer", "2026-11-18T22:59:59Z", "2026-11-20", "2026-11-20T23:00:00Z"),
        ("provider_answer", "2026-11-18T23:00:00Z", "2026-11-23", "2026-11-23T23:00:00Z"),
        ("provider_answer", "2026-11-18T18:00:00-05:00", "2026-11-23", "2026-11-23T23:00:00Z"),
        # The clock changes of 29 March and 25 October 2026.
        ("provider_answer", "2026-03-27T23:59", "2026-03-31", "2026-03-31T22:00:00Z"),
        ("provider_answer", "2026-03-29T02:30", "2026-03-31", "2026-03-31T22:00:00Z"),
        ("provider_answer", "2026-10-23", "2026-10-27", "2026-10-27T23:00:00Z"),
        ("provider_answer", "2026-10-25T02:30", "2026-10-27", "2026-10-27T23:00:00Z"),
    ],
)
def test_deadlines_counted_by_hand(kind, moment, last_day, expires_at):
    answer = deadline_json(kind, moment)
    assert (answer["last_day"], answer["expires_at"]) == (last_day, expires_at)


def test_every_public_holiday_from_2026_to_2030_is_skipped_and_named():
    for year in range(2026, 2031):
        for holiday, name in workdays.public_holidays(year).items():
            eve = holiday - timedelta(days=1)
            answer = deadline_json("provider_answer", eve.isoformat())
            why = next(skipped["why"] for skipped in answer["skipped"] if skipped["day"] == str(holiday))
            assert name in why
            assert "férié" in why


@pytest.mark.parametrize(
    ("moment", "event"),
    [
        ("2026-11-20", "2026-11-20"),
        (" 2026-11-20 ", "2026-11-20"),
        ("2026-11-20T23:59", "2026-11-20T23:59:00+01:00"),
        ("2026-07-20 10:00", "2026-07-20T10:00:00+02:00"),
        ("2026-11-20T23:30:00Z", "2026-11-21T00:30:00+01:00"),
        ("2026-03-29T02:30", "2026-03-29T03:30:00+02:00"),
        ("2026-10-25T02:30", "2026-10-25T02:30:00+02:00"),
    ],
)
def test_the_event_is_given_back_as_it_was_understood(moment, event):
    assert deadline_json("provider_answer", moment)["event"] == event


def test_the_rulebook_of_the_events_day_decides():
    assert deadline_json("earliest_start", "2021-06-09")["days"] == 0
    assert deadline_json("earliest_start", "2021-06-10")["days"] == 11
    # 22:30 UTC on 9 June is the 10th in Paris.
    assert deadline_json("earliest_start", "2021-06-09T22:30:00Z")["days"] == 11


def test_a_territory_moves_the_end():
    args = ("provider_answer", "2026-04-01", "--calendar")
    assert deadline_json(*args, "metropole")["last_day"] == "2026-04-03"
    assert deadline_json(*args, "alsace-moselle")["last_day"] == "2026-04-07"


def test_in_words():
    assert deadline("provider_answer", "2026-10-30T18:00") == (
        "Délai : réponse de l'organisme à une demande, 2 jours ouvrés\n"
        "Événement : vendredi 30 octobre 2026 à 18:00:00, heure de Paris\n"
        "Dernier jour pour répondre : mardi 3 novembre 2026\n"
        "Trop tard à partir du mercredi 4 novembre 2026 à 00:00:00, heure de Paris (2026-11-03T23:00:00Z)\n"
        "Jours non comptés :\n"
        "- 31 octobre 2026 : samedi\n"
        "- 1er novembre 2026 : dimanche, jour férié (Toussaint)\n"
    )
    assert "Premier jour possible de la formation : mardi 25 mai 2027" in deadline(
        "earliest_start", "2027-05-07"
    )
    assert "Aucun jour n'est sauté." in deadline("provider_answer", "2026-11-16")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_today(kind):
    rules = loading.rules_in_file(date(2026, 11, 20))
    answer = deadline_json(kind, "2026-11-20")
    assert (answer["days"], answer["unit"]) == rules.term(kind)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("patience", "2026-11-20"), "Délai inconnu : « patience »"),
        (("provider_answer", "hier"), "« hier » n'est ni une date ni un moment"),
        (("provider_answer", ""), "n'est ni une date ni un moment"),
        (("provider_answer", "2026-02-30"), "n'est ni une date ni un moment"),
        (("provider_answer", "2026-11-20T25:00"), "n'est ni une date ni un moment"),
        (("provider_answer", "0001-01-01T00:00:00+12:00"), "n'est ni une date ni un moment"),
        (("provider_answer", "20/11/2026"), "n'est ni une date ni un moment"),
        (("provider_answer", "2026-11-20", "--calendar", "mars"), "Calendrier inconnu : « mars »"),
        (("provider_answer", "2019-11-20"), "n'est en vigueur le 20/11/2019"),
        (("provider_answer", "9999-12-31"), "« 9999-12-31 » est hors du calendrier"),
    ],
)
def test_bad_input_is_refused_in_a_french_sentence(args, sentence):
    with pytest.raises(CommandError) as error:
        deadline(*args)
    assert sentence in str(error.value)
    assert error.value.returncode == 1


def test_without_arguments_it_says_what_to_give():
    with pytest.raises(CommandError):
        deadline()
