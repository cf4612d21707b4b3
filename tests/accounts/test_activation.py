"""Activation: a person proves to be the holder of an account in which rights already wait."""

import datetime
import logging
import sys
import threading
import time

import pytest
from django.core.signals import got_request_exception
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.views.debug import ExceptionReporter

from accounts import activation, nir
from accounts.activation import ActivationFailed, StatedIdentity, TooManyAttempts, activate
from accounts.actors import Actor, Role
from accounts.models import ActivationAttempt, HolderProfile, JournalEntry
from notices.models import Notice
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory, an_nir

BORN = datetime.date(1985, 5, 31)
NUMBER = an_nir(BORN, sex="F", order=77)
SENTENCE = "Nous n’avons pas pu activer de compte avec ces informations."


def waiting(**fields):
    fields = {"birth_name": "Lefèvre", "used_name": "Durand", "first_names": "Marie-Claire, Anne"} | fields
    return HolderFactory(activated=False, birth_date=BORN, number=fields.pop("number", NUMBER), **fields)


def stated(**fields):
    identity = {"family_name": "Lefevre", "first_names": "Marie Claire", "birth_date": BORN, "nir": NUMBER}
    return StatedIdentity(**(identity | fields))


def someone(user=None):
    return Actor(role=Role.HOLDER, user=user or UserFactory())


def typed(**fields):
    form = {
        "family_name": "Lefevre",
        "first_names": "Marie Claire",
        "birth_date": "31/05/1985",
        "nir": NUMBER,
    }
    return form | fields


@pytest.fixture
def person(client):
    user = UserFactory()
    client.force_login(user)
    return user


@pytest.mark.django_db
class TestTheVerb:
    def test_the_account_gets_its_holder_who_is_told(self, at):
        account, by = waiting(), someone()
        holder = activate(by=by, at=at, identity=stated())
        assert holder == account
        assert (holder.user, holder.activated_at) == (by.user, at)
        assert ActivationAttempt.objects.get().succeeded
        line = JournalEntry.objects.get()
        assert (line.action, line.subject, line.user) == (
            "account_activated", f"holderprofile:{account.pk}", by.user,
        )  # fmt: skip
        notice = Notice.objects.get()
        assert (notice.kind, notice.email) == ("account_activated", by.user.email)

    @pytest.mark.parametrize("name", ["LEFEVRE", "Durand", "Lefèvre-Durand", "durand lefèvre"])
    def test_every_name_a_person_bears_opens_it(self, at, name):
        account = waiting()
        assert activate(by=someone(), at=at, identity=stated(family_name=name)) == account

    def test_twice_by_the_same_person_gives_the_same_account(self, at):
        waiting()
        by = someone()
        first = activate(by=by, at=at, identity=stated())
        assert activate(by=by, at=at, identity=stated()) == first
        assert (
            ActivationAttempt.objects.count() == JournalEntry.objects.count() == Notice.objects.count() == 1
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"family_name": "Martin"},
            {"first_names": "Marie"},
            {"birth_date": BORN.replace(day=30)},
            {"nir": an_nir(BORN, order=78)},
        ],
    )
    def test_each_wrong_part_is_a_failure_and_counts(self, at, wrong):
        account = waiting()
        with pytest.raises(ActivationFailed):
            activate(by=someone(), at=at, identity=stated(**wrong))
        account.refresh_from_db()
        assert account.user is None
        assert not ActivationAttempt.objects.get().succeeded
        assert not JournalEntry.objects.exists() and not Notice.objects.exists()

    def test_an_account_without_its_number_is_not_given_on_names_alone(self, at):
        waiting(number="")
        with pytest.raises(ActivationFailed):
            activate(by=someone(), at=at, identity=stated(nir=""))

    def test_where_the_number_is_not_asked_names_and_date_are_enough(self, at, settings):
        settings.NIR_AT_ACTIVATION = False
        account = waiting(number="")
        waiting(birth_name="Autre", used_name="", number=an_nir(BORN, order=5))
        assert activate(by=someone(), at=at, identity=stated(nir="")) == account

    def test_two_people_of_one_name_and_day_are_never_told_apart_by_chance(self, at, settings):
        settings.NIR_AT_ACTIVATION = False
        waiting(number="")
        waiting(number=an_nir(BORN, order=5))
        with pytest.raises(ActivationFailed):
            activate(by=someone(), at=at, identity=stated(nir=""))

    def test_a_number_signed_with_the_former_key_is_still_found(self, at, settings):
        account = waiting()
        settings.NIR_KEYS = ["bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=", *settings.NIR_KEYS]
        assert activate(by=someone(), at=at, identity=stated()) == account

    def test_a_refusal_costs_the_same_whether_the_account_exists_or_not(self, at, django_assert_num_queries):
        """Unknown number; known number with another name; account already in use: nine statements each."""
        waiting()
        taken = an_nir(BORN, order=9)
        HolderFactory(number=taken, birth_name="Lefèvre", first_names="Marie-Claire", birth_date=BORN)
        for wrong in ({"nir": an_nir(BORN, order=3)}, {"family_name": "Martin"}, {"nir": taken}):
            by = someone()
            # savepoint, lock, own account, rulebook, two limits, attempt, search, end of the savepoint
            with django_assert_num_queries(9), pytest.raises(ActivationFailed):
                activate(by=by, at=at, identity=stated(**wrong))


