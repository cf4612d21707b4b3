"""A catalogue as large as the real one: whole offers, open, the same again, and marked as invented."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from catalog.models import Habilitation, Offer, Provider, Session
from portal.demo import volume
from rulebook import workdays
from tests.factories.catalog import CertificationFactory, ProviderFactory, TownFactory
from tests.factories.dossiers import DossierFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def register():
    """Two active certifications, one that has ended; an entitled organisation, two others; two towns."""
    TownFactory()
    TownFactory(code="35238", name="Rennes", latitude=48.11, longitude=-1.67, population=220_000)
    entitled, *_others = (ProviderFactory() for _each in range(3))
    ProviderFactory(qualiopi_training=False)
    ProviderFactory(activity_number="")
    taught = CertificationFactory(title="Secrétaire comptable")
    Habilitation.objects.create(
        certification=taught, siret=entitled.organisation.siret, role="HABILITATION_ORGA_FORM", is_active=True
    )
    CertificationFactory(title="Anglais professionnel", register="RS", number=6604)
    CertificationFactory(title="Ancien titre", ended=True)
    return entitled


@pytest.fixture
def generate(at, register):
    def generate(count, seed=1):
        return volume.generate(count, seed=seed, at=at)

    return generate


def test_each_offer_is_open_by_the_rules(generate, rules, at):
    made = generate(200)
    assert made.offers == Offer.objects.count() == 200
    on = workdays.paris_day(at)
    assert Offer.objects.open_on(on, rules).count() == 200
    assert Session.objects.filter(starts_on__lte=on).count() == 0
    assert made.sessions == Session.objects.count() >= 200


def test_rhythms_languages_and_levels_are_plausible(generate):
    generate(200)
    told = list(Offer.objects.values_list("rhythms", "languages", "entry_level", "certification__level"))
    assert {"evening", "weekend", "full_time"} <= {rhythm for rhythms, *_rest in told for rhythm in rhythms}
    assert {("fr",), ("fr", "en")} <= {tuple(languages) for _rhythms, languages, *_rest in told}
    assert any(level is None for _rhythms, _languages, level, _out in told)
    assert all(level is None or level < (out or 1) for _rhythms, _languages, level, out in told)


def test_nobody_teaches_what_the_register_does_not_entitle_them_to(generate, register):
    generate(200)
    teach = Offer.objects.filter(certification__title="Secrétaire comptable").values_list(
        "provider", flat=True
    )
    assert set(teach) == {register.pk}
    # Of the other, no organisation is named: some are entitled for the demonstration, never the unqualified.
    others = Offer.objects.filter(certification__register="RS").values_list("provider", flat=True)
    assert set(others) <= set(Provider.objects.filter(qualiopi_training=True).values_list("pk", flat=True))
    assert not Offer.objects.filter(certification__title="Ancien titre").exists()


def test_the_same_seed_gives_the_same_offers_and_another_seed_others(generate, at):
    def drawn():
        names = ("action_number", "provider", "certification", "town", "price_cents", "hours", "mode")
        return list(Offer.objects.order_by("id").values_list("id", *names))

    generate(30)
    first = drawn()
    assert generate(30).offers == 0
    assert drawn() == first
    volume.remove()
    generate(60)
    assert set(first) < set(drawn())
    volume.remove()
    generate(30, seed=2)
    assert not set(first) & set(drawn())


def test_a_run_that_was_stopped_goes_on(generate, monkeypatch):
    monkeypatch.setattr(volume, "PART", 10)
    assert generate(25).offers == 25
    assert generate(40).offers == 15


def test_prices_and_hours_are_those_of_a_market(generate):
    generate(400)
    offers = Offer.objects.all()
    assert all(offer.price_cents >= 15_000 and offer.price_cents % 1000 == 0 for offer in offers)
    an_hour = sorted(offer.price_cents / offer.hours for offer in offers)
    assert 1_000 < an_hour[200] < 2_500
    assert {offer.mode for offer in offers} == {"on_site", "mixed", "distance"}
    assert all((offer.town is None) == (offer.mode == "distance") for offer in offers)


def test_an_invented_offer_says_so(generate, client):
    generate(1)
    offer = Offer.objects.get()
    assert "Offre de démonstration" in client.get(reverse("offer", args=[offer.pk])).content.decode()
    assert "Démonstration" in client.get(reverse("search"), {"q": offer.title}).content.decode()


def test_what_somebody_enrolled_for_stays_when_the_rest_is_removed(generate, at):
    generate(20)
    session = Session.objects.order_by("id").first()
    DossierFactory(session=session)
    assert volume.remove() == 19
    assert Offer.objects.get() == session.offer


def test_without_a_register_it_says_what_to_import_first(at):
    TownFactory()
    with pytest.raises(volume.NothingToTeach, match="import_certifications"):
        volume.generate(5, seed=1, at=at)


@pytest.mark.parametrize("count", ["0", "-3", "2000001"])
def test_a_count_that_makes_no_sense_is_refused(register, count):
    with pytest.raises(CommandError, match="Demandez"):
        call_command("generate_catalogue", "--offers", count)


def test_the_command_tells_what_it_wrote(register, capsys):
    call_command("generate_catalogue", "--offers", "7")
    assert "7 offres inventées" in capsys.readouterr().out
    call_command("generate_catalogue", "--remove")
    assert "7 offres inventées retirées" in capsys.readouterr().out


def test_never_in_production(register, settings):
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("generate_catalogue", "--offers", "7")
