"""Sign-ins: when somebody came in and roughly from where, so that people recognise their own.

What is kept is the least that serves: a family of browser, a system, a network shared by many homes.
Twelve months, as the page says.
"""

import datetime
import ipaddress
import re
import secrets
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts import announcements
from accounts.models import SignIn, User
from ui import french

KEPT = datetime.timedelta(days=365)
# Nobody has these addresses: they show a storm to an administrator, and nothing to anyone else.
KEPT_WITHOUT_PERSON = datetime.timedelta(days=30)
# Of each sort. More than a year of one sign-in a day would need few; a storm of refusals fills no table.
KEPT_PER_PERSON = 200
# A browser without its mark, on the same network and of the same kind, is not told as new: people who
# erase their cookies would soon read no warning any more.
FAMILIAR_FOR = datetime.timedelta(days=60)

# The first that is named wins: most browsers also call themselves Chrome and Safari.
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS = (
    ("Android", r"Android"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Windows", r"Windows"),
    ("ChromeOS", r"CrOS"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("Linux", r"Linux|X11"),
)
SYSTEMS = tuple(name for name, _pattern in _SYSTEMS)
_MARK = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """From where, roughly. `mark`: what this browser is known by, "" when it has none."""

    browser: str = ""
    system: str = ""
    network: str = ""
    mark: str = ""

    @property
    def device(self) -> str:
        return device(self.browser, self.system)


def device(browser: str, system: str) -> str:
    """« Firefox sur Windows »; says so when it is not known."""
    if browser and system:
        return _("%(browser)s sur %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Appareil non reconnu")


def place(*, user_agent: str, address: str, mark: str) -> Place:
    """What is kept of what a browser says. `mark` is not trusted: any other form counts as none."""
    return Place(
        browser=_first(_BROWSERS, user_agent),
        system=_first(_SYSTEMS, user_agent),
        network=network_of(address),
        mark=mark if _MARK.fullmatch(mark) else "",
    )


def _first(known, text: str) -> str:
    return next((name for name, pattern in known if re.search(pattern, text[:500])), "")


def network_of(address: str) -> str:
    """« 203.0.113.0/24 », « 2001:db8:1::/48 »; "" for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def short_network(network: str) -> str:
    """« 203.0.113.x », « 2001:db8:1:x »: what people may compare, without what they cannot read."""
    address = network.partition("/")[0]
    return f"{address.rpartition('.')[0]}.x" if "." in address else f"{address.rstrip(':')}:x"


def new_mark() -> str:
    return secrets.token_urlsafe(16)


def record(user: User, *, at: datetime.datetime, place: Place) -> SignIn:
    """They came in. Effects: a row; a notice when nothing of this browser was seen before."""
    with transaction.atomic():
        # Two sign-ins at once from one new browser are told once.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        is_new = _is_new(user, at=at, place=place)
        row = SignIn.objects.create(user=user, at=at, **_kept(place))
        if is_new:
            facts = {"when": french.moment(at), "device": place.device}
            announcements.tell_person(
                user, kind="new_sign_in", at=at, facts=facts, link=reverse("account_alert")
            )
    return row


def record_refusal(user: User | None, *, at: datetime.datetime, place: Place) -> SignIn:
    """They were refused. Without person, the same work: the time it takes tells nothing."""
    return SignIn.objects.create(user=user, at=at, succeeded=False, **_kept(place))


def purge(*, at: datetime.datetime) -> int:
    """Forget what is old, or too many. Never how a session that is still open came in. Returns how many."""
    newest = Window(
        RowNumber(), partition_by=["user", "succeeded"], order_by=[F("at").desc(), F("id").desc()]
    )
    too_many = (
        SignIn.objects.filter(user__isnull=False)
        .annotate(rank=newest)
        .filter(rank__gt=KEPT_PER_PERSON)
        .order_by()
        .values("pk")
    )
    old = Q(at__lt=at - KEPT) | Q(user__isnull=True, at__lt=at - KEPT_WITHOUT_PERSON) | Q(pk__in=too_many)
    gone, _by_model = SignIn.objects.filter(old, sessions__isnull=True).delete()
    return gone


def _kept(place: Place) -> dict[str, str]:
    return {
        "browser": place.browser,
        "system": place.system,
        "network": place.network,
        "browser_digest": _digest(place.mark),
    }


def _is_new(user: User, *, at: datetime.datetime, place: Place) -> bool:
    """Neither this mark, nor lately this kind of browser on this network. The very first is not new."""
    before = SignIn.objects.filter(user=user, succeeded=True)
    familiar = Q(browser=place.browser, system=place.system, network=place.network, at__gt=at - FAMILIAR_FOR)
    if place.mark:
        familiar |= Q(browser_digest=_digest(place.mark))
    return before.exists() and not before.filter(familiar).exists()


def _digest(mark: str) -> str:
    """Keyed: a copy of the table is of no use to pass for a known browser."""
    return salted_hmac("accounts.sign_ins", mark, algorithm="sha256").hexdigest() if mark else ""
