"""Public pages that caches may keep, and those that they must not."""

import gzip
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from catalog import favourites
from catalog.models import Offer
from support import answers
from tests.factories.catalog import OfferFactory
from ui import caches
from ui.caches import KeptPagesMiddleware, kept

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    return OfferFactory(title="Soudure à l'arc")


PAGES = ["home", "search", "search-words", "offer", "compare", "help", "question", "suggestions"]


@pytest.fixture(params=PAGES)
def address(request, offer, rules):
    [question, *_others] = answers.on(rules)
    return {
        "home": "/",
        "search": reverse("search"),
        "search-words": reverse("search") + "?q=soudure",
        "offer": reverse("offer", args=[offer.pk]),
        "compare": f"{reverse('compare')}?offre={offer.pk}",
        "help": reverse("help"),
        "question": reverse("help_question", args=[question.slug]),
        "suggestions": reverse("suggestions") + "?q=sou",
    }[request.param]


def test_a_visitors_page_may_be_kept_for_a_moment_and_says_what_it_depends_on(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    assert "public" in answer["Cache-Control"] and "max-age=" in answer["Cache-Control"]
    assert answer["ETag"]
    assert not answer.cookies
    varies = {name.strip() for name in answer["Vary"].split(",")}
    assert {"Cookie", "Accept-Language"} <= varies


def test_asked_again_it_costs_a_line_while_nothing_has_changed(client, address):
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], first["Cache-Control"])
    assert client.get(address, headers={"If-None-Match": '"autre"'}).status_code == 200
    assert client.head(address)["ETag"] == first["ETag"]


def test_two_visitors_get_the_same_page_byte_for_byte(client, client_for, address):
    assert client.get(address).content == client_for(None).get(address).content


def test_what_somebody_signed_in_sees_is_kept_nowhere(holder_client, address):
    answer = holder_client.get(address)
    assert "private" in answer["Cache-Control"] and "no-store" in answer["Cache-Control"]
    assert "ETag" not in answer
    etag = {"If-None-Match": '"x"'}
    assert holder_client.get(address, headers=etag).status_code == 200


def test_a_changed_page_has_another_mark(client, offer):
    address = reverse("offer", args=[offer.pk])
    before = client.get(address)["ETag"]
    offer.title = "Soudure à l'argon"
    offer.save()
    answer = client.get(address, headers={"If-None-Match": before})
    assert answer.status_code == 200 and "argon" in answer.text


def test_each_language_has_its_own_page(client):
    french, english = (client.get("/", headers={"Accept-Language": name}) for name in ("fr", "en"))
    assert french["ETag"] != english["ETag"]
    client.post(reverse("set_language"), {"language": "en"})
    assert client.get("/")["ETag"] == english["ETag"]


def test_a_visitor_changes_the_language_from_a_page_without_secret(client):
    assert "csrfmiddlewaretoken" not in client.get("/").text
    answer = client.post(reverse("set_language"), {"language": "en", "next": reverse("search")})
    assert (answer.status_code, answer.url) == (302, reverse("search"))


def test_the_part_for_htmx_is_not_taken_for_the_page(client, offer):
    page = client.get(reverse("search"), {"q": "soudure"})
    part = client.get(reverse("search"), {"q": "soudure"}, headers={"HX-Request": "true"})
    assert page["ETag"] != part["ETag"]
    assert "HX-Request" in part["Vary"] and "HX-Request" in page["Vary"]


def test_a_message_that_waits_is_shown_once_and_kept_nowhere(client, offer, holder_client, holder):
    favourites.keep(offer, user=holder.user, at=offer.updated_at)
    holder_client.post(reverse("account_logout"))
    told = holder_client.get("/")
    assert "public" not in told.get("Cache-Control", "")


@pytest.mark.parametrize("asked", [{"q": "x" * 201}, {"town": "Atlantide"}])
def test_a_search_to_correct_is_the_same_for_all_too(client, asked):
    assert "public" in client.get(reverse("search"), asked)["Cache-Control"]


def test_what_is_not_found_is_not_kept(client):
    answer = client.get(reverse("offer", args=["00000000-0000-4000-8000-000000000000"]))
    assert answer.status_code == 404
    assert "ETag" not in answer and "public" not in answer.get("Cache-Control", "")


# --- How such a page travels --------------------------------------------------------------------------

COMPRESSED = {"Accept-Encoding": "gzip, deflate"}


