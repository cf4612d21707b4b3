"""The words and parts that every template uses: {% load ui %}."""

import json
import uuid
from collections.abc import Iterable
from datetime import date, datetime

from django import template
from django.forms import BaseForm, BoundField, Textarea
from django.forms.formsets import BaseFormSet
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ui import french

register = template.Library()

# Every symbol of static/img/icons.svg.
# fmt: off
ICONS = frozenset({
    "alert", "archive", "arrow-left", "arrow-right", "arrow-up", "bell", "building", "calendar",
    "certificate", "chart", "check", "chevron-down", "chevron-right", "circle", "clock", "copy",
    "cross", "device", "distance", "download", "edit", "euro", "external", "eye", "eye-off", "file",
    "filter", "flag", "help", "home", "hourglass", "info", "key", "list", "lock", "logout", "mail",
    "map-pin", "menu", "message", "no-call", "pause", "people", "person", "phone", "play", "plus",
    "print", "refresh", "rows", "school", "search", "send", "settings", "shield", "snowflake", "star",
    "trash", "undo", "upload", "user-plus", "wallet",
})
# fmt: on


# --- Words: an empty value stays empty, as for Django's own filters -------------------------------
@register.filter
def euros(cents: int | None) -> str:
    return "" if cents in (None, "") else french.euros(cents)


@register.filter
def minus(cents: int) -> int:
    """What is taken off: {{ line.amount_cents|minus|euros }}."""
    return -cents


@register.filter
def unbroken(words: str | None) -> str:
    """Words whose lines must break well: {{ dossier.offer.title|unbroken }}. Markup is left as it is."""
    if not words or isinstance(words, SafeString):
        return words or ""
    return french.unbroken(str(words))


@register.filter
def day(value: date | None) -> str:
    return french.day(value) if value else ""


@register.filter
def short_day(value: date | None) -> str:
    return french.short_day(value) if value else ""


@register.filter
def month(value: date | None) -> str:
    return french.month(value) if value else ""


@register.filter
def number(value: int) -> str:
    """12345 → « 12 345 »."""
    return french.number(value)


@register.filter
def tenths(value: int | None) -> str:
    """47 → « 4,7 »."""
    return "" if value is None else french.tenths(value)


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
def weight(size: int) -> str:
    """1 234 567 → « 1,2 Mo »; at least 1 Ko."""
    if size < 1_000_000:
        return _("%(n)s Ko") % {"n": max(1, round(size / 1000))}
    return _("%(n)s Mo") % {"n": f"{size / 1_000_000:.1f}".replace(".", ",")}


@register.filter
def hours(minutes: int) -> str:
    """{{ completion.done_minutes|hours }}: « 17 h 15 »."""
    return french.hours(minutes)


@register.filter
def asked(request: HttpRequest, name: str) -> str:
    """What the address of this page asks under that name: {{ request|asked:"q" }}."""
    return request.GET.get(name, "")[:200]


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
        '<svg class="icon" {}><use href="{}#{}"></use></svg>',
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


@register.simple_tag
def page_words() -> str:
    """The words of static/js/portal.js, in the language of the page; "{}" stands for a number or a name."""
    words = {
        "show": _("Afficher"),
        "hide": _("Masquer"),
        "shown": _("Votre mot de passe est affiché."),
        "hidden": _("Votre mot de passe est masqué."),
        "left": _("Encore {} signes possibles"),
        "over": _("{} signes de trop"),
        "copied": _("C’est copié."),
        "failed": _(
            "Le portail ne répond pas. Vérifiez votre connexion, puis recommencez : rien n’est perdu."
        ),
        "denied": _("Cette action n’a pas été acceptée. Rechargez la page, puis recommencez."),
        "suggested": _("Suggestions : {}. Les flèches haut et bas les parcourent."),
    }
    return json.dumps({name: str(text) for name, text in words.items()}, ensure_ascii=False)


@register.inclusion_tag("parts/_nav_link.html", takes_context=True)
def nav_link(
    context, name: str, label: str, icon: str = "", count: int | None = None, *, door: bool = False
) -> dict:
    """A link of a menu. A page that does not exist (yet) has no link.

    `count`: how many things wait there, nothing is shown for none. `door`: stands out on a wide screen.
    """
    try:
        url = reverse(name)
    except NoReverseMatch:
        return {"url": None}
    path = context["request"].path
    is_section = url != "/" and path.startswith(url.rstrip("/") + "/")
    current = "page" if path == url else "true" if is_section else ""
    return {"url": url, "label": label, "current": current, "icon": icon, "count": count, "door": door}


# --- Forms --------------------------------------------------------------------------------------
@register.simple_tag
def field(bound_field: BoundField, *, mark_optional: bool = True) -> SafeString:
    """Label, hint, error and input of one field (templates/django/forms/field.html).

    Django ties hint and error to the input by aria-describedby and sets aria-invalid.
    `mark_optional=False` where everything is optional, as in search filters.
    """
    return bound_field.render(context={**bound_field.get_context(), "mark_optional": mark_optional})


# Below that, everybody sees how much they write.
COUNTED_FROM = 100


@register.filter
def characters_max(bound_field: BoundField) -> int | None:
    """How many signs a long answer may have, where that is worth saying; None for short ones."""
    limit = bound_field.field.widget.attrs.get("maxlength")
    is_long = isinstance(bound_field.field.widget, Textarea)
    return int(limit) if limit and is_long and int(limit) >= COUNTED_FROM else None


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
            # A box's label is a whole sentence: what to do about it says enough.
            label = "" if widget_kind(bound_field) == "checkbox" else str(bound_field.label)
            yield target, label, message


def _first_input_id(bound_field: BoundField) -> str:
    """Radios and checkboxes have no input of the field's own id: the first of them has _0."""
    return bound_field.id_for_label or (f"{bound_field.auto_id}_0" if bound_field.auto_id else "")
