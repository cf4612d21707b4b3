"""The portal's catalogue: what becomes an offer, what is refused and where, what is kept but hidden."""

import datetime
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import rulebook
from catalog.imports import actions, offers
from catalog.imports.reading import Unusable
from catalog.imports.report import Verdict
from catalog.models import CertificationBlock, ImportRun, Offer, OfferWords, Session
from catalog.templatetags.catalog import rich_text
from catalog.texts import plain
from rulebook import workdays
from tests.catalog.imports import making
from tests.catalog.imports.making import (
    ADDRESS,
    OTHER_SIRET,
    PRICES,
    SIRET,
    action,
    catalogue,
    line_of,
    session,
    training,
)
from tests.factories.accounts import OrganisationFactory
from tests.factories.catalog import CertificationFactory, HabilitationFactory, ProviderFactory, TownFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider():
    """An organisation that may teach RNCP100, in a country of one town."""
    TownFactory()
    certification = CertificationFactory(code="RNCP100", number=100)
    CertificationBlock.objects.create(certification=certification, code="RNCP100BC01", title="Un bloc")
    HabilitationFactory(certification=certification, siret=SIRET)
    return ProviderFactory(organisation=OrganisationFactory(siret=SIRET))


@pytest.fixture
def load(tmp_path, at, provider):
    def load(*trainings, **options):
        return offers.run(making.put(tmp_path, catalogue(*trainings)), at=at, **options)

    return load


def counts(report):
    return report.read, report.created, report.updated, report.unchanged, report.refused, report.hidden


def reasons(report, verdict=Verdict.REFUSED):
    return [(finding.line, finding.reason) for finding in report.of(verdict)]


def test_everything_of_an_action_is_kept(load, provider, at):
    blocks = '<extras info="blocs-competences"><extra info="code-bloc">RNCP100BC01</extra></extras>'
    report = load(training(blocks=blocks, actions=action(more='<extra info="frais-anpec">12.5</extra>')))
    assert counts(report) == (1, 1, 0, 0, 0, 0), reasons(report)
    offer = Offer.objects.get()
    assert (offer.provider, offer.training_number, offer.action_number) == (provider, "F1", "A1")
    assert (offer.kind, offer.certification_id, offer.portal_code) == ("training", "RNCP100", "")
    assert (offer.title, offer.block_codes) == ("Développer une application", ["RNCP100BC01"])
    assert (offer.summary, offer.objectives) == ("En bref", "Savoir développer")
    assert (offer.content, offer.expected_results) == ("<p>Le <strong>code</strong></p>", "Une application")
    assert (offer.prerequisites, offer.has_prerequisites) == ("Savoir lire", True)
    assert (offer.admission, offer.accessibility) == ("Sur dossier", "Ascenseur")
    assert (offer.mode, offer.hours) == ("on_site", 77)
    assert (offer.price_cents, offer.vat_per_mille, offer.extra_fees_cents) == (60060, 200, 1250)
    assert (offer.address, offer.postal_code) == ("École du Pont, 3 RUE du Pont", "69001")
    assert (offer.town_name, offer.town_id) == ("LYON", "69123")
    assert offer.point and offer.point != offer.town.point, "the file's own position"
    assert offer.url == "https://ecole.example.org/a1"
    assert (offer.contact_email, offer.contact_phone) == ("contact@ecole.example.org", "0123456789")
    assert offer.updated_at == at and offer.is_published
    kept = Session.objects.get()
    assert (kept.offer, kept.number) == (offer, "S1")
    assert (kept.starts_on, kept.ends_on) == (datetime.date(2030, 1, 7), datetime.date(2030, 6, 30))
    assert (kept.recruitment, kept.is_guaranteed, kept.details) == ("open", True, "Salle 2")
    rules = rulebook.on(workdays.paris_day(at))
    assert Offer.objects.open_on(rules.day, rules).get() == offer
    assert OfferWords.objects.exists(), "found by its words"


