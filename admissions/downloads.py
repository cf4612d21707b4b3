"""Files that leave: a document as its author sent it, the receipt of a request."""

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.http import content_disposition_header

import rulebook
from admissions import screen
from admissions.models import Document, JoinRequest, JoinStep
from rulebook import workdays
from ui import documents


def as_download(document: Document) -> HttpResponse:
    """Never shown in a page. 404: its file is gone."""
    return documents.as_download(document.file, name=document.file_name, content_type=document.content_type)


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
