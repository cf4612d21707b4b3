"""What a newcomer stumbled on, as written in docs/first-ten-minutes.md."""

import pytest
from django.urls import reverse
from lxml import html

from portal.desk import Shelf
from tests.factories.accounts import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_the_way_to_report_a_call_is_beside_the_warning_and_on_every_page(client):
    for name, least in (("home", 2), ("search", 1)):
        page = client.get(reverse(name)).content.decode()
        assert page.count(f'href="{reverse("report_scam")}"') >= least


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_to_prepare_is_what_activation_asks(client, settings, is_asked):
    settings.NIR_AT_ACTIVATION = is_asked
    client.force_login(UserFactory())
    page = client.get(reverse("home")).content.decode()
    assert ("et votre numéro de sécurité sociale\u00a0: cela" in page) == is_asked
    assert ("jamais par téléphone" in client.get(reverse("activation")).content.decode()) == is_asked


def test_an_organisation_finds_help_in_its_menu(client):
    client.force_login(MembershipFactory().user)
    page = html.fromstring(client.get(reverse("home")).content)
    assert page.xpath("//*[@id='menu']//a[@href=$help]", help=reverse("help"))


def test_hidden_offers_add_up():
    """Three reasons are shown; the offers of the others are counted too."""
    assert Shelf(shown=0, hidden=6, drafts=0, reasons=[("a", 1), ("b", 2), ("c", 1)]).other_hidden == 2
    assert Shelf(shown=0, hidden=3, drafts=0, reasons=[("a", 3)]).other_hidden == 0
