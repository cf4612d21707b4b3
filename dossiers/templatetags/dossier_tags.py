"""How a state looks: a word, with an icon and a colour that repeat it."""

from django import template
from django.utils.html import format_html

from dossiers.states import FINAL_STATES, State
from ui import french
from ui.templatetags.ui import icon

register = template.Library()

GOES_WELL = frozenset({State.ACCEPTED, State.IN_TRAINING, State.ENDED, State.COMPLETION_VALIDATED})


@register.filter
def duration(due_at, at):
    """{{ row.due_at|duration:at }}: what is left, where the head of a column says « il reste »."""
    return french.duration(due_at, at) if due_at else ""


@register.simple_tag
def state_tag(dossier, *, is_overdue=False):
    """The state in the words both sides read. An answer that is overdue says so before the job passes."""
    state = State.LAPSED if is_overdue else State(dossier.state)
    look = "waiting"
    if state in GOES_WELL:
        look = "done"
    elif state in FINAL_STATES:
        look = "lost"
    elif state == State.DRAFT:
        look = "neutral"
    sign = {"waiting": "hourglass", "done": "check", "lost": "cross", "neutral": "edit"}[look]
    return format_html('<span class="tag tag--{}">{}{}</span>', look, icon(sign), state.label)
