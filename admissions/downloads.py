"""Files that leave: a document as its author sent it, the receipt of a request."""

from django.http import Http404, HttpResponse
from django.template.loader import render_to_string
from django.utils.http import content_disposition_header

import rulebook
from admissions import screen
from admissions.models import Document, JoinRequest, JoinStep
from rulebook import workdays

# Whatever a browser is brought to do with it, it runs nothing, and belongs to no site.
INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def as_download(document: Document) -> HttpResponse:
    """Never shown in a page. 404: its file is gone."""
    try:
        with document.file.open("rb") as stored:
            content = stored.read()  # documents.SIZE_MAX at most
    except FileNotFoundError as error:
        raise Http404 from error
    response = HttpResponse(content, content_type=document.content_type)
    response["Content-Disposition"] = content_disposition_header(True, document.file_name)
    for name, value in INERT.items():
        response[name] = value
    return response


def receipt_of(asked: JoinRequest) -> HttpResponse:
    """What was sent, when, and until when an answer is due: plain text, to keep."""
    sent = JoinStep.objects.filter(join_request=asked, verb="send").latest("id")
    rules = rulebook.on(workdays.paris_day(sent.at))
    context = {
        "asked": asked,
        "sent": sent,
        "sections": screen.sections(asked, at=sent.at, rules=rules),
        "documents": sent.details["documents"],
    }
    response = HttpResponse(
        render_to_string("admissions/join/receipt.txt", context), content_type="text/plain; charset=utf-8"
    )
    name = f"demande-de-referencement-{asked.number}.txt"
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response
