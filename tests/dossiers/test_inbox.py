"""The organisation's inbox: tabs, filters, order, file, density, what comes next, home."""

import csv
import io
import uuid
from datetime import datetime, time, timedelta

import pytest
from django.urls import reverse

from accounts.actors import Role
from dossiers import deadlines, inbox, messages
from dossiers.models import Transition
from dossiers.states import OPEN_ENDED, State
from rulebook import workdays
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import DossierFactory, bring, in_business_days, provider_actor
from tests.factories.messages import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def member_of(client_for):
    return lambda dossier: client_for(provider_actor(dossier.provider).user)


def another(dossier, **fields):
    """One more dossier of the same organisation and training."""
    days = {"starts_on": dossier.session.starts_on, "ends_on": dossier.session.ends_on}
    session = fields.pop("session", None) or SessionFactory(offer=dossier.offer, **days)
    return DossierFactory(session=session, balance_cents=fields.pop("balance_cents", 0), **fields)


def shown(response):
    return [row.pk for row, *_ in response.context["rows"]]


def names(actor, at, **wanted):
    return {row.holder.birth_name for row in inbox.found(actor, inbox.Wanted(**wanted), at=at)}


# --- Tabs ------------------------------------------------------------------------------------------


@pytest.fixture
def every_state(at):
    """One dossier in each state, a request and a proposal that are overdue, all of one organisation."""
    first = DossierFactory(at=at, requested=True)
    rows = {State.REQUESTED: first}
    for state in set(State) - {State.REQUESTED, State.AWAITING_PAYMENT, State.CLOSED_BY_PLATFORM}:
        rows[state] = bring(another(first, at=at, balance_cents=500_000), State(state), at=at)
    rows[State.AWAITING_PAYMENT] = another(first, at=at, awaiting_payment=True, balance_cents=10_000)
    long_ago = at - timedelta(days=20)
    rows["late request"] = another(first, at=long_ago, requested=True)
    rows["late proposal"] = another(first, at=long_ago, proposed=True)
    # It closes all that its certification carries: the last one.
    return rows


def test_each_dossier_stands_in_the_tabs_where_one_looks_for_it(every_state, at):
    actor = provider_actor(every_state[State.REQUESTED].provider)
    key_of = {dossier.pk: key for key, dossier in every_state.items()}
    tabs = {
        view: {key_of[row.pk] for row in inbox.found(actor, inbox.Wanted(view=view), at=at)}
        for view in inbox.View
    }
    assert tabs == {
        inbox.View.TO_ANSWER: {State.REQUESTED, State.PREREQUISITES_CHECK},
        inbox.View.PROPOSED: set(inbox.WAITING_FOR_A_YES),
        inbox.View.CONFIRMED: {State.ACCEPTED},
        inbox.View.COMING: {State.ACCEPTED},
        inbox.View.TO_DECLARE: {State.ENDED},
        inbox.View.TRAINING: set(OPEN_ENDED),
        inbox.View.OVER: {
            State.CANCELLED_BY_FUNDER,
            State.COMPLETION_VALIDATED,
            State.NO_SHOW,
            State.REFUSED_BY_PROVIDER,
            State.REFUSED_BY_HOLDER,
            State.CANCELLED_BY_HOLDER,
            State.CANCELLED_BY_PROVIDER,
            State.LAPSED,
            "late request",
            "late proposal",
        },
        # A draft is nobody's business but its holder's.
        inbox.View.ALL: set(every_state) - {State.DRAFT},
    }
    counts = inbox.counts(actor, inbox.Wanted(), at=at)
    assert counts == {view: len(rows) for view, rows in tabs.items()}


def test_what_is_overdue_is_shown_so_and_is_not_written(every_state, member_of):
    client = member_of(every_state[State.REQUESTED])
    page = client.get(reverse("provider_inbox"), {"view": "terminees"})
    assert page.text.count("dépassé") >= 2
    assert not Transition.objects.filter(
        dossier__in=[every_state["late request"], every_state["late proposal"]], verb="lapse"
    ).exists()
    # What is over offers no tick.
    assert 'name="dossier"' not in page.text


