"""What those who write offers and import catalogues see."""

from django.urls import reverse

from catalog.models import CatalogueImport, Session
from tests.scenes import CAMILLE, Scene, page, press, send
from tests.scenes.stage import ENDING, NEW_ORGANISATION, TRAINED, WRITER

CHECKING, UNDOING = "to-check@exemple.invalid", "to-undo@exemple.invalid"


def offer(name, title, *path):
    """A page of the offer of this title; an empty title is the draft just begun."""

    def where(stage):
        found = stage.offer(provider_id=stage.organisation(WRITER).pk, title=title)
        return reverse(name, args=[found.pk, *path])

    return where


def step(title, path):
    return offer("provider_offer_step", title, path)


def session(**fields):
    def where(stage):
        found = Session.objects.filter(offer__provider=stage.organisation(WRITER).pk, **fields)
        return reverse("provider_session", args=[found.order_by("starts_on", "pk").distinct()[0].pk])

    return where


def an_import(state, name="provider_import", query=""):
    return lambda stage: (
        reverse(name, args=[CatalogueImport.objects.get(state=state, file_name__startswith="catalogue-").pk])
        + query
    )


def theirs(title, **fields):
    """A page of the organisation whose certifications end."""

    def where(stage):
        found = stage.offer(provider_id=stage.organisation(ENDING).pk, title=title, **fields)
        return reverse("provider_offer", args=[found.pk])

    return where


def trained(stage):
    return reverse("dossier", args=[stage.dossier(of=TRAINED).pk])


def tick_all(shown) -> None:
    shown.check("#toutes")


def tick_one(shown) -> None:
    shown.locator("input[name=offer]").first.check()


def look_for_a_certification(shown) -> None:
    shown.fill("input[name=q]", "développeur")
    with shown.expect_navigation():
        shown.get_by_role("button", name="Chercher").click()


def a_field_is_checked(shown) -> None:
    shown.fill("[name=objectives]", "<b>Savoir</b>")
    shown.keyboard.press("Tab")
    shown.wait_for_selector("#bloc-objectives .field__error")


def a_town_is_checked(shown) -> None:
    shown.check("[name=mode][value=mixed]")
    shown.fill("[name=town]", "Saint-Denis")
    shown.keyboard.press("Tab")
    shown.wait_for_selector("#bloc-town .field__error")


def at_a_distance(shown) -> None:
    shown.check("[name=mode][value=distance]")


