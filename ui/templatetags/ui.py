"""The words and parts that every template uses: {% load ui %}."""

import json
import uuid
from collections.abc import Iterable
from datetime import date, datetime

from django import template
from django.forms import BaseForm, BoundField
from django.forms.formsets import BaseFormSet
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from ui import french

register = template.Library()

# Every symbol of static/img/icons.svg.
# fmt: off
ICONS = frozenset({
    "alert", "arrow-left", "arrow-right", "bell", "building", "calendar", "certificate", "check",
    "chevron-down", "clock", "cross", "distance", "download", "edit", "euro", "external", "file",
    "filter", "help", "home", "hourglass", "info", "list", "lock", "logout", "mail", "map-pin", "menu",
    "no-call", "people", "person", "phone", "plus", "refresh", "school", "search", "shield", "trash",
    "wallet",
})
# fmt: on


# --- Words: an empty value stays empty, as for Django's own filters -------------------------------
@register.filter
def euros(cents: int | None) -> str:
    return "" if cents in (None, "") else french.euros(cents)


@register.filter
def day(value: date | None) -> str:
    return french.day(value) if value else ""


@register.filter
def short_day(value: date | None) -> str:
    return french.short_day(value) if value else ""


@register.filter
def hour(value: datetime | None) -> str:
    return french.hour(value) if value else ""


@register.filter
def moment(value: datetime | None) -> str:
    return french.moment(value) if value else ""


@register.filter
def last_minute(value: datetime | None) -> str:
    return french.last_minute(value) if value else ""


@register.filter
def left(value: datetime | None, at: datetime) -> str:
    """{{ clock.due_at|left:at }}"""
    return french.left(value, at) if value else ""


@register.filter
def siret(value: str | None) -> str:
    return french.siret(value) if value else ""


# --- Parts --------------------------------------------------------------------------------------
@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A symbol of the sprite, hidden from screen readers unless it says something no word beside it says."""
    if name not in ICONS:
        raise template.TemplateSyntaxError(f"no icon is called {name!r}")
    voice = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon" {} focusable="false"><use href="{}#{}"></use></svg>',
        voice,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def request_id() -> SafeString:
    """The name of this request: sent twice (double click, back button), it is obeyed once."""
    return format_html('<input type="hidden" name="request_id" value="{}">', uuid.uuid4())


@register.simple_tag
def countdown_words() -> str:
    return json.dumps(french.countdown_words(), ensure_ascii=False)


@register.inclusion_tag("parts/_nav_link.html", takes_context=True)
def nav_link(context, name: str, label: str, icon: str = "") -> dict:
    """A link of the main menu. A page that does not exist (yet) has no link."""
    try:
        url = reverse(name)
    except NoReverseMatch:
        return {"url": None}
    path = context["request"].path
    is_section = url != "/" and path.startswith(url.rstrip("/") + "/")
    current = "page" if path == url else "true" if is_section else ""
    return {"url": url, "label": label, "current": current, "icon": icon}


# --- Forms --------------------------------------------------------------------------------------
@register.simple_tag
def field(bound_field: BoundField, *, mark_optional: bool = True) -> SafeString:
    """Label, hint, error and input of one field (templates/django/forms/field.html).

    Django ties hint and error to the input by aria-describedby and sets aria-invalid.
    `mark_optional=False` where everything is optional, as in search filters.
    """
    return bound_field.render(context={**bound_field.get_context(), "mark_optional": mark_optional})


@register.filter
def widget_kind(bound_field: BoundField) -> str:
    """Which layout a field needs: "checkbox", "choices" (radios, checkboxes, several inputs) or "input"."""
    if getattr(bound_field.field.widget, "input_type", "") == "checkbox" and not bound_field.use_fieldset:
        return "checkbox"
    return "choices" if bound_field.use_fieldset else "input"


@register.inclusion_tag("parts/_error_summary.html")
def error_summary(*forms) -> dict:
    """All that has to be corrected, first on the page, each line a link to its field.

    Takes forms, formsets, lists of forms, None.
    """
    return {"errors": [error for form in _all_forms(forms) for error in _errors_of(form)]}


@register.filter
def has_errors(form) -> bool:
    return any(True for each in _all_forms([form]) for _error in _errors_of(each))


def _all_forms(items: Iterable):
    for item in items:
        if isinstance(item, BaseForm):
            yield item
        elif isinstance(item, BaseFormSet):
            yield item
            yield from item.forms
        elif isinstance(item, list | tuple):
            yield from _all_forms(item)


def _errors_of(form):
    """(id of the field or "", its label, the message)."""
    if not form.is_bound:
        return
    if isinstance(form, BaseFormSet):
        yield from (("", "", message) for message in form.non_form_errors())
        return
    yield from (("", "", message) for message in form.non_field_errors())
    for bound_field in form:
        for message in bound_field.errors:
            target = "" if bound_field.is_hidden else _first_input_id(bound_field)
            yield target, bound_field.label, message


def _first_input_id(bound_field: BoundField) -> str:
    """Radios and checkboxes have no input of the field's own id: the first of them has _0."""
    return bound_field.id_for_label or (f"{bound_field.auto_id}_0" if bound_field.auto_id else "")