SERVICES = """<restauration>Cantine &amp; four</restauration>
        <hebergement>&lt;b&gt;Internat&lt;/b&gt;</hebergement><transport>0</transport><acces-handicapes>"""
OF_THE_PLACE = """<extra info="accessibilite-batimentaire">Ascenseur</extra>
              <extra info="conformite-reglementaire">1</extra>"""
OF_THE_FEES = """<extra info="frais-anpec">90</extra><extra info="detail-frais-anpec">Casque</extra>
          <extra info="frais-certif-inclus-frais-anpec">1</extra>"""


def test_how_it_is_taught_and_what_there_is_on_the_spot_are_kept(load):
    told = action(more=OF_THE_FEES).replace("<acces-handicapes>", SERVICES, 1)
    told = told.replace(
        "</langue-formation>",
        "</langue-formation><modalites-pedagogiques>Ateliers</modalites-pedagogiques>",
        1,
    )
    told = told.replace('<extras info="adresse">', '<extras info="adresse">' + OF_THE_PLACE, 1)
    told = training(actions=told).replace("formation>1</parcours", "formation>3</parcours", 1)
    report = load(told)
    assert counts(report) == (1, 1, 0, 0, 0, 0), reasons(report)
    assert Offer.objects.get().particulars == {
        "course": "3", "company_hours": 7, "pedagogy": "Ateliers", "meals": "Cantine & four",
        "housing": "Internat", "building": "Ascenseur", "complies": True, "fees": "Casque",
        "exam_in_fees": True,
    }  # fmt: skip
    assert counts(load(told))[3] == 1, "the same file again changes nothing"
    load(training())
    assert Offer.objects.get().particulars == {"company_hours": 7}, "what the file says no more is gone"


def rhythms(*codes):
    told = "".join(f'\n<extra info="code-rythme-formation">{code}</extra>' for code in codes)
    return f'<extras info="codes-rythme-formation">{told}</extras>'


def test_rhythms_language_and_level_are_kept(load):
    load(training(actions=action(more=rhythms(2, 6, 2), language="EN")))
    offer = Offer.objects.get()
    assert (offer.rhythms, offer.languages, offer.entry_level) == (["evening", "part_time"], ["en"], None)


def test_a_level_that_the_file_does_not_tell_stays(load):
    load()
    Offer.objects.update(entry_level=4, rhythms=["day"])
    report = load()
    assert Offer.objects.get().entry_level == 4, "the format has no place for it"
    assert Offer.objects.get().rhythms == [], "but it has one for the rhythms"
    assert counts(report) == (1, 0, 1, 0, 0, 0)
    load(training(actions=action(more='<extra info="code-niveau-entree">15</extra>')))
    assert Offer.objects.get().entry_level == 5


def test_more_languages_than_the_format_has_room_for_are_extras(load):
    more = '<extra info="langue-formation">FR</extra><extra info="langue-formation">br</extra>'
    load(training(actions=action(more=more)))
    assert Offer.objects.get().languages == ["fr", "br"]
    load(training(actions=action(more='<extra info="langue-formation"></extra>')))
    assert Offer.objects.get().languages == []


def test_permanent_entry_and_distance(load):
    report = load(
        training(
            actions=action("A1", entries="1", sessions=session(period=""))
            + action("A2", entries="1", sessions=session())
            + action("A3", mode="2", address="")
        )
    )
    assert counts(report)[:2] == (3, 3), reasons(report)
    starts = dict(Session.objects.values_list("offer__action_number", "starts_on"))
    assert starts == {"A1": None, "A2": None, "A3": datetime.date(2030, 1, 7)}
    distance = Offer.objects.get(action_number="A3")
    assert (distance.mode, distance.town, distance.point) == ("distance", None, None)


