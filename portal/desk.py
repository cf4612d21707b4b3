"""An organisation's home: what waits and until when, what the public does not see, first steps."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from accounts.models import Membership
from catalog import eligibility, endings
from catalog.models import Offer, Session
from dossiers import inbox
from rulebook import Rules, workdays

WAITING_SHOWN = 5
REASONS_SHOWN = 3
# An import can hide thousands of offers at once: their reasons are counted on the first ones.
HIDDEN_READ_MAX = 200


@dataclass(frozen=True, slots=True)
class Shelf:
    """The organisation's offers. `reasons`: (why some are hidden, how many), the most frequent first."""

    shown: int
    hidden: int
    drafts: int
    reasons: list[tuple[str, int]]
    # Certifications of its offers that end soon, or have ended.
    endings: int = 0

    @property
    def other_hidden(self) -> int:
        """Those whose reason is not shown: the figures of the card add up."""
        return self.hidden - sum(count for _reason, count in self.reasons)


def of_provider(actor: Actor, *, at: datetime) -> dict[str, Any]:
    """What templates/portal/provider_home.html reads."""
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    desk = inbox.desk(actor, at=at)
    waiting = list(inbox.found(actor, inbox.Wanted(), at=at)[:WAITING_SHOWN]) if desk.to_answer else []
    shelf = _shelf(actor, at=at, rules=rules)
    is_new = not desk.all
    return {
        "at": at,
        "desk": desk,
        "waiting": waiting,
        "shelf": shelf,
        "first_steps": _first_steps(actor, shelf, at=at, rules=rules) if is_new else [],
    }


def _shelf(actor: Actor, *, at: datetime, rules: Rules) -> Shelf:
    today = workdays.paris_day(at)
    own = Offer.objects.filter(provider_id=actor.organisation_id, archived_at__isnull=True)
    total = own.aggregate(
        written=Count("pk", filter=Q(is_draft=False)), drafts=Count("pk", filter=Q(is_draft=True))
    )
    shown = own.open_on(today, rules)
    count = shown.count()
    hidden = total["written"] - count
    unseen = own.filter(is_draft=False).exclude(pk__in=shown.values("pk"))
    reasons = _reasons(unseen, at=at, rules=rules) if hidden else []
    ending = endings.count_of(actor.organisation_id, on=today, rules=rules)
    return Shelf(shown=count, hidden=hidden, drafts=total["drafts"], reasons=reasons, endings=ending)


def _reasons(offers, *, at: datetime, rules: Rules) -> list[tuple[str, int]]:
    found = offers.select_related("provider__organisation", "certification").defer("content")
    facts = eligibility.facts_of_each(found.order_by("title", "pk")[:HIDDEN_READ_MAX])
    why = Counter(
        reason.sentence
        for each in facts.values()
        for reason in eligibility.refusals(each, on=workdays.paris_day(at), rules=rules)[:1]
    )
    return why.most_common(REASONS_SHOWN)


def _first_steps(
    actor: Actor, shelf: Shelf, *, at: datetime, rules: Rules
) -> list[tuple[str, str, str, str, str]]:
    """(state, title, text, address, action) for templates/parts/_checklist.html: computed, never stored."""
    today = workdays.paris_day(at)
    sessions = Session.objects.filter(offer__provider_id=actor.organisation_id).obtainable(today, rules)
    colleagues = Membership.objects.filter(organisation_id=actor.organisation_id).count()
    steps = [
        (
            True,
            _("Faire référencer votre organisme"),
            _("C’est fait : les titulaires peuvent vous trouver."),
            "",
            "",
        ),
        (
            bool(actor.organisation and actor.organisation.email),
            _("Dire où vous écrire"),
            _("Chaque demande part aussi à l’adresse de votre organisme."),
            _address("provider_organisation"),
            _("Compléter les coordonnées"),
        ),
        (
            bool(shelf.shown or shelf.hidden),
            _("Publier une première offre"),
            _("Écrivez-la à la main, ou importez votre catalogue."),
            _address("provider_offer_new", "provider_offers"),
            _("Écrire une offre"),
        ),
        (
            bool(shelf.shown),
            _("Vérifier que le public la voit"),
            _("Certification active, habilitation, Qualiopi : la liste de vos offres dit ce qui manque."),
            _address("provider_offers"),
            _("Voir mes offres"),
        ),
        (
            bool(shelf.shown) and sessions.exists(),
            _("Ouvrir une session"),
            _("Sans session à venir, personne ne peut envoyer de demande."),
            _address("provider_offers"),
            _("Ouvrir une session"),
        ),
        (
            colleagues > 1,
            _("Inviter une collègue ou un collègue"),
            _("À deux, aucun délai ne passe pendant une absence."),
            _address("provider_team"),
            _("Gérer l’équipe"),
        ),
        (
            False,
            _("Répondre à la première demande"),
            _("Un e-mail vous préviendra, avec le délai écrit en toutes lettres."),
            "",
            "",
        ),
    ]
    first = next(number for number, step in enumerate(steps) if not step[0])
    return [
        (
            "done" if is_done else "now" if number == first else "later",
            title,
            text,
            url,
            action if url else "",
        )
        for number, (is_done, title, text, url, action) in enumerate(steps)
    ]


def _address(*names: str) -> str:
    """The first of these pages that exists."""
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""
