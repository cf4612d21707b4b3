"""From the first day to the last cent: what both sides see, and the administration."""

from django.urls import reverse

from dossiers.models import Claim
from dossiers.states import ClaimState, State
from tests.scenes import ADMIN, Scene, fill, page, send
from tests.scenes.stage import (
    ASKED,
    CONTESTING,
    MOOT,
    NEW_ORGANISATION,
    POSTPONED,
    TEACHING,
    TO_POSTPONE,
    TOO_LATE,
)

NOEMIE = "stagiaire@exemple.invalid"


def mine(of: str, name: str = "dossier", **fields):
    return lambda stage: reverse(name, args=[stage.dossier(of=of, **fields).pk])


def theirs(name: str = "provider_dossier", **fields):
    return lambda stage: reverse(name, args=[stage.dossier(by=TEACHING, **fields).pk])


def asked(state: State):
    """Of the one person in that state: what it says on the organisation's side."""
    return theirs(holder__user__email=f"{state}@exemple.invalid")


# What the organisation reads of a request in each state that it may come to.
ASKED_SAYS = {
    State.PREREQUISITES_CHECK: (
        "examine les prérequis",
        "À vous d’agir",
        "Envoyer la proposition",
        "Refuser cette demande",
    ),
    State.PROPOSED: ("doit valider ou refuser la proposition", "Annuler cette inscription"),
    State.FUNDER_REVIEW: ("Un financeur examine une demande d’aide", "Annuler cette inscription"),
    State.AWAITING_PAYMENT: ("doit payer ce qui reste", "Annuler cette inscription"),
    State.REFUSED_BY_PROVIDER: ("a refusé cette demande", "Session complète."),
    State.REFUSED_BY_HOLDER: ("a refusé la proposition",),
    State.CANCELLED_BY_HOLDER: ("a annulé. Ce dossier est clos.",),
    State.CANCELLED_BY_PROVIDER: ("Annulée du fait de l’organisme", "Formateur absent."),
    State.CANCELLED_BY_FUNDER: ("Un financeur a annulé", "Convention rompue."),
    State.LAPSED: ("n’a pas répondu dans le délai", "Rien n’a été débité"),
    State.CLOSED_BY_PLATFORM: (
        "Le portail a clos ce dossier",
        "Raison donnée",
        "La certification",
        "Ce qui était demandé",
    ),
}


def a_claim(name: str):
    return lambda stage: reverse(name, args=[Claim.objects.filter(state=ClaimState.OPEN).earliest("pk").pk])


def an_act(name: str, state: State):
    return lambda stage: reverse(f"admin:dossiers_dossier_{name}", args=[stage.dossier(state=state).pk])


def open_the_way_out(shown) -> None:
    shown.locator("[popovertarget=annuler]").first.click()


def open_the_postponement(shown) -> None:
    shown.locator("summary", has_text="Reporter").click()


def postpone_to_nothing(shown) -> None:
    open_the_postponement(shown)
    send(shown, "form[action$='/reporter']")


def declare_an_impossible_entry(shown) -> None:
    shown.fill("[name=entry-entered_on]", "2020-01-01")
    send(shown, "form[action$='/entree']")


def estimate(shown) -> None:
    shown.check("[name=cause][value=left]")
    shown.fill("[name=done_hours]", "14")
    shown.fill("[name=words]", "Partie le troisième jour.")
    with shown.expect_navigation():
        shown.locator("button[name=estimate]").click()


def say_nothing(shown) -> None:
    shown.locator("summary", has_text="Contester").click()
    send(shown, "form[action$='/contester']")