def test_the_same_file_again_changes_nothing(load):
    trainings = [training(actions=action("A1", sessions=session("S1") + session("S2")) + action("A2"))]
    load(*trainings)

    def rows():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ctid::text FROM catalog_offer UNION ALL SELECT ctid::text FROM catalog_session"
            )
            return sorted(cursor.fetchall())

    before = rows(), list(Offer.objects.order_by("pk").values_list("pk", "updated_at"))
    assert counts(load(*trainings)) == (2, 0, 0, 2, 0, 0)
    assert (rows(), list(Offer.objects.order_by("pk").values_list("pk", "updated_at"))) == before


def test_what_changed_is_written_and_keeps_its_identity(load):
    load(training(actions=action("A1") + action("A2")))
    before = dict(Offer.objects.values_list("action_number", "pk"))
    Offer.objects.filter(action_number="A1").update(is_published=False)
    dearer = PRICES.replace("600.60", "720").replace("500.50", "600")
    report = load(training(actions=action("A1", prices=dearer) + action("A2")))
    assert counts(report) == (2, 0, 1, 1, 0, 1)
    assert dict(Offer.objects.values_list("action_number", "pk")) == before
    changed = Offer.objects.get(action_number="A1")
    assert changed.price_cents == 72000
    assert not changed.is_published, "what its organisation hid stays hidden"


def test_a_session_no_longer_given_stops_recruiting_and_other_offers_are_left_alone(load):
    load(training(actions=action("A1", sessions=session("S1") + session("S2")) + action("A2")))
    assert counts(load(training(actions=action("A1", sessions=session("S2", ends="20300701")))))[2] == 1
    assert set(Session.objects.values_list("offer__action_number", "number", "recruitment")) == {
        ("A1", "S1", "closed"),
        ("A1", "S2", "open"),
        ("A2", "S1", "open"),
    }
    assert counts(load(training(actions=action("A1", sessions=session("S2", ends="20300701")))))[3] == 1


def test_a_file_takes_nothing_out_of_the_archives(load, at):
    """Whether an offer is shown is not the file's to say; its report tells why it is not."""
    load(training())
    Offer.objects.update(is_published=False, archived_at=at)
    report = load(training(title="Autre intitulé"))
    offer = Offer.objects.get()
    assert (offer.state, offer.title) == ("archived", "Autre intitulé")
    [(_line, reason)] = reasons(report, Verdict.HIDDEN)
    assert "archivé" in reason


def test_dry_run_writes_nothing(load):
    assert counts(load(training(), dry_run=True)) == (1, 1, 0, 0, 0, 0)
    assert not Offer.objects.exists() and not ImportRun.objects.exists()


# --- Refused -------------------------------------------------------------------------------------------


def prices(**changes):
    text = PRICES
    for info, value in changes.items():
        info = info.replace("_", "-")
        start = text.index(f'<extra info="{info}">')
        end = text.index("</extra>", start) + len("</extra>")
        text = text[:start] + ("" if value is None else f'<extra info="{info}">{value}</extra>') + text[end:]
    return action(prices=text)


def town(**changes):
    text = ADDRESS
    for element, value in changes.items():
        start = text.index(f"<{element}>")
        end = text.index(f"</{element}>") + len(f"</{element}>")
        text = text[:start] + ("" if value is None else f"<{element}>{value}</{element}>") + text[end:]
    return action(address=text)


