"""The dates of a person's dossiers: on their screens, and in their own calendar program (RFC 5545).

A deadline is an event of one hour that ends at the first instant that is too late, in UTC: a reader in
La Réunion sees their own hour. First and last days are whole days. An event keeps its UID for ever;
SEQUENCE and LAST-MODIFIED only grow. What is cancelled or over is no longer there: programs that follow
an address drop what it no longer lists.

The address of a feed is a random key and its signature. The table holds the key alone, so a copy of it
opens nothing, and yet the address can be shown again to add a second device.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from icalendar import Alarm, Calendar, Event, vDuration

from accounts.actors import Actor, Role
from accounts.listing import roles_of
from accounts.permissions import NotAllowed
from dossiers import listing
from dossiers.models import CalendarFeed, Deadline, Dossier, Transition
from dossiers.permissions import visible_dossiers
from dossiers.states import CLOCK_OF, DATES_OF_A_HOLDER, TO_ANSWER, WHOSE_TURN, ClockKind, State
from rulebook import Rules, workdays
from ui import french

# A program that follows an address should see a day that has just passed, not the archives.
KEPT_AFTER = timedelta(days=90)
# More would be no calendar any more, and a slow answer to a machine that asks every hour.
EVENTS_MAX = 1000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Before the last hour begins: the morning of the day before, and of the day itself.
ALARMS = (timedelta(hours=38), timedelta(hours=14))
REFRESH = timedelta(hours=4)
SALT = "dossiers.calendar"

STARTS, ENDS = "starts", "ends"


@dataclass(frozen=True, slots=True)
class Entry:
    """One date. `too_late`: the first instant that is, for a deadline; else `day`, a whole day.

    `kind`: a ClockKind, "starts" or "ends". `link` is a path of the portal. `is_mine`: its reader must act.
    """

    kind: str
    about: str  # what the UID names: a dossier; a day, for an organisation
    label: str  # where its dossier is named already
    title: str
    text: str
    link: str
    changed_at: datetime
    revision: int
    day: date
    too_late: datetime | None = None
    place: str = ""
    is_mine: bool = False
    is_certain: bool = True

    @property
    def moment(self) -> datetime:
        """What it is sorted by: when it is too late, or 00:00 in Paris of its day."""
        return self.too_late or workdays.midnight_after(self.day - DAY)


# --- Which dates ---------------------------------------------------------------------------------


def coming(actor: Actor, *, at: datetime) -> list[Entry]:
    """What is still to come for this actor, soonest first."""
    return [entry for entry in entries(actor, at=at) if not is_past(entry, at=at)]


def is_past(entry: Entry, *, at: datetime) -> bool:
    return entry.too_late <= at if entry.too_late else entry.day < workdays.paris_day(at)


def entries(actor: Actor, *, at: datetime) -> list[Entry]:
    """Every date of this actor's dossiers, with those of the last months, soonest first."""
    found = _dated(actor, at=at)
    if actor.is_provider:
        return _of_organisation(actor, found)
    return of_holder(found)


def of_holder(dossiers: Iterable[Dossier]) -> list[Entry]:
    """The dates of these dossiers (`with_revision`), soonest first."""
    found = [entry for dossier in dossiers for entry in of_dossier(dossier)]
    return sorted(found, key=lambda entry: (entry.moment, entry.kind, entry.about))


def of_dossier(dossier: Dossier) -> list[Entry]:
    """The dates of one dossier for its holder: the clock that runs, the first and the last day."""
    state = State(dossier.state)
    found = []
    kind = CLOCK_OF.get(state)
    if kind in DATES_OF_A_HOLDER and dossier.due_at is not None and dossier.clock_kind == kind:
        found.append(_deadline(dossier, kind))
    if state in (State.ACCEPTED, State.AWAITING_PAYMENT, State.IN_TRAINING):
        found += _days(dossier)
    return found


