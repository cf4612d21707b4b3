"""How a state looks: a word, a colour that repeats it, never the colour alone."""

from django import template
from django.utils.html import format_html

from dossiers.states import FINAL_STATES, State

register = template.Library()


@register.simple_tag
def state_tag(dossier, *, is_overdue=False):
    """The state in the words both sides read. An answer that is overdue says so before the job passes."""
    state = State.LAPSED if is_overdue else State(dossier.state)
    look = "waiting"
    if state == State.ACCEPTED:
        look = "done"
    elif state in FINAL_STATES:
        look = "lost"
    elif state == State.DRAFT:
        look = "neutral"
    return format_html('<span class="tag tag--{}">{}</span>', look, state.label)