# name: (training, marker of the faulty line, words of the reason)
FAULTS = {
    # whose
    "placeholder siret": (training(siret=making.BAD_SIRET), "<SIRET>", "« 12312312300000 » n'existe pas"),
    "unknown organisation": (training(siret=OTHER_SIRET), "<SIRET>", f"n'a le SIRET {OTHER_SIRET}"),
    "siret of 13": (training(siret=SIRET[:13]), "<SIRET>", "<SIRET> compte 13 caractères, 14 au moins"),
    # what for
    "unknown certification": (training(code="<code-RNCP>RNCP999</code-RNCP>"), "<code-RNCP>", "RNCP999"),
    "unknown portal code": (training(code="<code-CPF>CPF999</code-CPF>"), "<code-CPF>", "« CPF999 »"),
    "code without its register": (training(code="<code-RNCP>100</code-RNCP>"), "<code-RNCP>", "compte 3"),
    "two codes": (
        training(code="<code-RNCP>RNCP100</code-RNCP><code-CPF>CPF200</code-CPF>"),
        "<certification>",
        "un seul élément parmi",
    ),
    "no code": (training(code=""), "<certification>", "un seul élément parmi"),
    "block of another": (
        training(blocks='<extra info="code-bloc">RNCP999BC01</extra>'),
        "code-bloc",
        "« RNCP999BC01 » n'est pas de la certification RNCP100",
    ),
    # texts
    "title too long": (
        training(title="x" * 256),
        "<intitule",
        "<intitule-formation> compte 256 caractères, 255",
    ),
    "content too long": (training(content="x" * 3001), "<contenu", "compte 3001 caractères, 3000 au plus"),
    "summary too long": (training(summary="x" * 3001), "resume-contenu", "compte 3001 caractères"),
    "empty title": (training(title=" "), "<intitule", "<intitule-formation> est vide"),
    # numbers
    "number empty": (training(number=" "), "<formation ", "le numéro de la formation est vide"),
    "number too long": (training(number="x" * 101), "<formation ", "compte 101 caractères, 100 au plus"),
    "session twice": (
        training(actions=action(sessions=session("S1", starts="20300108") + "\n" + session("S1"))),
        '<session numero="S1"',
        "la session « S1 » est déjà donnée",
    ),
    "no action": (training(actions=""), "<formation ", "<action> manque dans <formation>"),
    "no session": (training(actions=action(sessions=" ")), "<action ", "<session> manque dans <action>"),
    # dates
    "unknown start": (
        training(actions=action(sessions=session(starts="00000000"))),
        "<debut>",
        "la date manque, alors que l'action est à dates fixes",
    ),
    "month only": (training(actions=action(sessions=session(starts="20300100"))), "<debut>", "sans le jour"),
    "impossible day": (training(actions=action(sessions=session(ends="20300231"))), "<fin>", "AAAAMMJJ"),
    "end before start": (
        training(actions=action(sessions=session(ends="20291231"))),
        "<periode>",
        "la session finit avant de commencer",
    ),
    "no period": (training(actions=action(sessions=session(period=""))), "<session ", "la date manque"),
    "date of creation": (
        training().replace('<action numero="A1" datemaj="20260102"', '<action numero="A1" datemaj="hier"'),
        "<action ",
        "datemaj : « hier »",
    ),
    "recruitment": (
        training(actions=action(sessions=session(recruitment="3"))),
        "<etat-recrutement>",
        "« 3 » n'est pas une valeur permise (on attend 1/2)",
    ),
    # prices
    "no price": (training(actions=action(prices="")), '<extras info="action">', "le prix TTC manque"),
    "no gross price": (training(actions=prices(frais_ttc=None)), "frais-pedagogiques", "le prix TTC manque"),
    "negative price": (
        training(actions=prices(frais_ttc="-5")),
        "frais-ttc",
        "frais-ttc : le montant « -5 »",
    ),
    "price in words": (training(actions=prices(frais_ttc="gratuit")), "frais-ttc", "pas un montant en euros"),
    "half cents": (training(actions=prices(frais_ttc="600.605")), "frais-ttc", "plus de deux décimales"),
    "rate": (training(actions=prices(taux_tva="beaucoup")), "taux-tva", "pas un taux de TVA"),
    "prices that disagree": (
        training(actions=prices(frais_ttc="600.58")),
        "frais-pedagogiques",
        "ne sont pas cohérents : HT 500,50 €, TVA 20 %, TTC 600,58 €",
    ),
    "extra fees": (
        training(actions=action(more='<extra info="frais-anpec">-1</extra>')),
        "frais-anpec",
        "négatif",
    ),
    # place
    "postal code of letters": (training(actions=town(codepostal="6900X")), "<codepostal>", "pas 5 chiffres"),
    "postal code too short": (training(actions=town(codepostal="6900")), "<codepostal>", "compte 4"),
    "unknown town": (
        training(actions=town(ville="ATLANTIS", codepostal="69999")),
        "<adresse ",
        "aucune commune « ATLANTIS » n'a le code postal 69999",
    ),
    "town of another place": (
        training(actions=town(codepostal="33000")),
        "<adresse ",
        "aucune commune « LYON »",
    ),
    "no town": (training(actions=town(ville=None)), "<adresse ", "le code postal ou la ville"),
    "no address": (training(actions=action(address="")), "<coordonnees ", "l'adresse du lieu de formation"),
    "position": (training(actions=town(latitude="nord")), "<geolocalisation>", "nombre de degrés"),
    # contact, codes
    "web address": (training(actions=action(url="javascript:alert(1)")), "<urlweb>", "pas une adresse web"),
    "e-mail": (training(actions=action(email="moi")), "<courriel>", "pas une adresse e-mail"),
    "hours": (
        training(actions=action(hours="<nombre-heures-centre>-7</nombre-heures-centre>")),
        "<nombre-heures-centre>",
        "nombre entier de 0 à 99999",
    ),
    "mode": (training(actions=action(mode="9")), "<modalites-enseignement>", "« 9 » n'est pas une valeur"),
    "flag": (
        training().replace('prerequis">1<', 'prerequis">oui<'),
        "existence-prerequis",
        "vaut 0 ou 1, pas « oui »",
    ),
    "what the fees hold": (
        training(actions=action(more=OF_THE_FEES.replace(">1<", ">oui<"))),
        "frais-certif-inclus",
        "vaut 0 ou 1, pas « oui »",
    ),
    "the building": (
        training().replace(
            '<extras info="adresse">', '<extras info="adresse">' + OF_THE_PLACE.replace(">1<", ">vrai<"), 1
        ),
        "conformite-reglementaire",
        "vaut 0 ou 1, pas « vrai »",
    ),
    "rhythm": (training(actions=action(more=rhythms(1, 8))), ">8<", "le rythme « 8 » n'est pas de la liste"),
    "language": (
        training(actions=action(language="UX")),
        "<langue-formation>",
        "<langue-formation> : « UX » n'est pas un code de langue",
    ),
    "language in words": (
        training(actions=action(language="Français")),
        "<langue-formation>",
        "compte 8 caractères, 2 au plus",
    ),
    "level": (
        training(actions=action(more='<extra info="code-niveau-entree">9</extra>')),
        "code-niveau-entree",
        "« 9 » n'est pas de la table de LHEO",
    ),
    # shape
    "unknown element": (
        training(title="x</intitule-formation><inconnu/><intitule-formation>y"),
        "<inconnu",
        "inconnu",
    ),
    "attribute missing": (
        training().replace(' datecrea="20260101">\n      <int', ">\n      <int"),
        "<formation ",
        "datecrea",
    ),
}