def with_revision(dossiers: QuerySet[Dossier]) -> QuerySet[Dossier]:
    """Adds what an event says of its own changes: `changed_at`, and `revision`, which only grows.

    Needs `listing.with_clock`.
    """
    moves = Transition.objects.filter(dossier=OuterRef("pk")).order_by().values("dossier")
    clocks = Deadline.objects.filter(dossier=OuterRef("pk")).order_by().values("dossier")
    return dossiers.annotate(
        changed_at=Coalesce(Subquery(clocks.annotate(at=Max("opened_at")).values("at")), "created_at"),
        revision=Coalesce(Subquery(moves.annotate(n=Count("pk")).values("n")), 0)
        + Coalesce(Subquery(clocks.annotate(n=Count("pk")).values("n")), 0),
    )


def _dated(actor: Actor, *, at: datetime) -> list[Dossier]:
    since = workdays.paris_day(at - KEPT_AFTER)
    alive = Q(state__in=[state for state in CLOCK_OF if state != State.ACCEPTED]) | Q(
        state=State.ACCEPTED, ends_on__gte=since
    )
    found = with_revision(listing.with_clock(visible_dossiers(actor))).filter(
        alive, removed_from_list_at__isnull=True
    )
    return list(found.order_by("-created_at", "id")[:EVENTS_MAX])


def _deadline(dossier: Dossier, kind: ClockKind) -> Entry:
    names = {"training": dossier.offer.title, "organisation": dossier.provider.organisation.name}
    labels = {
        ClockKind.PROVIDER_ANSWER: _("Réponse attendue de l’organisme"),
        ClockKind.PREREQUISITES: _("Fin de l’examen des prérequis"),
        ClockKind.HOLDER_ANSWER: _("Dernière heure pour valider"),
        ClockKind.FUNDER_ANSWER: _("Réponse attendue du financeur"),
        ClockKind.PAYMENT: _("Dernière heure pour payer"),
        ClockKind.WITHDRAWAL: _("Fin de l’annulation sans frais"),
        ClockKind.POSTPONEMENT: _("Dernière heure pour répondre à un report"),
        ClockKind.ABSENCE: _("Dernière heure pour expliquer une absence"),
    }
    titles = {
        ClockKind.PROVIDER_ANSWER: _("Réponse attendue de l’organisme : %(training)s"),
        ClockKind.PREREQUISITES: _("Fin de l’examen des prérequis : %(training)s"),
        ClockKind.HOLDER_ANSWER: _("Dernière heure pour valider : %(training)s"),
        ClockKind.FUNDER_ANSWER: _("Réponse attendue du financeur : %(training)s"),
        ClockKind.PAYMENT: _("Dernière heure pour payer : %(training)s"),
        ClockKind.WITHDRAWAL: _("Fin de l’annulation sans frais : %(training)s"),
        ClockKind.POSTPONEMENT: _("Dernière heure pour répondre à un report : %(training)s"),
        ClockKind.ABSENCE: _("Dernière heure pour expliquer une absence : %(training)s"),
    }
    texts = {
        ClockKind.PROVIDER_ANSWER: _(
            "%(organisation)s doit répondre jusqu’au %(due)s. Vous n’avez rien à faire."
        ),
        ClockKind.PREREQUISITES: _(
            "%(organisation)s examine vos prérequis jusqu’au %(due)s. Vous n’avez rien à faire."
        ),
        ClockKind.FUNDER_ANSWER: _(
            "Le financeur répond jusqu’au %(due)s. Sans réponse, l’aide est accordée. "
            "Vous n’avez rien à faire."
        ),
        ClockKind.HOLDER_ANSWER: _(
            "Validez ou refusez la proposition de %(organisation)s jusqu’au %(due)s. "
            "Sans réponse, le dossier est sans suite et rien n’est débité."
        ),
        ClockKind.PAYMENT: _(
            "Payez ce qui reste jusqu’au %(due)s. Sans paiement, vos droits vous sont rendus."
        ),
        ClockKind.WITHDRAWAL: _("Vous pouvez annuler sans frais jusqu’au %(due)s."),
        ClockKind.POSTPONEMENT: _(
            "%(organisation)s propose d’autres dates. Acceptez-les ou partez sans frais jusqu’au %(due)s. "
            "Sans réponse, l’inscription est défaite et tout vous est rendu."
        ),
        ClockKind.ABSENCE: _(
            "%(organisation)s déclare votre absence au premier jour. Une force majeure ? "
            "Dites-le jusqu’au %(due)s. Sans explication, vos droits réservés seront perdus."
        ),
    }
    due = french.last_minute(dossier.due_at)
    return Entry(
        kind=kind,
        about=str(dossier.pk),
        label=labels[kind],
        title=titles[kind] % names,
        text=texts[kind] % (names | {"due": due}),
        link=reverse("dossier", args=[dossier.pk]),
        changed_at=dossier.changed_at,
        revision=dossier.revision,
        day=workdays.paris_day(dossier.due_at - timedelta(microseconds=1)),
        too_late=dossier.due_at,
        is_mine=WHOSE_TURN[State(dossier.state)] == Role.HOLDER,
    )