def test_on_the_first_day_an_entry_is_to_be_declared_and_stays_so_until_it_is(at):
    dossier = DossierFactory(at=at, accepted=True)
    actor = provider_actor(dossier.provider)
    start = workdays.midnight_of(dossier.starts_on)
    for moment, view in (
        (start - timedelta(microseconds=1), inbox.View.COMING),
        (start, inbox.View.TO_DECLARE),
        (start + timedelta(days=300), inbox.View.TO_DECLARE),
    ):
        counts = inbox.counts(actor, inbox.Wanted(), at=moment)
        assert (counts[view], counts[inbox.View.CONFIRMED], counts[inbox.View.OVER]) == (1, 1, 0)


def test_what_is_late_to_declare_comes_first_and_is_said_late(member_of, at):
    late = DossierFactory(at=at - timedelta(days=120), accepted=True)
    days = {"starts_on": workdays.paris_day(at), "ends_on": workdays.paris_day(at)}
    today = another(
        late,
        at=at - timedelta(days=60),
        accepted=True,
        balance_cents=500_000,
        session=SessionFactory(offer=late.offer, **days),
    )
    for moment in (at - timedelta(days=50), at):
        deadlines.settle_overdue(at=moment)
    page = member_of(late).get(reverse("provider_inbox"), {"view": "a-declarer"})
    assert shown(page) == [late.pk, today.pk]
    assert page.text.count("en retard") == 1


# --- Filters, order, pages -------------------------------------------------------------------------


def test_names_and_titles_are_found_without_their_accents(at):
    session = SessionFactory(
        offer__title="Créer des systèmes d’alarme",
        starts_on=in_business_days(at, 30),
        ends_on=in_business_days(at, 31),
    )
    found = DossierFactory(
        at=at, requested=True, session=session, holder=HolderFactory(birth_name="Lefèvre", first_names="Zoé")
    )
    another(found, at=at, requested=True, holder=HolderFactory(birth_name="Autre", first_names="Paul"))
    actor = provider_actor(found.provider)
    for words in ("lefevre", "zoe lefèvre", "LEFEVRE systemes", found.number, f"{found.number[:3]} "):
        assert "Lefèvre" in names(actor, at, query=words)
    assert names(actor, at, query="lefevre") == {"Lefèvre"}
    assert names(actor, at, query="systemes") == {"Lefèvre", "Autre"}
    assert names(actor, at, query="lefevre paul") == set()


def test_dates_training_and_tonight_narrow_the_list(at):
    at = datetime.combine(at.date(), time(10), workdays.PARIS)
    dossier = DossierFactory(at=at, requested=True, holder__birth_name="Ici")
    offer = SessionFactory(
        offer__provider=dossier.provider,
        starts_on=in_business_days(at, 60),
        ends_on=in_business_days(at, 61),
    )
    later = DossierFactory(at=at, requested=True, session=offer, holder=HolderFactory(birth_name="Plus tard"))
    actor = provider_actor(dossier.provider)
    start = dossier.session.starts_on
    assert names(actor, at, starts_to=start) == {"Ici"}
    assert names(actor, at, starts_from=start + timedelta(days=1)) == {"Plus tard"}
    assert names(actor, at, training=later.offer_id) == {"Plus tard"}
    assert names(actor, at, tonight=True) == set()
    last_day = dossier.deadlines.get(closed_at=None).due_at - timedelta(hours=5)
    assert names(actor, last_day, tonight=True) == {"Ici", "Plus tard"}


def test_those_with_a_message_that_nobody_has_read_are_found_in_every_tab(member_of, at):
    told = MessageFactory(at=at).dossier
    ours = MessageFactory(dossier=another(told, at=at, requested=True), role=Role.PROVIDER, at=at)
    another(told, at=at, requested=True)
    actor = provider_actor(told.provider)
    seen = [row.pk for row in inbox.found(actor, inbox.Wanted(unread=True), at=at)]
    assert seen == [told.pk]  # what one has written oneself was never unread
    assert inbox.counts(actor, inbox.Wanted(unread=True), at=at)[inbox.View.ALL] == 1
    page = member_of(told).get(reverse("provider_inbox"), {"unread": "on"})
    assert shown(page) == [told.pk]
    assert "Effacer les filtres" in page.text
    messages.mark_read(told.pk, by=actor, at=at, until=ours.pk)
    assert not inbox.found(actor, inbox.Wanted(unread=True), at=at).exists()


