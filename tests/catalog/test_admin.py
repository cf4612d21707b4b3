"""The catalogue in Django's admin: every model is read, verbs keep their reason."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

import rulebook
from catalog import models, saved_searches, suggesting, words
from tests.factories.accounts import UserFactory
from tests.factories.catalog import (
    CatalogueImportLineFactory,
    CertificationFactory,
    OfferFactory,
    ProviderFactory,
    TermFactory,
    TownFactory,
    today,
)

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "catalog"]


@pytest.fixture
def superuser(client):
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def one_of_each():
    offer = OfferFactory(town=TownFactory())
    certification = offer.certification
    models.CertificationBlock.objects.create(certification=certification, code="B1", title="Bloc")
    models.CertificationOutcome.objects.create(certification=certification, year=2024, certified=12)
    models.CertificationStatement.objects.create(
        certification=certification,
        source="kit",
        facts={"titles": [], "rome_codes": [], "formacodes": []},
        imported_at=timezone.now(),
    )
    models.SynonymGroup.objects.create(key="a", names=["Conduite de travaux", "cdt"])
    TermFactory(names=["Conducteur de travaux"])
    words.reindex()
    words.refresh()
    models.Succession.objects.create(old_code="RS5000", new_code="RS6604")
    run = models.ImportRun.objects.create(kind="catalogue", file_name="f.xml", started_at=timezone.now())
    models.ImportRefusal.objects.create(run=run, line=3, subject="Offre", reason="SIRET inconnu")
    CatalogueImportLineFactory()
    models.Visibility.objects.create(offer=offer, is_open=True, since=timezone.now().date())
    models.MarketPrice.objects.create(
        key="1", siret="1", code="RNCP1", price_cents=1, lowest_cents=1, highest_cents=1, observed_on=today()
    )
    models.Favourite.objects.create(offer=offer, user=UserFactory(), added_at=timezone.now())
    saved_searches.keep("q=anglais", name="", alert="none", user=UserFactory(), at=timezone.now())
    models.Wish.objects.create(user=UserFactory(), job="Anglais", written_at=timezone.now())
    suggesting.refresh(on=today(), rules=rulebook.on(today()))
    models.EndWarning.objects.create(
        certification=certification,
        provider=offer.provider,
        ends_on=certification.registered_until,
        months=6,
        sent_at=timezone.now(),
    )


def test_every_model_is_in_the_admin():
    assert set(MODELS) == set(apps.get_app_config("catalog").get_models())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_search_and_pages_open(client, superuser, one_of_each, model):
    name = f"admin:catalog_{model._meta.model_name}"
    assert client.get(reverse(f"{name}_changelist")).status_code == 200
    assert client.get(reverse(f"{name}_changelist"), {"q": "RNCP é%'"}).status_code == 200
    row = model.objects.first()
    assert row is not None
    assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


def test_computed_states_are_shown_and_filtered(client, superuser):
    CertificationFactory(number=11111)
    CertificationFactory(number=22222, ended=True)
    OfferFactory(title="Ouverte", certification__number=33333)
    OfferFactory(title="Fermée", is_published=False, certification__number=44444)
    for model, field, yes, no in (
        ("certification", "active", "RNCP11111", "RNCP22222"),
        ("offer", "ouverte", "Ouverte", "Fermée"),
    ):
        address = reverse(f"admin:catalog_{model}_changelist")
        page = client.get(address, {field: "oui"}).content.decode()
        assert f">{yes}</a>" in page and f">{no}</a>" not in page
        page = client.get(address, {field: "non"}).content.decode()
        assert f">{no}</a>" in page and f">{yes}</a>" not in page


@pytest.mark.parametrize(
    "model", [models.ImportRun, models.ImportRefusal, models.Certification, models.Offer]
)
def test_what_importers_write_is_only_read(client, superuser, one_of_each, model):
    name, row = f"admin:catalog_{model._meta.model_name}", model.objects.first()
    assert client.get(reverse(f"{name}_add")).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[row.pk]), {"title": "x"}).status_code == 403
    assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_an_organisation_s_page_leads_to_its_situation(client, superuser):
    """Where it is warned, suspended and reinstated, with reasons that it reads (tests/admissions)."""
    provider = ProviderFactory()
    page = client.get(reverse("admin:catalog_provider_change", args=[provider.pk])).content.decode()
    assert reverse("admin:admissions_measure_standing", args=[provider.pk]) in page
    assert 'name="state"' not in page


def test_an_offer_is_withheld_with_a_reason_and_given_back(client, superuser):
    offer = OfferFactory(title="Vente")
    change, withhold, release = (
        reverse(f"admin:catalog_offer_{name}", args=[offer.pk]) for name in ("change", "withhold", "release")
    )
    assert withhold in client.get(change).content.decode()
    assert "ne pourra pas la montrer" in client.get(withhold).content.decode()
    assert client.post(withhold, {"reason": ""}).status_code == 422
    page = client.post(withhold, {"reason": "Le code est faux."}, follow=True).content.decode()
    assert "L’offre est retenue" in page and release in page
    offer.refresh_from_db()
    assert (offer.withheld_for, offer.is_published) == ("Le code est faux.", False)
    assert client.get(release).status_code == 302
    offer.refresh_from_db()
    assert offer.withheld_for, "reading changes nothing"
    page = client.post(release, follow=True).content.decode()
    assert "rendue à l’organisme" in page and release not in page
    draft = OfferFactory(is_draft=True, is_published=False)
    assert (
        withhold.replace(str(offer.pk), str(draft.pk))
        not in client.get(reverse("admin:catalog_offer_change", args=[draft.pk])).content.decode()
    )
    answer = client.post(reverse("admin:catalog_offer_withhold", args=[draft.pk]), {"reason": "x"})
    assert answer.status_code == 422 and "brouillon" in answer.content.decode()


def test_only_who_may_change_offers_withholds_them(client):
    offer = OfferFactory()
    staff = UserFactory(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_offer"))
    client.force_login(staff)
    for name in ("withhold", "release"):
        answer = client.post(reverse(f"admin:catalog_offer_{name}", args=[offer.pk]), {"reason": "x"})
        assert answer.status_code == 403
    offer.refresh_from_db()
    assert offer.is_published and not offer.withheld_for
