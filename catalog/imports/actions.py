"""What a catalogue's file says, read: actions with their place and sessions, whatever the format."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

import nh3

from catalog.imports.edof_schema import Fault
from catalog.models import Offer, Session

MODES = {"0": Offer.Mode.ON_SITE, "1": Offer.Mode.MIXED, "2": Offer.Mode.DISTANCE}
RECRUITMENTS = {
    "1": Session.Recruitment.OPEN,
    "2": Session.Recruitment.CLOSED,
    "3": Session.Recruitment.SUSPENDED,  # LHEO's; the portal's own format has two states
}
RHYTHMS = dict(zip("1234567", Offer.Rhythm.values, strict=True))
# LHEO's table of levels → the European framework. 0: not told. 1: none is asked. 2 to 8 are the old national
# levels, from VI (before any diploma) to I; 11 to 18 the European ones. Below 3 no diploma is asked.
LEVELS = {
    "0": None, "1": 0, "2": 0, "3": 0, "4": 3, "5": 4, "6": 5, "7": 6, "8": 7,
    "11": 0, "12": 0, "13": 3, "14": 4, "15": 5, "16": 6, "17": 7, "18": 8,
}  # fmt: skip
# What may shape a text; no attribute, so no link, no style, no script.
TAGS = {"p", "br", "ul", "ol", "li", "strong", "em"}
SYNONYMS = {"b": "strong", "i": "em", "div": "p"}
# A tag ends before the next one begins: looking for « > » beyond would take hours in a text full of « <a ».
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
# Longer is refused by the shape of a format: cleaned no further, so that one text never keeps the worker.
CLEANED_MAX = 10_000
# What stands where the format wants something and nothing is said: as catalog.exporting writes it, as many
# real files do. No address ends in « .invalid » (RFC 2606), no number is all zeros.
NOT_SAID = "Non précisé."
NO_EMAIL, NO_PHONE = "inconnu@exemple.invalid", "0000000000"


@dataclass(slots=True)
class SessionRow:
    line: int
    number: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Action:
    """One action with its training, read; `fields` are those of Offer. `faults` keep it out."""

    line: int
    subject: str
    siret: str = ""
    siret_line: int = 0
    training_number: str = ""
    action_number: str = ""
    register_code: str = ""
    certif_info: tuple[str, ...] = ()  # what names it there when no number of the registers does
    portal_code: str = ""
    code_line: int = 0
    blocks: list[tuple[int, str]] = field(default_factory=list)
    pedagogy: str = ""  # not kept: it tells two actions apart
    fields: dict[str, Any] = field(default_factory=dict)
    place: "Place | None" = None
    sessions: list[SessionRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.siret, self.training_number, self.action_number


@dataclass(slots=True)
class Place:
    """Where an action takes place. `degrees`: latitude and longitude, when the file gives them."""

    line: int
    postal_code: str
    town_name: str
    degrees: tuple[float, float] | None

    @property
    def address(self) -> tuple[str, str, str]:
        return self.postal_code, self.town_name, ""


def rich(text: str) -> str:
    """An organisation's text, safe to show: TAGS only, no attribute; plain when it has no markup."""
    text = text.strip()[:CLEANED_MAX]
    if not MARKUP.search(text):
        return text
    for theirs, ours in SYNONYMS.items():
        text = re.sub(rf"<(/?){theirs}(?=[\s>/])[^<>]*>", rf"<\1{ours}>", text, flags=re.IGNORECASE)
    text = nh3.clean(text, tags=TAGS, attributes={})
    text = re.sub(r"<(p|li|strong|em)>(?:\s|&nbsp;|<br>)*</\1>", "", text).strip()
    if MARKUP.search(text):
        return text
    # Nothing but forbidden markup was there: plain again, unless plain would read as markup.
    plain = html.unescape(text)
    return f"<p>{text}</p>" if MARKUP.search(plain) else plain