def test_the_order_is_the_one_asked_for(at):
    session = SessionFactory(starts_on=in_business_days(at, 60), ends_on=in_business_days(at, 61))
    old = DossierFactory(at=at, requested=True, session=session, holder__birth_name="Zola")
    old.deadlines.update(due_at=at + timedelta(hours=1))
    new = DossierFactory(
        at=at + timedelta(minutes=5),
        requested=True,
        holder=HolderFactory(birth_name="Abadie"),
        session=SessionFactory(
            offer=old.offer, starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 31)
        ),
    )
    actor = provider_actor(old.provider)

    def order(**wanted):
        return [row.pk for row in inbox.found(actor, inbox.Wanted(**wanted), at=at)]

    assert order(view="toutes") == [old.pk, new.pk]
    assert order(order="debut") == [new.pk, old.pk]
    assert order(order="recentes") == [new.pk, old.pk]
    assert order(order="nom") == [new.pk, old.pk]


def test_tabs_and_pages_keep_the_filters(member_of, at, monkeypatch):
    monkeypatch.setattr("dossiers.views.provider.ROWS_A_PAGE", 1)
    dossier = DossierFactory(at=at, requested=True)
    another(dossier, at=at, requested=True)
    page = member_of(dossier).get(reverse("provider_inbox"), {"q": dossier.offer.title, "order": "nom"})
    assert len(shown(page)) == 1
    assert "page=2" in page.text
    for _label, address, _count, _current in page.context["tabs"]:
        assert "order=nom" in address
        assert "q=" in address
    assert "page=" not in page.context["tabs"][0][1]


@pytest.mark.parametrize(
    "query",
    [
        {"training": "pas-un-uuid"},
        {"training": "00000000-0000-4000-8000-000000000000"},
        {"starts_from": "31/02/2027"},
        {"view": "ailleurs"},
        {"order": "-holder__nir"},
    ],
)
def test_a_filter_that_means_nothing_is_said_and_shows_nobody(member_of, at, query):
    dossier = DossierFactory(at=at, requested=True)
    client = member_of(dossier)
    page = client.get(reverse("provider_inbox"), query)
    assert page.status_code == 200
    assert shown(page) == []
    assert page.context["form"].errors
    assert client.get(reverse("provider_inbox_file"), query).status_code == 302