@pytest.mark.parametrize(("bad", "marker", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_offer_is_refused_with_its_line_and_no_other(load, bad, marker, reason):
    good = training("BON")
    content = catalogue(good, bad).decode("latin-1")
    head = content[: content.index(bad)]
    expected = (
        head.count("\n")
        + bad[: bad.rindex(marker) if "twice" in reason or "déjà" in reason else bad.index(marker)].count(
            "\n"
        )
        + 1
    )
    report = load(good, bad)
    assert counts(report) == (2, 1, 0, 0, 1, 0)
    found = reasons(report)
    assert any(line == expected and reason in told for line, told in found), (expected, found)
    assert all(line > head.count("\n") for line, _told in found)
    assert Offer.objects.get().training_number == "BON"


def test_all_the_faults_of_an_offer_are_told_each_on_its_line(load):
    bad = training(title="", siret=making.BAD_SIRET, actions=prices(frais_ttc="-5", taux_tva="20"))
    content = catalogue(bad)
    found = reasons(load(bad))
    assert [line for line, _reason in found] == [
        line_of(content, marker) for marker in ("<intitule", "frais-ttc", "<SIRET>")
    ]


def test_an_offer_given_twice_is_refused_the_second_time(load):
    report = load(training(), training(actions=action("A1", hours="") + action("A2")))
    assert counts(report) == (3, 2, 0, 0, 1, 0)
    first = line_of(catalogue(training()), "<action ")
    assert f"déjà dans le fichier, ligne {first}" in reasons(report)[0][1]


def test_an_element_that_is_no_training_is_told(load):
    misspelled = (
        training("F2").replace("<formation ", "<formations ").replace("</formation>", "</formations>")
    )
    report = load(training("F1"), misspelled, training("F3"), misspelled)
    assert counts(report) == (4, 2, 0, 0, 2, 0)
    lines = [
        n
        for n, line in enumerate(
            catalogue(training("F1"), misspelled, training("F3"), misspelled).splitlines(), 1
        )
        if b"<formations " in line
    ]
    assert [line for line, _reason in reasons(report)] == lines
    assert load(training("F1"), "<extras/>").refused == 0


def test_half_a_session_refuses_its_action_alone(load):
    report = load(training(actions=action("A1", sessions=session(starts="x")) + action("A2")))
    assert counts(report) == (2, 1, 0, 0, 1, 0)
    assert Offer.objects.get().action_number == "A2"


def test_a_refused_change_leaves_the_offer_as_it_was(load):
    load(training())
    load(training(actions=prices(frais_ttc="-1")))
    assert Offer.objects.get().price_cents == 60060


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (catalogue().replace(b"www.of.moncompteformation.gouv.fr", b"x"), "L'espace de noms de <lheo>"),
        (b'<lheo xmlns="http://www.lheo.org/1.3"><offres><formation/></offres></lheo>', "LHEO 2.2 ou 2.3"),
        (b"<lheo/>", "aucun élément <formation>"),
        (catalogue()[:-100], "s'arrête avant la fin"),
        (catalogue(encoding="UTF-8").replace(b'"UTF-8"', b'"ISO-8859-1"'), "il est écrit en UTF-8"),
    ],
)
def test_another_file_is_unusable_and_nothing_is_written(tmp_path, at, provider, content, sentence):
    with pytest.raises(Unusable, match=sentence):
        offers.run(making.put(tmp_path, content), at=at)
    assert not Offer.objects.exists()
    assert sentence in ImportRun.objects.get().error