@pytest.mark.django_db
class TestLimits:
    def test_after_the_last_try_even_the_truth_is_refused_until_the_window_ends(self, at, rules):
        account, by = waiting(), someone()
        for minute in range(rules.activation_attempts_max):
            moment = at + datetime.timedelta(minutes=minute)
            with pytest.raises(ActivationFailed):
                activate(by=by, at=moment, identity=stated(family_name="Faux"))
        window = datetime.timedelta(minutes=rules.activation_window_minutes)
        end = at + window
        with pytest.raises(TooManyAttempts) as refusal:
            activate(by=by, at=end - datetime.timedelta(microseconds=1), identity=stated())
        assert refusal.value.until == end
        assert ActivationAttempt.objects.count() == rules.activation_attempts_max
        assert activate(by=by, at=end, identity=stated()) == account

    def test_one_person_at_their_limit_does_not_stop_the_real_holder(self, at, rules):
        account, stranger = waiting(), someone()
        for _ in range(rules.activation_attempts_max):
            with pytest.raises(ActivationFailed):
                activate(by=stranger, at=at, identity=stated(family_name="Faux"))
        assert activate(by=someone(), at=at, identity=stated()) == account

    def test_many_logins_that_aim_at_one_identity_are_stopped(self, at, rules):
        waiting()
        for _ in range(rules.activation_attempts_max):
            by = someone()
            for _ in range(rules.activation_attempts_max):
                with pytest.raises(ActivationFailed):
                    activate(by=by, at=at, identity=stated(family_name="Faux"))
        with pytest.raises(TooManyAttempts):
            activate(by=someone(), at=at, identity=stated())
        # Another identity is not concerned.
        with pytest.raises(ActivationFailed):
            activate(by=someone(), at=at, identity=stated(nir=an_nir(BORN, order=4)))

    def test_without_the_number_the_target_is_the_name_so_dates_cannot_be_guessed(self, at, rules, settings):
        settings.NIR_AT_ACTIVATION = False
        waiting(number="")
        day = BORN
        for _ in range(rules.activation_attempts_max):
            by = someone()
            for _ in range(rules.activation_attempts_max):
                day += datetime.timedelta(days=1)
                with pytest.raises(ActivationFailed):
                    activate(by=by, at=at, identity=stated(nir="", birth_date=day))
        with pytest.raises(TooManyAttempts):
            activate(by=someone(), at=at, identity=stated(nir=""))


