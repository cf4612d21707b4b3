"""The demonstration's dossiers: one or more in each state, by the verbs that people use, in order of time."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import SYSTEM, Actor, Role
from accounts.models import HolderProfile, User
from catalog.models import Certification, Offer, Session
from dossiers import clocks, force_majeure, postponement, training, workflow
from dossiers.models import Dossier
from dossiers.states import CLOCK_OF, MOVES, CompletionCause, ExitReason, State
from portal.demo import facts
from rulebook import workdays

DAY = timedelta(days=1)
# Longer than the four business days a holder has, at Christmas too.
LONG_AGO = timedelta(days=15)
OVERDUE_HOLDER, OVERDUE_OFFER = "titulaire@exemple.invalid", "LICES-03"


@dataclass(frozen=True)
class Story:
    """A holder, an offer, and what happens: the first verb `days` ago, the others a day apart.

    What follows the registration happens on its own day. What would come later than now is played now.
    """

    name: str
    holder: str
    offer: str
    verbs: str
    days: float = 5
    project: str = "Je veux changer de métier et travailler plus près de chez moi."
    # Of a training with entry at any time: its first day, counted from now, and how many days it lasts.
    starts: int | None = None
    lasts: int = 30


CONFIRMED = "submit propose accept"
DECLARED = "enter end declare_completion"
STORIES = [
    Story("draft", "camille", "CANAL-07", "", 1),
    Story("requested", "camille", "LICES-06", "submit", 0.1, "Comprendre cette technique pour mon équipe."),
    Story("proposed", "camille", "CANAL-01", "submit propose", 1.1),
    Story("accepted", "camille", "LICES-03", "submit propose accept", 4, "Créer le site de mon association."),
    Story("postponed", "noemie", "LICES-03", f"{CONFIRMED} postpone", 6, "Tenir le site de mon quartier."),
    Story("refused", "camille", "GARONNE-03", "submit refuse", 8),
    Story("lapsed-by-provider", "camille", "PHARE-02", "submit lapse", 20),
    Story("withdrawn", "camille", "BOUSSOLE-01", "submit propose accept withdraw", 12),
    Story("accepted-without-participation", "malik", "GARONNE-01", "submit propose accept", 3.5),
    Story("called-off", "malik", "CANAL-05", "submit propose call_off", 9),
    Story("requested-too", "malik", "LICES-01", "submit", 0.3, "Retrouver un emploi dans le numérique."),
    Story("declined", "malik", "JARDINS-01", "submit propose decline", 10),
    Story("lapsed-by-holder", "malik", "GARONNE-05", "submit propose lapse", 25),
    Story("awaiting-payment", "lea", "LICES-04", "submit propose accept", 2.5, "Mieux écrire à mes clients."),
    Story("cancelled", "lea", "LICES-05", "submit cancel", 7),
    Story("apprentice", "zoe", "GARONNE-06", "submit propose", 1.2, "Devenir coiffeuse."),
    Story("closed", "lea", "", "submit close"),
    Story("prerequisites", "noemie", "LICES-04", "submit acknowledge", 1.2),
    Story("funder", "noemie", "GARONNE-08", "submit propose ask_funder", 3),
    Story("in-training", "noemie", "BOUSSOLE-02", f"{CONFIRMED} enter", 45, starts=-8),
    Story("ended", "noemie", "BOUSSOLE-05", f"{CONFIRMED} enter end", 60, starts=-20, lasts=19),
    Story("declared", "noemie", "BOUSSOLE-04", f"{CONFIRMED} {DECLARED}", 70, starts=-30, lasts=28),
    Story(
        "validated", "noemie", "BOUSSOLE-01", f"{CONFIRMED} {DECLARED} validate", 110, starts=-80, lasts=20
    ),
    Story("absent", "noemie", "BOUSSOLE-05", f"{CONFIRMED} report_absence", 50, starts=-4),
    Story("claimed", "noemie", "LICES-08", f"{CONFIRMED} report_absence claim", 55, starts=-7),
    Story("no-show", "noemie", "GARONNE-02", f"{CONFIRMED} report_absence settle_absence", 100, starts=-60),
    Story("cancelled-by-funder", "noemie", "BOUSSOLE-03", f"{CONFIRMED} call_off_for_funder", 9),
]

REASONS = {
    "refuse": "La session est complète. La prochaine ouvre dans quelques mois.",
    "call_off": "Le formateur est absent pour longtemps et personne ne peut le remplacer.",
    "decline": "J'ai trouvé une formation plus proche de chez moi.",
    "cancel": "Je me suis trompée de formation.",
    "withdraw": "Mon employeur me propose la même formation.",
    "postpone": "La salle est inondée, et aucune autre n'est libre à ces dates.",
    "report_absence": "Aucune nouvelle, malgré deux appels.",
    "call_off_for_funder": "La convention avec le financeur a pris fin.",
}


def play(
    holders: dict[str, HolderProfile], *, at: datetime, stories: list[Story] = STORIES, wave: str = ""
) -> int:
    """Play the stories that were not played yet in this `wave`; how many. All of them or none."""
    with transaction.atomic():
        tellers = [_tell(story, holders[story.holder], now=at, wave=wave) for story in stories]
        played = 0
        # By time, so that the history of rights reads in the order in which things happened.
        order = count()
        steps = []
        for teller in tellers:
            if (first := next(teller, None)) is not None:
                played += 1
                heapq.heappush(steps, (first, next(order), teller))
        while steps:
            _moment, _order, teller = heapq.heappop(steps)
            if (following := next(teller, None)) is not None:
                heapq.heappush(steps, (following, next(order), teller))
    return played


def leave_unanswered(*, at: datetime) -> dict[str, UUID]:
    """Two dossiers whose answer is overdue at `at`: one waits for the organisation, one for the holder.

    Made at a moment long enough ago, by the same verbs; what settles them is the clock's affair.
    """
    holder = HolderProfile.objects.select_related("user").get(user__email=OVERDUE_HOLDER)
    by = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
    left = {}
    for name, verbs in (("provider", ["submit"]), ("holder", ["submit", "propose"])):
        moment = at - LONG_AGO
        session = _session(Offer.objects.get(training_number=OVERDUE_OFFER), at)
        with transaction.atomic():
            dossier = workflow.create(session.pk, by=by, at=moment, request_id=uuid4())
            workflow.edit(dossier.pk, by=by, fields={"project": _("Dossier resté sans réponse.")})
            for verb in verbs:
                moment += timedelta(hours=1)
                dossier = _act(verb, dossier, by=by, at=moment, request_id=uuid4())
        left[name] = dossier.pk
    return left


def first_moment(*, at: datetime) -> datetime:
    """When the first of these stories begins."""
    ended = _last_ended(at)
    return min(at - max(story.days for story in STORIES) * DAY, _morning_of(ended.registered_until))


def _tell(story: Story, holder: HolderProfile, *, now: datetime, wave: str) -> Iterator[datetime]:
    """Yields the moment of its next step, then plays it; nothing when it was already played."""
    request = partial(_request_id, story.name, wave)
    if Dossier.objects.filter(creation_request_id=request("create")).exists():
        return
    at = now - story.days * DAY
    if story.days >= 1:
        at = _morning_of(workdays.paris_day(at))
    offer = Offer.objects.filter(training_number=story.offer).first()
    if "close" in story.verbs:
        # Sent on the last day of a certification that is over by now.
        ended = _last_ended(now)
        at = _morning_of(ended.registered_until)
        offer = Offer.objects.filter(certification=ended, training_number__startswith="LICES").earliest(
            "title"
        )
    yield at
    by = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
    session = _session(offer, now)
    dossier = workflow.create(session.pk, by=by, at=at, request_id=request("create"))
    wished = None
    if session.is_permanent:
        # A day later for each dossier before this one: the same seat is never taken twice.
        before = Dossier.objects.filter(holder=holder, session=session).exclude(pk=dossier.pk).count()
        wished = workdays.add_workdays(workdays.paris_day(now), 20 + before)
        if story.starts is not None:
            wished = _free_day(holder, session, workdays.paris_day(now) + timedelta(days=story.starts))
    workflow.edit(dossier.pk, by=by, fields={"project": story.project, "wished_start": wished})
    at += timedelta(minutes=20)
    for verb in story.verbs.split():
        if verb in {"lapse", "settle_absence", "validate"}:
            at = clocks.running(dossier, CLOCK_OF[State(dossier.state)]).due_at
        if verb in ITS_DAY:
            at = max(at, _morning_of(ITS_DAY[verb](dossier)))
        if verb == "close":
            at = workdays.midnight_after(workdays.paris_day(at)) + timedelta(minutes=10)
        at = min(at, now)
        yield at
        dossier = _act(
            verb,
            dossier,
            by=by,
            at=at,
            lasts=story.lasts,
            is_short="ask_funder" in story.verbs,
            request_id=request(verb),
        )
        at += DAY


# What happens on a day of the training, and not the day after the last thing.
ITS_DAY: dict[str, Callable[[Dossier], date]] = {
    "enter": lambda dossier: dossier.starts_on,
    "report_absence": lambda dossier: dossier.starts_on + DAY,
    "end": lambda dossier: dossier.ends_on,
    "declare_completion": lambda dossier: dossier.ends_on,
}
VERBS = {
    verb: getattr(module, verb)
    for module in (force_majeure, postponement, training, workflow)
    for verb in MOVES
    if hasattr(module, verb)
}


def _act(
    verb: str,
    dossier: Dossier,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    lasts: int = 30,
    is_short: bool = False,
) -> Dossier:
    roles = MOVES[verb].roles
    if Role.PROVIDER in roles:
        by = _member_of(dossier)
    elif Role.SYSTEM in roles:
        by = SYSTEM
    elif Role.ADMIN in roles:
        by = _agent()
    told = _told(verb, dossier, at=at, lasts=lasts, is_short=is_short)
    return VERBS[verb](dossier.pk, by=by, at=at, request_id=request_id, **told)


def _told(verb: str, dossier: Dossier, *, at: datetime, lasts: int, is_short: bool) -> dict[str, Any]:
    """What is said with this verb."""
    if verb == "propose":
        starts_on = dossier.session.starts_on or dossier.wished_start
        ends_on = dossier.session.ends_on or starts_on + timedelta(days=lasts)
        terms = {"price_cents": dossier.asked_price_cents, "starts_on": starts_on, "ends_on": ends_on}
        agreed = (
            {"change_reason": _("Dates convenues par téléphone.")} if dossier.session.is_permanent else {}
        )
        if is_short:
            # More than all that the holder has: something is left to ask a funder for.
            owned = sum(purse.balance_cents for purse in workflow.purses_of(dossier.holder, at=at))
            terms["price_cents"] = max(terms["price_cents"], owned + 150_000)
            agreed = {"change_reason": _("Le matériel est compris.")}
        return terms | agreed
    if verb == "ask_funder":
        rules = rulebook.on(workdays.paris_day(at))
        missing = workflow.plan_for(dossier, at=at, rules=rules).remainder_cents
        return {"amount_cents": min(missing, rules.funder_top_up_max_cents)}
    if verb == "postpone":
        starts_on = workdays.add_workdays(dossier.starts_on, 10)
        days = {"starts_on": starts_on, "ends_on": starts_on + (dossier.ends_on - dossier.starts_on)}
        return {"session_id": dossier.session_id, "reason": REASONS[verb]} | days
    if verb == "enter":
        return {"entered_on": dossier.starts_on}
    if verb == "end":
        return {"exited_on": workdays.paris_day(at), "exit_reason": ExitReason.FINISHED}
    if verb == "declare_completion":
        minutes = (dossier.offer.hours or 1) * 60
        return {
            "total_minutes": minutes,
            "done_minutes": minutes * 85 // 100 // 15 * 15,
            "cause": CompletionCause.LEFT,
            "words": _("Deux rendez-vous manqués, sans nouvelles."),
        }
    if verb == "claim":
        return {"words": _("J’ai été hospitalisée la veille du premier jour."), "files": [_a_file()]}
    return {"reason": REASONS[verb]} if verb in REASONS else {}


def _a_file() -> SimpleUploadedFile:
    """A small PDF, empty: a demonstration holds nobody's papers."""
    return SimpleUploadedFile("certificat.pdf", b"%PDF-1.4\n1 0 obj <<>> endobj\n%%EOF\n")


