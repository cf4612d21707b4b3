"""Words of requests and measures that templates share: {% load admissions %}."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from admissions.models import Document, JoinRequest
from admissions.states import State
from ui.templatetags.ui import icon

register = template.Library()

TONES = {
    State.DRAFT: ("neutral", "edit"),
    State.SENT: ("waiting", "hourglass"),
    State.COMPLETION_ASKED: ("waiting", "alert"),
    State.RECEIVABLE: ("waiting", "hourglass"),
    State.ADMITTED: ("done", "check"),
    State.REFUSED: ("lost", "cross"),
    State.WITHDRAWN: ("neutral", "cross"),
}


@register.simple_tag
def request_tag(asked: JoinRequest) -> SafeString:
    """The state of a request: a colour, an icon, a word."""
    tone, symbol = TONES[State(asked.state)]
    return format_html('<span class="tag tag--{}">{}{}</span>', tone, icon(symbol), State(asked.state).label)


@register.filter
def document_label(kind: str) -> str:
    return str(Document.Kind(kind).label)
