"""The page keeps the count in the very words of ui.french.left (static/js/portal.js)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from tests.ui.test_french import LEFT, plain

pytestmark = pytest.mark.browser
AT = datetime(2026, 5, 12, 9, 0, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture
def page(browser):
    opened = browser.new_page()
    yield opened
    opened.close()


def show(page, parts):
    page.set_content(f"<html lang=fr><body><main>{''.join(parts)}</main></body></html>")
    page.add_script_tag(path=settings.BASE_DIR / "static" / "js" / "portal.js")


def countdown(span):
    context = {"instant": AT + span, "at": AT, "before": "", "skipped": ()}
    return render_to_string("parts/_countdown.html", context)


def test_the_page_says_what_the_server_says(page):
    page.clock.set_fixed_time(0)  # the page is written and read in the same instant
    spans = [(span, words) for span, words in LEFT if not span.microseconds]  # the page counts in seconds
    # The server's words are taken away first, so that only the script can have written them.
    parts = [
        countdown(span).replace("data-left>", "data-left>?<!--").replace("</span></p>", "--></span></p>")
        for span, _words in spans
    ]
    show(page, parts)
    assert [plain(text) for text in page.locator("[data-left]").all_inner_texts()] == [w for _s, w in spans]


def test_the_count_goes_on_by_the_servers_clock_and_ends(page):
    page.clock.install(time=0)  # this device believes it is 1970
    show(page, [countdown(timedelta(minutes=1, seconds=30))])
    box = page.locator(".countdown")
    assert "il reste 1 minute" in plain(box.inner_text())
    page.clock.run_for(45_000)
    assert "il reste moins d’une minute" in plain(box.inner_text())
    page.clock.run_for(60_000)
    assert "délai dépassé" in plain(box.inner_text())
    assert "countdown--over" in box.get_attribute("class")


def test_a_summary_of_errors_takes_the_focus(page):
    show(page, ['<div id="erreurs" tabindex="-1" data-focus>Un point est à corriger</div>'])
    assert page.evaluate("document.activeElement.id") == "erreurs"
