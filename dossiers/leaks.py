"""What a message between a holder and an organisation must not carry. Pure: a text gives what was found.

Two families. Numbers that must be stored nowhere in clear (bank card, IBAN, social security): who reads a
message has no use for them, and a leak of messages would be a leak of them. Ways to meet elsewhere (phone,
e-mail, link): solicitation for training rights is forbidden (law n° 2022-1587), and every scam begins by
leaving the place where what was said can be shown.

A net, not a wall: whoever wants to spell a number out over three messages will. What is caught is what people
write without thinking, and the usual ways round. Dates, hours, prices and the numbers of this field (SIRET,
declaration of activity, RNCP, dossier) are none of it.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from stdnum import iban, luhn
from stdnum.fr import nir


class Kind(models.TextChoices):
    CARD = "card", gettext_lazy("un numéro de carte bancaire")
    IBAN = "iban", gettext_lazy("un IBAN")
    NIR = "nir", gettext_lazy("un numéro de sécurité sociale")
    PHONE = "phone", gettext_lazy("un numéro de téléphone")
    EMAIL = "email", gettext_lazy("une adresse e-mail")
    LINK = "link", gettext_lazy("un lien ou un nom de réseau social")


SECRETS = frozenset({Kind.CARD, Kind.IBAN, Kind.NIR})
"""Never stored, in a message nor in a report. The others are refused in messages only."""


@dataclass(frozen=True, slots=True)
class Leak:
    """`excerpt`: what was recognised, to find it again in a long text; never shown for SECRETS."""

    kind: Kind
    excerpt: str


def find(text: str) -> list[Leak]:
    """Everything found, one of a kind, the gravest first. Empty: the text may be sent."""
    plain = _plain(text)
    found = []
    for kind, seek in _SEEKERS.items():
        if (excerpt := next(seek(plain), None)) is not None:
            found.append(Leak(kind, " ".join(excerpt.split())))
    return found


def in_words(leaks: list[Leak]) -> str:
    """Why this is not sent, and what to do. "" for none. A secret is named, never repeated."""
    secrets = [str(leak.kind.label) for leak in leaks if leak.kind in SECRETS]
    others = [f"{leak.kind.label} (« {leak.excerpt} »)" for leak in leaks if leak.kind not in SECRETS]
    sentences = []
    if secrets:
        sentences.append(
            _(
                "Votre texte contient %(what)s : cela ne se donne à personne. "
                "Rien n’a été envoyé ni gardé : corrigez-le."
            )
            % {"what": _list(secrets)}
        )
    if others:
        sentences.append(
            _(
                "Votre message contient %(what)s. Pour vous protéger des arnaques, tout se passe ici : "
                "corrigez-le, puis envoyez."
            )
            % {"what": _list(others)}
        )
    return " ".join(sentences)


def secrets_in_words(text: str) -> str:
    """The same for a text that may name phones and links, as a report does."""
    return in_words([leak for leak in find(text) if leak.kind in SECRETS])


def _list(words: list[str]) -> str:
    return _(" et ").join([", ".join(words[:-1]), words[-1]]) if words[1:] else words[0]


# --- The text as a reader sees it ------------------------------------------------------------------

# A letter O before two more digits stands for a zero: « O6 12… ».
_LETTER_ZERO = re.compile(r"(?<![^\W\d_])[oO](?=[ .\-/]?\d(?:[ .\-/]?\d){4})")


def _plain(text: str) -> str:
    """Other people's digits, wide letters, keycaps and invisible signs are what they look like."""
    signs = []
    for sign in unicodedata.normalize("NFKC", text):
        if unicodedata.category(sign) in {"Cf", "Me"} or sign == "\ufe0f":
            continue  # zero-width signs, the frame of a keycap
        if sign.isdigit():
            sign = str(unicodedata.digit(sign))
        elif unicodedata.category(sign) == "Pd" or sign == "\u2212":
            sign = "-"
        signs.append(sign)
    return _LETTER_ZERO.sub("0", "".join(signs))


# --- Numbers that are stored nowhere -----------------------------------------------------------------

# Groups of four, as on the card, or none; American Express: 4-6-5.
_CARD = re.compile(
    r"(?<!\d)(?:\d{13,19}|\d{4}(?P<a>[\s.\-])\d{4}(?P=a)\d{4}(?P=a)\d{1,4}(?P<tail>(?P=a)\d{1,3})?"
    r"|\d{4}(?P<b>[\s.\-])\d{6}(?P=b)\d{5})(?!\d)"
)
# First digits and lengths of the networks (ISO/IEC 7812-1). Not Diners Club's 14 digits: a SIRET has 14 with
# the same check digit, and organisations write theirs.
_ISSUERS = re.compile(
    r"4\d{12}|4\d{15}|4\d{18}|5[0-9]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}"
    r"|3[47]\d{13}|35\d{14}|6\d{15,18}"
)
_IBAN = re.compile(r"(?<![^\W_])[A-Za-z]{2}\d{2}(?:[\s.\-]?[A-Za-z0-9]){11,30}")
# Sex, year, month (known or not), department, town, order; the key may be missing. Spaced as people do.
_NIR = re.compile(
    r"(?<!\d)[1-478][\s.\-]?\d\d[\s.\-]?(?:0[1-9]|1[0-2]|[2-9]\d)[\s.\-]?(?:\d\d|2[AaBb])[\s.\-]?\d{3}[\s.\-]?\d{3}"
    r"(?P<key>[\s.\-]?\d\d)?(?!\d)"
)


def _bare(text: str) -> str:
    return re.sub(r"[\s.\-]", "", text).upper()


