"""The demonstration's requests for help: one in each state, by the verbs that people use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

from accounts.actors import VISITOR, Actor, Role
from accounts.listing import roles_of
from accounts.models import User
from dossiers.models import Dossier
from rulebook import workdays
from support import workflow
from support.models import AnswerModel
from support.states import Topic

CAMILLE, MALIK, MEMBER = "titulaire@exemple.invalid", "demandeur@exemple.invalid", "organisme@exemple.invalid"


@dataclass(frozen=True)
class Letter:
    """Who asks what, `days` ago; then what follows: (verb, its words), `pause` apart."""

    name: str
    who: str
    topic: Topic
    subject: str
    words: str
    days: float
    then: tuple[tuple[str, str], ...] = ()
    pause: timedelta = timedelta(hours=20)
    email: str = ""
    of_dossier: str = ""
    scam: dict[str, Any] = field(default_factory=dict)


LETTERS = [
    Letter(
        "year-missing",
        CAMILLE,
        Topic.RIGHTS,
        "Mes droits de l’an dernier ne sont pas arrivés",
        "Bonjour,\nj’ai travaillé toute l’année dernière, et je ne vois rien pour cette année-là.\nMerci.",
        6,
        (
            ("take", ""),
            (
                "answer",
                "Bonjour Camille,\nles droits d’une année arrivent au printemps suivant, "
                "quand les employeurs ont fait leurs déclarations.\n"
                "Les vôtres sont bien annoncés : rien n’est perdu, et vous n’avez rien à faire.",
            ),
        ),
    ),
    Letter(
        "no-answer-yet",
        CAMILLE,
        Topic.DOSSIER,
        "L’organisme ne décroche pas",
        "J’ai appelé trois fois. Est-ce que je dois refaire une demande ?",
        0.09,
        (("take", ""),),
        pause=timedelta(hours=1),
        of_dossier="requested",
    ),
    Letter(
        "password",
        CAMILLE,
        Topic.TECHNICAL,
        "Le lien de mot de passe n’arrive pas",
        "J’ai demandé un lien deux fois ce matin.",
        16,
        (
            ("answer", "Bonjour,\nle lien était dans vos courriers indésirables ?"),
            ("reply", "Oui, trouvé !"),
            ("close", ""),
        ),
    ),
    Letter(
        "scammed",
        MALIK,
        Topic.SCAM,
        "",
        "Il disait que mes droits allaient être perdus ce soir. Il voulait un code reçu par SMS.",
        1.5,
        scam={
            "channel": "call",
            "contact": "06 39 98 12 34",
            "organisation": "« Service CPF »",
            "given": ["password"],
        },
    ),
    Letter(
        "hidden-offer",
        MEMBER,
        Topic.ORGANISATION,
        "Notre offre d’anglais n’apparaît plus",
        "Elle était visible lundi. La certification est pourtant encore active.",
        12,
    ),
    Letter(
        "visitor",
        "",
        Topic.IDENTITY,
        "Mon nom de jeune fille n’est pas reconnu",
        "J’ai essayé avec mes deux noms. Que faut-il écrire ?",
        2.2,
        email="visiteuse@exemple.invalid",
    ),
]

MODELS = [
    (
        "Droits d’une année non arrivés",
        Topic.RIGHTS,
        "Bonjour,\nles droits d’une année arrivent l’année suivante, après les déclarations des employeurs.\n"
        "S’ils manquent encore à l’été, répondez ici avec le nom de votre employeur.",
    ),
    (
        "Prouver son identité",
        Topic.IDENTITY,
        "Bonjour,\nvotre nom diffère de celui que nous avons reçu.\n"
        "Présentez une pièce d’identité à l’adresse indiquée dans nos mentions légales : nous corrigerons.",
    ),
    (
        "Démarchage : merci, et que faire",
        Topic.SCAM,
        "Bonjour,\nmerci de ce signalement : nous le rapprochons de ceux que nous recevons.\n"
        "Ne rappelez pas ce numéro. Si vous avez donné un code, changez votre mot de passe tout de suite.",
    ),
]


def load(*, at: datetime, by: Actor) -> int:
    """Send the letters that were not sent yet; `by` answers them. All of them or none. How many there are."""
    with transaction.atomic():
        for title, topic, words in MODELS:
            AnswerModel.objects.get_or_create(title=title, defaults={"topic": topic, "words": words})
        for letter in LETTERS:
            _send(letter, at=at - timedelta(days=letter.days), by=by)
    return len(LETTERS)


def _send(letter: Letter, *, at: datetime, by: Actor) -> None:
    asker = roles_of(User.objects.get(email=letter.who))[0] if letter.who else VISITOR
    named = partial(_request_id, letter.name)
    scam = letter.scam and {"happened_on": workdays.paris_day(at)} | letter.scam
    ticket = workflow.open(
        by=asker,
        at=at,
        request_id=named("open"),
        topic=letter.topic,
        subject=letter.subject,
        words=letter.words,
        email=letter.email,
        dossier=_dossier(letter, asker),
        scam=scam or None,
    )
    for step, (verb, words) in enumerate(letter.then, start=1):
        who = by if verb in {"take", "answer"} else asker
        said = {"words": words} if words else {}
        do: Callable = getattr(workflow, verb)
        do(ticket.pk, by=who, at=at + step * letter.pause, request_id=named(f"{verb}-{step}"), **said)


def _dossier(letter: Letter, asker: Actor) -> Dossier | None:
    if not letter.of_dossier or asker.role != Role.HOLDER:
        return None
    return Dossier.objects.filter(holder=asker.holder, state=letter.of_dossier).order_by("number").first()


def _request_id(name: str, step: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"demo-letter:{name}:{step}")
