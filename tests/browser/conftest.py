"""A real browser in front of the portal: whoever sits there uses the keyboard only."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

MOST_TABS = 150
PHONE, DESK = {"width": 320, "height": 640}, {"width": 1280, "height": 900}
# What has the focus: the words that name it, and whether one sees that it has it.
FOCUSED = """() => {
  const it = document.activeElement;
  const style = getComputedStyle(it);
  const labels = it.labels ? [...it.labels].map(label => label.textContent) : [];
  return {
    words: [it.textContent, ...labels, it.getAttribute("aria-label") || ""].join(" "),
    tag: it.tagName,
    name: it.getAttribute("name") || "",
    place: [...document.querySelectorAll("*")].indexOf(it),
    // The parts of a date field (day, month, calendar) show their own focus, out of our sight.
    seen: it.type === "date" || style.outlineStyle !== "none" || style.boxShadow !== "none",
  };
}"""


class Sitter:
    """Somebody at the keyboard. `troubles`: what the browser complained of."""

    def __init__(self, page: Page, base_url: str, *, javascript: bool = True):
        self.page, self.base_url, self.javascript = page, base_url, javascript
        self.troubles: list[str] = []
        self.looked_at: set[str] = set()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("requestfailed", self._miss)

    def _miss(self, request):
        # A search made before the last one has ended ends it (hx-sync): the page itself gave it up.
        if not (request.resource_type == "xhr" and request.failure == "net::ERR_ABORTED"):
            self.troubles.append(f"{request.url}: {request.failure}")

    def _hear(self, message):
        # Of a search that was given up htmx speaks in two errors.
        if message.text.startswith("htmx:sendAbort"):
            if self.troubles and self.troubles[-1].startswith("htmx:afterRequest"):
                self.troubles.pop()
            return
        # A refusal answers 422 with the page itself; the browser notes it.
        if message.type in {"error", "warning"} and "status of 422" not in message.text:
            self.troubles.append(message.text)

    def open(self, path: str) -> None:
        self.page.goto(self.base_url + path)

    def reach(self, words: str, *, tag: str = "") -> None:
        """Tab until what has the focus says these words; each stop shows where one is."""
        passed: list[str] = []
        for _number in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(FOCUSED)
            said = plain(focused["words"])
            if focused["tag"] != "BODY":
                assert focused["seen"], f"nothing shows that « {said} » has the focus on {self.page.url}"
            if plain(words) in said and tag in {"", focused["tag"]}:
                return
            passed.append(said[:40])
        stops = list(dict.fromkeys(passed))
        raise AssertionError(f"« {words} » cannot be reached on {self.page.url}; stops: {stops}")

    def write(self, label: str, text: str) -> None:
        self.reach(label)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def write_at_once(self, label: str, text: str) -> None:
        """As one writes who never hesitates: on a busy machine, what is proposed for the first letters would
        come after what is proposed for all of them is looked at."""
        self.reach(label)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def follow(self, words: str) -> None:
        self._go(words, "A")

    def press(self, words: str) -> None:
        self._go(words, "BUTTON")

    def _go(self, words: str, tag: str) -> None:
        self.reach(words, tag=tag)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def tick(self, words: str) -> None:
        self.reach(words)
        self.page.keyboard.press("Space")

    def open_up(self, words: str) -> None:
        """A dialog, by the button that says these words."""
        self.reach(words, tag="BUTTON")
        self.open_what_has_focus()

    def open_what_has_focus(self) -> None:
        """Its dialog. The script gives the title the focus a moment later: what is pressed before is lost."""
        self.page.keyboard.press("Enter")
        if self.javascript:
            self.page.wait_for_function("() => document.activeElement.matches('.dialog h2')")

    def unfold(self, words: str) -> None:
        self.reach(words, tag="SUMMARY")
        self.page.keyboard.press("Enter")

    def walk_through(self) -> list[str]:
        """Tab through the whole page: each stop is seen, in the order of the page, and none holds back."""
        stops: list[tuple[int, str]] = []
        self.page.evaluate("document.activeElement.blur()")
        for _number in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(FOCUSED)
            if focused["tag"] == "BODY":
                break
            said = plain(focused["words"])
            assert focused["seen"], f"nothing shows that « {said} » has the focus on {self.page.url}"
            stops.append((focused["place"], said))
        else:
            raise AssertionError(f"no way out of {self.page.url}: {stops[-5:]}")
        places = [place for place, _said in stops]
        assert places == sorted(places), f"{self.page.url} jumps: {stops}"
        return [said for _place, said in stops]

    def has_focus(self) -> str:
        """What has the focus now, by the words that name it."""
        return plain(self.page.evaluate(FOCUSED)["words"])

    def must_read(self, words: str) -> None:
        read = plain(self.page.locator("body").inner_text())
        assert plain(words) in read, f"« {words} » is not on {self.page.url}: {read[:2000]}"

    def look(self, what: str) -> None:
        """This page holds on a phone, and breaks no rule of accessibility that axe knows."""
        self.looked_at.add(what)
        self.page.set_viewport_size(PHONE)
        wide = self.page.evaluate(TOO_WIDE)
        assert wide == [], f"{what} is wider than 320 pixels: {wide}"
        for size in (PHONE, DESK):
            self.page.set_viewport_size(size)
            report = Axe().run(self.page)
            broken = [
                (rule["id"], [node["html"][:200] for node in rule["nodes"]])
                for rule in report.response["violations"]
            ]
            assert broken == [], f"{what} at {size['width']} pixels: {broken}"


# What widens the page: outside the tables that scroll in their own frame, or what leaves such a frame.
TOO_WIDE = """() => {
  const root = document.scrollingElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > root.clientWidth + 1);
  const outside = wide.filter(each => !each.closest("[role=region] *"));
  const named = (outside.length ? outside : wide).slice(0, 5).map(each => each.outerHTML.slice(0, 120));
  return named.length ? named : ["the page itself"];
}"""


def is_only_late(complaint: str, shown: Page) -> bool:
    """Chromium complains of a preloaded font after some seconds; on a busy machine, before it draws with it.
    Not of a page that never does: then the preload is ours to take away."""
    if "preloaded using link preload but not used" not in complaint or "/fonts/" not in complaint:
        return False
    loaded = "document.fonts.ready.then(fonts => [...fonts].filter(each => each.status === 'loaded').length)"
    return shown.evaluate(loaded) > 0


def plain(words: str) -> str:
    return re.sub(r"\s+", " ", words).replace("’", "'").strip()


def session_of(user) -> str:
    """The key of a session of this user: signing in is typed in one test, not in each."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def sit_down(browser, live_server):
    """`sit_down(javascript=True)`: a browser of one's own; what it complained of fails the test.

    `user`: who is signed in already.
    """
    sitters, contexts = [], []

    def open_one(*, javascript: bool = True, user=None) -> Sitter:
        context = browser.new_context(java_script_enabled=javascript, viewport=DESK, locale="fr-FR")
        context.set_default_timeout(20_000)
        if user is not None:
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": live_server.url}
            context.add_cookies([cookie])
        contexts.append(context)
        sitters.append(Sitter(context.new_page(), live_server.url, javascript=javascript))
        return sitters[-1]

    yield open_one
    late = {each for sitter in sitters for each in sitter.troubles if is_only_late(each, sitter.page)}
    for context in contexts:
        context.close()
    assert [each for sitter in sitters for each in sitter.troubles if each not in late] == []
