"""What each job costs in clicks and answers: the table of docs/clicks.md, walked row by row."""

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.nir import decrypt
from admissions.models import JoinRequest
from catalog.models import Offer
from dossiers.models import Batch, Dossier
from rulebook import workdays
from tests.factories.accounts import HolderFactory, MembershipFactory, UserFactory, a_siret
from tests.factories.admissions import PDF
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    TownFactory,
    in_days,
)
from tests.factories.dossiers import DossierFactory
from tests.visitor import ClientVisitor

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (?P<job>[^|]+?) \| (?P<clicks>\d+) \| (?P<answers>\d+) \|$", re.MULTILINE)
WRITTEN = {
    row["job"]: (int(row["clicks"]), int(row["answers"]))
    for row in ROW.finditer((ROOT / "docs" / "clicks.md").read_text(encoding="utf-8"))
}
FURTHER = "Enregistrer et continuer"


class Counter(ClientVisitor):
    """Counts what a hand does."""

    def __init__(self, user=None):
        client = Client(enforce_csrf_checks=True)
        if user is not None:
            client.force_login(user)
        super().__init__(client)
        self.clicks = self.answers = 0

    def follow(self, words):
        self.clicks += 1
        super().follow(words)

    def press(self, button, **fields):
        ticks = sum(value is True for value in fields.values())
        self.clicks += 1 + ticks
        self.answers += len(fields) - ticks
        super().press(button, **fields)

    def send_files(self, button, *, fields, **files):
        """A form with files: each one chosen is an answer."""
        address, data = self.filled(button, **fields)
        sent = dict(parse_qsl(data.decode(), keep_blank_values=True))
        for name, content in files.items():
            sent[name] = SimpleUploadedFile(f"{name}.pdf", content, content_type="application/pdf")
        self.clicks += 1
        self.answers += len(fields) + len(files)
        answer = self.client.post(address.removeprefix(self.base_url), sent)
        assert answer.status_code == 302, answer.text
        self.open(answer.url)

    def has_done(self, job):
        assert (self.clicks, self.answers) == WRITTEN[job], job


def test_signing_up(settings, mailoutbox):
    settings.NIR_AT_ACTIVATION = True
    waiting = HolderFactory(activated=False, birth_name="Le Bihan", first_names="Anne-Lise")
    hand = Counter()
    hand.open("/")
    hand.follow("Créer un compte")
    password = "douze-lapins-roses-au-bois"
    hand.press("Créer mon compte", email="anne@exemple.fr", password1=password, password2=password)
    link = re.search(r"https?://\S+", mailoutbox[-1].body)[0]
    hand.clicks += 1
    hand.open(link.removeprefix("http://testserver"))
    hand.press("Confirmer")
    assert EmailAddress.objects.get(email="anne@exemple.fr").verified
    hand.follow("Activer mon compte")
    hand.press(
        "Activer mon compte",
        family_name="Le Bihan",
        first_names="Anne-Lise",
        birth_date="31/05/1985",
        nir=decrypt(waiting.nir_encrypted),
    )
    waiting.refresh_from_db()
    assert waiting.user == get_user_model().objects.get(email="anne@exemple.fr")
    hand.has_done("sign up, confirm the address, activate the account")


def test_from_a_search_to_a_request(holder):
    offer = OfferFactory(title="Menuiserie et agencement")
    hand = Counter(holder.user)
    hand.open("/")
    hand.press("Rechercher", q="menuiserie")
    hand.follow("Menuiserie et agencement")
    hand.follow("Créer mon dossier d’inscription")
    hand.press("Créer mon dossier d’inscription")
    hand.press("Envoyer mon inscription", project="M’installer à mon compte.", terms=True)
    assert Dossier.objects.get(offer=offer).state == "requested"
    hand.has_done("from a search to a request that is sent")


def test_answering(member_of):
    dossier = DossierFactory(requested=True)
    hand = Counter(member_of(dossier.offer))
    hand.open("/")
    hand.follow(dossier.holder.display_name)
    hand.press("Envoyer la proposition")
    dossier.refresh_from_db()
    assert dossier.state == "proposed"
    hand.has_done("answer a request as it was asked")


