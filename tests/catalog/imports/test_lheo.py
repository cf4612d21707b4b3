"""LHEO 2.2 and 2.3: what becomes an offer of the portal, and what an offer cannot do without."""

import datetime
import re

import pytest
from lxml import etree

from catalog.imports import certifications, lheo, offers, towns
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import Certification, Offer, Session
from tests.catalog.imports import making
from tests.catalog.imports.making import OTHER_SIRET, SIRET
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import CertificationFactory, HabilitationFactory, ProviderFactory, TownFactory

pytestmark = pytest.mark.django_db

SESSION = """<session numero="S1"><periode><debut>20300107</debut><fin>20300630</fin></periode>
  <adresse-inscription><adresse><ligne>Accueil</ligne></adresse></adresse-inscription>
  <etat-recrutement>1</etat-recrutement></session>"""
PRICE = "<prix-total-TTC>1250,50</prix-total-TTC>"
PLACE = """<lieu-de-formation><coordonnees><nom>Atelier</nom><adresse><ligne>12 rue des Forges</ligne>
  <codepostal>69001</codepostal><ville>Lyon</ville></adresse></coordonnees></lieu-de-formation>"""


def action(
    number=' numero="A1"',
    *,
    mode="0",
    entries="0",
    place=PLACE,
    sessions=SESSION,
    price=PRICE,
    hours="<nombre-heures-centre>70</nombre-heures-centre><nombre-heures-entreprise>35</nombre-heures-entreprise>",
    conditions="-",
    obligatory="0",
    access="Accès de plain-pied",
    languages="",
):
    return f"""<action{number}><rythme-formation>Temps plein</rythme-formation>
      <code-public-vise>83056</code-public-vise>
      <niveau-entree-obligatoire>{obligatory}</niveau-entree-obligatoire>
      <modalites-alternance>-</modalites-alternance><modalites-enseignement>{mode}</modalites-enseignement>
      <conditions-specifiques>{conditions}</conditions-specifiques>
      <prise-en-charge-frais-possible>0</prise-en-charge-frais-possible>{place}
      <modalites-entrees-sorties>{entries}</modalites-entrees-sorties>
      <url-action><urlweb>ecole.example.org/soudure</urlweb></url-action>{sessions}
      <acces-handicapes>{access}</acces-handicapes>{languages}
      <modalites-recrutement>Entretien</modalites-recrutement>{price}{hours}</action>"""


CERTIFICATION = (
    "<certification><code-RNCP>100</code-RNCP><code-CERTIFINFO>80735</code-CERTIFINFO></certification>"
)


def training(
    *actions,
    number=' numero="F1"',
    title="Soudeur",
    certification=CERTIFICATION,
    content="-",
    siret=SIRET,
    level="1",
):
    return f"""<formation{number}><domaine-formation><code-NSF>254</code-NSF></domaine-formation>
    <intitule-formation>{title}</intitule-formation><objectif-formation>Souder</objectif-formation>
    <resultats-attendus>-</resultats-attendus><contenu-formation>{content}</contenu-formation>
    <certifiante>1</certifiante>
    <contact-formation><coordonnees><telfixe><numtel>0472000000</numtel></telfixe>
      <courriel>accueil@ecole.example.org</courriel></coordonnees></contact-formation>
    <parcours-de-formation>3</parcours-de-formation><code-niveau-entree>{level}</code-niveau-entree>
    {certification}{"".join(actions or (action(),))}
    <organisme-formation-responsable><numero-activite>84690000000</numero-activite>
      <SIRET-organisme-formation><SIRET>{siret}</SIRET></SIRET-organisme-formation>
      <nom-organisme>École</nom-organisme><raison-sociale>-</raison-sociale>
    </organisme-formation-responsable></formation>"""


def catalogue(*trainings, namespace="http://lheo.gouv.fr/2.3"):
    body = "\n".join(trainings or (training(),))
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<lheo xmlns="{namespace}">'
    return f"{head}<offres>\n{body}\n</offres></lheo>".encode()


@pytest.fixture
def load(tmp_path, at):
    """Reads a catalogue, in a country of one town, of an organisation that may teach RNCP100."""
    TownFactory()
    HabilitationFactory(certification=CertificationFactory(code="RNCP100", number=100), siret=SIRET)
    ProviderFactory(organisation=OrganisationFactory(siret=SIRET))

    def load(*trainings, **options):
        return offers.run(making.put(tmp_path, catalogue(*trainings, **options)), at=at)

    return load


def refusals(report):
    return [finding.reason for finding in report.of(Verdict.REFUSED)]