def _days(dossier: Dossier) -> list[Entry]:
    """The first and the last day; one date when they are the same."""
    starts_on, ends_on = dossier.starts_on, dossier.ends_on
    if starts_on is None:
        return []
    names = {"training": dossier.offer.title, "organisation": dossier.provider.organisation.name}
    is_certain = dossier.state in (State.ACCEPTED, State.IN_TRAINING)
    text = (
        _("Avec %(organisation)s.") if is_certain else _("Avec %(organisation)s, une fois le paiement reçu.")
    ) % names
    same = {
        "about": str(dossier.pk),
        "text": text,
        "link": reverse("dossier", args=[dossier.pk]),
        "changed_at": dossier.changed_at,
        "revision": dossier.revision,
        "place": _place(dossier),
        "is_certain": is_certain,
    }
    first = _("Premier jour : %(training)s") % names
    if ends_on is None or ends_on == starts_on:
        return [Entry(kind=STARTS, label=_("Premier jour"), title=first, day=starts_on, **same)]
    last = _("Dernier jour : %(training)s") % names
    return [
        Entry(kind=STARTS, label=_("Premier jour"), title=first, day=starts_on, **same),
        Entry(kind=ENDS, label=_("Dernier jour"), title=last, day=ends_on, **same),
    ]


def _place(dossier: Dossier) -> str:
    offer = dossier.offer
    if offer.mode == "distance":
        return ""
    return ", ".join(
        part for part in (offer.address, f"{offer.postal_code} {offer.town_name}".strip()) if part
    )


def _of_organisation(actor: Actor, dossiers: list[Dossier]) -> list[Entry]:
    """An organisation's dates, counted, never named: a calendar is copied to machines we know nothing of."""
    last = Transition.objects.filter(dossier__provider_id=actor.organisation_id).aggregate(
        at=Max("at"), revision=Max("pk")
    )
    asked: dict[datetime, int] = {}
    starting: dict[tuple[date, str, uuid.UUID], int] = {}
    for dossier in dossiers:
        if dossier.state in TO_ANSWER and dossier.due_at is not None:
            asked[dossier.due_at] = asked.get(dossier.due_at, 0) + 1
        if dossier.state == State.ACCEPTED and dossier.starts_on is not None:
            seat = (dossier.starts_on, dossier.offer.title, dossier.offer_id)
            starting[seat] = starting.get(seat, 0) + 1
    same = {"changed_at": last["at"], "revision": last["revision"], "link": reverse("provider_inbox")}
    found = [
        Entry(
            kind=ClockKind.PROVIDER_ANSWER,
            about=f"{actor.organisation_id}-{due_at:%Y%m%dT%H%M}",
            label=_("Demandes à répondre"),
            title=_("Demandes à répondre : %(count)s") % {"count": count},
            text=_("Répondez jusqu’au %(due)s. Ensuite, ces demandes seront sans suite.")
            % {"due": french.last_minute(due_at)},
            day=workdays.paris_day(due_at - timedelta(microseconds=1)),
            too_late=due_at,
            is_mine=True,
            **same,
        )
        for due_at, count in asked.items()
    ]
    found += [
        Entry(
            kind=STARTS,
            about=f"{offer_id}-{day:%Y%m%d}",
            label=_("Premier jour"),
            title=_("Premier jour : %(training)s") % {"training": title},
            text=_("Inscriptions confirmées : %(count)s.") % {"count": count},
            day=day,
            **same,
        )
        for (day, title, offer_id), count in starting.items()
    ]
    return sorted(found, key=lambda entry: (entry.moment, entry.kind, entry.about))


