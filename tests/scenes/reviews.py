"""Reviews: an offer that says all there is, what one gives, what its organisation does with it, the desk."""

from collections.abc import Callable

from django.urls import reverse
from playwright.sync_api import Page

from dossiers.models import Review, ReviewReport, ReviewText
from tests.scenes import ADMIN, CAMILLE, VISITOR, Scene, page, send
from tests.scenes.stage import NEW_ORGANISATION, REVIEWED, REVIEWER, TO_REVIEW, UNPUBLISHED, Stage

OFFER = "Reliure : du cahier au livre"


def the_offer(stage: Stage) -> str:
    return reverse("offer", args=[stage.offer(title=OFFER).pk])


def begin(number: int) -> Callable[[Stage], str]:
    """To enrol in its sessions, the last ones first."""

    def where(stage: Stage) -> str:
        sessions = stage.offer(title=OFFER).sessions.order_by("-starts_on")
        return reverse("dossier_create", args=[sessions[number].pk])

    return where


def own(email: str, name: str = "dossier_review") -> Callable[[Stage], str]:
    return lambda stage: reverse(name, args=[stage.dossier(of=email).pk])


def a_review(name: str, *, is_answered: bool) -> Callable[[Stage], str]:
    """A published one, with an answer or none."""

    def where(stage: Stage) -> str:
        found = Review.objects.filter(
            dossier__offer__title=OFFER, texts__role="holder", texts__state="published"
        )
        answered = found.filter(pk__in=ReviewText.objects.filter(role="provider").values("review"))
        rest = answered if is_answered else found.exclude(pk__in=answered.values("pk"))
        return reverse(name, args=[rest.filter(texts__report=None).order_by("written_at")[0].pk])

    return where


def a_text(name: str, *act: str) -> Callable[[Stage], str]:
    def where(stage: Stage) -> str:
        return reverse(name, args=[ReviewText.objects.filter(state="waiting").earliest("pk").pk, *act])

    return where


def a_report(name: str) -> Callable[[Stage], str]:
    return lambda stage: reverse(name, args=[ReviewReport.objects.filter(outcome="").earliest("pk").pk])


def give_a_number(shown: Page) -> None:
    for name in ("welcome", "content", "team", "means"):
        shown.check(f"[name={name}][value='4']")
    shown.fill("[name=words]", "Appelez-moi au 06 39 98 12 34, je vous raconterai.")
    send(shown, "form[action$='/avis']")


SCENES = [
    Scene(
        "public/offer-whole",
        VISITOR,
        the_offer,
        shows=(
            "Que deviennent les certifiés",
            "css=.locator",
            "Combien ont donné chaque note",
            "Réponse de Atelier des Métiers du Livre",
            "En soirée, le week-end",
            "Demandez à l’organisme quand aura lieu l’examen",
        ),
    ),
    Scene("holder/create", CAMILLE, begin(1), shows=("Comment cela se passe",)),
    Scene("holder/create-cautioned", CAMILLE, begin(0), shows=("quand aura lieu l’examen",)),
    Scene("reviews/holder-dossier", TO_REVIEW, own(TO_REVIEW, "dossier"), shows=("Donner mon avis",)),
    Scene("reviews/holder-give", TO_REVIEW, own(TO_REVIEW), shows=("Accompagnement", "très bien")),
    Scene(
        "reviews/holder-give-refused",
        TO_REVIEW,
        own(TO_REVIEW),
        shows=("Choisissez une note",),
        then=give_a_number,
        status=422,
    ),
    Scene("reviews/holder-waiting", REVIEWER, own(REVIEWER), shows=("attend d’être lu",)),
    Scene("reviews/holder-unpublished", UNPUBLISHED, own(UNPUBLISHED), shows=("n’est pas publié",)),
    Scene("reviews/holder-dossier-given", REVIEWER, own(REVIEWER, "dossier"), shows=("4,0 sur 5",)),
    Scene("reviews/provider", REVIEWED, page("provider_reviews"), shows=("Signalé", "Répondre")),
    Scene("reviews/provider-none", NEW_ORGANISATION, page("provider_reviews"), shows=("Aucun avis publié",)),
    Scene(
        "reviews/provider-answer",
        REVIEWED,
        a_review("provider_review_answer", is_answered=False),
        shows=("Ce qui va se passer",),
    ),
    Scene(
        "reviews/provider-answer-refused",
        REVIEWED,
        a_review("provider_review_answer", is_answered=False),
        shows=("Écrivez votre réponse",),
        then=send,
        status=422,
    ),
    Scene(
        "reviews/provider-report",
        REVIEWED,
        a_review("provider_review_report", is_answered=True),
        shows=("Une critique juste n’est pas retirée",),
    ),
    Scene(
        "admin/review-text",
        ADMIN,
        a_text("admin:dossiers_reviewtext_change"),
        shows=("css=a[href$='/publier/']",),
    ),
    Scene(
        "admin/review-text-refuse",
        ADMIN,
        a_text("admin:dossiers_reviewtext_act", "refuser"),
        shows=("Motif, que l’auteur lira",),
    ),
    Scene(
        "admin/review-report",
        ADMIN,
        a_report("admin:dossiers_reviewreport_change"),
        shows=("css=a[href$='/retirer/']",),
    ),
]