SCENES = [
    # --- The holder
    Scene("training/holder-dossiers", NOEMIE, page("dossiers"), shows=("En formation",)),
    Scene(
        "training/holder-home",
        NOEMIE,
        page("home"),
        shows=("2 choses vous attendent", "Expliquer mon absence", "Lire les nouvelles dates et répondre"),
    ),
    Scene(
        "training/holder-in-training", NOEMIE, mine(NOEMIE, state=State.IN_TRAINING), shows=("a commencé",)
    ),
    Scene("training/holder-ended", NOEMIE, mine(NOEMIE, state=State.ENDED)),
    Scene(
        "training/holder-declared",
        NOEMIE,
        mine(NOEMIE, state=State.COMPLETION_DECLARED),
        shows=("Êtes-vous d’accord",),
    ),
    Scene(
        "training/holder-contest-nothing",
        NOEMIE,
        mine(NOEMIE, state=State.COMPLETION_DECLARED),
        shows=("Dites ce qui n’est pas exact",),
        status=422,
        then=say_nothing,
    ),
    Scene(
        "training/holder-contested",
        CONTESTING,
        mine(CONTESTING, state=State.COMPLETION_DECLARED),
        shows=("Contesté par le titulaire",),
    ),
    Scene(
        "training/holder-validated",
        NOEMIE,
        mine(NOEMIE, state=State.COMPLETION_VALIDATED),
        shows=("Où est allé le prix", "Tout est réglé"),
    ),
    Scene(
        "training/holder-absent", NOEMIE, mine(NOEMIE, state=State.ABSENT), shows=("Expliquer mon absence",)
    ),
    Scene(
        "training/holder-postponed",
        POSTPONED,
        mine(POSTPONED),
        shows=("Dates convenues", "Dates proposées", "Accepter ces dates"),
    ),
    Scene(
        "training/holder-postponed-leaving",
        POSTPONED,
        mine(POSTPONED),
        shows=("Partir et tout récupérer",),
        then=open_the_way_out,
    ),
    Scene("training/holder-claimed", NOEMIE, mine(NOEMIE, state=State.CLAIMED), shows=("certificat.pdf",)),
    Scene(
        "training/holder-claim-moot",
        MOOT,
        mine(MOOT),
        shows=("sans objet, tout est rendu", "Je suis hospitalisée pour un mois.", "certificat.pdf"),
    ),
    Scene("training/holder-no-show", NOEMIE, mine(NOEMIE, state=State.NO_SHOW), shows=("Droits perdus",)),
    Scene("training/holder-funder-cancelled", NOEMIE, mine(NOEMIE, state=State.CANCELLED_BY_FUNDER)),
    Scene("training/holder-too-late", TOO_LATE, mine(TOO_LATE), shows=("Vous perdez", "Gardé en avoir")),
    Scene(
        "training/holder-too-late-asked",
        TOO_LATE,
        mine(TOO_LATE),
        shows=("Annuler cette inscription",),
        then=open_the_way_out,
    ),
    Scene("training/holder-claim", TOO_LATE, mine(TOO_LATE, "dossier_claim"), shows=("Vos justificatifs",)),
    Scene(
        "training/holder-claim-unproved",
        TOO_LATE,
        mine(TOO_LATE, "dossier_claim"),
        shows=("Joignez un justificatif",),
        status=422,
        then=fill(words="Hospitalisation."),
    ),
    Scene("training/holder-rights", NOEMIE, page("rights"), shows=("la formation a commencé",)),
    Scene(
        "training/holder-prerequisites",
        NOEMIE,
        mine(NOEMIE, state=State.PREREQUISITES_CHECK),
        shows=("prérequis",),
    ),
    Scene(
        "training/holder-funder-asked",
        NOEMIE,
        mine(NOEMIE, state=State.FUNDER_REVIEW),
        shows=("Une aide de 1 500,00 € est demandée",),
    ),
    Scene(
        "training/holder-funder-to-ask",
        "cherche-un-financeur@exemple.invalid",
        mine("cherche-un-financeur@exemple.invalid"),
        shows=("Demander une aide à France Travail",),
    ),
    # --- The organisation
    Scene(
        "training/provider-postpone",
        TEACHING,
        theirs(holder__user__email=TO_POSTPONE),
        shows=("Quelles dates proposez-vous",),
        then=open_the_postponement,
    ),
    Scene(
        "training/provider-postpone-nothing",
        TEACHING,
        theirs(holder__user__email=TO_POSTPONE),
        shows=("Dites pourquoi",),
        status=422,
        then=postpone_to_nothing,
    ),
    Scene(
        "training/provider-postponed",
        TEACHING,
        theirs(holder__user__email=POSTPONED),
        shows=("Votre report attend une réponse",),
    ),
    Scene(
        "training/provider-acknowledge",
        TEACHING,
        theirs(holder__user__email="prerequis@exemple.invalid"),
        shows=("Accuser réception",),
    ),
    Scene("training/provider-home", TEACHING, page("home"), shows=("à déclarer",)),
    Scene("training/provider-to-declare", TEACHING, page("provider_inbox", "view=a-declarer")),
    Scene("training/provider-in-training", TEACHING, page("provider_inbox", "view=en-formation")),
    Scene("training/provider-to-declare-none", NEW_ORGANISATION, page("provider_inbox", "view=a-declarer")),
    Scene(
        "training/provider-entry",
        TEACHING,
        theirs(holder__user__email="entree@exemple.invalid"),
        shows=("Déclarer l’entrée", "n’est pas venue"),
    ),
    Scene(
        "training/provider-entry-wrong",
        TEACHING,
        theirs(holder__user__email="entree@exemple.invalid"),
        shows=("avant le premier jour convenu",),
        status=422,
        then=declare_an_impossible_entry,
    ),
    Scene("training/provider-end", TEACHING, theirs(state=State.IN_TRAINING), shows=("Déclarer la fin",)),
    Scene(
        "training/provider-ended",
        TEACHING,
        theirs(state=State.ENDED),
        shows=("Dire ce qui a été suivi", "En retard"),
    ),
    Scene("training/provider-completion", TEACHING, theirs("provider_completion", state=State.ENDED)),
    Scene(
        "training/provider-completion-estimate",
        TEACHING,
        theirs("provider_completion", state=State.ENDED),
        shows=("Ce que cela donnerait",),
        then=estimate,
    ),
    Scene(
        "training/provider-completion-wrong",
        TEACHING,
        theirs("provider_completion", state=State.ENDED),
        shows=("dépasse la durée prévue",),
        status=422,
        then=fill(done_hours="36"),
    ),
    Scene("training/provider-declared", TEACHING, theirs(holder__user__email="verifie@exemple.invalid")),
    Scene("training/provider-contested", TEACHING, theirs(holder__user__email=CONTESTING)),
    Scene("training/provider-absent", TEACHING, theirs(state=State.ABSENT)),
    Scene(
        "training/provider-validated",
        TEACHING,
        theirs(state=State.COMPLETION_VALIDATED),
        shows=("Ce qui vous est dû",),
    ),
    Scene(
        "training/provider-claimed",
        TEACHING,
        theirs(state=State.CLAIMED),
        shows=("Force majeure à l’examen", "Le portail décide"),
    ),
    Scene(
        "training/provider-no-show",
        TEACHING,
        theirs(state=State.NO_SHOW),
        shows=("n’était pas là au premier jour", "Ce qui vous est dû"),
    ),
    Scene(
        "training/provider-claim-moot",
        TEACHING,
        theirs(holder__user__email=MOOT),
        shows=("sans objet, tout est rendu", "La session est supprimée."),
    ),
    *(
        Scene(f"training/provider-{state.replace('_', '-')}", TEACHING, asked(state), ASKED_SAYS[state])
        for state in ASKED
    ),
    Scene("training/provider-due", TEACHING, page("provider_due"), shows=("Dossier par dossier",)),
    Scene("training/provider-due-none", NEW_ORGANISATION, page("provider_due"), shows=("Rien n’est dû",)),
    # --- The administration
    Scene("admin/claim-grant", ADMIN, a_claim("admin:dossiers_claim_grant"), shows=("Tout est rendu",)),
    Scene("admin/claim-reject", ADMIN, a_claim("admin:dossiers_claim_reject")),
    Scene("admin/claim-open", ADMIN, a_claim("admin:dossiers_claim_change"), shows=("certificat.pdf",)),
    Scene("admin/completion-control", ADMIN, an_act("control", State.COMPLETION_DECLARED)),
    Scene("admin/completion-correct", ADMIN, an_act("correct", State.COMPLETION_DECLARED)),
    Scene("admin/completion-release", ADMIN, an_act("release", State.COMPLETION_DECLARED)),
    Scene("admin/funder-grant", ADMIN, an_act("grant", State.FUNDER_REVIEW), shows=("Montant accordé",)),
    Scene("admin/funder-deny", ADMIN, an_act("deny", State.FUNDER_REVIEW)),
    Scene("admin/dossier-for-the-funder", ADMIN, an_act("funder", State.ACCEPTED)),
]
