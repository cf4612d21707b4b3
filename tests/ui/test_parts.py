"""The parts that every page is made of: what each says, and how it behaves in a real browser.

One page with all of them is shown in every theme and width, with the real style sheets and script.
"""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from django import forms
from django.template import engines
from lxml import html

from tests.guards import page_faults
from ui.fields import WordsField, day_field

AT = datetime(2026, 5, 12, 9, 0, tzinfo=ZoneInfo("Europe/Paris"))
UNTIL = datetime(2026, 5, 15, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))
STEPS = [
    ("done", "Qui vous êtes", "/qui"),
    ("now", "Vos documents", ""),
    ("later", "Envoyer", "/envoyer"),
]
CHECKLIST = [
    ("done", "Activer", "Fait le 3 mai", "/a", "Revoir"),
    ("now", "Compléter", "", "/b", "Compléter mon profil"),
    ("later", "Chercher", "", "/c", "Chercher une formation"),
    ("blocked", "Payer", "Après la validation", "/d", "Payer"),
]
TABS = [("Ce qui m’attend", "?a=1", 3, True), ("Tous", "?a=2", None, False), ("Finis", "?a=3", 0, False)]
TRACK = [("done", "Demande"), ("now", "À valider"), ("next", "Formation")]
TIMELINE = [
    ("done", "Demande envoyée", AT, ""),
    ("now", "À valider", None, "C’est à vous."),
    ("next", "Début", None, ""),
]
PAGE = (Path(__file__).parent / "parts.html").read_text()


