"""Every page in every state: no rule of accessibility broken, nothing lost at 320 pixels or at 200 %.

    python3 dev.py test tests/browser/test_every_page.py --book FOLDER

takes the pictures, and leaves axe aside: each scene at 1280 and 360 pixels, light and dark, with an
index.html and contact sheets (sheets/) on which a person looks at many at once.
"""

import fcntl
import html
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from django.urls import resolve
from pytest_django.live_server_helper import LiveServer

from dossiers.models import Dossier
from dossiers.states import State
from tests.browser.conftest import TOO_WIDE, is_only_late, session_of
from tests.kept import kept_for_the_module
from tests.scenes import Scene, every_scene
from tests.scenes.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SCENES = every_scene()
# 1280 pixels at 200 % leave 640; 320 is the narrowest phone. In the order of looking: a page opens wide.
WIDTHS = (1280, 640, 320)
PICTURES = tuple((width, scheme) for width in (1280, 360) for scheme in ("light", "dark"))
# What of axe depends on colours and sizes, so that another look can break it.
RULES_OF_LOOKS = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")
# The page keeps axe once it has it: putting it there again costs as much as asking it.
AXE, AXE_AGAIN = Axe(), Axe(axe_script="true")
SHEET = 16  # pictures on one contact sheet
PARTS = ("h1", "main", "header", "footer", "a.skip-link", "title")
# Playwright's locators would bring their own script to each page: one question costs less than six.
COUNTS = "selectors => selectors.map(each => document.querySelectorAll(each).length)"

# Words that a box hides: cut off, or pushed out of it. What is hidden on purpose is one pixel wide.
CUT_OFF = """() => [...document.querySelectorAll("main *, header *, footer *")].filter(each => {
  const style = getComputedStyle(each);
  const hides = [style.overflowX, style.overflowY].some(way => way === "hidden" || way === "clip");
  return hides && each.clientWidth > 1 && each.innerText && !each.closest("svg, select")
    && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1);
}).slice(0, 5).map(each => each.outerHTML.slice(0, 160))"""
# What one writes in has room for a word.
SQUEEZED = """() => [...document.querySelectorAll("input, select, textarea")]
  .filter(each => !["hidden", "checkbox", "radio", "file"].includes(each.type) && each.tabIndex >= 0)
  .filter(each => each.offsetHeight > 1 && each.offsetWidth > 1 && each.offsetWidth < 40)
  .slice(0, 5).map(each => each.outerHTML.slice(0, 120))"""
# What one taps is never too small for a finger, links inside a sentence aside.
MISSES = """() => [...document.querySelectorAll(
  "main .button, header a, header button, footer a, footer button")]
  .filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && box.height && Math.round(box.height) < 44 && box.height > 1;
  }).slice(0, 5).map(each => each.outerHTML.slice(0, 120))"""
FAULTS = f"""() => Object.entries({{
  "too wide": {TOO_WIDE}, "cut off": {CUT_OFF}, "squeezed": {SQUEEZED},
}}).map(([what, find]) => [what, find()]).filter(([, found]) => found.length)"""


@pytest.fixture(scope="module")
def stage(django_db_setup, django_db_blocker):
    """The demonstration, once for all the scenes: none of them writes."""
    with kept_for_the_module(django_db_blocker):
        call_command("load_towns", verbosity=0)
        call_command("load_demo", verbosity=0)
        yield Stage()


@pytest.fixture(scope="module")
def server(stage, card_service):
    cards = {**card_service.keys, "STRIPE_ORIGINS": [card_service.base]}
    with override_settings(ROOT_URLCONF="tests.browser.addresses", **cards):
        running = LiveServer("localhost")
        yield running
        running.stop()