# --- Kept, but hidden ----------------------------------------------------------------------------------


def hidden(report):
    return [reason for _line, reason in reasons(report, Verdict.HIDDEN)]


def test_an_ended_certification_hides(load, provider):
    CertificationFactory(code="RNCP200", number=200, ended=True)
    HabilitationFactory(certification_id="RNCP200", siret=SIRET)
    report = load(training(code="<code-RNCP>RNCP200</code-RNCP>"))
    assert counts(report) == (1, 1, 0, 0, 0, 1)
    assert "RNCP200 n’est plus active" in hidden(report)[0]
    assert reasons(report, Verdict.HIDDEN)[0][0] == line_of(catalogue(training()), "<action ")
    assert "masquée : La certification" in str(report.of(Verdict.HIDDEN)[0])


def test_an_organisation_that_is_not_entitled_hides(load):
    CertificationFactory(code="RS7", register="RS", number=7)
    assert "n’est pas habilité" in hidden(load(training(code="<code-RS>RS7</code-RS>")))[0]


def test_a_missing_qualiopi_kind_hides_until_it_comes(load, provider):
    report = load(training(code="<code-CPF>CPF202</code-CPF>"))
    assert counts(report) == (1, 1, 0, 0, 0, 1)
    assert "Qualiopi pour les bilans de compétences" in hidden(report)[0]
    offer = Offer.objects.get()
    assert (offer.kind, offer.portal_code, offer.certification) == ("skills_review", "CPF202", None)
    provider.qualiopi_skills_review = True
    provider.save()
    assert counts(load(training(code="<code-CPF>CPF202</code-CPF>"))) == (1, 0, 0, 1, 0, 0)