class Everything(forms.Form):
    words = WordsField(rows=3, max_length=200, label="Votre projet", required=False)
    short = forms.CharField(max_length=50, label="Ville", required=False)
    secret = forms.CharField(
        label="Mot de passe", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    starts_on = day_field(label="Premier jour")


def render(source: str, **context) -> str:
    return engines["django"].from_string("{% load i18n ui %}" + source).render(context)


def part(name: str, **context):
    text = render("{% include name %}", name=f"parts/{name}.html", **context)
    assert not page_faults(text)
    return html.fragment_fromstring(text, create_parent="div")


def whole_page() -> str:
    return render(
        PAGE,
        steps=STEPS,
        tabs=TABS,
        at=AT,
        until=UNTIL,
        skipped=[(date(2026, 5, 14), "Ascension")],
        checklist=CHECKLIST,
        answers=[("Nom", "Atelier", "/nom"), ("SIRET", "", "")],
        track=TRACK,
        timeline=TIMELINE,
        lines=[("Droits annuels", 100_000, "Selon la loi."), ("Vous payez", 23_450, "")],
        form=Everything(),
    )


# --- What each says ------------------------------------------------------------------------------------


def test_the_page_of_all_parts_has_no_fault():
    assert page_faults(whole_page()) == []


def test_steps_say_where_one_is_and_lead_back_only():
    shown = part("_steps", steps=STEPS)
    assert "Étape 2 sur 3" in shown.text_content()
    assert [link.get("href") for link in shown.xpath(".//a")] == ["/qui"]
    assert shown.xpath(".//li[@aria-current='step']")[0].text_content().strip() == "Vos documents"
    (bar,) = shown.xpath(".//progress")
    assert (bar.get("value"), bar.get("max")) == ("2", "3")


def test_a_checklist_has_one_button_and_says_each_state_in_words():
    shown = part("_checklist", items=CHECKLIST)
    assert [link.text_content() for link in shown.find_class("button")] == ["Compléter mon profil"]
    assert [link.get("href") for link in shown.xpath(".//a")] == [
        "/a",
        "/b",
        "/c",
    ]  # what is blocked leads nowhere
    states = [each.text_content() for each in shown.find_class("checklist__state")]
    assert states == ["(fait)", "(à faire)", "(plus tard)", "(pas encore possible)"]


def test_an_answer_is_shown_or_said_to_be_missing():
    shown = part("_answers", answers=[("Nom", "<b>", "/nom"), ("SIRET", "", "")])
    assert not shown.xpath(".//b")
    assert "Pas de réponse" in shown.text_content()
    (change,) = shown.xpath(".//a")
    assert " ".join(change.text_content().split()) == "Modifier : Nom"


def test_tabs_mark_the_one_that_is_shown_and_count_even_nothing():
    shown = part("_tabs", tabs=TABS, label="Filtrer")
    assert [link.text_content().strip() for link in shown.xpath(".//a[@aria-current]")] == [
        "Ce qui m’attend 3"
    ]
    assert [each.text_content() for each in shown.find_class("count")] == ["3", "0"]


def test_a_track_is_read_in_words():
    shown = part("_track", steps=TRACK, label="Avancement")
    assert "Demande (fait)" in shown.text_content()
    assert "Formation (à venir)" in shown.text_content()
    assert [each.text_content() for each in shown.find_class("track__now")] == ["À valider"]


def test_a_progress_of_unknown_length_has_no_value():
    (bar,) = part("_progress", label="Lecture", value=None, max=0, text="").xpath(".//progress")
    assert bar.get("value") is None
    (bar,) = part("_progress", label="Lecture", value=0, max=10, text="").xpath(".//progress")
    assert bar.get("value") == "0"


def test_a_long_answer_says_how_long_it_may_be():
    form = Everything()
    assert "200 signes au plus" in render("{% field form.words %}", form=form)
    assert "signe" not in render("{% field form.short %}", form=form)


# --- In a browser --------------------------------------------------------------------------------------


@pytest.fixture
def page(browser, live_server):
    context = browser.new_context(locale="fr-FR", reduced_motion="reduce")
    shown = context.new_page()
    complaints = []
    shown.on(
        "console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.route(
        "**/parts", lambda route: route.fulfill(body=whole_page(), content_type="text/html; charset=utf-8")
    )
    shown.goto(f"{live_server.url}/parts")
    yield shown
    context.close()
    assert complaints == []


browser_only = pytest.mark.browser


@browser_only
@pytest.mark.parametrize(
    ("width", "media"),
    [
        (1280, {"color_scheme": "light"}),
        (1280, {"color_scheme": "dark"}),
        (320, {"color_scheme": "light"}),
        (320, {"color_scheme": "dark"}),
        (1280, {"color_scheme": "light", "contrast": "more"}),
        (1280, {"color_scheme": "dark", "contrast": "more"}),
        (1280, {"forced_colors": "active"}),
    ],
)
def test_every_part_in_every_theme(page, width, media):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(**media)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    broken = [
        (rule["id"], [n["html"][:120] for n in rule["nodes"]])
        for rule in Axe().run(page).response["violations"]
    ]
    assert broken == []


@browser_only
def test_parts_print_without_what_one_clicks(page):
    page.emulate_media(media="print")
    assert page.locator(".countdown").is_visible()
    for hidden in (".button", ".tabs", ".dialog", ".density"):
        assert not page.locator(hidden).first.is_visible(), hidden


@browser_only
def test_a_dialog_opens_closes_and_gives_the_focus_back(page):
    opener = page.get_by_role("button", name="Me rétracter")
    opener.focus()
    page.keyboard.press("Enter")
    assert page.locator("#retrait").is_visible()
    page.wait_for_function("() => document.activeElement.id === 'retrait-titre'")
    page.keyboard.press("Escape")
    assert not page.locator("#retrait").is_visible()
    assert opener.evaluate("it => it === document.activeElement")


@browser_only
def test_a_dialog_that_is_open_stays_so_when_the_device_is_turned(page):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Me rétracter").click()
    for width in (700, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("matchMedia('(min-width: 60em)').matches") is (width == 1280)
        assert page.locator("#retrait:popover-open").is_visible()


@browser_only
def test_a_dialog_opens_without_javascript(browser, live_server):
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.route(
        "**/parts", lambda route: route.fulfill(body=whole_page(), content_type="text/html; charset=utf-8")
    )
    shown.goto(f"{live_server.url}/parts")
    shown.get_by_role("button", name="Me rétracter").click()
    assert shown.locator("#retrait").is_visible()
    assert not shown.get_by_role("button", name="Copier").is_visible()
    context.close()


@browser_only
def test_what_is_written_is_counted_and_kept_whole(page):
    note = page.locator("[data-count]")
    page.fill("[name=words]", "x" * 150)
    assert note.inner_text() == "Encore 50 signes possibles"
    page.fill("[name=words]", "x" * 212)
    assert note.inner_text() == "12 signes de trop"
    assert len(page.input_value("[name=words]")) == 212


@browser_only
def test_a_password_can_be_seen_but_is_sent_as_one(page):
    page.get_by_role("button", name="Afficher").click()
    assert page.get_attribute("[name=secret]", "type") == "text"
    assert page.get_by_role("button", name="Masquer").is_visible()
    page.evaluate(
        "document.querySelector('form').addEventListener('submit', event => event.preventDefault())"
    )
    page.evaluate("document.querySelector('form').noValidate = true")
    page.get_by_role("button", name="Envoyer").click()
    assert page.get_attribute("[name=secret]", "type") == "password"


@browser_only
@pytest.mark.parametrize(("typed", "is_warned"), [("Lyon", True), ("", False)])
def test_leaving_with_something_written_is_asked_first(page, typed, is_warned):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("[name=short]").press_sequentially(typed) if typed else page.locator("[name=short]").click()
    page.reload()
    assert bool(asked) is is_warned


@browser_only
def test_sending_is_not_leaving(page):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("[name=short]").press_sequentially("Lyon")
    page.evaluate("document.querySelector('form').noValidate = true")
    with page.expect_navigation():
        page.get_by_role("button", name="Envoyer").click()
    assert asked == []


@browser_only
def test_the_panel_closes_by_the_keyboard(page):
    page.set_viewport_size({"width": 1280, "height": 900})
    assert page.locator(".panel").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".panel").is_visible()
    assert page.locator("tr.is-current").count() == 0


@browser_only
def test_lines_stand_closer_and_stay_so(page):
    cell = page.locator("table.table td").first
    before = cell.bounding_box()["height"]
    page.get_by_label("Serrées").check()
    assert cell.bounding_box()["height"] < before
    page.reload()
    assert page.get_by_label("Serrées").is_checked()
