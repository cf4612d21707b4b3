"""The export: valid by the official schema, and read back as it was."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from catalog import exporting
from catalog.exporting import Exported
from catalog.geography import degrees_of, point_of
from catalog.imports import actions, edof_schema, offers, towns
from catalog.imports.edof_schema import NAMESPACE
from catalog.models import Certification, Offer
from tests.catalog.imports import making
from tests.factories.accounts import MembershipFactory, OrganisationFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TownFactory,
    in_days,
)

pytestmark = pytest.mark.django_db
OFFER = [field.name for field in Offer._meta.concrete_fields if field.name != "id"]
SESSION = ("number", "starts_on", "ends_on", "recruitment", "is_guaranteed", "details")


@pytest.fixture
def provider():
    """May teach RNCP100, in a country of one town."""
    TownFactory()
    certification = CertificationFactory(code="RNCP100", number=100)
    HabilitationFactory(certification=certification, siret=making.SIRET)
    return ProviderFactory(organisation=OrganisationFactory(siret=making.SIRET, name="École du Pont"))


@pytest.fixture
def taught(provider):
    """`taught(…)`: an offer of this organisation that prepares RNCP100, without a session."""
    certification = Certification.objects.get(code="RNCP100")

    def taught(**facts):
        told = {"postal_code": "69001", "town_name": "Lyon", "town": TownFactory()} | facts
        return OfferFactory(
            provider=provider, certification=certification, entitled=False, sessions=0, **told
        )

    return taught


@pytest.fixture
def offer(taught):
    """An offer with everything that the format can say."""
    return taught(
        training_number="F-1", action_number="A-1",
        title="Soudure à l’arc", summary="En bref", objectives="<p>Souder <strong>droit</strong></p>",
        content="Trois modules\n- un\n- deux", expected_results="Un titre", prerequisites="Savoir lire",
        has_prerequisites=True, admission="Un entretien", accessibility="De plain-pied", hours=210,
        price_cents=123_456, extra_fees_cents=5_000, vat_per_mille=200, mode="on_site",
        address="Bâtiment B, 12 rue des Forges",
        point=point_of(latitude=45.77, longitude=4.84, department="69"), url="https://pont.exemple.fr/soudure",
        contact_email="accueil@pont.exemple.fr", contact_phone="0472000000", entry_level=4,
        rhythms=["weekend", "part_time"], languages=["en", "fr"],
        particulars={
            "course": "3", "company_hours": 70, "pedagogy": "Ateliers & cas réels", "meals": "Cantine, 5 €",
            "housing": "Internat", "transport": "Bus 12", "building": "Ascenseur", "complies": True,
            "fees": "Casque et gants", "exam_in_fees": True,
        },
    )  # fmt: skip


def written(provider) -> bytes:
    return b"".join(exporting.export(provider))


def state(provider):
    offers = Offer.objects.filter(provider=provider, is_draft=False)
    return [
        (
            {name: getattr(offer, name) for name in OFFER if name not in ("updated_at", "hand_edited_at")},
            list(offer.sessions.order_by("number").values_list(*SESSION)),
        )
        for offer in offers.order_by("training_number", "action_number")
    ]


def read_back(provider, tmp_path, at):
    before = state(provider)
    report = offers.run(making.put(tmp_path, written(provider)), at=at)
    assert state(provider) == before
    return report.read, report.created, report.updated, report.unchanged, report.refused


def faults(provider):
    document = etree.fromstring(written(provider))
    return [
        fault.reason
        for formation in document.iter(f"{{{NAMESPACE}}}formation")
        for fault in edof_schema.faults(formation)
    ]


def test_what_is_read_back_is_what_it_was(provider, offer, tmp_path, at):
    SessionFactory(offer=offer, number="S-1", starts_on=in_days(30), ends_on=in_days(40), is_guaranteed=True)
    SessionFactory(offer=offer, number="S-2", starts_on=in_days(60), ends_on=in_days(61), details="Le soir")
    SessionFactory(offer=offer, number="S-3", starts_on=in_days(9), ends_on=in_days(9), recruitment="closed")
    assert read_back(provider, tmp_path, at) == (1, 0, 0, 1, 0)
    assert faults(provider) == []


def test_what_an_offer_does_not_say_is_still_unsaid_when_it_is_read_back(provider, taught, tmp_path, at):
    for mode, place in (("on_site", {}), ("distance", {"postal_code": "", "town_name": "", "town": None})):
        SessionFactory(offer=taught(mode=mode, hours=None, **place), permanent=True)
    assert read_back(provider, tmp_path, at) == (2, 0, 0, 2, 0)
    assert faults(provider) == []


@pytest.mark.parametrize("languages", [[], ["fr"], ["en"], ["fr", "en", "br"]])
@pytest.mark.parametrize("level", [None, 0, 3, 4, 5, 6, 7, 8])
def test_languages_and_levels_come_back(provider, taught, tmp_path, at, languages, level):
    SessionFactory(offer=taught(languages=languages, entry_level=level))
    assert read_back(provider, tmp_path, at) == (1, 0, 0, 1, 0)
    assert faults(provider) == []


def test_offers_of_one_training_are_its_actions_again(provider, taught, tmp_path, at):
    for number, title, mode in ((1, "Soudure", "on_site"), (2, "Soudure", "mixed"), (3, "Brasure", "mixed")):
        SessionFactory(
            offer=taught(training_number="F-1", action_number=f"A-{number}", title=title, mode=mode)
        )
    trainings = etree.fromstring(written(provider)).findall(f".//{{{NAMESPACE}}}formation")
    assert sorted(len(each.findall(f"{{{NAMESPACE}}}action")) for each in trainings) == [1, 2]
    assert read_back(provider, tmp_path, at) == (3, 0, 0, 3, 0)


# What XML can say; a tab or the end of a line in an address is a space before it comes here.
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=200
)
LINE = st.from_regex(r"[0-9a-zéA-Z’-]{1,20}( [0-9a-zéA-Z’-]{1,20}){0,4}", fullmatch=True)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=TEXT, address=st.lists(LINE, max_size=5), details=TEXT)
def test_whatever_people_wrote_comes_back(provider, offer, tmp_path, at, content, address, details):
    """As an import would have kept it: what is cleaned once is never changed again, nor « - », nothing."""
    assume(actions.NOT_SAID not in (content, details) and content.strip() != "-")
    offer.content, offer.address = actions.rich(content), ", ".join(dict.fromkeys(address))
    offer.save()
    session = offer.sessions.first() or SessionFactory(offer=offer)
    session.details = actions.rich(details)
    session.save()
    assert read_back(provider, tmp_path, at) == (1, 0, 0, 1, 0)


def test_the_official_example_is_valid_by_its_schema_and_read_back_identical(
    shared_data, tmp_path, at, provider
):
    folder = shared_data / "edof"
    schema = etree.XMLSchema(etree.parse(folder / "lheo_import_fichier_xml_optimise_v5r2.xsd"))
    towns.load()
    for code in ("RNCP40344", "RS6604"):
        certification = CertificationFactory(
            code=code, register=code.rstrip("0123456789"), number=int(code.lstrip("RNCPS"))
        )
        for n in range(1, 5):
            certification.blocks.create(code=f"{code}BC0{n}", title="Bloc")
    example = (folder / "Exemple_de_catalogue_a_importer_v7r0.xml").read_bytes()
    given_to = example.replace(b"12312312300000", making.SIRET.encode())
    assert offers.run(making.put(tmp_path, given_to), at=at).created == 4
    schema.assertValid(etree.fromstring(written(provider)))
    assert read_back(provider, tmp_path, at) == (4, 0, 0, 4, 0)


# --- What the format cannot say ----------------------------------------------------------------------


def test_what_the_format_cannot_say_is_left_out_and_named(provider, offer, taught):
    mixed = taught(training_number="M")
    SessionFactory(offer=mixed)
    SessionFactory(offer=mixed, permanent=True)
    SessionFactory(offer=taught(training_number="L", content="é" * 3001))
    SessionFactory(offer=taught(training_number="P", postal_code="", town_name="", town=None))
    taught(training_number="D", is_draft=True, is_published=False)
    told = Exported()
    assert b"<formation" not in b"".join(exporting.export(provider, into=told))
    assert told.offers == 0
    assert {each.training_number: why for each, why in told.left_out} == {
        "F-1": "elle n’a aucune session, et le format en veut une.",
        "M": "elle mêle des dates et une entrée à tout moment, que le format sépare.",
        "L": "« contenu » est plus long que le format ne l’admet.",
        "P": "son lieu n’a ni code postal ni ville.",
    }


@pytest.mark.parametrize("department", ["69", "971", "973", "974", "976"])
def test_a_place_goes_to_degrees_and_back(department):
    latitude, longitude = {"69": (45.76, 4.84), "971": (16.24, -61.53), "973": (4.92, -52.31)}.get(
        department, (-20.88, 55.45)
    )
    point = point_of(latitude=latitude, longitude=longitude, department=department)
    there = degrees_of(point, department=department)
    assert there == pytest.approx((latitude, longitude), abs=1e-6)
    assert point_of(latitude=there[0], longitude=there[1], department=department) == point


# --- Who takes it -------------------------------------------------------------------------------------


def test_an_organisation_sees_what_is_left_out_and_takes_its_own_offers_only(
    client_for, provider, offer, taught
):
    SessionFactory(offer=offer)
    stranger = SessionFactory(offer__title="Une autre maison").offer
    client = client_for(MembershipFactory(organisation=provider.organisation).user)
    taught(title="Sans session")
    page = client.get(reverse("provider_export")).content.decode()
    assert "1 offre sera dans le fichier" in page
    assert "Sans session" in page
    answer = client.get(reverse("provider_export_file"))
    content = b"".join(answer.streaming_content)
    assert answer["Content-Disposition"].startswith('attachment; filename="catalogue-')
    assert "Soudure à l’arc".encode() in content
    assert stranger.title.encode() not in content


@pytest.mark.parametrize("name", ["provider_export", "provider_export_file"])
def test_nobody_else_may(client, name):
    assert client.get(reverse(name)).status_code == 302


def test_the_query_count_does_not_follow_the_offers(provider, taught, django_assert_num_queries):
    for _number in range(12):
        SessionFactory(offer=taught())
    with django_assert_num_queries(2):
        written(provider)


def test_the_command_writes_a_file_and_says_what_is_missing(offer, taught, tmp_path, capsys):
    SessionFactory(offer=offer)
    taught(training_number="VIDE")
    call_command("export_catalogue", str(tmp_path / "c.xml"), siret=making.SIRET)
    assert etree.parse(tmp_path / "c.xml").getroot().tag.endswith("lheo")
    told = capsys.readouterr().err
    assert "1 offres écrites, 1 laissées de côté." in told and "VIDE" in told


def test_the_command_refuses_in_words(provider, tmp_path):
    with pytest.raises(CommandError, match="SIRET 000"):
        call_command("export_catalogue", siret="000")
    with pytest.raises(CommandError, match=r"c\.xml : "):
        call_command("export_catalogue", str(tmp_path / "absent" / "c.xml"), siret=making.SIRET)