def test_answering_ten_at_once(member_of):
    first = DossierFactory(requested=True)
    for _more in range(9):
        DossierFactory(requested=True, session=first.session)
    hand = Counter(member_of(first.offer))
    hand.open("/")
    hand.follow("Demandes reçues")
    # Without JavaScript each box is ticked; with it, one box ticks the page.
    boxes = hand.form("Préparer des propositions").xpath(".//input[@name='dossier']")
    for box in boxes:
        box.checked = True
        hand.clicks += 1
    hand.press("Préparer des propositions")
    hand.press("Envoyer 10 propositions")
    assert len(boxes) == Batch.objects.get().lines.count() == 10
    hand.has_done("answer ten requests at once")


def test_validating():
    dossier = DossierFactory(proposed=True)
    hand = Counter(dossier.holder.user)
    hand.open("/")
    hand.follow(dossier.offer.title)
    hand.press("Valider mon inscription")
    dossier.refresh_from_db()
    assert dossier.state == "accepted"
    hand.has_done("validate a proposal")


def test_withdrawing():
    dossier = DossierFactory(accepted=True)
    hand = Counter(dossier.holder.user)
    hand.open("/")
    hand.follow("Mes dossiers")
    hand.follow(dossier.offer.title)
    hand.press("Me rétracter et tout récupérer")
    dossier.refresh_from_db()
    assert dossier.state == "cancelled_by_holder"
    hand.has_done("withdraw from a confirmed registration")


def test_asking_to_be_listed():
    siret, today = a_siret(4242), workdays.paris_day(timezone.now())
    HabilitationFactory(certification=CertificationFactory(number=35808), siret=siret)
    hand = Counter(UserFactory())
    hand.open("/")
    hand.follow("Inscrire mon organisme")
    hand.follow("Commencer ma demande")
    hand.press("Continuer", siret=siret)
    hand.press(
        FURTHER,
        name="Atelier des Lices",
        address="3 rue des Lices",
        postal_code="35000",
        town_name="Rennes",
        email="contact@lices.exemple.invalid",
        phone="02 99 00 00 00",
    )
    hand.press(FURTHER, activity_number="53 35 12345 67", has_no_report=True)
    hand.press(
        FURTHER,
        qualiopi_training=True,
        certificate_number="Q-1",
        certifier="Certif Ouest",
        certified_from=(today - timedelta(days=30)).isoformat(),
        certified_until=(today + timedelta(days=300)).isoformat(),
    )
    hand.press(FURTHER, certification_codes="RNCP35808")
    hand.press(
        FURTHER,
        manager_name="Élodie Martin",
        manager_position="Gérante",
        is_legal_representative="oui",
        has_no_conviction=True,
    )
    hand.send_files(
        FURTHER, extract=PDF, qualiopi=PDF, identity=PDF, fields={"extract_issued_on": today.isoformat()}
    )
    hand.press("Envoyer ma demande", declares=True)
    assert JoinRequest.objects.get().state == "sent"
    hand.has_done("ask to be listed as an organisation")


def test_publishing_by_hand():
    provider = ProviderFactory()
    certification = CertificationFactory(code="RNCP90210", number=90210, title="Cuisinier de collectivité")
    HabilitationFactory(certification=certification, siret=provider.organisation.siret)
    TownFactory()
    hand = Counter(MembershipFactory(organisation=provider.organisation).user)
    hand.open("/")
    hand.follow("Mes offres")
    hand.follow("Écrire une offre")
    hand.press(FURTHER, certification="RNCP90210")
    hand.press(FURTHER, title="Devenir cuisinier", objectives="Cuisiner pour cent personnes.")
    hand.press(FURTHER, mode="on_site", town="Lyon", address="1 rue du Pont", hours="140")
    hand.press(FURTHER, price_cents="1 450,00", contact_email="a@exemple.fr")
    hand.press(
        "Ajouter cette session",
        starts_on=in_days(60).isoformat(),
        ends_on=in_days(70).isoformat(),
    )
    hand.follow("Relire l’offre")
    hand.press("Publier cette offre")
    assert Offer.objects.get().is_published
    hand.has_done("publish an offer by hand, with one session")


def test_every_row_of_the_table_is_walked():
    source = Path(__file__).read_text(encoding="utf-8")
    assert len(WRITTEN) == 8
    assert [job for job in WRITTEN if f'has_done("{job}")' not in source] == []
