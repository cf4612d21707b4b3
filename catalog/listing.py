"""Lists that pages show: the sessions of an offer, the offers of an organisation."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog import eligibility
from catalog.eligibility import Reason
from catalog.models import Offer, OfferQuerySet, Session
from rulebook import Rules, workdays
from ui import french

SESSIONS_MAX = 60
OWN_OFFERS_PAGE = 20


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as somebody sees it today: the first day they can start, or why they cannot."""

    session: Session
    start: date | None
    obstacle: str


@dataclass(frozen=True, slots=True)
class OfferLine:
    """An offer as its organisation sees it: shown in the search, or the reasons why not."""

    offer: Offer
    reasons: list[Reason]


def sessions_of(offer: Offer, *, on: date, rules: Rules) -> list[SessionLine]:
    """The sessions that have not begun, entry at any time first, then by date; SESSIONS_MAX at most."""
    coming = offer.sessions.filter(Q(starts_on__isnull=True) | Q(starts_on__gt=on))
    earliest = workdays.earliest_start(on, rules.earliest_start_days)
    return [
        SessionLine(
            session,
            start=session.earliest_start(on, rules),
            obstacle=_obstacle(session, earliest, rules),
        )
        for session in coming.order_by("starts_on", "pk")[:SESSIONS_MAX]
    ]


def _obstacle(session: Session, earliest: date, rules: Rules) -> str:
    if session.recruitment == Session.Recruitment.CLOSED:
        return _("L’organisme n’accepte plus d’inscription à cette session.")
    if session.recruitment == Session.Recruitment.SUSPENDED:
        return _("L’organisme a suspendu les inscriptions à cette session.")
    if session.starts_on and session.starts_on < earliest:
        return _(
            "Trop tôt : il faut %(count)s jours ouvrés entre la réponse de l’organisme et le début."
            " S’il répond aujourd’hui, vous pouvez commencer à partir du %(day)s."
        ) % {"count": rules.earliest_start_days, "day": french.day(earliest)}
    return ""


def own_offers(
    organisation_id: UUID, *, on: date, rules: Rules, text: str = "", state: str = ""
) -> OfferQuerySet:
    """The offers of an organisation. `state`: "open", "closed", or "" for all."""
    offers = Offer.objects.filter(provider_id=organisation_id)
    if text:
        offers = offers.filter(
            Q(title__unaccent__icontains=text)
            | Q(training_number__icontains=text)
            | Q(action_number__icontains=text)
            | Q(certification__code__iexact=text)
        )
    if state:
        is_open = Q(pk__in=Offer.objects.filter(provider_id=organisation_id).open_on(on, rules).values("pk"))
        offers = offers.filter(is_open if state == "open" else ~is_open)
    return offers.select_related("provider__organisation", "certification").defer("search", "content")


def own_offers_page(offers: OfferQuerySet, number: str, *, on: date, rules: Rules) -> Page:
    """One page of OfferLine; a number out of range gives the nearest page. As many queries for 1 as for 3."""
    page = Paginator(offers, OWN_OFFERS_PAGE).get_page(number)
    rows = list(page.object_list)
    facts = eligibility.facts_of_each(rows)
    page.object_list = [
        OfferLine(offer, eligibility.refusals(facts[offer.pk], on=on, rules=rules)) for offer in rows
    ]
    return page