@pytest.mark.parametrize("namespace", lheo.NAMESPACES)
def test_an_action_becomes_an_offer_and_again_changes_nothing(load, namespace):
    report = load(namespace=namespace)
    assert (report.read, report.created, report.refused, report.hidden) == (1, 1, 0, 0), refusals(report)
    offer = Offer.objects.get()
    told = (offer.title, offer.certification_id, offer.price_cents, offer.hours, offer.mode)
    assert told == ("Soudeur", "RNCP100", 125_050, 105, "on_site")
    assert (offer.address, offer.postal_code, offer.town_id) == ("12 rue des Forges", "69001", "69123")
    assert (offer.content, offer.prerequisites, offer.admission) == ("", "", "Entretien")
    assert (offer.accessibility, offer.has_prerequisites) == ("Accès de plain-pied", False)
    assert offer.url == "https://ecole.example.org/soudure"
    assert (offer.contact_email, offer.contact_phone) == ("accueil@ecole.example.org", "0472000000")
    session = Session.objects.get()
    assert (session.number, session.starts_on) == ("S1", datetime.date(2030, 1, 7))
    again = load(namespace=namespace)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 1)


def test_html_inside_a_text_is_cleaned(load):
    load(training(content="&lt;p&gt;Un &lt;b&gt;métier&lt;/b&gt;&lt;script&gt;x()&lt;/script&gt;&lt;/p&gt;"))
    assert Offer.objects.get().content == "<p>Un <strong>métier</strong></p>"


def test_an_hour_costs_and_hours_are_counted(load):
    hours = "<nombre-heures-total>40</nombre-heures-total>"
    load(training(action(price="<prix-horaire-TTC>12.5</prix-horaire-TTC>", hours=hours)))
    assert Offer.objects.values_list("price_cents", "hours").get() == (50_000, 40)


def test_a_level_that_is_demanded_is_looked_at(load):
    load(training(action(obligatory="1", conditions="Savoir lire un plan")))
    assert Offer.objects.values_list("has_prerequisites", "prerequisites").get() == (
        True,
        "Savoir lire un plan",
    )


@pytest.mark.parametrize(
    ("level", "kept"),
    [("0", None), ("", None), ("1", 0), ("3", 0), ("4", 3), ("5", 4), ("8", 7), ("15", 5), ("18", 8)],
)
def test_the_level_to_enter_with_is_read_from_the_table(load, level, kept):
    report = load(training(level=level))
    assert Offer.objects.values_list("entry_level", flat=True).get() == kept, refusals(report)


def test_languages_are_read_in_their_order(load):
    written = "".join(f"<langue-formation>{code}</langue-formation>" for code in ("FR", "en", "FR"))
    load(training(action(languages=written)))
    assert Offer.objects.values_list("languages", flat=True).get() == ["fr", "en"]


def test_a_session_without_a_number_is_known_by_its_dates(load):
    bare = SESSION.replace(' numero="S1"', "")
    load(training(action(sessions=bare)))
    again = load(training(action(sessions=bare)))
    assert Session.objects.get().number == "20300107-20300630"
    assert again.unchanged == 1


def test_a_date_that_is_none_is_no_number_of_a_session(load):
    """Entered at any time, its dates are not judged: what stands there is kept nowhere."""
    odd = SESSION.replace(' numero="S1"', "").replace("20300107", "x" * 5000)
    assert load(training(action(entries="1", sessions=odd))).created == 1
    assert Session.objects.get().number == "20300630"


def test_a_suspended_session_is_kept_as_such_and_an_unknown_state_recruits_nobody(load):
    other = SESSION.replace("S1", "S2").replace("<etat-recrutement>1</etat-recrutement>", "")
    load(training(action(sessions=SESSION.replace("recrutement>1<", "recrutement>3<") + other)))
    assert list(Session.objects.order_by("number").values_list("recruitment", flat=True)) == [
        "suspended",
        "closed",
    ]


@pytest.mark.parametrize(
    ("certification", "code"),
    [
        ("<certification><code-RS>6604</code-RS></certification>", "RS6604"),
        ("<certification><code-RS>RS6604</code-RS></certification>", "RS6604"),
        ("<certification><code-RNCP>0100</code-RNCP></certification>", "RNCP100"),
    ],
)
def test_a_number_of_the_registers_is_read_in_each_of_its_ways(load, certification, code):
    HabilitationFactory(
        certification=CertificationFactory(code="RS6604", register="RS", number=6604), siret=SIRET
    )
    assert load(training(certification=certification)).created == 1
    assert Offer.objects.get().certification_id == code