def last_day_to_send(starts_on: date | None, *, rules: Rules) -> date | None:
    """The last day on which a request for this first day can still be answered; None: entry at any time.

    The inverse of `workdays.earliest_start`: the eve of the first of the business days that must come
    between, the day of the start included.
    """
    if starts_on is None:
        return None
    return workdays.subtract_workdays(starts_on + DAY, rules.earliest_start_days) - DAY


# --- As a calendar program reads them ---------------------------------------------------------------


def as_calendar(dates: Iterable[Entry], *, name: str) -> bytes:
    """An iCalendar file. The same dates always give the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", "-//Portail formation//Agenda//FR")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    # RFC 7986, then what older programs read.
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", "Europe/Paris")
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    for entry in dates:
        calendar.add_component(_event(entry))
    return calendar.to_ical()


def _event(entry: Entry) -> Event:
    event = Event()
    host = urlsplit(settings.PORTAL_BASE_URL).hostname
    event.add("uid", f"{entry.kind}-{entry.about}@{host}")
    changed_at = entry.changed_at.astimezone(UTC).replace(microsecond=0)
    # Without METHOD, DTSTAMP is when the event last changed (RFC 5545, 3.8.7.2).
    event.add("dtstamp", changed_at)
    event.add("last-modified", changed_at)
    event.add("sequence", entry.revision)
    event.add("summary", entry.title)
    link = urljoin(settings.PORTAL_BASE_URL, entry.link)
    event.add("description", f"{entry.text}\n{link}")
    event.add("url", link)
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT")
    event.add("status", "CONFIRMED" if entry.is_certain else "TENTATIVE")
    if entry.place:
        event.add("location", entry.place)
    if entry.too_late is None:
        event.add("dtstart", entry.day)
        event.add("dtend", entry.day + DAY)
        return event
    end = entry.too_late.astimezone(UTC)
    event.add("dtstart", end - HOUR)
    event.add("dtend", end)
    for before in ALARMS if entry.is_mine else ():
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", entry.title)
        alarm.add("trigger", -before)
        event.add_component(alarm)
    return event


# --- Addresses --------------------------------------------------------------------------------------


def feed_of(actor: Actor) -> CalendarFeed | None:
    """The feed of this person in this role, if they asked for one."""
    return CalendarFeed.objects.filter(user=actor.user, organisation=actor.organisation).first()


def make_feed(*, by: Actor, at: datetime) -> CalendarFeed:
    """A new address, for the person in the role they act in. Effects: the old one, if any, is dead.

    NotAllowed: neither a holder nor a member of an organisation.
    """
    if not (by.is_holder or by.is_provider):
        raise NotAllowed(_("L’agenda s’ouvre quand votre compte de formation est activé."))
    feed, _is_new = CalendarFeed.objects.update_or_create(
        user=by.user, organisation=by.organisation, defaults={"key": uuid.uuid4(), "made_at": at}
    )
    return feed


def stop_feed(*, by: Actor) -> None:
    """The address of this person in this role is dead; without one, nothing happens."""
    CalendarFeed.objects.filter(user=by.user, organisation=by.organisation).delete()


def address(feed: CalendarFeed) -> str:
    """The whole address, for a calendar program."""
    signed = Signer(sep=".", salt=SALT).sign(str(feed.key))
    return urljoin(settings.PORTAL_BASE_URL, reverse("calendar_feed", args=[signed]))


def key_of(signed: str) -> uuid.UUID | None:
    """The key in an address. An invented address is known as such before the database is asked."""
    try:
        return uuid.UUID(Signer(sep=".", salt=SALT).unsign(signed))
    except (BadSignature, ValueError):
        return None


def reader_of(key: uuid.UUID) -> Actor | None:
    """Who reads this feed, as they may be now; None: no such feed, or its person may no longer see this."""
    feed = CalendarFeed.objects.select_related("user").filter(key=key, user__is_active=True).first()
    if feed is None:
        return None
    return next(
        (
            actor
            for actor in roles_of(feed.user)
            if (actor.is_provider and actor.organisation_id == feed.organisation_id)
            or (actor.is_holder and feed.organisation_id is None)
        ),
        None,
    )