def test_another_organisations_training_is_no_filter_of_mine(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    stranger = DossierFactory(at=at, requested=True)
    page = member_of(dossier).get(reverse("provider_inbox"), {"training": stranger.offer_id})
    assert shown(page) == []
    assert stranger.offer.title not in page.text


def test_the_density_is_remembered_by_the_browser_and_goes_nowhere_else(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    client = member_of(dossier)
    back = reverse("provider_inbox") + "?view=toutes"
    answer = client.post(reverse("provider_density"), {"density": "compact", "next": back})
    assert answer.url == back
    assert "table--compact" in client.get(back).text
    answer = client.post(
        reverse("provider_density"), {"density": "roomy", "next": "https://ailleurs.example/"}
    )
    assert answer.url == reverse("provider_inbox")
    assert "table--compact" not in client.get(back).text
    for forged in ("avant\x00après", "home", "-1", "a\r\nX: y"):
        answer = client.post(reverse("provider_density"), {"density": "roomy", "next": forged})
        assert answer.status_code == 302
        assert set(answer.url).isdisjoint("\r\n\0")


def test_each_tab_that_is_empty_says_what_comes_there(member_of, at):
    dossier = bring(DossierFactory(at=at), State.REFUSED_BY_PROVIDER, at=at)
    client = member_of(dossier)
    said = {
        "a-repondre": "Tout est répondu",
        "proposees": "Aucune proposition",
        "a-venir": "Personne ne commence",
    }
    for view, words in said.items():
        assert words in client.get(reverse("provider_inbox"), {"view": view}).text


def test_a_filter_that_cannot_be_read_never_says_that_everything_is_answered(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    page = member_of(dossier).get(reverse("provider_inbox"), {"training": "x"}).text
    assert "Tout est répondu" not in page
    assert "Effacer les filtres" in page


def test_once_nothing_waits_the_inbox_opens_on_all_and_its_file_says_the_same(member_of, at):
    dossier = DossierFactory(at=at, proposed=True)
    client = member_of(dossier)
    page = client.get(reverse("provider_inbox"))
    assert shown(page) == [dossier.pk]
    assert f"{reverse('provider_inbox_file')}?view=toutes" in page.text
    another(dossier, at=at, requested=True)
    assert dossier.pk not in shown(client.get(reverse("provider_inbox")))


def test_an_organisation_without_any_dossier_reads_how_they_come(member_client):
    assert "Les demandes des titulaires arrivent ici" in member_client.get(reverse("provider_inbox")).text


# --- The file --------------------------------------------------------------------------------------


def test_the_file_holds_the_filtered_rows_and_nothing_to_compute(member_of, at):
    hostile = HolderFactory(first_names="=1+1", birth_name="Cmd", phone="")
    session = SessionFactory(
        offer__title='@SUM(A1);"x"', starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 31)
    )
    dossier = DossierFactory(at=at, requested=True, session=session, holder=hostile, price_cents=1)
    bring(another(dossier, at=at), State.REFUSED_BY_PROVIDER, at=at)
    client = member_of(dossier)
    answer = client.get(reverse("provider_inbox_file"), {"view": "a-repondre"})
    content = b"".join(answer.streaming_content)
    assert content.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";")
    assert len(rows) == 1
    row = dict(zip(head, rows[0], strict=True))
    assert row["Titulaire"] == "'=1+1 Cmd"
    assert row["Formation"] == '\'@SUM(A1);"x"'
    assert row["Prix TTC"].replace(",", "").isdigit()
    everything = b"".join(client.get(reverse("provider_inbox_file"), {"view": "toutes"}).streaming_content)
    assert everything.count(b"\r\n") == 3


def test_the_file_never_holds_another_organisations_rows(member_of, at):
    mine, theirs = DossierFactory(at=at, requested=True), DossierFactory(at=at, requested=True)
    content = b"".join(
        member_of(mine).get(reverse("provider_inbox_file"), {"view": "toutes"}).streaming_content
    ).decode()
    assert mine.number in content
    assert theirs.number not in content


# --- The answer, then the next one -----------------------------------------------------------------


def as_asked(dossier, **changes):
    return {
        "request_id": uuid.uuid4(),
        "price_cents": f"{dossier.asked_price_cents / 100:.2f}",
        "starts_on": str(dossier.session.starts_on),
        "ends_on": str(dossier.session.ends_on),
        **changes,
    }


def test_after_an_answer_comes_the_request_whose_minute_runs_out_next(member_of, at):
    first = DossierFactory(at=at - timedelta(hours=2), requested=True)
    second = another(first, at=at - timedelta(hours=1), requested=True)
    client = member_of(first)
    page = client.get(reverse("provider_dossier", args=[first.pk]))
    assert f"Suivant : {second.holder.display_name}" in page.text
    answer = client.post(reverse("provider_propose", args=[first.pk]), as_asked(first), follow=True)
    [(address, _status)] = answer.redirect_chain
    assert address == reverse("provider_dossier", args=[second.pk]) + f"?after={first.pk}"
    assert f"envoyée à {first.holder.display_name}" in answer.text
    assert f"Revoir la réponse à {first.holder.display_name}" in answer.text
    refusal = {"request_id": uuid.uuid4(), "refusal_form-motive": "session_full"}
    answer = client.post(reverse("provider_refuse", args=[second.pk]), refusal, follow=True)
    assert answer.redirect_chain[0][0] == reverse("provider_dossier", args=[second.pk])


def test_the_way_back_after_an_answer_names_nobody_elses_dossier(member_of, at):
    mine, theirs = DossierFactory(at=at, requested=True), DossierFactory(at=at, requested=True)
    for after in (theirs.pk, uuid.uuid4(), "x", mine.pk):
        page = member_of(mine).get(reverse("provider_dossier", args=[mine.pk]), {"after": after})
        assert page.status_code == 200
        assert "Revoir la réponse" not in page.text


def test_in_the_panel_the_same_answer_brings_the_next_request_there(member_of, at):
    first = DossierFactory(at=at - timedelta(hours=2), requested=True)
    second = another(first, at=at, requested=True)
    client = member_of(first)
    panel = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "panneau"}
    opened = client.get(reverse("provider_dossier", args=[first.pk]), **panel)
    assert "<html" not in opened.text
    assert f'hx-post="{reverse("provider_propose", args=[first.pk])}"' in opened.text
    refused = client.post(
        reverse("provider_propose", args=[first.pk]), as_asked(first, price_cents="0"), **panel
    )
    assert refused.status_code == 422
    assert "<html" not in refused.text
    answer = client.post(reverse("provider_propose", args=[first.pk]), as_asked(first), **panel)
    following = client.get(answer.url, **panel)
    assert f"envoyée à {first.holder.display_name}" in following.text
    assert f'data-dossier="{second.pk}"' in following.text