@pytest.mark.django_db
class TestThePage:
    def test_the_door(self, client, person):
        page = client.get(reverse("activation"))
        assert page.status_code == 200
        assert "Numéro de sécurité sociale" in page.text

    def test_not_signed_in(self, client):
        answer = client.post(reverse("activation"), typed())
        assert answer.status_code == 302
        assert answer.url.startswith(reverse("account_login"))

    def test_success_leads_to_the_rights_in_the_holder_role(self, client, person):
        MembershipFactory(user=person)
        account = waiting()
        answer = client.post(reverse("activation"), typed(birth_date="1985-05-31", nir=" ".join(NUMBER)))
        assert (answer.status_code, answer.url) == (302, reverse("rights"))
        account.refresh_from_db()
        assert account.user == person
        assert client.session["acting_as"] == "holder"

    def test_every_failure_has_the_same_page_and_says_what_to_do(self, client, person, settings):
        waiting()
        taken = an_nir(BORN, order=9)
        HolderFactory(number=taken, birth_name="Lefèvre", first_names="Marie-Claire", birth_date=BORN)
        pages = set()
        for wrong in ({"nir": an_nir(BORN, order=3)}, {"first_names": "Zoé"}, {"nir": taken}):
            answer = client.post(reverse("activation"), typed(**wrong))
            assert answer.status_code == 422
            assert SENTENCE in answer.text
            assert "Que vérifier" in answer.text and settings.PORTAL_CONTACT_EMAIL in answer.text
            pages.add(
                answer.text.replace("Zoé", "Marie Claire").partition("<main")[2].replace(_token(answer), "")
            )
        assert len(pages) == 1

    @pytest.mark.parametrize(
        ("wrong", "field", "says"),
        [
            ({"nir": "295109912611194"}, "nir", "la clé"),
            ({"nir": "12"}, "nir", "15 caractères"),
            ({"nir": ""}, "nir", "Écrivez votre numéro"),
            ({"nir": an_nir(BORN.replace(year=1990))}, "nir", "ne correspond pas à la date"),
            ({"birth_date": "31/02/1985"}, "birth_date", "Cette date n’existe pas"),
            ({"birth_date": "31/05/2985"}, "birth_date", "n’est pas possible"),
            ({"birth_date": "31/05/1885"}, "birth_date", "n’est pas possible"),
            ({"family_name": "—"}, "family_name", "aucune lettre"),
            ({"first_names": ""}, "first_names", "Écrivez vos prénoms"),
            ({"family_name": "a\x00b"}, "family_name", ""),
            ({"family_name": "a" * 101}, "family_name", ""),
        ],
    )
    def test_a_wrong_format_is_told_beside_its_field_and_is_no_try(self, client, person, wrong, field, says):
        answer = client.post(reverse("activation"), typed(**wrong))
        assert answer.status_code == 422
        assert says in " ".join(answer.context["form"].errors[field])
        assert not ActivationAttempt.objects.exists()

    def test_the_limit_is_told_with_its_end(self, client, person, rules):
        for _ in range(rules.activation_attempts_max):
            assert client.post(reverse("activation"), typed()).status_code == 422
        answer = client.post(reverse("activation"), typed())
        assert answer.status_code == 429
        assert "Vous pourrez essayer de nouveau" in answer.text

    def test_one_internet_connection_has_its_own_limit(self, client, settings, at):
        settings.ACCOUNT_RATE_LIMITS = {"activation": "2/h/ip"}
        waiting()
        for expected in (422, 422, 429):
            client.force_login(UserFactory())
            wrong = typed(family_name="Faux")
            assert client.post(reverse("activation"), wrong).status_code == expected
        client.force_login(UserFactory())
        assert client.post(reverse("activation"), typed()).status_code == 429
        # The same, from elsewhere.
        assert client.post(reverse("activation"), typed(), REMOTE_ADDR="203.0.113.9").status_code == 302

    def test_once_activated_there_is_nothing_left_to_do(self, client):
        holder = HolderFactory()
        client.force_login(holder.user)
        for send in (client.get, client.post):
            answer = send(reverse("activation"))
            assert (answer.status_code, answer.url) == (302, reverse("profile"))

    def test_without_the_number_the_page_does_not_ask_for_it(self, client, person, settings):
        settings.NIR_AT_ACTIVATION = False
        account = waiting(number="")
        assert "Numéro de sécurité sociale" not in client.get(reverse("activation")).text
        assert client.post(reverse("activation"), typed(nir="")).status_code == 302
        account.refresh_from_db()
        assert account.user == person


def _token(answer):
    return answer.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]


