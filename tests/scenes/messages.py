"""Threads: empty, with messages, refused, reported, taken away, closed; both sides, and the desk."""

from collections.abc import Callable

from django.urls import reverse
from playwright.sync_api import Page

from dossiers.models import Message, MessageReport
from tests.scenes import ADMIN, Scene, page, send
from tests.scenes.stage import ANSWERING, SILENCED, TALKING, Stage

LONG, REPORTED, HIDDEN = "Un long échange", "Un message signalé", "Un message retiré"
EMPTY, CLOSED, FROZEN = "Rien n’est encore dit", "Un fil fermé", "Un compte gelé"


def thread(title: str, *, side: str = "dossier") -> Callable[[Stage], str]:
    return lambda stage: reverse(f"{side}_messages", args=[stage.dossier(offer__title=title).pk])


def report(title: str, side: str) -> Callable[[Stage], str]:
    """Of the first message that the other side wrote."""

    def where(stage: Stage) -> str:
        role = "provider" if side == "dossier" else "holder"
        message = Message.objects.filter(dossier__offer__title=title, role=role).order_by("id")[0]
        return reverse(f"{side}_message_report", args=[message.dossier_id, message.pk])

    return where


def desk(name: str) -> Callable[[Stage], str]:
    """A page of the administration about the report that waits."""
    return lambda stage: reverse(name, args=[MessageReport.objects.filter(outcome="").earliest("id").pk])


def write(words: str) -> Callable[[Page], None]:
    """Send words that are refused: only the thread is swapped, the page stays."""

    def act(shown: Page) -> None:
        shown.fill("main [name=words]", words)
        shown.click("#envoyer-message")
        shown.wait_for_selector("main [aria-invalid=true]")

    return act


SCENES = [
    Scene("messages/holder-none", TALKING, thread(EMPTY), shows=("Aucun message", "matériel")),
    Scene("messages/holder", TALKING, thread(LONG), shows=("Marquer comme lu", "Signaler ce message")),
    Scene(
        "messages/holder-phone-refused",
        TALKING,
        thread(LONG),
        shows=("un numéro de téléphone", "tout se passe ici"),
        then=write("Rappelez-moi au 06 39 98 12 34, c’est plus simple."),
    ),
    Scene(
        "messages/holder-card-refused",
        TALKING,
        thread(EMPTY),
        shows=("un numéro de carte bancaire",),
        then=write("Ma carte : 4111 1111 1111 1111"),
    ),
    Scene("messages/holder-reported", TALKING, thread(REPORTED), shows=("Signalé",)),
    Scene("messages/holder-hidden", TALKING, thread(HIDDEN), shows=("Message retiré par le portail",)),
    Scene("messages/holder-closed", TALKING, thread(CLOSED), shows=("Ce fil est fermé",)),
    Scene("messages/holder-frozen", SILENCED, thread(FROZEN), shows=("rien ne part en votre nom",)),
    Scene(
        "messages/holder-report", TALKING, report(LONG, "dossier"), shows=("Ce qui va se passer", "arnaque")
    ),
    Scene(
        "messages/holder-report-refused",
        TALKING,
        report(LONG, "dossier"),
        shows=("Choisissez ce qui ne va pas",),
        then=send,
        status=422,
    ),
    Scene("messages/holder-report-done", TALKING, report(REPORTED, "dossier"), shows=("déjà signalé",)),
    Scene(
        "messages/holder-dossier",
        TALKING,
        lambda stage: reverse("dossier", args=[stage.dossier(offer__title=LONG).pk]),
        shows=("messages non lus",),
    ),
    Scene("messages/holder-dossiers", TALKING, page("dossiers"), shows=("messages non lus",)),
    Scene("messages/provider-none", ANSWERING, thread(EMPTY, side="provider"), shows=("rendez-vous",)),
    Scene("messages/provider", ANSWERING, thread(LONG, side="provider"), shows=("Pour toute votre équipe",)),
    Scene(
        "messages/provider-email-refused",
        ANSWERING,
        thread(LONG, side="provider"),
        shows=("une adresse e-mail",),
        then=write("Écrivez à gaelle arobase exemple point fr"),
    ),
    Scene(
        "messages/provider-hidden",
        ANSWERING,
        thread(HIDDEN, side="provider"),
        shows=("Message retiré par le portail",),
    ),
    Scene("messages/provider-report", ANSWERING, report(LONG, "provider"), shows=("Ce qui va se passer",)),
    Scene(
        "messages/provider-dossier",
        ANSWERING,
        lambda stage: reverse("provider_dossier", args=[stage.dossier(offer__title=LONG).pk]),
        shows=("messages non lus",),
    ),
    Scene("messages/provider-inbox", ANSWERING, page("provider_inbox"), shows=("messages non lus",)),
    Scene(
        "admin/message-report",
        ADMIN,
        desk("admin:dossiers_messagereport_change"),
        shows=("css=a[href$='/retirer/']", "code reçu par SMS"),
    ),
    Scene(
        "admin/message-report-hide",
        ADMIN,
        desk("admin:dossiers_messagereport_hide"),
        shows=("Ce que les personnes liront",),
    ),
]
