"""How an organisation comes in, is warned, suspended, and comes back."""

from django.urls import reverse

from tests.scenes import ADMIN, CAMILLE, MEMBER, VISITOR, Scene, page, send
from tests.scenes.stage import CANDIDATE, LATE_CANDIDATE, NEW_ORGANISATION, SUSPENDED, THREATENED, WARNED

QUESTIONS = ("organisme", "coordonnees", "activite", "qualiopi", "formations", "responsable")


def request(state, view="join_request", of=CANDIDATE, **fields):
    """The address of a page about the request in this state. The empty draft is the one without a name."""

    def where(stage):
        found = stage.join_request(of=of, state=state, **fields)
        return reverse(view, args=[found.pk])

    return where


def question(slug, **fields):
    return lambda stage: reverse(
        "join_page", args=[stage.join_request(of=CANDIDATE, state="draft", **fields).pk, slug]
    )


def send_page(shown):
    send(shown, "main form.form")


EMPTY, FULL = {"name": ""}, {"name": "Les Ateliers du Mail"}

SCENES = [
    Scene("join/welcome", VISITOR, page("join"), shows=("Commencer ma demande",)),
    Scene("join/welcome-with-requests", CANDIDATE, page("join"), shows=("Vos demandes",)),
    Scene("join/start", CANDIDATE, page("join_start"), shows=("Étape 1 sur 8",)),
    Scene("join/start-refused", CANDIDATE, page("join_start"), then=send_page, status=422),
    *(
        Scene(f"join/page-{slug}", CANDIDATE, question(slug, **FULL), shows=("Enregistrer et continuer",))
        for slug in QUESTIONS
    ),
    *(
        Scene(f"join/page-{slug}-refused", CANDIDATE, question(slug, **EMPTY), then=send_page, status=422)
        for slug in QUESTIONS[1:]
    ),
    Scene("join/documents", CANDIDATE, request("draft", "join_documents", **FULL), shows=("extract.pdf",)),
    Scene("join/documents-none", CANDIDATE, request("draft", "join_documents", **EMPTY)),
    Scene(
        "join/documents-refused",
        CANDIDATE,
        request("draft", "join_documents", **EMPTY),
        then=send_page,
        status=422,
    ),
    Scene("join/review", CANDIDATE, request("draft", "join_review", **FULL), shows=("Envoyer ma demande",)),
    Scene(
        "join/review-undeclared",
        CANDIDATE,
        request("draft", "join_review", **FULL),
        then=send_page,
        status=422,
        shows=("Cochez cette case",),
    ),
    Scene("join/review-unfinished", CANDIDATE, request("draft", "join_review", **EMPTY)),
    Scene("join/request-draft", CANDIDATE, request("draft", **EMPTY), shows=("Où vous en êtes",)),
    Scene("join/request-ready", CANDIDATE, request("draft", **FULL), shows=("Votre demande est prête",)),
    Scene("join/request-sent", CANDIDATE, request("sent"), shows=("Vérification au plus tard le",)),
    Scene("join/request-to-complete", CANDIDATE, request("completion_asked")),
    Scene("join/request-receivable", CANDIDATE, request("receivable"), shows=("Décision au plus tard le",)),
    Scene("join/request-admitted", CANDIDATE, request("admitted"), shows=("Publiez une première offre",)),
    Scene("join/request-refused", CANDIDATE, request("refused"), shows=("tribunal administratif",)),
    Scene("join/request-withdrawn", CANDIDATE, request("withdrawn")),
    Scene("join/request-late", LATE_CANDIDATE, request("sent", of=LATE_CANDIDATE), shows=("en retard",)),
    Scene("join/someone-elses-request", CAMILLE, request("sent"), status=404),
    Scene("standing/nothing", NEW_ORGANISATION, page("provider_standing"), shows=("Aucune mesure",)),
    Scene("standing/member", MEMBER, page("provider_standing")),
    Scene("standing/warned", WARNED, page("provider_standing"), shows=("Avertissement", "Répondre")),
    Scene("standing/intended", THREATENED, page("provider_standing"), shows=("Suspension envisagée",)),
    Scene("standing/suspended", SUSPENDED, page("provider_standing"), shows=("Suspension en urgence",)),
    Scene("standing/answer-refused", WARNED, page("provider_standing"), then=send_page, status=422),
    Scene("standing/of-another-role", CAMILLE, page("provider_standing"), status=403),
    Scene("admin/join-request-complete", ADMIN, request("sent", "admin:admissions_joinrequest_complete")),
    Scene("admin/join-request-refuse", ADMIN, request("sent", "admin:admissions_joinrequest_refuse")),
    Scene("admin/measures", ADMIN, page("admin:admissions_measure_changelist")),
    Scene(
        "admin/standing",
        ADMIN,
        lambda stage: reverse(
            "admin:admissions_measure_standing", args=[stage.measure(SUSPENDED).provider_id]
        ),
    ),
]
