"""Every page, in every state, as each person sees it: what is looked at, by machines and by people.

A scene is one page in one state for one person. From the same list are made the axe and overflow
checks (tests/browser/test_every_page.py) and the screenshot book (`--book FOLDER`). Each module of this
folder lists the scenes of one audience in `SCENES`; a house test demands one for every page.

    Scene("holder/dossier-to-validate", CAMILLE, dossier("proposed"), shows=("Valider mon inscription",))

`who` signs in by e-mail (the demonstration's people, or those that `Stage` adds); "" is a visitor.
`where` gives the address from the stage, or None when it needs no page of ours. `then` acts on the
page: it opens a menu, or sends a form that is refused. `shows` are words or, after "css=", parts that
must be there; `status` is what the last page answers.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from playwright.sync_api import Page

from tests.scenes.stage import Stage

CAMILLE = "titulaire@exemple.invalid"
MALIK = "demandeur@exemple.invalid"
MEMBER = "organisme@exemple.invalid"
ADMIN = "admin@exemple.invalid"
VISITOR = ""


@dataclass(frozen=True)
class Scene:
    name: str
    who: str
    where: Callable[[Stage], str]
    shows: tuple[str, ...] = ()
    status: int = 200
    then: Callable[[Page], None] | None = None

    @property
    def is_ours(self) -> bool:
        """Not Django's own admin, whose pages come with their own look."""
        return not self.name.startswith("admin/")


def page(name: str, query: str = "", **kwargs) -> Callable[[Stage], str]:
    """The address of a page that is about nothing in particular."""
    return lambda stage: reverse(name, kwargs=kwargs or None) + (f"?{query}" if query else "")


def fill(**fields: str) -> Callable[[Page], None]:
    """Write in the fields of these names, then send the form they are in."""

    def act(shown: Page) -> None:
        for name, value in fields.items():
            shown.fill(f"main [name={name}]", value)
        send(shown)

    return act


def send(shown: Page, form: str = "main form[method=post]") -> None:
    """Send a form as the server would refuse it: the browser's own checks are set aside."""
    with shown.expect_navigation():
        shown.eval_on_selector(form, "form => { form.noValidate = true; form.requestSubmit(); }")


def press(words: str) -> Callable[[Page], None]:
    """Click what says these words, without leaving the page."""
    return lambda shown: shown.get_by_text(words, exact=True).first.click()


def every_scene() -> list[Scene]:
    scenes: list[Scene] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        if module.name != "stage":
            scenes += importlib.import_module(f"{__name__}.{module.name}").SCENES
    return scenes
