"""The administration speaks French: no column and no field is named after a variable."""

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.core.exceptions import FieldDoesNotExist

OURS = {"accounts", "admissions", "catalog", "dossiers", "notices", "rights", "rulebook", "support"}
PAGES = [page for model, page in admin.site._registry.items() if model._meta.app_label in OURS]


def shown_by(page):
    """(place, name of what is shown there) of a page of the administration or of one of its tables."""
    names = [*getattr(page, "list_display", ())]
    names += page.fields or flatten(
        [name for _title, group in page.fieldsets or () for name in group["fields"]]
    )
    names += page.readonly_fields
    if not page.fields and not page.fieldsets:
        names += [field.name for field in page.model._meta.fields if field.editable and not field.primary_key]
    filters = [each[0] if isinstance(each, tuple) else each for each in getattr(page, "list_filter", ())]
    names += [each for each in filters if isinstance(each, str) and "__" not in each]
    yield from ((page, name) for name in names)
    for inline in page.inlines if hasattr(page, "inlines") else ():
        yield from shown_by(inline(page.model, admin.site))


def is_named(page, name) -> bool:
    """Somebody chose words for it."""
    if name in {"__str__", "action_checkbox"}:
        return True
    if callable(name):
        return hasattr(name, "short_description")
    if hasattr(page, name):
        return hasattr(getattr(page, name), "short_description")
    try:
        field = page.model._meta.get_field(name)
    except FieldDoesNotExist:
        return hasattr(getattr(page.model, name.replace("__", ".")), "short_description")
    if field.name != name:
        return False  # the column of a relation: « Certification ID »
    if field.is_relation and (field.auto_created or field._verbose_name is None):
        return False
    return field.primary_key or field._verbose_name is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.model._meta.label)
def test_what_is_shown_has_a_name_in_words(page):
    unnamed = sorted(
        {f"{type(where).__name__}.{name}" for where, name in shown_by(page) if not is_named(where, name)}
    )

    assert unnamed == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.model._meta.label)
def test_a_model_has_a_name_in_words(page):
    meta = page.model._meta

    assert meta.verbose_name.__class__.__name__ == "__proxy__"
    assert meta.verbose_name_plural.__class__.__name__ == "__proxy__"