@pytest.mark.django_db
class TestTheNumberStaysSecret:
    def test_it_is_in_no_page_no_log_no_column(self, client, person, caplog):
        caplog.set_level(logging.DEBUG)
        waiting()
        shapes = {NUMBER, nir.register.format(NUMBER), " ".join(NUMBER)}
        texts = []
        for wrong in ({"family_name": "Faux"}, {"birth_date": "?"}, {}):
            texts.append(client.post(reverse("activation"), typed(**wrong)).text)
        texts.append(client.get(reverse("profile")).text)
        assert "2 85 ** ** *** *** **" in texts[-1]
        for text in (*texts, caplog.text):
            assert not any(shape in text for shape in shapes)
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s', [f"%{NUMBER}%"]
                )
                assert cursor.fetchone() == (0,), table

    def test_an_error_report_hides_it(self, client, person, monkeypatch):
        """What an administrator receives by mail: the traceback, each frame's variables, what was posted."""
        reports = []

        def report(request, **_kwargs):
            reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)
            reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

        got_request_exception.connect(report)
        monkeypatch.setattr(nir, "salted_hmac", None)  # fails in the innermost function that holds the number
        client.raise_request_exception = False
        try:
            assert client.post(reverse("activation"), typed()).status_code == 500
        finally:
            got_request_exception.disconnect(report)
        assert "_hmac" in reports[0] and "Lefevre" in reports[0]
        assert NUMBER not in reports[0]

    def test_the_database_refuses_a_number_without_its_digest(self):
        with (
            pytest.raises(IntegrityError, match="holder_number_is_kept_with_its_digest"),
            transaction.atomic(),
        ):
            HolderFactory(nir_digest=None)


# --- Races: real threads, real commits --------------------------------------------------------------
def together(*calls):
    """Run each call in its own thread and connection; what each gave or raised."""
    results = [None] * len(calls)

    def run(index, call):
        try:
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def both_see_it_waiting(monkeypatch):
    """Neither goes on before both have found the account."""
    barrier, find = threading.Barrier(2), activation._find

    def found_together(identity):
        account = find(identity)
        barrier.wait(10)
        return account

    monkeypatch.setattr(activation, "_find", found_together)


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_two_people_at_once_one_wins_and_the_other_hears_the_usual_sentence(self, at, monkeypatch):
        account = waiting()
        actors = [someone(), someone()]
        both_see_it_waiting(monkeypatch)
        results = together(*(lambda by=by: activate(by=by, at=at, identity=stated()) for by in actors))
        winners = [
            by for by, result in zip(actors, results, strict=True) if isinstance(result, HolderProfile)
        ]
        assert len(winners) == 1
        assert sum(isinstance(result, ActivationFailed) for result in results) == 1
        account.refresh_from_db()
        assert account.user == winners[0].user
        assert JournalEntry.objects.count() == Notice.objects.count() == 1

    def test_without_the_guard_both_would_believe_they_won(self, at, monkeypatch):
        def careless(account, user, at):
            account.user, account.activated_at = user, at
            account.save(update_fields=["user", "activated_at"])
            return account

        waiting()
        actors = [someone(), someone()]
        both_see_it_waiting(monkeypatch)
        monkeypatch.setattr(activation, "_link", careless)
        results = together(*(lambda by=by: activate(by=by, at=at, identity=stated()) for by in actors))
        assert [type(result) for result in results] == [HolderProfile, HolderProfile]

    @pytest.mark.parametrize("is_guarded", [True, False])
    def test_tries_sent_at_once_do_not_pass_under_the_limit(self, at, rules, monkeypatch, is_guarded):
        by, blocked_until = someone(), activation._blocked_until
        most = rules.activation_attempts_max
        everyone = threading.Barrier(most + 4)

        def slow(*args, **kwargs):
            until = blocked_until(*args, **kwargs)
            if is_guarded:
                time.sleep(0.1)
            else:  # all have counted before any of them fails
                everyone.wait(20)
            return until

        monkeypatch.setattr(activation, "_blocked_until", slow)
        if not is_guarded:
            monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_kwargs: self)
        together(*[lambda: activate(by=by, at=at, identity=stated())] * (most + 4))
        failures = ActivationAttempt.objects.count()
        assert failures == most if is_guarded else failures > most
