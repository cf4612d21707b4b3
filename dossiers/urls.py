"""Addresses of dossiers, by audience."""

from django.urls import path

from dossiers.views import (
    batches,
    calendar,
    claims,
    endings,
    first_steps,
    holder,
    messages,
    payment,
    payment_events,
    postponement,
    provider,
    reviews,
    training,
)

urlpatterns = [
    path("mes-certifications", endings.provider_endings, name="provider_endings"),
    path("mes-dossiers", holder.dossiers, name="dossiers"),
    path("mes-dossiers/creer/<uuid:session_id>", holder.dossier_create, name="dossier_create"),
    path("mes-dossiers/<uuid:dossier_id>", holder.dossier, name="dossier"),
    path("mes-dossiers/<uuid:dossier_id>/modifier", holder.dossier_edit, name="dossier_edit"),
    path("mes-dossiers/<uuid:dossier_id>/supprimer", holder.dossier_discard, name="dossier_discard"),
    path("mes-dossiers/<uuid:dossier_id>/envoyer", holder.dossier_send, name="dossier_send"),
    path("mes-dossiers/<uuid:dossier_id>/renvoyer", holder.dossier_send_again, name="dossier_send_again"),
    path("mes-dossiers/<uuid:dossier_id>/valider", holder.dossier_accept, name="dossier_accept"),
    path("mes-dossiers/<uuid:dossier_id>/financeur", holder.dossier_ask_funder, name="dossier_ask_funder"),
    path("mes-dossiers/<uuid:dossier_id>/abonder", holder.dossier_top_up, name="dossier_top_up"),
    path("mes-dossiers/<uuid:dossier_id>/refuser", holder.dossier_decline, name="dossier_decline"),
    path("mes-dossiers/<uuid:dossier_id>/annuler", holder.dossier_cancel, name="dossier_cancel"),
    path("mes-dossiers/<uuid:dossier_id>/se-retracter", holder.dossier_withdraw, name="dossier_withdraw"),
    path(
        "mes-dossiers/<uuid:dossier_id>/annuler-tard", holder.dossier_cancel_late, name="dossier_cancel_late"
    ),
    path("mes-dossiers/<uuid:dossier_id>/report/accepter", postponement.dossier_agree, name="dossier_agree"),
    path(
        "mes-dossiers/<uuid:dossier_id>/report/partir",
        postponement.dossier_leave_free,
        name="dossier_leave_free",
    ),
    path("mes-dossiers/<uuid:dossier_id>/force-majeure", claims.dossier_claim, name="dossier_claim"),
    path("mes-dossiers/<uuid:dossier_id>/contester", claims.dossier_contest, name="dossier_contest"),
    path("justificatifs/<uuid:evidence_id>", claims.dossier_evidence, name="dossier_evidence"),
    path("mes-dossiers/<uuid:dossier_id>/retirer", holder.dossier_remove, name="dossier_remove"),
    path(
        "mes-dossiers/<uuid:dossier_id>/agenda/<slug:kind>.ics", calendar.dossier_event, name="dossier_event"
    ),
    path("mes-dossiers/<uuid:dossier_id>/messages", messages.dossier_messages, name="dossier_messages"),
    path(
        "mes-dossiers/<uuid:dossier_id>/messages/envoyer",
        messages.dossier_message_send,
        name="dossier_message_send",
    ),
    path(
        "mes-dossiers/<uuid:dossier_id>/messages/lus",
        messages.dossier_messages_read,
        name="dossier_messages_read",
    ),
    path(
        "mes-dossiers/<uuid:dossier_id>/messages/<int:message_id>/signaler",
        messages.dossier_message_report,
        name="dossier_message_report",
    ),
    path("mes-dossiers/<uuid:dossier_id>/avis", reviews.dossier_review, name="dossier_review"),
    path(
        "mes-dossiers/<uuid:dossier_id>/avis/supprimer",
        reviews.dossier_review_delete,
        name="dossier_review_delete",
    ),
    path("mes-dossiers/<uuid:dossier_id>/payer", payment.dossier_payment, name="dossier_payment"),
    path(
        "mes-dossiers/<uuid:dossier_id>/payer/carte", payment.dossier_pay_by_card, name="dossier_pay_by_card"
    ),
    path(
        "mes-dossiers/<uuid:dossier_id>/payer/<uuid:payment_id>/verifier",
        payment.dossier_payment_look,
        name="dossier_payment_look",
    ),
    path(
        "mes-dossiers/<uuid:dossier_id>/payer/<uuid:payment_id>/abandonner",
        payment.dossier_payment_abandon,
        name="dossier_payment_abandon",
    ),
    path("paiement/evenements", payment_events.payment_events, name="payment_events"),
    path("mon-agenda", calendar.calendar_page, name="calendar"),
    path("mon-agenda/adresse", calendar.calendar_make, name="calendar_make"),
    path("mon-agenda/supprimer", calendar.calendar_stop, name="calendar_stop"),
    path("agenda/<str:signed>.ics", calendar.calendar_feed, name="calendar_feed"),
    path("premiers-pas/ranger", first_steps.first_steps_put_away, name="first_steps_put_away"),
    path("premiers-pas/revoir", first_steps.first_steps_bring_back, name="first_steps_bring_back"),
    path("premiers-pas/<slug:code>/vu", first_steps.first_step_seen, name="first_step_seen"),
    path("demandes", provider.provider_inbox, name="provider_inbox"),
    path("demandes/fichier", provider.provider_inbox_file, name="provider_inbox_file"),
    path("demandes/affichage", provider.provider_density, name="provider_density"),
    path("demandes/ensemble", batches.provider_batches, name="provider_batches"),
    path("demandes/ensemble/preparer", provider.provider_batch_new, name="provider_batch_new"),
    path("demandes/ensemble/<uuid:batch_id>", batches.provider_batch, name="provider_batch"),
    path(
        "demandes/ensemble/<uuid:batch_id>/refaire",
        batches.provider_batch_review,
        name="provider_batch_review",
    ),
    path(
        "demandes/ensemble/<uuid:batch_id>/confirmer",
        batches.provider_batch_confirm,
        name="provider_batch_confirm",
    ),
    path(
        "demandes/ensemble/<uuid:batch_id>/abandonner",
        batches.provider_batch_discard,
        name="provider_batch_discard",
    ),
    path("demandes/<uuid:dossier_id>", provider.provider_dossier, name="provider_dossier"),
    path("demandes/<uuid:dossier_id>/messages", messages.provider_messages, name="provider_messages"),
    path(
        "demandes/<uuid:dossier_id>/messages/envoyer",
        messages.provider_message_send,
        name="provider_message_send",
    ),
    path(
        "demandes/<uuid:dossier_id>/messages/lus",
        messages.provider_messages_read,
        name="provider_messages_read",
    ),
    path(
        "demandes/<uuid:dossier_id>/messages/<int:message_id>/signaler",
        messages.provider_message_report,
        name="provider_message_report",
    ),
    path("demandes/<uuid:dossier_id>/verifier", provider.provider_check, name="provider_check"),
    path("demandes/<uuid:dossier_id>/recue", provider.provider_acknowledge, name="provider_acknowledge"),
    path("demandes/<uuid:dossier_id>/proposer", provider.provider_propose, name="provider_propose"),
    path("demandes/<uuid:dossier_id>/refuser", provider.provider_refuse, name="provider_refuse"),
    path("demandes/<uuid:dossier_id>/annuler", provider.provider_call_off, name="provider_call_off"),
    path("demandes/<uuid:dossier_id>/reporter", postponement.provider_postpone, name="provider_postpone"),
    path(
        "demandes/<uuid:dossier_id>/reporter/reprendre",
        postponement.provider_keep_dates,
        name="provider_keep_dates",
    ),
    path("demandes/<uuid:dossier_id>/entree", training.provider_enter, name="provider_enter"),
    path("demandes/<uuid:dossier_id>/absence", training.provider_absence, name="provider_absence"),
    path("demandes/<uuid:dossier_id>/fin", training.provider_end, name="provider_end"),
    path("demandes/<uuid:dossier_id>/service-fait", training.provider_completion, name="provider_completion"),
    path("avis-recus", reviews.provider_reviews, name="provider_reviews"),
    path(
        "avis-recus/<uuid:review_id>/repondre", reviews.provider_review_answer, name="provider_review_answer"
    ),
    path(
        "avis-recus/<uuid:review_id>/signaler", reviews.provider_review_report, name="provider_review_report"
    ),
    path("sommes-dues", training.provider_due, name="provider_due"),
]