@pytest.fixture(scope="module")
def seat(stage, server, browser, django_db_blocker):
    """`seat(who)`: the page of this person's browser, and what it complained of."""
    contexts, pages = [], {}
    # Signed in before the first test: what a test writes is in a transaction that the server cannot see.
    with django_db_blocker.unblock():
        keys = {who: session_of(stage.user(who)) for who in {scene.who for scene in SCENES} if who}

    def page_of(who: str):
        if who not in pages:
            context = browser.new_context(locale="fr-FR", reduced_motion="reduce")
            context.set_default_timeout(20_000)
            contexts.append(context)
            if who:
                cookie = {"name": settings.SESSION_COOKIE_NAME, "value": keys[who], "url": server.url}
                context.add_cookies([cookie])
            shown, complaints = context.new_page(), []
            shown.on("console", lambda said: complaints.append((said.type, said.text)))
            shown.on("pageerror", lambda error: complaints.append(("error", str(error))))
            pages[who] = (shown, complaints)
        return pages[who]

    yield page_of
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def book(request, browser):
    """The folder of the pictures, or None."""
    if (wanted := request.config.getoption("book")) is None:
        yield None
        return
    folder = Path(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    # Each process binds what is there, one after the other: the last to end has the pictures of all.
    with open(folder / "binding.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = sorted(path.stem for path in (folder / "1280" / "light").glob("*.png"))
        (folder / "index.html").write_text(_index(names), encoding="utf-8")
        _make_sheets(browser, folder, names)


# Two stages, so that two processes share the work.
@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(
            scene, id=scene.name, marks=pytest.mark.xdist_group(f"stage-{number * 2 // len(SCENES)}")
        )
        for number, scene in enumerate(SCENES)
    ],
)
def test_page(scene: Scene, stage, server, seat, book):
    path = scene.where(stage)
    shown, complaints = seat(scene.who)
    complaints.clear()
    answer = _play(scene, shown, server.url + path)
    assert answer == scene.status, f"{path} answers {answer}: {shown.inner_text('body')[:1500]}"
    _has_its_parts(scene, shown)
    # A refusal answers with the page itself; the browser notes its status. Later, axe itself complains.
    expected = f"status of {scene.status}" if scene.status >= 400 else "status of 4"
    said = [text for kind, text in complaints if kind in {"error", "warning"} and expected not in text]
    said = [text for text in said if not is_only_late(text, shown)]
    assert said == [], "\n".join(said)
    _fits(scene, shown)
    if book:
        _take_pictures(scene, shown, book)
    else:
        _is_accessible(scene, shown)


@pytest.mark.xdist_group("stage-0")
def test_a_dossier_in_every_state_is_looked_at_from_both_sides(stage):
    looked_at = set()
    for scene in SCENES:
        if scene.is_ours and scene.status == 200:
            found = resolve(scene.where(stage).partition("?")[0])
            if found.url_name in ("dossier", "provider_dossier"):
                state = Dossier.objects.values_list("state", flat=True).get(pk=found.kwargs["dossier_id"])
                looked_at.add((found.url_name, state))
    wanted = {(side, state.value) for side in ("dossier", "provider_dossier") for state in State}
    # An organisation never sees a draft.
    assert looked_at >= wanted - {("provider_dossier", State.DRAFT.value)}


NEXT_PICTURE = """() => document.querySelector(":popover-open")
    && new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"""


def _fits(scene: Scene, shown) -> None:
    for width in WIDTHS:
        shown.set_viewport_size({"width": width, "height": 900})
        # A page hears of its new width with the next picture it draws: an open menu closes then.
        shown.evaluate(NEXT_PICTURE)
        faults = shown.evaluate(FAULTS)
        assert faults == [], f"{scene.name} at {width} pixels: {faults}"
    if scene.is_ours:  # at 320 pixels, the last of the widths
        assert shown.evaluate(MISSES) == [], f"{scene.name}: too small for a finger"


def _is_accessible(scene: Scene, shown) -> None:
    # Both layouts and both sets of colours, in two rounds: one with every rule, one with those that a width
    # or a colour can break. Which comes first changes from scene to scene; of Django's own pages, one round.
    narrow, wide = (320, "light"), (1280, "dark")
    starts_narrow = "/list-" in scene.name or (scene.is_ours and SCENES.index(scene) % 2 == 0)
    first, second = (narrow, wide) if starts_narrow else (wide, narrow)
    _breaks_no_rule(scene, shown, *first, axe=AXE)
    if scene.is_ours:
        _breaks_no_rule(scene, shown, *second, axe=AXE_AGAIN, only=RULES_OF_LOOKS)


def _breaks_no_rule(
    scene: Scene, shown, width: int, scheme: str, *, axe: Axe, only: tuple[str, ...] = ()
) -> None:
    # Without motion, Django's own buttons do not fade from one colour to the other while axe looks.
    shown.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    shown.set_viewport_size({"width": width, "height": 900})
    options: dict = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = list(only)
    broken = [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]])
        for rule in axe.run(shown, options=options).response["violations"]
    ]
    assert broken == [], f"{scene.name} at {width} pixels, {scheme}: {broken}"


