"""Lists that pages show: sessions of an offer, offers of an organisation, certifications to choose among."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db import models
from django.db.models import Case, Count, Exists, OuterRef, Q, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog import eligibility
from catalog.eligibility import OfferFacts, Reason
from catalog.lint import STEP_OF_REASON, Lack, Step, field_of, lacking
from catalog.models import Certification, Habilitation, Offer, OfferQuerySet, Session
from rulebook import Rules, workdays
from ui import french

SESSIONS_MAX = 60
OWN_OFFERS_PAGE = 20
CERTIFICATIONS_MAX = 12


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as somebody sees it today: the first day they can start, or why they cannot; what to ask."""

    session: Session
    start: date | None
    obstacle: str
    caution: str


@dataclass(frozen=True, slots=True)
class OwnSessionLine:
    """A session as its organisation sees it. `start`: the first day one more person could begin, or None."""

    session: Session
    start: date | None
    is_past: bool
    has_dossiers: bool


class Shown(models.TextChoices):
    """How an organisation's offers are sorted out; each one is in exactly one of these."""

    DRAFT = "draft", gettext_lazy("Brouillons")
    OPEN = "open", gettext_lazy("Visibles")
    CLOSED = "closed", gettext_lazy("Fermées par les règles")
    HIDDEN = "hidden", gettext_lazy("Masquées")
    ARCHIVED = "archived", gettext_lazy("Archivées")


@dataclass(frozen=True, slots=True)
class OfferLine:
    """An offer as its organisation sees it: shown in the search, or why not."""

    offer: Offer
    shown: Shown
    # Each with the page and the field where it is mended, if one does.
    reasons: list[tuple[Reason, Step | None, str]]

    @property
    def is_open(self) -> bool:
        return self.shown == Shown.OPEN


@dataclass(frozen=True, slots=True)
class CertificationChoice:
    """A certification, and why this organisation could not open an offer for it today."""

    certification: Certification
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
            caution=caution(session),
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
            "Trop tôt : il faut %(count)s jours ouvrés entre la réponse de l’organisme et le début."
            " S’il répond aujourd’hui, vous pouvez commencer à partir du %(day)s."
        ) % {"count": rules.earliest_start_days, "day": french.day(earliest)}
    return ""


def caution(session: Session) -> str:
    """What to ask before enrolling: its certification ends before one begins, or while one is being trained
    (docs/decisions.md, 64). Empty when it does not."""
    certification, ends = session.offer.certification, Session.CertificationEnds
    how = session.outlasts(certification)
    if how is None or certification is None:
        return ""
    words = {"day": french.day(certification.registered_until)}
    if how == ends.BEFORE:
        return (
            _(
                "La certification est enregistrée jusqu’au %(day)s, avant le début de cette session : si"
                " le registre ne la prolonge pas, on n’y préparera plus. Demandez à l’organisme ce qui est"
                " prévu."
            )
            % words
        )
    if how == ends.STILL_DELIVERED:
        words["delivered"] = french.day(certification.delivered_until)
        return (
            _(
                "La certification est enregistrée jusqu’au %(day)s, et peut encore être délivrée jusqu’au"
                " %(delivered)s."
            )
            % words
        )
    return (
        _(
            "La certification est enregistrée jusqu’au %(day)s, avant la fin de cette session. Demandez à"
            " l’organisme quand aura lieu l’examen."
        )
        % words
    )


def own_sessions(offer: Offer, *, on: date, rules: Rules) -> list[OwnSessionLine]:
    """All its sessions: entry at any time, then those to come, then the past ones. One query."""
    held = Exists(Session.objects.filter(pk=OuterRef("pk")).with_dossiers())
    lines = [
        OwnSessionLine(
            session,
            start=session.earliest_start(on, rules),
            is_past=session.starts_on is not None and session.starts_on <= on,
            has_dossiers=session.has_dossiers,
        )
        for session in offer.sessions.annotate(has_dossiers=held).order_by("starts_on", "pk")
    ]
    permanent = [line for line in lines if line.session.is_permanent]
    coming = [line for line in lines if not line.session.is_permanent and not line.is_past]
    return [*permanent, *coming, *reversed([line for line in lines if line.is_past])]


def own_offers(
    organisation_id: UUID, *, on: date, rules: Rules, text: str = "", shown: str = "", lack: str = ""
) -> OfferQuerySet:
    """The offers of an organisation, drafts first, then by title.

    `shown`: one of Shown, or "" for all but those that are put away. `lack`: one of Lack, or "".
    """
    offers = Offer.objects.filter(provider_id=organisation_id)
    if text:
        offers = offers.filter(
            Q(title__unaccent__icontains=text)
            | Q(training_number__icontains=text)
            | Q(action_number__icontains=text)
            | Q(certification__code__iexact=text)
        )
    if shown:
        offers = offers.filter(_is_shown(organisation_id, on=on, rules=rules)[Shown(shown)])
    else:
        offers = offers.filter(archived_at__isnull=True)
    if lack:
        offers = offers.filter(lacking(on=on, rules=rules)[Lack(lack)])
    offers = offers.select_related("provider__organisation", "certification").defer("content")
    return offers.order_by("-is_draft", "title", "pk")