def test_a_code_of_the_portal_is_found_among_the_types(load):
    Provider = ProviderFactory._meta.model
    Provider.objects.update(qualiopi_skills_review=True)
    kind = "<code-type-formation><code-CPF>CPF202</code-CPF></code-type-formation>"
    assert load(training(certification=kind)).created == 1
    assert Offer.objects.get().kind == "skills_review"


def test_rhythms_told_by_hand_stay_since_the_format_has_no_place_for_them(load):
    load()
    assert Offer.objects.get().rhythms == []
    Offer.objects.update(rhythms=["evening"])
    again = load()
    assert (again.updated, again.unchanged, Offer.objects.get().rhythms) == (0, 1, ["evening"])
    assert load(training(title="Soudeuse")).updated == 1
    assert Offer.objects.get().rhythms == ["evening"]


ONLY_CERTIF_INFO = training(
    certification="<certification><code-RNCP/><code-CERTIFINFO>80735</code-CERTIFINFO></certification>"
)


def certif_info(tmp_path, at, *lines):
    certifications.run(making.put(tmp_path, making.info(*lines), "info.csv"), at=at)


def test_certif_infos_number_leads_to_the_certification_it_is_of(load, tmp_path, at):
    certif_info(tmp_path, at, {"Code_Diplome": "80735", "Code_RNCP": "100"})
    assert load(ONLY_CERTIF_INFO).created == 1
    assert Offer.objects.get().certification_id == "RNCP100"


def test_of_two_certifications_of_one_number_the_active_one_is_meant(load, tmp_path, at):
    """RNCP100 took the place of RNCP99, and kept its number."""
    certif_info(
        tmp_path,
        at,
        {"Code_Diplome": "80735", "Code_RNCP": "99"},
        {"Code_Diplome": "80735", "Code_RNCP": "100"},
    )
    assert load(ONLY_CERTIF_INFO).created == 1
    assert Offer.objects.get().certification_id == "RNCP100"


def test_a_number_that_leads_to_none_or_to_two_is_refused_in_words(load, tmp_path, at):
    assert refusals(load(ONLY_CERTIF_INFO)) == [
        "aucune certification RNCP ou RS du portail n'a le numéro Certif Info 80735."
        " Écrivez son numéro dans <code-RNCP> ou <code-RS>."
    ]
    CertificationFactory(code="RNCP101", number=101)
    lines = [{"Code_Diplome": "80735", "Code_RNCP": code} for code in ("100", "101")]
    certif_info(tmp_path, at, *lines)
    assert refusals(load(ONLY_CERTIF_INFO)) == [
        "Certif Info nomme plusieurs certifications par 80735 : RNCP100, RNCP101."
        " Écrivez son numéro dans <code-RNCP> ou <code-RS>."
    ]
    assert not Offer.objects.exists()


def test_more_certifications_than_the_format_admits_are_refused_before_any_is_looked_for(load):
    named = (f"<code-CERTIFINFO>{number}</code-CERTIFINFO>" for number in range(1, 7))
    many = "".join(f"<certification>{code}</certification>" for code in named)
    [reason] = refusals(load(training(certification=many)))
    assert reason == "plus de 5 certifications : le format en admet 5 par formation."


@pytest.mark.parametrize("nothing", ["", "-", "-1", "0"])
def test_a_certif_info_number_that_says_nothing_is_none(load, nothing):
    silent = f"<certification><code-CERTIFINFO>{nothing}</code-CERTIFINFO></certification>"
    [reason] = refusals(load(training(certification=silent)))
    assert "aucun numéro RNCP ou RS" in reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (training(action(price="")), "le prix manque"),
        (training(action(price="<prix-total-TTC>gratuit</prix-total-TTC>")), "« gratuit »"),
        (training(action(price="<prix-horaire-TTC>9</prix-horaire-TTC>", hours="")), "le prix manque"),
        (training(action(number="")), "« numero »"),
        (training(number=""), "« numero »"),
        (training(siret=SIRET + "1"), "15 caractères"),
        (training(siret=OTHER_SIRET), "aucun organisme de formation"),
        (training(certification=""), "aucun numéro RNCP ou RS"),
        (training(certification="<certification><code-RNCP>abc</code-RNCP></certification>"), "« ABC »"),
        (
            training(
                certification="<certification><code-RNCP>100</code-RNCP></certification>"
                "<certification><code-RS>6604</code-RS></certification>"
            ),
            "deux certifications : RNCP100, RS6604",
        ),
        (training(action(sessions=SESSION.replace("20300107", "20301907"))), "20301907"),
        (training(action(sessions=SESSION.replace("20300107", "20300900"))), "le mois sans le jour"),
        (training(action(sessions=SESSION.replace("20300107", "00000000"))), "la date manque"),
        (
            training(certification=f"<certification><code-RNCP>{'9' * 5000}</code-RNCP></certification>"),
            "n'est pas un numéro",
        ),
        (training(action(mode="7")), "« 7 »"),
        (training(action(sessions="")), "<session> manque"),
        (training(action(place=PLACE.replace("coordonnees", "coordonneFs"))), "<coordonneFs> n'est pas un"),
        (training(action(place=PLACE.replace("69001", "6900"))), "codepostal"),
        (training(content="é" * 3001), "3001 caractères"),
        (training(title=""), "<intitule-formation> est vide"),
        (training(level="9"), "« 9 » n'est pas de la table de LHEO"),
        (training(action(languages="<langue-formation>zz</langue-formation>")), "« zz » n'est pas un code"),
        (training(action(languages="<langue-formation>Français</langue-formation>")), "compte 8 caractères"),
    ],
)
def test_what_an_offer_cannot_do_without_is_refused_with_its_line(load, changed, reason):
    report = load(changed, training(number=' numero="F2"'))
    found = report.of(Verdict.REFUSED)
    assert any(reason in finding.reason for finding in found), refusals(report)
    assert all(finding.line > 1 for finding in found)
    # The good rest goes in.
    assert list(Offer.objects.values_list("training_number", flat=True)) == ["F2"]


