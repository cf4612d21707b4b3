"""What a busy training organisation sees: its inbox in every state, an answer, answers for many."""

from django.urls import reverse

from dossiers.models import Batch
from tests.scenes import CAMILLE, Scene, fill, page, send
from tests.scenes.stage import BUSY, NEW_ORGANISATION


def dossier(**fields):
    return lambda stage: reverse("provider_dossier", args=[stage.dossier(by=BUSY, **fields).pk])


def dated(**fields):
    return dossier(session__starts_on__isnull=False, **fields)


def batch(**fields):
    """The latest of this kind: see `_busy_inbox` in stage.py."""

    def where(stage):
        found = Batch.objects.filter(provider_id=stage.organisation(BUSY).pk, **fields)
        return reverse("provider_batch", args=[found.order_by("-prepared_at", "pk")[0].pk])

    return where


def open_the_first(shown) -> None:
    """Beside the list on a wide screen."""
    shown.set_viewport_size({"width": 1280, "height": 900})
    shown.locator("a.desk-name").first.click()
    shown.wait_for_selector("#panneau [data-dossier]")


def tick_two(shown) -> None:
    for number in range(2):
        shown.locator("input[name=dossier]").nth(number).check()


def refuse_without_motive(shown) -> None:
    shown.locator("summary", has_text="Refuser cette demande").click()
    send(shown, "form[action$='/refuser']")


SCENES = [
    Scene("inbox/home", BUSY, page("home"), shows=("À répondre d’abord", "Répondre à la première")),
    Scene("inbox/to-answer", BUSY, page("provider_inbox"), shows=("css=.bulk-bar", "Préparer des refus")),
    Scene("inbox/ticked", BUSY, page("provider_inbox"), shows=("2 demandes cochées",), then=tick_two),
    Scene("inbox/proposed", BUSY, page("provider_inbox", "view=proposees")),
    Scene("inbox/confirmed", BUSY, page("provider_inbox", "view=confirmees")),
    Scene("inbox/coming", BUSY, page("provider_inbox", "view=a-venir")),
    Scene("inbox/over", BUSY, page("provider_inbox", "view=terminees"), shows=("dépassé",)),
    Scene("inbox/all", BUSY, page("provider_inbox", "view=toutes&order=nom")),
    Scene("inbox/filtered", BUSY, page("provider_inbox", "q=lefevre&order=debut"), shows=("Effacer",)),
    Scene("inbox/nothing-found", BUSY, page("provider_inbox", "q=introuvable"), shows=("Aucune demande",)),
    Scene("inbox/wrong-filter", BUSY, page("provider_inbox", "training=x"), shows=("pas dans vos demandes",)),
    Scene("inbox/tab-empty", NEW_ORGANISATION, page("provider_inbox", "view=a-venir")),
    Scene("inbox/panel", BUSY, page("provider_inbox"), shows=("css=#panneau h2",), then=open_the_first),
    Scene("inbox/of-another-role", CAMILLE, page("provider_batches"), status=403),
    Scene(
        "inbox/dossier",
        BUSY,
        dated(state="requested"),
        shows=("Suivant",),
    ),
    Scene(
        "inbox/dossier-at-any-time",
        BUSY,
        dossier(state="requested", session__starts_on__isnull=True),
        shows=("La formation peut commencer à partir du",),
    ),
    Scene("inbox/dossier-proposed", BUSY, dossier(state="proposed")),
    Scene("inbox/dossier-confirmed", BUSY, dossier(state="accepted"), shows=("Annuler cette inscription",)),
    Scene(
        "inbox/dossier-wrong-price",
        BUSY,
        dated(state="requested"),
        shows=("supérieur à zéro",),
        status=422,
        then=fill(price_cents="0"),
    ),
    Scene(
        "inbox/dossier-no-motive",
        BUSY,
        dated(state="requested"),
        shows=("Choisissez le motif",),
        status=422,
        then=refuse_without_motive,
    ),
    Scene("inbox/batches", BUSY, page("provider_batches"), shows=("Proposer ce qui est demandé",)),
    Scene(
        "inbox/batches-none", NEW_ORGANISATION, page("provider_batches"), shows=("Aucune réponse groupée",)
    ),
    Scene(
        "inbox/batch-proposals",
        BUSY,
        batch(answer="propose", confirmed_at=None),
        shows=("Rien n’est encore envoyé", "laissée de côté", "Durée de la formation"),
    ),
    Scene("inbox/batch-refusals", BUSY, batch(answer="refuse", confirmed_at=None), shows=("Motif du refus",)),
    Scene(
        "inbox/batch-no-motive",
        BUSY,
        batch(answer="refuse", confirmed_at=None),
        shows=("Choisissez le motif",),
        status=422,
        then=lambda shown: send(shown, "form[action$='/confirmer']"),
    ),
    Scene(
        "inbox/batch-running",
        BUSY,
        batch(confirmed_at__isnull=False, finished_at=None),
        shows=("Vos propositions partent", "css=progress"),
    ),
    Scene(
        "inbox/batch-result",
        BUSY,
        batch(finished_at__isnull=False),
        shows=("1 proposition envoyée", "Ce qui n’a pas pu partir"),
    ),
]
