"""The holder's home: what waits for them and until when, then what they own, follow and may try next.

Gathered from what the apps below already list; nothing is decided here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

import rulebook
from accounts.permissions import enrolment_obstacle
from dossiers import calendar, first_steps, listing, screen
from dossiers.models import Dossier
from dossiers.states import State
from dossiers.views import receipts
from notices import inbox, messages
from notices.kinds import Kind
from notices.models import Notice
from portal import ideas
from rights import statements
from rulebook import Rules, workdays
from ui import french

# What home shows of each list; their own pages have the rest.
CARDS, DOSSIERS, DATES, NOTICES = 4, 3, 5, 3
# Of bad news that nobody reads, home counts no more than this.
WEIGHTY_READ = 20
# The state that a piece of news tells: home and the dossier name it in the same words.
STATES_TOLD = {
    Kind.DOSSIER_REFUSED: State.REFUSED_BY_PROVIDER,
    Kind.DOSSIER_CANCELLED_BY_PROVIDER: State.CANCELLED_BY_PROVIDER,
    Kind.DOSSIER_LAPSED: State.LAPSED,
    Kind.DOSSIER_CLOSED: State.CLOSED_BY_PLATFORM,
}
# More dossiers at once than anybody follows (dossiers.guards limits drafts and requests).
LIVING_READ = 60


@dataclass(frozen=True, slots=True)
class Card:
    """One thing to do, about a dossier or about what a notice tells, which a click opens and marks read.

    `told`: the notice's subject, in the words of the dossier's state where it has one.
    `due_at`: the first instant that is too late. `is_pressing`: the law counts, a countdown says so.
    """

    title: str
    text: str
    action: str
    dossier: Dossier | None = None
    notice: Notice | None = None
    told: str = ""
    due_at: datetime | None = None
    is_pressing: bool = False
    track: Sequence[tuple[str, str]] = ()


def of_holder(request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """Everything templates/portal/holder_home.html shows to a holder."""
    actor = request.actor
    rules = rulebook.on(workdays.paris_day(at))
    living = list(calendar.with_revision(listing.living(actor, at=at))[:LIVING_READ])
    weighty = inbox.of(request.user, unread_only=True).filter(kind__in=inbox.WEIGHTY)[:WEIGHTY_READ]
    latest = Notice.objects.of(request.user)[:NOTICES]
    cards = _cards(living, weighty, at=at, rules=rules)
    asked = {card.dossier for card in cards}
    rows = [screen.row(dossier, at=at) for dossier in living]
    dates = [entry for entry in calendar.of_holder(living) if not calendar.is_past(entry, at=at)]
    owned = statements.statement(actor.holder, at=at)
    return {
        "at": at,
        "obstacle": enrolment_obstacle(actor.holder, on=workdays.paris_day(at), rules=rules),
        "cards": cards[:CARDS],
        "waiting": len(cards),
        "rights": owned,
        # What waits for its holder stands above already, or behind « Voir tous mes dossiers à faire ».
        "rows": [row for row in rows if row.dossier not in asked][:DOSSIERS],
        "dates": dates[:DATES],
        "notices": [(notice, messages.words_of(notice).subject) for notice in latest],
        "steps": first_steps.of(actor, at=at),
        "fitting": ideas.of_holder(
            actor,
            wallet=receipts.wallet(request)["wallet"],
            costs=lambda: receipts.costs(request),
            rules=rules,
        ),
        "ideas": _ideas(actor.holder.town),
    }


def _cards(living: Iterable[Dossier], weighty: Iterable[Notice], *, at: datetime, rules: Rules) -> list[Card]:
    """What waits for its holder: the minute that runs out first, then what has no minute."""
    cards = [card for dossier in living if (card := _card(dossier, at=at, rules=rules))]
    cards.sort(key=lambda card: (card.due_at is None, card.due_at or at))
    return cards + [
        Card(
            title=notice.facts.get("training_title", ""),
            text=messages.words_of(notice).paragraphs[0],
            action=_("Lire la suite"),
            notice=notice,
            told=(STATES_TOLD.get(notice.kind) or Kind(notice.kind)).label,
        )
        for notice in weighty
    ]


def _card(dossier: Dossier, *, at: datetime, rules: Rules) -> Card | None:
    state = State(dossier.state)
    organisation = dossier.provider.organisation.name
    same = {
        "dossier": dossier,
        "title": dossier.offer.title,
        "due_at": dossier.due_at,
        "is_pressing": True,
        "track": screen.track(state),
    }
    if state == State.PROPOSED:
        text = _("%(organisation)s vous propose une place pour %(price)s.") % {
            "organisation": organisation,
            "price": french.euros(dossier.current_price_cents),
        }
        return Card(text=text, action=_("Lire la proposition et répondre"), **same)
    if state == State.AWAITING_PAYMENT:
        text = _("Il vous reste %(amount)s à payer à %(organisation)s.") % {
            "organisation": organisation,
            "amount": french.euros(dossier.to_pay_cents),
        }
        return Card(text=text, action=_("Voir comment payer"), **same)
    if state in (State.POSTPONED, State.ABSENT):
        # Once it is too late there is nothing left to do: it stands among the others.
        return (
            None
            if dossier.due_at is None or dossier.due_at <= at
            else Card(**_asked(state, organisation), **same)
        )
    if state != State.DRAFT:
        return None
    last = calendar.last_day_to_send(dossier.session.starts_on, rules=rules)
    same |= {"due_at": workdays.midnight_after(last) if last else None, "is_pressing": False}
    if same["due_at"] and same["due_at"] <= at:
        text = _("Cette session commence trop tôt pour être encore demandée. Choisissez-en une autre.")
        return Card(text=text, action=_("Revoir le brouillon"), **same | {"due_at": None})
    text = _("Rien n’est envoyé à %(organisation)s.") % {"organisation": organisation}
    return Card(text=text, action=_("Finir et envoyer"), **same)


def _asked(state: State, organisation: str) -> dict[str, str]:
    """What an organisation has told, and its holder answers: in time, or it is decided without them."""
    if state == State.POSTPONED:
        text = _("%(organisation)s propose d’autres dates. Acceptez-les, ou partez sans frais.")
        action = _("Lire les nouvelles dates et répondre")
    else:
        text = _(
            "%(organisation)s déclare votre absence au premier jour. Sans explication à temps, elle compte"
            " comme une annulation tardive."
        )
        action = _("Expliquer mon absence")
    return {"text": text % {"organisation": organisation}, "action": action}


def _ideas(town: str) -> list[tuple[str, str]]:
    """(what the link says, where it leads): searches to begin with, near their town when it is known."""
    search, near = reverse("search"), {"town": town} if town else {}
    ideas = [
        (_("Faire le point : un bilan de compétences"), {"q": _("bilan de compétences"), **near}),
        (_("Faire reconnaître mon expérience (VAE)"), {"q": _("VAE")}),
        (_("Apprendre de chez moi, à distance"), {"mode": "distance"}),
    ]
    if town:
        ideas.insert(0, (_("Les formations près de %(town)s") % {"town": town}, near))
    return [(words, f"{search}?{urlencode(query)}") for words, query in ideas]