def _play(scene: Scene, shown, url: str) -> int:
    """Open the page, act on it; the status of the page one ends on."""
    statuses: list[int] = []

    def hear(response):
        if response.request.is_navigation_request() and response.frame == shown.main_frame:
            statuses.append(response.status)

    shown.emulate_media(color_scheme="light")
    shown.set_viewport_size({"width": 1280, "height": 900})
    shown.on("response", hear)
    try:
        shown.goto(url)
        if scene.then:
            scene.then(shown)
            shown.wait_for_load_state()
        # On a busy machine the letters come after the page: others are wider.
        shown.evaluate("document.fonts.ready.then(() => true)")
    finally:
        shown.remove_listener("response", hear)
    return statuses[-1]


def _has_its_parts(scene: Scene, shown) -> None:
    parts = [*(PARTS if scene.is_ours else ("h1", "title"))]
    parts += [words.removeprefix("css=") for words in scene.shows if words.startswith("css=")]
    counts = dict(zip(parts, shown.evaluate(COUNTS, parts), strict=True))
    missing = [part for part, count in counts.items() if not count]
    assert missing == [], f"{scene.name} has no {missing}"
    assert counts["h1"] == 1 or not scene.is_ours, f"{scene.name} has several titles"
    read = _plain(shown.evaluate("document.body.innerText"))
    for words in scene.shows:
        if not words.startswith("css="):
            assert _plain(words) in read, f"« {words} » is not in {scene.name}: {read[:3000]}"


def _plain(words: str) -> str:
    return re.sub(r"\s+", " ", words).replace("’", "'").strip()


# --- The book ------------------------------------------------------------------------------------------


def _picture(width: int, scheme: str, name: str) -> str:
    """Where the picture of a scene is, in the folder of the book."""
    return f"{width}/{scheme}/{name}.png"


def _take_pictures(scene: Scene, shown, folder: Path) -> None:
    for width, scheme in PICTURES:
        shown.emulate_media(color_scheme=scheme)
        shown.set_viewport_size({"width": width, "height": 900 if width > 640 else 740})
        shown.evaluate("window.scrollTo(0, 0)")
        path = folder / _picture(width, scheme, scene.name.replace("/", "--"))
        path.parent.mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=path, full_page=True, animations="disabled")


def _index(names: list[str]) -> str:
    rows = []
    for name in names:
        paths = [_picture(width, scheme, name) for width, scheme in PICTURES]
        pictures = "".join(
            f'<a href="{html.escape(path)}"><img src="{html.escape(path)}" alt="" loading="lazy"></a>'
            for path in paths
        )
        rows.append(f"<h2>{html.escape(name)}</h2><div>{pictures}</div>")
    style = "img{height:28rem;margin:.5rem;border:1px solid #999}body{font-family:sans-serif}"
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Screenshot book</title>'
        f"<style>{style}</style><h1>{len(names)} scenes</h1>{''.join(rows)}</html>"
    )


SHEET_OF_PICTURES = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Sheet</title><style>
body { margin: 8px; display: grid; gap: 8px; font: 16px sans-serif; grid-template-columns: repeat(%d, 1fr) }
figure { margin: 0; border: 1px solid #777 }
img { width: 100%%; max-height: 620px; object-fit: cover; object-position: top }
</style>%s</html>"""


def _make_sheets(browser, folder: Path, names: list[str]) -> None:
    """Pictures side by side, the top of each: what a person can look at in a minute."""
    (folder / "sheets").mkdir(exist_ok=True)
    page = folder / "sheets" / "sheet.html"
    shown = browser.new_page(viewport={"width": 2000, "height": 1200})
    for width, scheme in PICTURES:
        for number, begin in enumerate(range(0, len(names), SHEET), 1):
            cells = [
                f'<figure><img src="{(folder / _picture(width, scheme, name)).absolute().as_uri()}" alt="">'
                f"<figcaption>{html.escape(name)}</figcaption></figure>"
                for name in names[begin : begin + SHEET]
            ]
            page.write_text(SHEET_OF_PICTURES % (4 if width > 640 else 8, "".join(cells)), encoding="utf-8")
            shown.goto(page.absolute().as_uri())
            shown.screenshot(path=folder / "sheets" / f"{width}-{scheme}-{number:02}.png", full_page=True)
    page.unlink()
    shown.close()
