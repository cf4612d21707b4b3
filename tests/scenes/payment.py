"""The payment page in each of its states, and what waits for a decision in the administration."""

from collections.abc import Callable

from django.urls import reverse

from dossiers.models import BankTransfer, CardPayment, PaymentEvent, Refund
from tests.scenes import ADMIN, Scene, page
from tests.scenes.stage import PAYING, Stage


def paying(name: str) -> Callable[[Stage], str]:
    """The payment page of whoever is in this state (tests/scenes/stage.py)."""
    return lambda stage: reverse(
        "dossier_payment",
        args=[stage.dossier(of=who(name)).pk],
    )


def who(name: str) -> str:
    return f"{PAYING}-{name}@exemple.invalid"


def act(model, name: str, **fields) -> Callable[[Stage], str]:
    """The form of one act in the administration."""

    def where(stage: Stage) -> str:
        row = model.objects.filter(**fields).order_by("pk").first()
        return reverse(f"admin:dossiers_{model._meta.model_name}_act", args=[row.pk, name])

    return where


SCENES = [
    Scene("holder/payment-waiting", who("attend"), paying("attend"), shows=("Par virement", "RF")),
    Scene("holder/payment-refused", who("refus"), paying("refus"), shows=("a été refusé",)),
    Scene("holder/payment-processing", who("encours"), paying("encours"), shows=("pas encore répondu",)),
    Scene("holder/payment-to-check", who("verif"), paying("verif"), shows=("Une personne vérifie",)),
    Scene("holder/payment-paid", who("paye"), paying("paye"), shows=("Votre part est payée",)),
    Scene("holder/payment-expired", who("tard"), paying("tard"), shows=("Il n’est plus possible",)),
    Scene("holder/payment-refunded", who("rendu"), paying("rendu"), shows=("remboursement envoyé",)),
    Scene("holder/payment-refund-due", who("arendre"), paying("arendre"), shows=("remboursement demandé",)),
    Scene(
        "admin/transfers-to-decide",
        ADMIN,
        page("admin:dossiers_banktransfer_changelist", "attend=oui"),
        shows=("MME KERMADEC SOLENE",),
    ),
    Scene("admin/transfers-import", ADMIN, page("admin:dossiers_banktransfer_import"), shows=("camt.053",)),
    Scene(
        "admin/transfer-attach",
        ADMIN,
        act(BankTransfer, "rattacher", state="near"),
        shows=("Numéro du dossier",),
    ),
    Scene("admin/transfer-send-back", ADMIN, act(BankTransfer, "a-renvoyer", state="unknown")),
    Scene("admin/refund-by-hand", ADMIN, act(Refund, "envoye", state="due", way="transfer")),
    Scene(
        "admin/card-payment-give-back", ADMIN, act(CardPayment, "rendre", state="processing", trouble__gt="")
    ),
    Scene("admin/payment-event-look", ADMIN, act(PaymentEvent, "regarde", outcome="set_aside")),
]