def _agent() -> Actor:
    """Somebody of the administration."""
    return Actor(Role.ADMIN, user=User.objects.filter(is_superuser=True).earliest("pk"))


def _member_of(dossier: Dossier) -> Actor:
    """Whoever acts for this organisation; in those without a login, nobody signs in: it answers itself."""
    organisation = dossier.provider.organisation
    membership = organisation.memberships.select_related("user").order_by("pk").first()
    return Actor(Role.PROVIDER, user=membership.user if membership else None, organisation=organisation)


def _free_day(holder: HolderProfile, session: Session, day: date) -> date:
    """From this day on, the first business day on which this holder starts nothing else in this session."""
    taken = set(Dossier.objects.filter(holder=holder, session=session).values_list("starts_on", flat=True))
    free = workdays.add_workdays(day - DAY, 1)
    while free in taken:
        free = workdays.add_workdays(free, 1)
    return free


def _session(offer: Offer, now: datetime) -> Session:
    """Entry at any time, else the latest announced: the one that an old request could still reach."""
    permanent = offer.sessions.filter(starts_on__isnull=True).first()
    # Of two announced for the same day, the one of the last wave: nobody takes the same seat twice.
    return permanent or offer.sessions.order_by("-starts_on", "-number")[0]


def _last_ended(now: datetime) -> Certification:
    """Of the certifications that our organisations taught, the one that ended last."""
    codes = [
        words["certification"]
        for words in facts("catalogue")["offers"]
        if words["of"] == "lices" and "certification" in words
    ]
    today = workdays.paris_day(now)
    return Certification.objects.filter(code__in=codes, registered_until__lt=today).latest("registered_until")


def _morning_of(day) -> datetime:
    return datetime.combine(day, time(10), workdays.PARIS).astimezone(UTC)


def _request_id(name: str, wave: str, verb: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"demo:{wave}:{name}:{verb}")