def test_a_visitors_page_travels_compressed_and_reads_the_same(client, address):
    plain, packed = client.get(address), client.get(address, headers=COMPRESSED)
    assert "Accept-Encoding" in plain["Vary"] and "Accept-Encoding" in packed["Vary"]
    assert "Content-Encoding" not in plain
    if len(plain.content) < 200:  # the suggestions of an empty catalogue: a line is sent as it is
        assert packed.content == plain.content
        return
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 2
    assert packed["Content-Length"] == str(len(packed.content))
    assert gzip.decompress(packed.content) == plain.content
    assert packed["ETag"] == plain["ETag"]
    again = client.get(address, headers=COMPRESSED | {"If-None-Match": packed["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", packed["ETag"])


def test_what_somebody_signed_in_sees_travels_as_it_is(holder_client, address):
    """Beside what they own stand words that others chose: its size must not tell one from the other."""
    answer = holder_client.get(address, headers=COMPRESSED)
    assert "Content-Encoding" not in answer


def test_a_form_with_its_secret_travels_as_it_is(client):
    answer = client.get(reverse("account_login"), headers=COMPRESSED)
    assert "csrfmiddlewaretoken" in answer.text and "Content-Encoding" not in answer


# --- The middleware, shown to hold back what is somebody's --------------------------------------------


def through(response, *, cookies=(), method="GET", meta=()):
    @kept(seconds=60)
    def view(request):
        return response

    request = RequestFactory().generic(method, "/", **dict(meta))
    request.COOKIES.update(cookies)
    return KeptPagesMiddleware(view)(request)


def test_a_plain_page_is_kept():
    assert through(HttpResponse("Bonjour"))["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize(
    "about",
    [
        {"cookies": {"sessionid": "x"}},
        {"cookies": {"messages": "x"}},
        {"method": "POST"},
        {"meta": {"CSRF_COOKIE_NEEDS_UPDATE": True}},
    ],
)
def test_what_is_somebodys_is_not(about):
    assert "ETag" not in through(HttpResponse("Bonjour"), **about)


def test_a_form_with_its_secret_is_not_whoever_asks():
    page = HttpResponse('<input type="hidden" name="csrfmiddlewaretoken" value="x">')
    assert "ETag" not in through(page)


def test_an_answer_that_sets_a_cookie_is_not():
    page = HttpResponse("Bonjour")
    page.set_cookie("a", "b")
    assert "ETag" not in through(page)


def test_a_refusal_is_not():
    assert "ETag" not in through(HttpResponse("Non", status=422))


# --- What the portal keeps itself -----------------------------------------------------------------


@pytest.fixture
def keeping(settings):
    """Pages are kept, as in production; in other tests each page is made anew. What one test keeps, no other
    asks for: its offer and its words are drawn."""
    settings.PAGES_ARE_KEPT = True


def made_again(client, address, offer, **asked):
    """Whether the page shows what has just changed."""
    offer.title = "Chaudronnerie"
    Offer.objects.filter(pk=offer.pk).update(title="Chaudronnerie")
    shown = "Chaudronnerie" in client.get(address, **asked).text
    Offer.objects.filter(pk=offer.pk).update(title="Soudure à l'arc")
    return shown


def test_a_page_is_kept_from_the_second_time_on_and_says_its_age(client, offer, keeping, monkeypatch):
    clock = [1_000.0]
    monkeypatch.setattr(caches, "time", SimpleNamespace(time=lambda: clock[0]))
    address = reverse("offer", args=[offer.pk])
    client.get(address)
    assert made_again(client, address, offer), "asked once, it is not kept"
    address += "?encore"
    first, second = client.get(address), client.get(address)
    third = client.get(address)
    assert not made_again(client, address, offer)
    assert third.content == first.content == second.content
    assert (third["ETag"], third["Cache-Control"]) == (first["ETag"], first["Cache-Control"])
    assert third["Age"] == "0" and "Age" not in second
    assert "Content-Security-Policy" in third and "X-Frame-Options" in third
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
    clock[0] += 7
    packed = client.get(address, headers=COMPRESSED)
    assert packed["Age"] == "7" and gzip.decompress(packed.content) == first.content


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Accept-Language": "en"}},
        {"headers": {"HX-Request": "true"}},
        {"query_params": {"x": "1"}},
        {"headers": {"Cookie": "autre=1"}},
    ],
)
def test_who_asks_otherwise_gets_their_own_page(client, offer, keeping, asked):
    address = reverse("offer", args=[offer.pk])
    for _time in range(3):
        client.get(address)
    assert made_again(client, address, offer, **asked)


def test_whoever_is_signed_in_gets_no_kept_page_and_leaves_none(client, holder_client, offer, keeping):
    address = reverse("offer", args=[offer.pk])
    for _time in range(3):
        client.get(address)
    assert made_again(holder_client, address, offer)
    address += "?encore"
    for _time in range(3):
        holder_client.get(address)
    assert made_again(client, address, offer)


def test_invented_addresses_leave_only_a_mark(client, keeping):
    word = uuid4().hex
    for number in range(3):
        client.get(reverse("search"), {"q": f"{word}{number}"})
    request = RequestFactory().get(reverse("search"), {"q": f"{word}1"})
    assert cache.get(caches._place_of(request)) == caches.ASKED


def test_a_page_that_is_too_large_is_not_kept(client, offer, keeping, monkeypatch):
    monkeypatch.setattr(caches, "LARGEST", 100)
    address = reverse("offer", args=[offer.pk])
    for _time in range(3):
        client.get(address)
    assert made_again(client, address, offer)


def test_a_refused_page_is_not_kept(client, keeping):
    for _time in range(3):
        answer = client.get("/formations/00000000-0000-0000-0000-000000000000")
        assert answer.status_code == 404 and "Age" not in answer
