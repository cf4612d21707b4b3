from django.urls import path, register_converter

from admissions.completeness import Page
from admissions.views import join, standing


class PageConverter:
    """The address of a question page; the page of documents has a view of its own."""

    regex = "|".join(page.value for page in join.QUESTIONS)

    def to_python(self, value):
        return Page(value)

    def to_url(self, value):
        return Page(value).value


register_converter(PageConverter, "join_page")

urlpatterns = [
    path("rejoindre", join.join, name="join"),
    path("rejoindre/commencer", join.join_start, name="join_start"),
    path("rejoindre/<uuid:join_request_id>", join.join_request, name="join_request"),
    path("rejoindre/<uuid:join_request_id>/pieces", join.join_documents, name="join_documents"),
    path(
        "rejoindre/<uuid:join_request_id>/pieces/<uuid:document_id>", join.join_document, name="join_document"
    ),
    path(
        "rejoindre/<uuid:join_request_id>/pieces/<uuid:document_id>/enlever",
        join.join_document_remove,
        name="join_document_remove",
    ),
    path("rejoindre/<uuid:join_request_id>/codes", join.join_codes, name="join_codes"),
    path("rejoindre/<uuid:join_request_id>/relire", join.join_review, name="join_review"),
    path("rejoindre/<uuid:join_request_id>/envoyer", join.join_send, name="join_send"),
    path("rejoindre/<uuid:join_request_id>/retirer", join.join_withdraw, name="join_withdraw"),
    path("rejoindre/<uuid:join_request_id>/supprimer", join.join_discard, name="join_discard"),
    path("rejoindre/<uuid:join_request_id>/recommencer", join.join_again, name="join_again"),
    path("rejoindre/<uuid:join_request_id>/recepisse", join.join_receipt, name="join_receipt"),
    path("rejoindre/<uuid:join_request_id>/<join_page:page>", join.join_page, name="join_page"),
    path("organisme/situation", standing.provider_standing, name="provider_standing"),
    path(
        "organisme/situation/<int:measure_id>/repondre",
        standing.provider_standing_answer,
        name="provider_standing_answer",
    ),
]
