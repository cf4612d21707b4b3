"""Fields tell their label, hint and error to everyone, screen readers included."""

import pytest
from django import forms
from django.forms import formset_factory
from django.template import Context, Template
from lxml import html

from tests.guards import page_faults
from ui.templatetags.ui import ICONS


class PersonForm(forms.Form):
    name = forms.CharField(
        label="Nom de naissance",
        help_text="Celui de votre acte de naissance.",
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
    )
    town = forms.CharField(label="Commune", required=False)
    status = forms.ChoiceField(
        label="Situation", choices=[("a", "Salarié"), ("b", "Autre")], widget=forms.RadioSelect
    )
    days = forms.MultipleChoiceField(
        label="Jours", choices=[("1", "Lundi")], required=False, widget=forms.CheckboxSelectMultiple
    )
    agrees = forms.BooleanField(label="J’accepte")
    secret = forms.CharField(widget=forms.HiddenInput)

    def clean(self):
        raise forms.ValidationError("Votre solde a changé.")


def render(source, **context):
    text = Template("{% load ui %}" + source).render(Context(context))
    assert not page_faults(text)
    return html.fragment_fromstring(text, create_parent="div")


def test_hint_and_error_are_tied_to_the_input():
    part = render("{% field form.name %}", form=PersonForm({}))
    entry = part.get_element_by_id("id_name")
    assert entry.get("aria-invalid") == "true"
    assert entry.get("autocomplete") == "family-name"
    hint, error = [part.get_element_by_id(name) for name in entry.get("aria-describedby").split()]
    assert hint.text_content() == "Celui de votre acte de naissance."
    assert "Erreur : " in error.text_content()
    assert part.xpath("//label[@for='id_name']")[0].text_content().strip() == "Nom de naissance"


def test_a_field_without_fault_says_none():
    part = render("{% field form.name %}", form=PersonForm())
    assert part.get_element_by_id("id_name").get("aria-invalid") is None
    assert not part.find_class("field__error")


@pytest.mark.parametrize(
    ("source", "is_marked"),
    [
        ("{% field form.town %}", True),
        ("{% field form.days %}", True),
        ("{% field form.town mark_optional=False %}", False),
        ("{% field form.name %}", False),
        ("{% field form.agrees %}", False),
    ],
)
def test_what_is_optional_is_marked(source, is_marked):
    assert ("(facultatif)" in render(source, form=PersonForm()).text_content()) is is_marked


def test_radios_are_a_group_with_a_name_and_its_error():
    part = render("{% field form.status %}", form=PersonForm({}))
    (group,) = part.xpath(".//fieldset")
    assert group.xpath("legend")[0].text_content().strip() == "Situation"
    assert part.get_element_by_id(group.get("aria-describedby")).find_class("visually-hidden")
    assert len(part.xpath(".//fieldset//label[input[@type='radio']]")) == 2


def test_one_checkbox_comes_before_its_words():
    part = render("{% field form.agrees %}", form=PersonForm())
    assert not part.xpath(".//fieldset")
    assert part.xpath(".//input[@type='checkbox']/following-sibling::label[@for='id_agrees']")


def test_a_whole_form_uses_the_same_fields():
    part = render("{{ form }}", form=PersonForm())
    assert len(part.find_class("field")) == 5
    assert part.xpath(".//input[@type='hidden'][@name='secret']")


def test_the_summary_leads_to_each_field():
    form = PersonForm({"days": ["9"]})
    part = render("{% error_summary form %}{{ form.as_div }}", form=form)
    (summary,) = part.find_class("error-summary")
    assert summary.get("role") == "alert"
    assert summary.get("tabindex") == "-1"
    links = [link.get("href").removeprefix("#") for link in summary.xpath(".//a")]
    assert links == ["id_name", "id_status_0", "id_days_0", "id_agrees"]
    for target in links:
        assert part.get_element_by_id(target).tag == "input"
    assert "Votre solde a changé." in summary.text_content()
    assert "6 points sont à corriger" in summary.text_content()  # with the hidden field, which has no link


def test_no_fault_no_summary():
    for nothing in (None, PersonForm(), []):
        assert not render("{% error_summary form %}", form=nothing).find_class("error-summary")


def test_the_summary_gathers_forms_and_formsets():
    class LineForm(forms.Form):
        price = forms.IntegerField(label="Prix")

    lines = formset_factory(LineForm, min_num=2, validate_min=True)(
        {"lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "0", "lines-0-price": "x"}, prefix="lines"
    )
    part = render("{% error_summary a b %}", a=PersonForm({}), b=[lines])
    assert part.xpath(".//a[@href='#id_lines-0-price']")
    assert "2" in part.xpath(".//li")[-2].text_content()


def test_a_sentence_to_agree_to_is_not_repeated_before_its_message():
    class Terms(forms.Form):
        agreed = forms.BooleanField(label="J’ai lu.", error_messages={"required": "Cochez cette case."})

    line = render("{% error_summary form %}", form=Terms({})).xpath(".//li")[0].text_content()
    assert line.strip() == "Cochez cette case."


def test_what_was_typed_is_not_markup():
    class Echo(forms.Form):
        def clean(self):
            raise forms.ValidationError("<script>alert(1)</script>")

    part = render("{% error_summary form %}", form=Echo({}))
    assert not part.xpath(".//script")


def test_each_page_names_its_own_request():
    first, second = (render("{% request_id %}").xpath(".//input")[0] for _ in range(2))
    assert first.get("name") == "request_id"
    assert first.get("value") != second.get("value")


def test_every_icon_is_in_the_sprite_and_the_mark_with_them(settings):
    sprite = html.fromstring((settings.BASE_DIR / "static/img/icons.svg").read_bytes())
    assert {symbol.get("id") for symbol in sprite.xpath("//symbol")} == ICONS | {"logo"}