def _cards(text: str) -> Iterator[str]:
    for match in _CARD.finditer(text):
        # The last group may be the month in which the card ends.
        for number in (_bare(match[0]), _bare(match[0].removesuffix(match["tail"] or ""))):
            if _ISSUERS.fullmatch(number) and luhn.is_valid(number):
                yield match[0]
                break


def _ibans(text: str) -> Iterator[str]:
    for match in _IBAN.finditer(text):
        bare = _bare(match[0])
        # What follows may be a word: each country has one length, the check digits tell which.
        for length in range(15, min(len(bare), 34) + 1):
            if iban.is_valid(bare[:length], check_country=False):
                yield match[0]
                break


def _nirs(text: str) -> Iterator[str]:
    for match in _NIR.finditer(text):
        # With its key, it must be right; thirteen characters in this shape are one without its key.
        if not match["key"] or nir.is_valid(_bare(match[0])):
            yield match[0]


# --- Ways to meet elsewhere --------------------------------------------------------------------------

# Dates and hours, set aside before numbers are sought: « 01-12-2026 09 h » has the ten digits of a phone.
_TIMES = re.compile(
    r"(?<!\d)(?:\d{1,2}(?P<a>[./\- ])\d{1,2}(?P=a)(?:19|20)\d\d|(?:19|20)\d\d(?P<b>[./\-])\d\d(?P=b)\d\d"
    r"|(?<!/)(?:[0-2]?\d|3[01])/(?:0?\d|1[0-2])/\d\d(?!/)|\d{1,2} ?(?:h|H|:) ?(?:[0-5]\d)?)(?!\d)"
)
# Ten digits by twos, with the same separator all along, or none.
_BY_TWOS = re.compile(r"(?<![\d+])0[1-9](?P<a>[\s.\-/_,·]{0,3})\d\d(?:(?P=a)\d\d){3}(?!\d)")
_UNITS = "z[ée]ro|une?|deux|trois|quatre|cinq|six|sept|huit|neuf"
_TENS = (
    "dix|onze|douze|treize|quatorze|quinze|seize|vingts?|trente|quarante|cinquante|soixante|septante|nonante"
)
# « zéro six douze trente-quatre… »: a zero, then at least five words of number.
_SPELT = re.compile(rf"\bz[ée]ro(?:[\s,.\-]+(?:et[\s\-]+)?(?:{_UNITS}|{_TENS}|\d\d?)\b){{5,}}", re.IGNORECASE)


def _phones(text: str) -> Iterator[str]:
    for match in _SPELT.finditer(text):
        yield match[0]
    undated = _TIMES.sub("§", text)
    for match in _BY_TWOS.finditer(undated):
        # Days of a month, « 03, 05, 10, 12, 17 », are a list: phones have no comma.
        if "," not in match["a"]:
            yield match[0]
    for found in phonenumbers.PhoneNumberMatcher(undated, "FR"):
        # Without its zero nor its plus, a number of nine digits is a SIREN or a dossier.
        if found.raw_string.lstrip("( ")[:1] in {"0", "+"}:
            yield found.raw_string


_AT = r"\s{0,3}(?:@|[(\[{<]\s?(?:at|a|@|arobase?)\s?[)\]}>]|\barobase?\b|\bat\b)\s{0,3}"
_DOT = r"(?:\s?\.\s?|\s{0,3}(?:[(\[{<]\s?(?:point|dot|\.)\s?[)\]}>]|\bpoint\b|\bdot\b)\s{0,3})"
_EMAIL = re.compile(
    rf"(?<![\w.+\-])[\w.+\-]{{1,64}}{_AT}[\w\-]{{1,63}}(?:{_DOT}[\w\-]{{1,63}}){{0,3}}?{_DOT}[a-z]{{2,24}}\b",
    re.IGNORECASE,
)
# Names under which people put pages and mailboxes. Not those that are French words: « fin.de », « bac.pro ».
_ENDINGS = "com|fr|net|org|eu|info|be|ch|uk|us|ru|app|dev|xyz|bzh|shop|store|online|link|click|ly|gg|tk"
_LINK = re.compile(
    r"\bhttps?\s?:\s?/\s?/\s?\S+|\b(?i:www)\s?\.\s?\w[\w\-]*"
    rf"|(?<![\w@.\-])(?:[a-z0-9\-]{{1,63}}\.){{1,4}}(?:{_ENDINGS})\b(?!\.?[\w\-])"
    rf"|(?<![\w@.\-])(?:[A-Z0-9\-]{{1,63}}\.){{1,4}}(?:{_ENDINGS.upper()})\b(?!\.?[\w\-])"
    r"|\b(?:wa|t|m|fb)\.me\b|\blnkd\.in\b|\bis\.gd\b"
    r"|\b(?i:gmail|hotmail|outlook|yahoo|orange|free|sfr|laposte|icloud|wanadoo|proton(?:mail)?)"
    r"\s(?i:point|dot)\s(?i:com|fr|net|me)\b"
    r"|(?<![\w.])@[A-Za-z]\w{2,29}"
)
# What a training may be about.
_NOT_LINKS = frozenset({"asp.net", "vb.net", "ado.net"})


def _emails(text: str) -> Iterator[str]:
    for match in _EMAIL.finditer(text):
        yield match[0]


def _links(text: str) -> Iterator[str]:
    for match in _LINK.finditer(text):
        if match[0].lower() not in _NOT_LINKS:
            yield match[0]


_SEEKERS = {
    Kind.CARD: _cards,
    Kind.IBAN: _ibans,
    Kind.NIR: _nirs,
    Kind.PHONE: _phones,
    Kind.EMAIL: _emails,
    Kind.LINK: _links,
}