SCENES = [
    Scene("offers/list", WRITER, page("provider_offers"), shows=("Brouillons", "Fermée par les règles")),
    Scene("offers/list-ticked", WRITER, page("provider_offers"), then=tick_one),
    Scene("offers/list-drafts", WRITER, page("provider_offers", "state=draft"), shows=("Reprendre",)),
    Scene("offers/list-to-complete", WRITER, page("provider_offers", "lack=accueil"), shows=("Compléter",)),
    Scene("offers/list-nothing-found", WRITER, page("provider_offers", "q=zzz"), shows=("Aucune offre",)),
    Scene("offers/list-wrong-filter", WRITER, page("provider_offers", "state=x"), shows=("Cet état",)),
    Scene("offers/list-empty", NEW_ORGANISATION, page("provider_offers"), shows=("css=.choices-big",)),
    Scene("offers/list-other-role", CAMILLE, page("provider_offers"), status=403),
    Scene("offers/new", WRITER, page("provider_offer_new"), shows=("Vous êtes habilité",)),
    Scene("offers/new-without-entitlement", NEW_ORGANISATION, page("provider_offer_new")),
    Scene("offers/new-search", WRITER, page("provider_offer_new"), then=look_for_a_certification),
    Scene("offers/new-refused", WRITER, page("provider_offer_new"), status=422, then=send),
    Scene(
        "offers/purpose", WRITER, step("Comptabilité", "objet"), shows=("css=[name=certification]:checked",)
    ),
    Scene("offers/texts", WRITER, step("", "textes"), shows=("Finir plus tard",)),
    Scene("offers/texts-checked", WRITER, step("Comptabilité", "textes"), then=a_field_is_checked),
    Scene("offers/texts-refused", WRITER, step("", "textes"), status=422, then=send),
    Scene("offers/texts-published", WRITER, step("Assistanat de direction", "textes")),
    Scene(
        "offers/texts-imported", WRITER, step("Secrétariat médical", "textes"), shows=("vient d’un import",)
    ),
    Scene("offers/place", WRITER, step("Comptabilité", "lieu")),
    Scene("offers/place-checked", WRITER, step("Comptabilité", "lieu"), then=a_town_is_checked),
    Scene("offers/place-at-a-distance", WRITER, step("Comptabilité", "lieu"), then=at_a_distance),
    Scene("offers/place-refused", WRITER, step("", "lieu"), status=422, then=send),
    Scene("offers/price", WRITER, step("Comptabilité", "prix")),
    Scene("offers/price-refused", WRITER, step("", "prix"), status=422, then=send),
    Scene("offers/sessions-none", WRITER, offer("provider_offer_sessions", "")),
    Scene("offers/sessions", WRITER, offer("provider_offer_sessions", "Assistanat de direction")),
    Scene("offers/sessions-refused", WRITER, offer("provider_offer_sessions", ""), status=422, then=send),
    Scene("offers/session", WRITER, session(details__gt="")),
    Scene(
        "offers/session-with-dossiers", WRITER, session(dossiers__isnull=False), shows=("ne changent plus",)
    ),
    Scene("offers/draft-begun", WRITER, offer("provider_offer", ""), shows=("À régler avant de publier",)),
    Scene("offers/draft-ready", WRITER, offer("provider_offer", "Comptabilité"), shows=("Tout est prêt",)),
    Scene("offers/draft-delete", WRITER, offer("provider_offer", "Comptabilité"), then=press("Supprimer")),
    Scene("offers/shown", WRITER, offer("provider_offer", "Assistanat de direction"), shows=("Visible",)),
    Scene("offers/hidden", WRITER, offer("provider_offer", "Bureautique"), shows=("Masquée",)),
    Scene("offers/closed", WRITER, offer("provider_offer", "Secrétariat médical"), shows=("Pourquoi",)),
    Scene("offers/many", ENDING, page("provider_offers", "q=commis"), shows=("Les 22 offres",)),
    Scene("offers/many-ticked", ENDING, page("provider_offers", "q=commis"), then=tick_all),
    Scene("offers/list-closed", ENDING, page("provider_offers", "state=closed"), shows=("Archiver",)),
    Scene("offers/list-archived", ENDING, page("provider_offers", "state=archived"), shows=("Sortir",)),
    Scene("offers/archived", ENDING, theirs("Plonge"), shows=("Sortir des archives",)),
    Scene("offers/withheld", ENDING, theirs("Traiteur"), shows=("Retenue par le portail",)),
    Scene("offers/list-withheld", ENDING, page("provider_offers", "state=hidden"), shows=("Retenue",)),
    Scene("offers/ended", ENDING, theirs("Employé d’étage"), shows=("Reprise par",)),
    Scene("offers/taken-over", ENDING, theirs("Agente ou agent d’étage"), shows=("Reprise de",)),
    Scene("offers/endings-at-home", ENDING, page("home"), shows=("s’arrêtent bientôt",)),
    Scene("offers/endings", ENDING, page("provider_endings"), shows=("Reprendre 22 offres", "Arrêtée")),
    Scene("offers/endings-none", NEW_ORGANISATION, page("provider_endings"), shows=("Aucune",)),
    Scene("offers/endings-other-role", CAMILLE, page("provider_endings"), status=403),
    Scene("offers/still-valid", TRAINED, trained, shows=("Obtenue, elle reste valable",)),
    Scene("offers/others", NEW_ORGANISATION, offer("provider_offer", "Bureautique"), status=404),
    Scene("offers/export", WRITER, page("provider_export"), shows=("n’y seront pas",)),
    Scene("offers/export-none", NEW_ORGANISATION, page("provider_export"), shows=("Aucune de vos offres",)),
    Scene("imports/list", WRITER, page("provider_imports"), shows=("Fichier illisible",)),
    Scene("imports/list-empty", NEW_ORGANISATION, page("provider_imports"), shows=("Aucun import",)),
    Scene("imports/new", NEW_ORGANISATION, page("provider_import_new"), shows=("css=.drop",)),
    Scene("imports/new-refused", NEW_ORGANISATION, page("provider_import_new"), status=422, then=send),
    Scene("imports/new-while-waiting", WRITER, page("provider_import_new"), shows=("déjà en cours",)),
    Scene("imports/to-check", CHECKING, an_import("to_check"), shows=("css=progress",)),
    Scene("imports/checked", WRITER, an_import("checked"), shows=("Appliquer l’import",)),
    Scene("imports/checked-new", WRITER, an_import("checked", query="?verdict=created")),
    Scene("imports/to-apply", WRITER, an_import("to_apply"), shows=("css=progress",)),
    Scene("imports/applied", WRITER, an_import("applied"), shows=("Annuler cet import",)),
    Scene("imports/undo", WRITER, an_import("applied"), then=press("Annuler cet import")),
    Scene("imports/to-undo", UNDOING, an_import("to_undo"), shows=("css=progress",)),
    Scene("imports/undone", WRITER, an_import("undone"), shows=("Laissées comme elles sont",)),
    Scene("imports/unusable", WRITER, an_import("unusable"), shows=("Ligne 812",)),
    Scene("imports/abandoned", WRITER, an_import("abandoned")),
    Scene("imports/others", NEW_ORGANISATION, an_import("checked"), status=404),
]