def test_a_licence_that_is_excluded_hides(load, provider):
    provider.is_approved_driving_school = True
    provider.save()
    code = "<code-CPF>CPF206</code-CPF>"
    report = load(training(code=code, title="Permis BE"), training("F2", code=code, title="Permis B"))
    assert hidden(report) == ["Le permis BE ne peut pas être financé par les droits à la formation."]


# --- Texts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("R&D < 3 ans", "R&D < 3 ans"),
        ("<p>Un</p><script>alert(1)</script>", "<p>Un</p>"),
        ('<p onclick="x()" style="color:red">Un</p>', "<p>Un</p>"),
        ('<a href="javascript:x()">Un</a> <b>deux</b>', "Un <strong>deux</strong>"),
        ("<ul><li>Un<li>Deux</ul>", "<ul><li>Un</li><li>Deux</li></ul>"),
        ("<p> </p><p>&nbsp;</p><p>Un</p>", "<p>Un</p>"),
        ('<font size="2">R&amp;D</font>', "R&D"),
        ("<font>&lt;script&gt;</font>", "<p>&lt;script&gt;</p>"),
        ("<img src=x onerror=alert(1)>Un", "Un"),
        ("<svg><style><!--</style><img src=x onerror=alert(1)>--></svg>", ""),
        ("<I>un</I><div>deux</div>", "<em>un</em><p>deux</p>"),
    ],
)
def test_texts_are_cleaned(written, kept):
    assert actions.rich(written) == kept


@pytest.mark.parametrize("piece", ["<a", "<div ", "</p", "<p ", "<b><p>", "<!--", "<p> "])
def test_a_text_made_to_last_is_cleaned_at_once(piece):
    """A megabyte of it kept the worker, and so every other organisation's import, for hours."""
    began = time.process_time()
    for text in (piece * 200_000, f"{piece * 200_000}>"):
        kept = actions.rich(text)
        assert rich_text(kept) is not None
        assert plain(text) is not None
    assert time.process_time() - began < 5


def test_cleaning_reaches_every_text_of_the_file(load):
    attack = "<script>alert(1)</script><b>gras</b>"
    escaped = attack.replace("<", "&lt;")
    report = load(
        training(
            title=escaped,
            content=escaped,
            summary=escaped,
            actions=action(sessions=session().replace("Salle 2", escaped))
            .replace("Sur dossier", escaped)
            .replace("Ascenseur", escaped)
            .replace("Savoir lire", escaped),
        )
        .replace("Savoir développer", escaped)
        .replace("Une application", escaped)
    )
    assert counts(report)[1] == 1, reasons(report)
    offer = Offer.objects.get()
    texts = [
        offer.content, offer.summary, offer.objectives, offer.expected_results, offer.prerequisites,
        offer.admission, offer.accessibility, Session.objects.get().details,
    ]  # fmt: skip
    assert set(texts) == {"<strong>gras</strong>"}
    assert "<" not in offer.title


def test_letters_of_windows_in_a_latin1_file(tmp_path, at, provider):
    content = catalogue(training(content="XX")).replace(b"XX", b"L\x92\x9cuvre \x80")
    offers.run(making.put(tmp_path, content), at=at)
    assert Offer.objects.get().content == "L’œuvre €"


# --- Volume --------------------------------------------------------------------------------------------


def test_queries_grow_with_the_lots_and_not_with_the_offers(load):
    def queries(first, count):
        with CaptureQueriesContext(connection) as captured:
            load(*(training(f"F{n}") for n in range(first, first + count)))
        return len(captured)

    assert queries(0, 1) == queries(100, offers.LOT)