def test_our_names_are_those_of_the_schema(shared_data):
    """And of 2.2, as far as its files show: an unknown name is a slip."""
    written = (shared_data / "lheo" / "lheo-2.3.xsd").read_text(encoding="utf-8")
    assert set(re.findall(r'<xs:element name="([^"]+)"', written)) == lheo.NAMES


@pytest.mark.parametrize(
    ("name", "read", "reasons"),
    [
        ("intercarif-plaquiste_lheo2.2.xml", 2, {"le prix manque", "RNCP320", "SIRET"}),
        ("exemple-bts-onisep_lheo2.2.xml", 1, {"le prix manque", "RNCP474", "SIRET"}),
        ("anotea-intercarif-test_lheo2.2_invalide.xml", 1, {"coordonneFs", "15 caractères"}),
    ],
)
def test_the_real_files_are_read_and_what_lacks_is_said(shared_data, at, name, read, reasons):
    """2015 to 2017: certifications since ended, organisations elsewhere, no price. Refusals say which."""
    towns.load()
    report = offers.run(shared_data / "lheo" / name, at=at)
    assert (report.read, report.refused, report.created) == (read, read, 0)
    said = " ".join(refusals(report))
    assert {reason for reason in reasons if reason not in said} == set(), said
    assert not Offer.objects.exists()


def test_a_real_offer_with_its_price_its_organisation_and_its_certification_goes_in(
    shared_data, tmp_path, at
):
    towns.load()
    content = (shared_data / "lheo" / "intercarif-plaquiste_lheo2.2.xml").read_bytes()
    root = etree.fromstring(content)
    siret = root.find(".//{*}organisme-formation-responsable//{*}SIRET").text
    ProviderFactory(organisation=OrganisationFactory(siret=siret))
    HabilitationFactory(certification=CertificationFactory(code="RNCP320", number=320), siret=siret)
    priced = content.replace(
        b"<conventionnement>", b"<prix-total-TTC>4200</prix-total-TTC><conventionnement>"
    )
    report = offers.run(making.put(tmp_path, priced), at=at)
    assert (report.read, report.created) == (2, 2), refusals(report)
    offer = Offer.objects.order_by("action_number").first()
    assert (offer.certification, offer.town_id) == (Certification.objects.get(), "37266")


# --- Its other roots ----------------------------------------------------------------------------------


def test_an_index_is_refused_with_what_to_do_instead(tmp_path, at):
    index = b'<lheo-index xmlns="http://lheo.gouv.fr/2.3"><resumes-offres/></lheo-index>'
    with pytest.raises(Unusable, match=r"C'est un index LHEO .* Importez les fichiers qu'il cite"):
        offers.run(making.put(tmp_path, index), at=at)


def test_trainings_are_read_beside_the_organisations_too(load, tmp_path, at):
    whole = catalogue(training()).decode().partition("?>")[2]
    plus = f'<lheo-plus xmlns="http://lheo.gouv.fr/2.3">{whole}<organisme-formation-responsable/></lheo-plus>'
    report = offers.run(making.put(tmp_path, plus.encode()), at=at)
    assert (report.read, report.created, report.refused) == (1, 1, 0), refusals(report)
