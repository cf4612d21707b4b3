"""Help, writing to us, and following what one asked."""

from django.urls import reverse
from django.utils import timezone

from support.links import link_of
from support.models import Ticket
from tests.scenes import CAMILLE, MALIK, MEMBER, VISITOR, Scene, fill, page, press, send
from tests.scenes.stage import NEWCOMER


def ticket(**fields):
    return lambda stage: reverse("ticket", args=[_found(**fields).pk])


def followed(stage):
    return link_of(_found(user=None), at=timezone.now())


def _found(**fields):
    return Ticket.objects.filter(**fields).order_by("opened_at")[0]


SCENES = [
    Scene("support/help-found", VISITOR, page("help", "q=annuler"), shows=("réponses pour",)),
    Scene("support/help-nothing", VISITOR, page("help", "q=zzzyx"), shows=("Aucune réponse",)),
    Scene(
        "support/help-open",
        VISITOR,
        page("help"),
        shows=("jusqu’à la retraite",),
        then=press("Mes droits vont-ils expirer\u00a0?"),
    ),
    Scene(
        "support/question", VISITOR, page("help_question", slug="changer-d-avis"), shows=("14 jours ouvrés",)
    ),
    Scene("support/question-unknown", VISITOR, page("help_question", slug="rien"), status=404),
    Scene("support/contact", VISITOR, page("contact"), shows=("De quoi s’agit-il", "01 99 00")),
    Scene("support/contact-holder", CAMILLE, page("contact"), shows=("Voir mes demandes d’aide",)),
    Scene("support/contact-member", MEMBER, page("contact"), shows=("L’espace d’un organisme",)),
    Scene(
        "support/contact-topic",
        VISITOR,
        page("contact_topic", slug="mon-dossier"),
        shows=("Écrire ma demande",),
    ),
    Scene("support/contact-topic-nothing", VISITOR, page("contact_topic", "q=zzzyx", slug="mes-droits")),
    Scene(
        "support/write", VISITOR, page("contact_write", slug="mes-droits"), shows=("Votre adresse e-mail",)
    ),
    Scene(
        "support/write-holder", CAMILLE, page("contact_write", slug="mon-dossier"), shows=("Quel dossier",)
    ),
    Scene(
        "support/write-member", MEMBER, page("contact_write", slug="organisme"), shows=("Vous écrivez pour",)
    ),
    Scene("support/write-refused", VISITOR, page("contact_write", slug="autre"), then=send, status=422),
    Scene("support/report", VISITOR, page("report_scam"), shows=("Vos droits ne disparaissent pas",)),
    Scene("support/report-refused", CAMILLE, page("report_scam"), then=send, status=422),
    Scene("support/tickets", CAMILLE, page("tickets"), shows=("Réponse donnée",)),
    Scene("support/tickets-member", MEMBER, page("tickets"), shows=("Ce que votre organisation",)),
    Scene("support/tickets-none", NEWCOMER, page("tickets"), shows=("Aucune demande d’aide",)),
    Scene("support/ticket-answered", CAMILLE, ticket(state="answered"), shows=("Le portail",)),
    Scene("support/ticket-in-progress", CAMILLE, ticket(state="in_progress"), shows=("prise en charge",)),
    Scene("support/ticket-closed", CAMILLE, ticket(state="closed"), shows=("Rouvrir",)),
    Scene("support/ticket-scam", MALIK, ticket(topic="scam"), shows=("Protégez votre compte",)),
    Scene("support/ticket-late", MEMBER, ticket(topic="organisation"), shows=("Veuillez nous excuser",)),
    Scene(
        "support/ticket-refused",
        CAMILLE,
        ticket(state="answered"),
        then=fill(words=""),
        status=422,
    ),
    Scene("support/someone-elses-ticket", MALIK, ticket(state="answered"), status=404),
    Scene("support/followed", VISITOR, followed, shows=("jeune fille",)),
    Scene("support/followed-over", VISITOR, page("ticket_followed", token="rien"), status=404),
    Scene("support/follow", VISITOR, page("follow"), shows=("nouveau lien",)),
    Scene("support/follow-refused", VISITOR, page("follow"), then=send, status=422),
]