def own_counts(organisation_id: UUID, *, on: date, rules: Rules) -> dict[str, int]:
    """How many offers an organisation has in each of Shown. One query."""
    each = _is_shown(organisation_id, on=on, rules=rules)
    counts = {str(shown): Count("pk", filter=condition) for shown, condition in each.items()}
    return Offer.objects.filter(provider_id=organisation_id).aggregate(**counts)


def lack_counts(offers: OfferQuerySet, *, on: date, rules: Rules) -> dict[Lack, int]:
    """How many of them lack what; nothing of what none lacks. One query."""
    each = lacking(on=on, rules=rules)
    counts = offers.order_by().aggregate(**{str(lack): Count("pk", filter=each[lack]) for lack in each})
    return {lack: counts[lack] for lack in each if counts[lack]}


def _is_shown(organisation_id: UUID, *, on: date, rules: Rules) -> dict[Shown, Q]:
    is_open = Q(pk__in=Offer.objects.filter(provider_id=organisation_id).open_on(on, rules).values("pk"))
    return {
        Shown.DRAFT: Q(is_draft=True),
        Shown.OPEN: is_open,
        Shown.CLOSED: Q(is_published=True) & ~is_open,
        Shown.HIDDEN: Q(is_draft=False, is_published=False, archived_at__isnull=True),
        Shown.ARCHIVED: Q(archived_at__isnull=False),
    }


def own_offers_page(offers: OfferQuerySet, number: str, *, on: date, rules: Rules) -> Page:
    """One page of OfferLine; a number out of range gives the nearest page. As many queries for 1 as for 3."""
    page = Paginator(offers, OWN_OFFERS_PAGE).get_page(number)
    rows = list(page.object_list)
    facts = eligibility.facts_of_each(rows)
    page.object_list = [_own_line(offer, facts[offer.pk], on=on, rules=rules) for offer in rows]
    return page


def _own_line(offer: Offer, facts: OfferFacts, *, on: date, rules: Rules) -> OfferLine:
    reasons = eligibility.refusals(facts, on=on, rules=rules)
    told = [
        (reason, STEP_OF_REASON.get(reason.code), field_of(reason.code))
        for reason in reasons
        if reason.code not in eligibility.OWN_CHOICES  # its tag says so already
    ]
    if offer.is_draft:
        shown = Shown.DRAFT
    elif offer.archived_at:
        shown, told = Shown.ARCHIVED, []  # put away: nothing of it is to be mended
    elif not offer.is_published:
        shown = Shown.HIDDEN
    else:
        shown = Shown.CLOSED if reasons else Shown.OPEN
    return OfferLine(offer, shown, told)


def certification_choices(
    text: str, *, siret: str, on: date, rules: Rules, chosen: str = ""
) -> list[CertificationChoice]:
    """Certifications whose number begins so, or whose title has these words; without words, its own.

    `chosen`, then those that the organisation may prepare for, come first. Two queries.
    """
    roles = [Habilitation.Role.CERTIFIER, *rules.training_roles]
    own = Habilitation.objects.filter(siret=siret, is_active=True, role__in=roles).values("certification")
    found = Certification.objects.filter((_named(text) if text else Q(pk__in=own)) | Q(pk=chosen))
    found = found.annotate(
        is_chosen=Case(When(pk=chosen, then=True), default=False),
        is_own=Case(When(pk__in=own, then=True), default=False),
        is_live=Case(When(withdrawn=False, registered_until__gte=on, then=True), default=False),
    )
    rows = list(
        found.only(
            "code", "title", "short_title", "level", "withdrawn", "effective_on", "registered_until"
        ).order_by("-is_chosen", "-is_own", "-is_live", "code")[:CERTIFICATIONS_MAX]
    )
    entitlements = eligibility.entitlements_of({row.pk for row in rows}, {siret})
    return [
        CertificationChoice(
            row,
            eligibility.certification_refusals(
                row, entitlements.get((row.pk, siret), ()), on=on, rules=rules
            ),
        )
        for row in rows
    ]


def _named(text: str) -> Q:
    """« RNCP35809 », « rncp 358 », « 35809 », or words that are each in the title."""
    compact = "".join(text.split()).upper()
    by_number = Q(code__startswith=compact) if compact.startswith("R") else Q(pk__in=[])
    if compact.isascii() and compact.isdigit():
        by_number = Q(code__startswith=f"RNCP{compact}") | Q(code__startswith=f"RS{compact}")
    by_title = Q()
    for word in text.split():
        by_title &= Q(title__unaccent__icontains=word) | Q(short_code__iexact=word)
    return by_number | by_title