def test_a_refusal_needs_a_motive_and_some_need_words(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    client = member_of(dossier)
    url = reverse("provider_refuse", args=[dossier.pk])

    def refuse(**typed):
        fields = {f"refusal_form-{name}": value for name, value in typed.items()}
        return client.post(url, {"request_id": uuid.uuid4()} | fields)

    assert "Choisissez le motif" in refuse(words="Désolé.").text
    kept = refuse(motive="other", words="  ")
    assert kept.status_code == 422
    assert "Expliquez en quelques mots" in kept.text
    assert refuse(motive="inventé").status_code == 422
    assert refuse(motive="prerequisites", words="Il faut un niveau B2.").status_code == 302
    move = Transition.objects.get(dossier=dossier, verb="refuse")
    assert move.cause == "prerequisites"
    assert move.reason == "Les prérequis de la formation ne sont pas remplis.\nIl faut un niveau B2."


# --- How many queries ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_the_inbox_its_file_and_a_dossier_take_the_same_queries_for_one_and_for_three(
    member_of, at, count, django_assert_num_queries
):
    first = DossierFactory(at=at, requested=True)
    for _number in range(count - 1):
        another(first, at=at, requested=True)
    client = member_of(first)
    client.get(reverse("provider_inbox"))
    with django_assert_num_queries(8):
        client.get(reverse("provider_inbox"))
    with django_assert_num_queries(5):
        b"".join(client.get(reverse("provider_inbox_file")).streaming_content)
    with django_assert_num_queries(17):
        client.get(reverse("provider_dossier", args=[first.pk]))


# --- Home ------------------------------------------------------------------------------------------


def test_home_counts_what_waits_and_names_the_first_ones(member_of, at):
    late = DossierFactory(at=at - timedelta(days=20), requested=True)
    dossiers = [another(late, at=at, requested=True) for _number in range(6)]
    another(late, at=at, proposed=True)
    page = member_of(late).get(reverse("home"))
    desk = page.context["desk"]
    assert (desk.to_answer, desk.proposed, desk.all) == (6, 1, 8)
    assert desk.first_due == min(each.deadlines.get(closed_at=None).due_at for each in dossiers)
    assert len(page.context["waiting"]) == 5
    assert late.pk not in [row.pk for row in page.context["waiting"]]
    assert not page.context["first_steps"]


def test_home_says_which_offers_the_public_does_not_see_and_why(member_of, at):
    dossier = DossierFactory(at=at, requested=True)
    dossier.offer.is_published = False
    dossier.offer.save(update_fields=["is_published"])
    page = member_of(dossier).get(reverse("home"))
    assert page.context["shelf"].hidden == 1
    assert "1 offre n’est pas visible" in page.text
    assert "a masqué cette offre" in page.text


def test_a_newly_admitted_organisation_reads_its_first_steps(member_client):
    page = member_client.get(reverse("home"))
    states = [state for state, *_words in page.context["first_steps"]]
    assert states[0] == "done"
    assert states.count("now") == 1
    assert "Publier une première offre" in page.text


@pytest.mark.parametrize("count", [1, 3])
def test_home_takes_the_same_queries_for_one_and_for_three(member_of, at, count, django_assert_num_queries):
    first = DossierFactory(at=at, requested=True)
    for _number in range(count - 1):
        hidden = another(first, at=at, requested=True, session=None)
        SessionFactory(offer__provider=hidden.provider, offer__is_published=False)
    SessionFactory(offer__provider=first.provider, offer__is_published=False)
    client = member_of(first)
    client.get(reverse("home"))
    with django_assert_num_queries(13):
        client.get(reverse("home"))
