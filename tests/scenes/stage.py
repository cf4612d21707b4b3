"""Where scenes are played: the demonstration, and the few people and states it does not have."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone

import rulebook
from accounts import freezing, teams
from accounts.actors import SYSTEM, Actor, Role
from accounts.listing import roles_of
from accounts.models import HolderProfile, Invitation, LoginSession, Membership, Organisation, User
from admissions import measures
from admissions.models import JoinRequest, Measure
from admissions.states import State
from catalog import endings, favourites, saved_searches, succession, wishes
from catalog.models import (
    CatalogueImport,
    Certification,
    CertificationBlock,
    CertificationOutcome,
    CertificationStatement,
    ImportRefusal,
    ImportRun,
    JobName,
    MarketPrice,
    Offer,
    Session,
    Succession,
    SynonymGroup,
    Town,
    Visibility,
)
from dossiers import (
    bulk,
    calendar,
    clocks,
    controls,
    first_steps,
    payment_references,
    payments,
    relief,
    reviews,
    workflow,
)
from dossiers.models import Dossier, ProviderFigures, Refund, Relief, Review
from dossiers.states import ClockKind
from dossiers.states import State as DossierState
from rights import adjustments, awards, crediting_year, declarations, earmarks, integrity, seals
from rights.kinds import DeclarationKind, FunderKind, Origin, PocketKind, WorkStatus
from rights.models import Adjustment, Declaration, Movement, Pocket
from rulebook import workdays
from rulebook.models import Parameter
from tests.factories.accounts import HolderFactory, MembershipFactory, OrganisationFactory, UserFactory
from tests.factories.admissions import PDF, JoinRequestFactory, MeasureFactory, a_file
from tests.factories.catalog import (
    CatalogueImportFactory,
    CatalogueImportLineFactory,
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TermFactory,
    in_days,
)
from tests.factories.dossiers import (
    DossierFactory,
    a_proof,
    act,
    admin_actor,
    bring,
    holder_actor,
    in_business_days,
    provider_actor,
    put_off,
)
from tests.factories.dotations import EnvelopeFactory, GrantFactory
from tests.factories.messages import MessageFactory, ReportFactory
from tests.factories.payments import BankTransferFactory, CardPaymentFactory, PaymentEventFactory
from tests.factories.reviews import ReviewFactory, ended_dossier
from tests.factories.rights import CreditFactory, YearlyStatementFactory

NEWCOMER = "nouveau@exemple.invalid"
WITHOUT_ACCOUNT = "sans-compte@exemple.invalid"
NEW_ORGANISATION = "nouvel-organisme@exemple.invalid"
FROZEN = "gelee@exemple.invalid"
THAWING = "bientot-degele@exemple.invalid"
FROZEN_BY_PORTAL = "gele-par-le-portail@exemple.invalid"
WATCHFUL = "vigilante@exemple.invalid"
MANAGER = "responsable@exemple.invalid"
COLLEAGUE = "membre@exemple.invalid"
INVITED = "invite@exemple.invalid"
CANDIDATE = "candidate@exemple.invalid"
LATE_CANDIDATE = "candidat-en-retard@exemple.invalid"
WARNED = "avertie@exemple.invalid"
THREATENED = "menacee@exemple.invalid"
SUSPENDED = "suspendue@exemple.invalid"
BUSY = "affairee@exemple.invalid"
WRITER = "redaction@exemple.invalid"
ENDING = "des-fins@exemple.invalid"
TRAINED = "formee-naguere@exemple.invalid"
CALM = "guichet-calme@exemple.invalid"
TOPPED_UP = "abondee@exemple.invalid"
LEARNER = "permis@exemple.invalid"
TOLD = "releve@exemple.invalid"
NEAR_CAP = "bientot-au-plafond@exemple.invalid"
AT_CAP = "au-plafond@exemple.invalid"
AGENT = "agent@exemple.invalid"
TEACHING = "atelier-de-couture@exemple.invalid"
CONTESTING = "conteste@exemple.invalid"
TOO_LATE = "trop-tard@exemple.invalid"
TO_POSTPONE = "a-reporter@exemple.invalid"
POSTPONED = "reportee@exemple.invalid"
MOOT = "sans-objet@exemple.invalid"
TALKING = "bavarde@exemple.invalid"
ANSWERING = "repond@exemple.invalid"
SILENCED = "gele-et-bavard@exemple.invalid"
DECLARING = "declarante@exemple.invalid"
# Trainings that are over: one to review, one reviewed, one whose words are not published; their organisation.
TO_REVIEW = "va-donner-son-avis@exemple.invalid"
REVIEWER = "a-donne-son-avis@exemple.invalid"
UNPUBLISHED = "avis-non-publie@exemple.invalid"
REVIEWED = "recoit-des-avis@exemple.invalid"
DREAMING = "reveuse@exemple.invalid"
# One person per state: « proposed@exemple.invalid »…
ASKED = (
    DossierState.PREREQUISITES_CHECK,
    DossierState.PROPOSED,
    DossierState.FUNDER_REVIEW,
    DossierState.AWAITING_PAYMENT,
    DossierState.REFUSED_BY_PROVIDER,
    DossierState.REFUSED_BY_HOLDER,
    DossierState.CANCELLED_BY_HOLDER,
    DossierState.CANCELLED_BY_PROVIDER,
    DossierState.CANCELLED_BY_FUNDER,
    DossierState.LAPSED,
    DossierState.CLOSED_BY_PLATFORM,
)
# What they do to an offer, or to its certification, they do to every dossier on it.
ON_THEIR_OWN = (DossierState.PREREQUISITES_CHECK, DossierState.CLOSED_BY_PLATFORM)
# One person per state of a payment: « paie-attend@exemple.invalid »…
PAYING = "paie"


class Stage:
    """Finds things by what they are, in the demonstration that is loaded."""

    def __init__(self) -> None:
        UserFactory(email=WITHOUT_ACCOUNT)
        HolderFactory(user=UserFactory(email=NEWCOMER), first_names="Nadia", birth_name="Perrin")
        MembershipFactory(
            user=UserFactory(email=NEW_ORGANISATION),
            organisation=ProviderFactory(organisation__name="Atelier tout neuf").organisation,
            role="manager",
        )
        # Somebody of the desk who follows sign-ins only: nobody is aimed at.
        calm = UserFactory(email=CALM, is_staff=True)
        calm.user_permissions.set(Permission.objects.filter(codename="view_signin"))
        with transaction.atomic():
            _frozen_people()
            _team()
            _join_requests()
            _measures()
            _busy_inbox()
            _trainings()
            _catalogue_desk()
            _endings()
            _funded_people()
            _dreamer()
            _adjustment()
            _declarations()
            _payments()

        _told_rights()
        _threads()
        _reviews()

        # Somebody whose calendar program follows an address.
        for email in ("demandeur@exemple.invalid", "organisme@exemple.invalid"):
            calendar.make_feed(by=roles_of(self.user(email))[0], at=timezone.now())
        _rarities()

    def user(self, email: str) -> User:
        return User.objects.get(email=email)

    def holder(self, email: str) -> HolderProfile:
        return HolderProfile.objects.get(user__email=email)

    def organisation(self, email: str) -> Organisation:
        """The organisation this person acts for when they sign in."""
        return next(actor.organisation for actor in roles_of(self.user(email)) if actor.is_provider)

    def dossier(self, *, of: str = "", by: str = "", **fields: Any) -> Dossier:
        """The newest dossier of this holder, or of the organisation this person acts for."""
        found = Dossier.objects.filter(**fields)
        if of:
            found = found.filter(holder__user__email=of)
        if by:
            found = found.filter(provider_id=self.organisation(by).pk)
        return found.order_by("-created_at", "number")[0]

    def declaration(self, **fields: Any) -> Declaration:
        """Of DECLARING, who has one in each state."""
        return Declaration.objects.get(holder__user__email=DECLARING, **fields)

    def adjustment(self) -> Adjustment:
        return Adjustment.objects.get()

    def membership(self, email: str) -> Membership:
        return Membership.objects.get(user__email=email)

    def invitation(self, **fields: Any) -> Invitation:
        return Invitation.objects.filter(**fields).order_by("created_at", "pk")[0]

    def join_request(self, *, of: str, **fields: Any) -> JoinRequest:
        return JoinRequest.objects.filter(author__email=of, **fields).order_by("created_at", "pk")[0]

    def measure(self, email: str) -> Measure:
        return Measure.objects.get(provider__organisation__memberships__user__email=email)

    def offer(self, **fields: Any) -> Offer:
        return Offer.objects.filter(**fields).order_by("action_number", "pk")[0]

    def session(self, **fields: Any) -> Session:
        return Session.objects.filter(**fields).order_by("starts_on", "pk")[0]


def _frozen_people() -> None:
    """Accounts that are frozen, each in its way, and one that somebody else tries to enter."""
    at = timezone.now()
    admin = Actor(role=Role.ADMIN, user=User.objects.filter(is_superuser=True).order_by("pk")[0])
    for email, first_name in ((FROZEN, "Inès"), (THAWING, "Hugo"), (FROZEN_BY_PORTAL, "Noé")):
        holder = HolderFactory(user=UserFactory(email=email), first_names=first_name, birth_name="Ferrand")
        by = Actor(role=Role.HOLDER, user=holder.user, holder=holder)
        if email == FROZEN_BY_PORTAL:
            freezing.freeze(holder.pk, by=admin, at=at, reason="Un démarchage nous a été signalé.")
            continue
        freezing.freeze(holder.pk, by=by, at=at)
        if email == THAWING:
            freezing.ask_thaw(holder.pk, by=by, at=at)
    watchful = UserFactory(email=WATCHFUL)
    HolderFactory(
        user=watchful,
        first_names="Aïssatou",
        birth_name="Delorme-Vandenberghe",
        used_name="Saint-Germain",
        phone="06 12 34 56 78",
        address="14 bis rue des Trois-Frères-Barthélemy",
        postal_code="13006",
        town="Marseille",
        diploma="level_5",
        diploma_year=2007,
    )
    places = (
        ("Firefox", "Windows", "203.0.113.0/24", True),
        ("Chrome", "Android", "198.51.100.0/24", True),
        ("", "", "2001:db8:4f::/48", False),
        ("Safari", "iPhone", "203.0.113.0/24", True),
    )
    for days, (browser, system, network, succeeded) in enumerate(places, start=1):
        row = watchful.sign_ins.create(
            at=at - timedelta(days=days), browser=browser, system=system, network=network, succeeded=succeeded
        )
        if system == "Android":
            LoginSession.objects.create(
                session_key="une-autre-connexion-ouverte-0001",
                session_data="",
                expire_date=at + timedelta(hours=8),
                user=watchful,
                sign_in=row,
            )


def _dreamer() -> None:
    """Somebody who has said what they would like to learn, and keeps searches."""
    at = timezone.now()
    user = UserFactory(email=DREAMING)
    holder = HolderFactory(
        user=user, first_names="Inès", birth_name="Moreau", postal_code="35000", town="Rennes"
    )
    CreditFactory(holder=holder, amount=250_000)
    wishes.write(user, job="web", town=None, level=None, budget_cents=None, at=at)
    for query, name, alert in (
        ("q=web&mode=distance", "", "none"),
        ("q=anglais&town=Rennes&radius=50", "", "daily"),
        (
            "q=comptabilité&price_max=1500",
            "Comptabilité, à petit prix et près de la maison",
            "weekly",
        ),
    ):
        saved_searches.keep(query, name=name, alert=alert, user=user, at=at)
    today = workdays.paris_day(at)
    for offer in Offer.objects.open_on(today, rulebook.on(today)).order_by("title", "pk")[:2]:
        favourites.keep(offer, user=user, at=at)
    favourites.keep(OfferFactory(title="Dorure sur cuir", is_published=False), user=user, at=at)


def _funded_people() -> None:
    """Somebody whom the State may help, and somebody whose licence needs a third party."""
    at = timezone.now()
    # The State's measure has ended: a new text opens it again, here.
    ended = Parameter.objects.filter(name="state_top_up_max_cents").order_by("-in_force")[0]
    today = timezone.localdate(at)
    Parameter.objects.filter(pk=ended.pk).update(in_force=DateRange(ended.in_force.lower, today))
    Parameter.objects.create(
        name=ended.name,
        label=ended.label,
        value=100_000,
        unit=ended.unit,
        in_force=DateRange(today, None),
        legal_reference="Choix de l'instance",
        is_core_law=False,
    )
    holder = HolderFactory(user=UserFactory(email=TOPPED_UP), first_names="Lina", birth_name="Marchal")
    GrantFactory(
        envelope=EnvelopeFactory(funder_name="Région Bretagne", funder_kind=FunderKind.REGION),
        holder=holder,
        origin=Origin.TOP_UP,
        conditions=earmarks.conditions(certifications=["RNCP99999"]),
        expires_on=in_days(200),
    )
    DossierFactory(
        holder=holder,
        session=SessionFactory(
            starts_on=in_days(60),
            ends_on=in_days(90),
            offer__title="Développeur web",
            offer__price_cents=180_000,
            offer__certification__rome_codes=["M1805"],
        ),
        balance_cents=100_000,
        proposed=True,
    )
    learner = HolderFactory(user=UserFactory(email=LEARNER), first_names="Tom", birth_name="Kerviel")
    licence = OfferFactory(
        kind="licence_light",
        certification=None,
        portal_code="CPF206",
        title="Permis B, formule complète",
        price_cents=120_000,
        provider__is_approved_driving_school=True,
        sessions=0,
    )
    session = SessionFactory(offer=licence, starts_on=in_days(60), ends_on=in_days(120))
    DossierFactory(holder=learner, session=session, is_exempt=False, proposed=True)


def _threads() -> None:
    """Two people who write to each other: at length, reported, hidden, closed, not yet; a frozen account."""
    at = timezone.now() - timedelta(hours=3)
    holder = HolderFactory(user=UserFactory(email=TALKING), first_names="Odile", birth_name="Vasseur")
    provider = ProviderFactory(organisation__name="Institut des Trois-Frères-Barthélemy")
    answering = UserFactory(email=ANSWERING, first_name="Gaëlle")
    MembershipFactory(user=answering, organisation=provider.organisation)

    def dossier(title: str, whose: HolderProfile = holder, moment: datetime = at, **state: bool) -> Dossier:
        offer = OfferFactory(provider=provider, title=title, sessions=0)
        session = SessionFactory(offer=offer, starts_on=in_business_days(moment, 30), ends_on=in_days(90))
        return DossierFactory(holder=whose, session=session, at=moment, **state)

    long = dossier("Un long échange", requested=True)
    said = (
        "Bonjour,\nje viens d’envoyer ma demande. Le parcours est-il possible le soir ?",
        "Bonjour Madame,\noui : le mardi et le jeudi, de 18 h à 21 h.\n\nIl faut compter 12 semaines. " * 4,
        "Anticonstitutionnellement" * 8,
    )
    for minutes, words in enumerate(said):
        MessageFactory(
            dossier=long,
            role=Role.PROVIDER if minutes == 1 else Role.HOLDER,
            words=words,
            at=at + timedelta(minutes=minutes),
        )
    MessageFactory(dossier=long, role=Role.PROVIDER, words="Avez-vous d’autres questions ?", at=at)
    reported = MessageFactory(
        dossier=dossier("Un message signalé", requested=True),
        role=Role.PROVIDER,
        words="Donnez-moi le code reçu par SMS, et je m’occupe de tout.",
        at=at,
    )
    ReportFactory(
        message=reported, motive="scam", words="Il voulait aussi que je rappelle au 06 39 98 12 34."
    )
    shouted = MessageFactory(
        dossier=dossier("Un message retiré", requested=True), words="Vous êtes des incapables !", at=at
    )
    ReportFactory(message=shouted, motive="abuse", hidden="Les insultes n’ont pas leur place ici.")
    MessageFactory(dossier=shouted.dossier, words="Pardon. Quand commence-t-on ?", at=at)
    dossier("Rien n’est encore dit", requested=True)
    old = dossier("Un fil fermé", moment=at - timedelta(days=120), lapsed=True)
    MessageFactory(dossier=old, words="Avez-vous reçu ma demande ?", at=at - timedelta(days=100))
    frozen = HolderFactory(user=UserFactory(email=SILENCED), first_names="Paul", birth_name="Vasseur")
    MessageFactory(dossier=dossier("Un compte gelé", frozen, requested=True), role=Role.PROVIDER, at=at)
    freezing.freeze(frozen.pk, by=Actor(role=Role.HOLDER, user=frozen.user, holder=frozen), at=at)


def _reviews() -> None:
    """An offer that says all there is, reviewed by some; words that wait, are answered, refused, reported."""
    at = timezone.now() - timedelta(hours=2)
    provider = ProviderFactory(organisation__name="Atelier des Métiers du Livre", qualiopi_vae=True)
    MembershipFactory(
        user=UserFactory(email=REVIEWED, first_name="Jeanne"), organisation=provider.organisation
    )
    certification = CertificationFactory(
        title="Relieur d’art",
        short_title="Titre professionnel",
        level=4,
        rome_labels=["Reliure et restauration de livres", "Conservation de documents"],
    )
    HabilitationFactory(certification=certification, name="Union des métiers du livre", role="CERTIFICATEUR")
    for year, certified, employed, in_the_job, later in (
        (2023, 412, 84, 71, None),
        (2022, 388, 81, 69, 74),
        (2021, 0, None, None, None),
    ):
        CertificationOutcome.objects.create(
            certification=certification,
            year=year,
            certified=certified,
            employed_percent=employed,
            in_the_job_percent=in_the_job,
            in_the_job_later_percent=later,
        )
    offer = OfferFactory(
        provider=provider,
        certification=certification,
        title="Reliure : du cahier au livre",
        summary="Relier, restaurer et dorer, dans un atelier de huit personnes.",
        objectives="Monter un livre de la couture à la couvrure.",
        content="Couture\nEndossure\nCouvrure\nDorure",
        prerequisites="Aimer le travail précis.",
        accessibility="Atelier de plain-pied, tables réglables.",
        hours=94,
        extra_fees_cents=9_000,
        particulars={
            "course": "3",
            "company_hours": 24,
            "pedagogy": "Un atelier de huit, chacun à son établi, un livre entier à la fin.",
            "meals": "Cantine du lycée voisin, 6 € le repas.",
            "transport": "Métro A, station Cordeliers.",
            "building": "Plain-pied, porte automatique.",
            "complies": True,
            "fees": "Cuirs et papiers",
        },
        town=Town.objects.get(code="69123"),
        address="12 rue Mercière",
        postal_code="69002",
        rhythms=["evening", "weekend"],
        languages=["fr", "en"],
        entry_level=3,
        vat_per_mille=200,
        sessions=0,
    )
    SessionFactory(offer=offer, places=8)
    # Its certification is registered for a year.
    SessionFactory(offer=offer, starts_on=in_days(350), ends_on=in_days(400))
    ProviderFigures.objects.create(
        provider=provider,
        counted_on=in_days(0),
        since=in_days(-365),
        requests=64,
        answered=61,
        refused=5,
        median_minutes=20 * 60,
    )
    words = (
        (5, "Des gestes montrés dix fois, sans jamais perdre patience. On repart avec trois livres reliés."),
        (4, "Très bonne formation. La dorure mériterait une journée de plus."),
        (5, ""),
        (2, "L’atelier est beau, mais il faisait froid en janvier et une machine est restée en panne."),
        (4, "Un rythme tenable le soir, même avec un emploi."),
        (5, ""),
    )
    answers = {3: "La chaudière a été changée en mars. Merci de nous l’avoir dit."}
    for number, (mark, said) in enumerate(words):
        dossier = ended_dossier(offer, holder=HolderFactory())
        state = {"words": said, "published": bool(said), "answer": answers.get(number, "")}
        ReviewFactory(dossier=dossier, mark=mark, at=at + timedelta(minutes=number), **state)
    for email, name, state in (
        (TO_REVIEW, "Leblanc", None),
        (REVIEWER, "Lenoir", {"words": "J’ai trouvé un emploi avant la fin."}),
        (UNPUBLISHED, "Lebrun", {"refused": "person", "words": "Grâce au formateur du mardi."}),
    ):
        holder = HolderFactory(user=UserFactory(email=email), first_names="Alix", birth_name=name)
        dossier = ended_dossier(offer, holder=holder)
        if state:
            ReviewFactory(dossier=dossier, mark=4, at=at, **state)
    published = Review.objects.filter(dossier__offer=offer, texts__state="published")
    reported = published.order_by("written_at")[0]
    by = provider_actor(provider)
    reviews.report(reported.pk, by=by, at=at, request_id=uuid4(), motive="accusation")


def _told_rights() -> None:
    """People whose years of work were declared and credited: some room left, nearly none, none, in hours."""
    now = timezone.now()
    last = now.year - 1
    told, near, full = (
        HolderFactory(user=UserFactory(email=email), first_names=first_name, birth_name=name)
        for email, first_name, name in (
            (TOLD, "Jeanne", "Castel"),
            (NEAR_CAP, "Rémi", "Aubry"),
            (AT_CAP, "Solène", "Kergoat"),
        )
    )
    agent = HolderProfile.objects.get(user__email=AGENT)
    years_ago = now.replace(month=6, day=3) - timedelta(days=365 * 5)
    CreditFactory(holder=told, kind=PocketKind.DIF, amount=900_00, at=years_ago, reason="Report du DIF")
    CreditFactory(holder=near, amount=4_300_00, at=years_ago, reason="Droits acquis avant")
    CreditFactory(holder=full, amount=5_000_00, at=years_ago, reason="Droits acquis avant")
    employer = OrganisationFactory(name="Atelier Nord")
    for year in range(last - 2, last + 1):
        received = now.replace(year=year + 1, month=5, day=20)
        worked = 800 if year == last else 1607
        for holder in (told, near) if year == last else (told,):
            fields = {"employer_siret": employer.siret, "imported_at": received}
            hours = worked if holder == told else 1607
            YearlyStatementFactory(holder=holder, year=year, worked=hours, **fields)
        if year == last:
            YearlyStatementFactory(holder=full, year=year, imported_at=received)
            YearlyStatementFactory(
                holder=agent,
                year=year,
                status=WorkStatus.PUBLIC,
                measure="months",
                worked=12,
                imported_at=received,
            )
        crediting_year.credit_year(year, at=now.replace(year=year + 1, month=6, day=3), by=SYSTEM)
    CreditFactory(holder=told, kind=PocketKind.VOLUNTEER, amount=240_00, reason="Réserve opérationnelle")
    GrantFactory(
        envelope=EnvelopeFactory(funder_name="Région Bretagne", funder_kind=FunderKind.REGION),
        holder=told,
        amount=600_00,
        origin=Origin.TOP_UP,
        expires_on=in_days(200),
    )


def _team() -> None:
    """A manager alone in that role, a member, people invited: in time, too late."""
    at = timezone.now()
    organisation = ProviderFactory(organisation__name="Atelier des Deux-Rives").organisation
    manager = MembershipFactory(
        user=UserFactory(email=MANAGER, first_name="Sophie", last_name="Arnaud"),
        organisation=organisation,
        role="manager",
        since=at - timedelta(days=400),
    )
    MembershipFactory(user=UserFactory(email=COLLEAGUE), organisation=organisation)
    UserFactory(email=INVITED)
    by = Actor(role=Role.PROVIDER, user=manager.user, organisation=organisation)
    for days, email, role in (
        (20, "trop-tard@exemple.invalid", "member"),
        (1, INVITED, "manager"),
        (0, "une-personne-au-nom-vraiment-tres-long@formation-professionnelle.exemple.invalid", "member"),
    ):
        teams.invite(organisation.pk, by=by, at=at - timedelta(days=days), email=email, role=role)


def _join_requests() -> None:
    """One in each state, for one person; one that the administration left without an answer."""
    person, now = UserFactory(email=CANDIDATE), timezone.now()
    known = list(Certification.objects.order_by("code").values_list("code", flat=True)[:2])
    said = {"name": "Les Ateliers du Mail", "certification_codes": [*known, "RS99999"]}
    begun = now - timedelta(days=30)
    for state in (State.ADMITTED, State.REFUSED, State.WITHDRAWN):
        JoinRequestFactory(author=person, state=state, at=begun, **said)
        begun += timedelta(days=2)
    begun = now - timedelta(days=5)
    for state in (State.SENT, State.COMPLETION_ASKED, State.RECEIVABLE, State.DRAFT):
        begun += timedelta(days=1)
        JoinRequestFactory(author=person, state=state, at=begun, **said)
    JoinRequestFactory(author=person, empty=True, at=now)
    late = UserFactory(email=LATE_CANDIDATE)
    JoinRequestFactory(author=late, state=State.SENT, at=now - timedelta(days=50), **said)


def _measures() -> None:
    """Organisations that were warned, that may be suspended, that are."""
    for email, verb in ((WARNED, "warn"), (THREATENED, "intend"), (SUSPENDED, "suspend_at_once")):
        provider = ProviderFactory(organisation__name=f"Organisme de {email.partition('@')[0]}")
        MembershipFactory(user=UserFactory(email=email), organisation=provider.organisation, role="manager")
        measure = MeasureFactory(provider=provider, verb=verb, at=timezone.now() - timedelta(days=3))
        if verb == "suspend_at_once":
            by = next(actor for actor in roles_of(User.objects.get(email=email)) if actor.is_provider)
            measures.answer(
                measure.pk,
                by=by,
                at=timezone.now() - timedelta(days=1),
                request_id=uuid4(),
                words="Le prix affiché est corrigé depuis hier. Voici la page.",
            )


def _busy_inbox() -> None:
    """An organisation with requests of every kind, and one answer for many at each of its stages."""
    at = timezone.now()
    names = ("Lefèvre", "de La Rochefoucauld-Montmorency", "Ba", "Nguyen", "O’Brien", "Diallo", "Haddad")
    offer = OfferFactory(
        title="Développeur web et web mobile : concevoir, réaliser et sécuriser une application", sessions=0
    )
    by = provider_actor(offer.provider)
    User.objects.filter(pk=by.user.pk).update(email=BUSY)
    start = in_business_days(at, 40)
    session = SessionFactory(offer=offer, starts_on=start, ends_on=start + timedelta(days=90), places=4)

    def ask(number: int, *, since: datetime = at, **fields: Any) -> Dossier:
        holder = HolderFactory(
            birth_name=names[number % len(names)], first_names="Élodie", phone="06 12 34 56 78"
        )
        fields.setdefault("requested", True)
        return DossierFactory(holder=holder, session=fields.pop("session", session), at=since, **fields)

    asked = [ask(number) for number in range(7)]
    any_time = ask(7, session=SessionFactory(offer=offer, starts_on=None, ends_on=None))
    ask(8, since=at - timedelta(days=20))
    ask(9, proposed=True)
    ask(10, accepted=True)
    done = bulk.prepare("propose", dossiers=[each.pk for each in asked[:2]], by=by, at=at, request_id=uuid4())
    act("cancel", asked[1], at=at)
    bulk.confirm(done.pk, by=by, at=at)
    bulk.carry_out(done.pk, at=at, limit=9)
    running = bulk.prepare("propose", dossiers=[asked[2].pk], by=by, at=at, request_id=uuid4())
    bulk.confirm(running.pk, by=by, at=at)
    left = [each.pk for each in (*asked[3:], any_time)]
    for answer in ("propose", "refuse"):
        bulk.prepare(answer, dossiers=left, by=by, at=at, request_id=uuid4())


def _trainings() -> None:
    """An organisation whose trainings have begun; people who cannot cancel freely any more, or contest."""
    at = timezone.now()
    title = "Couture et confection : du patron au vêtement fini"
    offer = OfferFactory(title=title, hours=35, sessions=0, price_cents=100_000)
    by = provider_actor(offer.provider)
    User.objects.filter(pk=by.user.pk).update(email=TEACHING)

    def learner(email: str, name: str, *, starts: int, lasts: int = 10, **fields: Any) -> Dossier:
        """Confirmed three months ago; the first day is so many days from now."""
        start = workdays.add_workdays(workdays.paris_day(at) + timedelta(days=starts - 1), 1)
        session = SessionFactory(offer=offer, starts_on=start, ends_on=start + timedelta(days=lasts))
        holder = HolderFactory(user=UserFactory(email=email), birth_name=name, first_names="Élodie")
        return DossierFactory(holder=holder, session=session, at=at - timedelta(days=90), **fields)

    # On the last business day, whatever the day: begun, and not too late to say so.
    today = workdays.paris_day(at)
    begun = (workdays.subtract_workdays(today, 1) - today).days
    learner("entree@exemple.invalid", "Lefèvre", starts=begun, accepted=True)
    learner("suit@exemple.invalid", "Diallo", starts=-9, lasts=6, in_training=True)
    learner("finit@exemple.invalid", "Haddad", starts=-14, lasts=6, ended=True)
    learner("verifie@exemple.invalid", "Nguyen", starts=-14, lasts=8, completion_declared=True)
    learner("manque@exemple.invalid", "Ba", starts=-4, absent=True)
    learner("close@exemple.invalid", "O’Brien", starts=-50, completion_validated=True)
    # Over since a day to three before that one: there is still time to contest.
    contested = learner(
        CONTESTING, "de La Rochefoucauld-Montmorency", starts=begun - 9, lasts=6, completion_declared=True
    )
    controls.open_control(
        contested.pk, by=holder_actor(contested.holder), at=at, words="J’étais présente toute la semaine."
    )
    # Its session cannot be held: others could be, one of them full; somebody is asked already.
    for days, places in ((40, 12), (61, 1), (90, None)):
        start = in_business_days(at, days)
        SessionFactory(offer=offer, starts_on=start, ends_on=start + timedelta(days=10), places=places)
    full = offer.sessions.get(places=1)
    taken = HolderFactory(first_names="Élodie", birth_name="Marchand")
    DossierFactory(holder=taken, session=full, at=at, accepted=True)
    learner(TO_POSTPONE, "Okonkwo", starts=20, accepted=True)
    put_off(learner(POSTPONED, "Lindqvist", starts=24, accepted=True), at=at)
    learner("invoque@exemple.invalid", "Sissoko", starts=-4, claimed=True)
    learner("jamais-venue@exemple.invalid", "Tran", starts=-25, no_show=True)
    moot = learner(MOOT, "Baptiste", starts=6, accepted=True)
    act("claim", moot, at=at, words="Je suis hospitalisée pour un mois.", files=[a_proof()])
    act("call_off", moot, at=at, reason="La session est supprimée.")
    # What has just been asked, in each state that a request may come to.
    mending, *others = (
        OfferFactory(title="Retouches de vêtements", provider=offer.provider, sessions=0)
        for _each in range(1 + len(ON_THEIR_OWN))
    )
    offers = dict(zip(ON_THEIR_OWN, others, strict=True))
    for state in ASKED:
        session = SessionFactory(
            offer=offers.get(state, mending), starts_on=in_business_days(at, 40), ends_on=in_days(90)
        )
        holder = HolderFactory(
            user=UserFactory(email=f"{state}@exemple.invalid"), birth_name="Moulin", first_names="Élodie"
        )
        is_paying = state == DossierState.AWAITING_PAYMENT
        asked = DossierFactory(
            holder=holder, session=session, at=at - timedelta(days=3), awaiting_payment=is_paying
        )
        bring(asked, state, at=at - timedelta(days=3))
    # Asked today: where prerequisites are looked at, and where something is missing.
    careful = OfferFactory(
        title="Soudure à l’arc", has_prerequisites=True, provider=offer.provider, sessions=0
    )
    start = in_business_days(at, 40)
    for email, name, fields in (
        ("prerequis@exemple.invalid", "Kerboul", {"requested": True}),
        ("cherche-un-financeur@exemple.invalid", "Zidane", {"proposed": True, "balance_cents": 1_000}),
    ):
        session = SessionFactory(offer=careful, starts_on=start, ends_on=start)
        holder = HolderFactory(user=UserFactory(email=email), birth_name=name, first_names="Élodie")
        DossierFactory(holder=holder, session=session, at=at, **fields)
    late = learner(TOO_LATE, "Girard", starts=6, balance_cents=40_000, is_exempt=False)
    CreditFactory(
        holder=late.holder,
        kind=PocketKind.TOP_UP,
        label="Région imaginaire",
        funder_kind=FunderKind.REGION,
        amount=30_000,
        at=at - timedelta(days=90),
    )
    late = bring(late, DossierState.AWAITING_PAYMENT, at=at - timedelta(days=90))
    act("confirm_payment", late, at=at - timedelta(days=90), reference="VIR-SCENE", amount_cents=30_000)


def _catalogue_desk() -> None:
    """Somebody who writes offers and imports catalogues: each state of both."""
    provider = ProviderFactory(organisation__name="Rédaction et Cie", qualiopi_skills_review=True)
    MembershipFactory(
        user=UserFactory(email=WRITER), organisation=provider.organisation, role=Membership.Role.MANAGER
    )
    town = Town.objects.get(code="69123")
    shown = OfferFactory(
        provider=provider,
        title="Assistanat de direction",
        certification__title="Assistant de direction",
        town=town,
        objectives="Tenir un agenda, rédiger, organiser.",
        is_handmade=True,
    )
    DossierFactory(session=shown.sessions.get())
    SessionFactory(offer=shown, permanent=True, details="Une rentrée par mois.", places=8)
    SessionFactory(offer=shown, starts_on=in_days(-90), ends_on=in_days(-60))
    OfferFactory(provider=provider, title="Secrétariat médical", certification__ended=True)
    OfferFactory(
        provider=provider,
        title="Bureautique",
        is_published=False,
        is_handmade=True,
        town=town,
        postal_code="69001",
    )
    draft = {"provider": provider, "is_draft": True, "is_published": False, "is_handmade": True}
    OfferFactory(**draft, title="", mode="", hours=None, price_cents=0, sessions=0)
    OfferFactory(**draft, title="Comptabilité", objectives="Tenir les comptes.", town=town)
    states = CatalogueImport.State
    applied_at = timezone.now() - timedelta(days=1)
    for state in states.values:
        # One step is owed at a time in an organisation: the others are owed by others.
        is_waiting = state in CatalogueImport.WAITING and state != states.TO_APPLY
        owner = ProviderFactory() if is_waiting else provider
        if is_waiting:
            address = f"{state.replace('_', '-')}@exemple.invalid"
            MembershipFactory(user=UserFactory(email=address), organisation=owner.organisation)
        made = CatalogueImportFactory(
            provider=owner,
            state=state,
            file_name=f"catalogue-{state}.xml",
            applied_at=applied_at if state in {states.APPLIED, states.TO_UNDO, states.UNDONE} else None,
            undone_at=timezone.now() if state == states.UNDONE else None,
            error="Ligne 812 : le fichier s’arrête avant la fin." if state == states.UNUSABLE else "",
            counts={"read": 7, "created": 2, "updated": 1, "unchanged": 1, "refused": 2, "hidden": 1}
            | ({"restored": 1, "removed": 1, "withdrawn": 0, "kept": 1} if state == states.UNDONE else {}),
        )
        _import_lines(made)


def _endings() -> None:
    """An organisation whose certifications end: soon and replaced, soon and not, ended and taken over."""
    provider = ProviderFactory(organisation__name="Cuisine et Salle Formation")
    member = UserFactory(email=ENDING)
    MembershipFactory(user=member, organisation=provider.organisation, role=Membership.Role.MANAGER)
    town = Town.objects.get(code="69123")
    soon, later, ended = (
        CertificationFactory(number=number, title=title, registered_until=in_days(days))
        for number, title, days in (
            (91_201, "Commis de cuisine", 45),
            (91_202, "Serveur en restauration", 170),
            (91_203, "Employé d’étage", -12),
        )
    )
    next_one, next_two = (
        CertificationFactory(number=number, title=title, registered_until=in_days(1200))
        for number, title in ((93_201, "Commise ou commis de cuisine"), (93_203, "Agente ou agent d’étage"))
    )
    Succession.objects.create(old_code=soon.pk, new_code=next_one.pk)
    Succession.objects.create(old_code=ended.pk, new_code=next_two.pk)
    # Long ended: what replaces the one is offered, what replaces the other is not.
    for number, title, new in ((91_204, "Aide de cuisine", soon), (91_205, "Valet de chambre", next_two)):
        gone = CertificationFactory(number=number, title=title, level=3, registered_until=in_days(-400))
        Succession.objects.create(old_code=gone.pk, new_code=new.pk)
    HabilitationFactory(certification=next_one, siret=provider.organisation.siret)
    words = {"town": town, "objectives": "Apprendre le métier.", "accessibility": "Locaux de plain-pied."}
    for number in range(22):
        OfferFactory(
            provider=provider,
            certification=soon,
            title=f"Commis de cuisine, groupe {number + 1}",
            entitled=number == 0,
            sessions=0,
            **words,
        )
    OfferFactory(provider=provider, certification=later, title="Service en salle", **words)
    old = OfferFactory(provider=provider, certification=ended, title="Employé d’étage", sessions=0, **words)
    OfferFactory(provider=provider, title="Plonge", is_published=False, archived_at=timezone.now(), town=town)
    OfferFactory(
        provider=provider, title="Traiteur", is_published=False, withheld_for="Le titre promet un diplôme."
    )
    at = timezone.now()
    offer = provider.offers.get(title="Commis de cuisine, groupe 1")
    session = SessionFactory(offer=offer, permanent=True)
    DossierFactory(requested=True, session=session)
    DossierFactory(accepted=True, session=session)
    # Trained while the certification was registered; it has ended since.
    ended.registered_until = in_days(400)
    ended.save()
    before = at - timedelta(days=120)
    DossierFactory(
        completion_validated=True,
        at=before,
        holder=HolderFactory(user=UserFactory(email=TRAINED)),
        session=SessionFactory(
            offer=old, starts_on=in_business_days(before, 20), ends_on=in_business_days(before, 24)
        ),
    )
    ended.registered_until = in_days(-12)
    ended.save()
    by = next(actor for actor in roles_of(member) if actor.is_provider)
    succession.take_over(old_code=ended.pk, new_code=next_two.pk, by=by, at=at, request_id=uuid4())
    endings.warn(at=at)


def _import_lines(made: CatalogueImport) -> None:
    if made.state == CatalogueImport.State.UNDONE:
        step, verdicts = "undo", {"restored": "", "removed": "", "kept": "Elle a changé depuis cet import."}
    else:
        step = "apply" if made.applied_at else "check"
        verdicts = {
            "refused": "<code-RNCP> : « XRNCP37674 » n’est pas une valeur permise (on attend RNCP40344).",
            "hidden": "La certification RNCP35959 n’est plus active.",
            "created": "",
            "updated": "Change : prix, lieu. 2 sessions ajoutées.",
            "unchanged": "",
        }
    for verdict, reason in verdicts.items():
        CatalogueImportLineFactory(catalogue_import=made, step=step, verdict=verdict, reason=reason)


def _adjustment() -> None:
    """Somebody of the desk proposes; another will decide."""
    purse = Pocket.objects.filter(kind="annual", holder__user__email="titulaire@exemple.invalid").get()
    adjustments.propose(
        purse.pk,
        direction=adjustments.Direction.UP,
        amount=12_50,
        reason="Heures oubliées par l’employeur en 2025.",
        by=admin_actor(),
        at=timezone.now(),
        request_id=uuid4(),
    )


def _rarities() -> None:
    """One of each thing that the demonstration has none of: the administration has pages for them too."""
    at = timezone.now()
    certification = Certification.objects.order_by("code")[0]
    CertificationBlock.objects.create(
        certification=certification, code=f"{certification.code}BC01", title="Concevoir une application"
    )
    Succession.objects.create(old_code=certification.code, new_code="RNCP99998")
    CertificationOutcome.objects.create(
        certification=certification, year=2024, certified=212, employed_percent=81, in_the_job_percent=64
    )
    CertificationStatement.objects.create(
        certification=certification,
        source="kit",
        digest="5c629db77ece" * 5 + "0000",
        facts={"titles": ["Développeur web"], "rome_codes": ["M1805"], "formacodes": []},
        imported_at=at,
    )
    SynonymGroup.objects.create(key="cdt", names=["Conduite de travaux", "CDT"])
    job = TermFactory(names=["Conducteur de travaux"])
    JobName.objects.create(key="conducteur travaux", codes=[job.code])
    offer = Offer.objects.filter(is_published=True).order_by("title", "pk")[0]
    Visibility.objects.get_or_create(offer=offer, defaults={"is_open": True, "since": timezone.localdate(at)})
    MarketPrice.objects.create(
        key="35600000000048-F12-69",
        siret="35600000000048",
        training_number="F12",
        department="69",
        code=certification.code,
        title="Devenir développeur web",
        hours=400,
        price_cents=420_000,
        lowest_cents=390_000,
        highest_cents=450_000,
        observed_on=timezone.localdate(at),
    )
    favourites.keep(offer, user=UserFactory(), at=at)
    saved_searches.keep("q=anglais", name="", alert="daily", user=UserFactory(), at=at)
    wishes.write(UserFactory(), job="Anglais", town=None, level=4, budget_cents=20_000, at=at)
    Group.objects.create(name="Guichet des litiges")
    run = ImportRun.objects.create(
        kind=ImportRun.Kind.CERTIFICATIONS,
        file_name="export-fiches-rncp.xml",
        file_digest="5c629db77ece" * 5 + "0000",
        started_at=at - timedelta(hours=2),
        ended_at=at - timedelta(hours=1, minutes=52),
        read=5_812,
        created=3,
        updated=12,
        unchanged=5_796,
        refused=1,
    )
    ImportRefusal.objects.create(
        run=run, line=41_027, subject="RNCP40344", reason="La date de fin « 31/02/2028 » n’existe pas."
    )
    holder = HolderFactory(user=UserFactory(), first_names="Yann", birth_name="Le Gall")
    first_steps.put_away(by=Actor(role=Role.HOLDER, user=holder.user, holder=holder), at=at)
    awards.credit_corrective(
        holder,
        cause=Origin.CORRECTIVE,
        employer="Atelier Nord",
        reference="DREETS-2026-0412",
        on=timezone.localdate(at),
        by=admin_actor(),
        at=at,
    )
    paid = DossierFactory(awaiting_payment=True)
    act(
        "confirm_payment",
        paid,
        at=at,
        reference="VIR-2026-1128-0001",
        amount_cents=workflow.remainder_line(paid).amount_cents,
    )
    relief.propose(
        kind=Relief.Kind.EXTEND,
        dossiers=[DossierFactory(requested=True).pk],
        reason="Panne du 27 novembre : le portail a été fermé tout l’après-midi.",
        extra_days=1,
        by=admin_actor(),
        at=at,
    )
    # Of the days of five years, the first: each is a transaction.
    first = Movement.objects.earliest("recorded_at").recorded_at
    seals.seal_due(at=first + timedelta(days=1))
    integrity.nightly_check(at=at)


def _payments() -> None:
    """A payment in each of its states, and what waits for a decision of the administration."""
    at = timezone.now()
    found = {}
    for name in ("attend", "refus", "encours", "verif", "paye", "tard", "rendu", "arendre"):
        user = UserFactory(email=f"{PAYING}-{name}@exemple.invalid")
        holder = HolderFactory(user=user, first_names="Solène", birth_name="Kermadec")
        session = SessionFactory(
            starts_on=in_business_days(at, 30),
            ends_on=in_business_days(at, 30) + timedelta(days=4),
            offer__price_cents=148_000,
            offer__title="Rédaction et réalisation web",
        )
        found[name] = DossierFactory(
            awaiting_payment=True, holder=holder, session=session, at=at - timedelta(hours=1)
        )
    tried = {"began_at": at - timedelta(minutes=20), "settled_at": at}
    CardPaymentFactory(
        dossier_id=found["refus"].pk, state="failed", failure="insufficient_funds", service_id="pi_1", **tried
    )
    CardPaymentFactory(dossier_id=found["encours"].pk, state="processing", service_id="pi_2", began_at=at)
    checked = CardPaymentFactory(
        dossier_id=found["verif"].pk,
        state="processing",
        service_id="pi_3",
        began_at=at,
        received_cents=138_001,
        trouble="Reçu 1 380,01 € (EUR) au lieu de 1 380,00 € : rien n’a bougé.",
    )
    PaymentEventFactory(
        subject=checked.service_id,
        handled_at=at,
        outcome="set_aside",
        note=checked.trouble,
        payload={"id": "pi_3", "amount": 138_001, "currency": "eur"},
    )
    for name in ("paye", "rendu", "arendre"):
        left = workflow.remainder_line(found[name]).amount_cents
        reference = f"VIR-2026-{name}"
        if name == "rendu":
            card = CardPaymentFactory(
                dossier_id=found[name].pk, state="processing", service_id=reference, began_at=at
            )
            payments.settle(
                card.pk,
                payments.Intent(reference, payments.Stand.SUCCEEDED, left, "eur", attempt=str(card.pk)),
                at=at,
            )
        else:
            act("confirm_payment", found[name], at=at, reference=reference, amount_cents=left)
        if name != "paye":
            act("withdraw", found[name], at=at)
    payments._mark_sent(Refund.objects.get(dossier=found["rendu"]).pk, "re_1", at=at)
    clock = clocks.running(found["tard"], ClockKind.PAYMENT)
    act("lapse", found["tard"], at=clock.due_at)
    waiting = found["attend"]
    left = workflow.remainder_line(waiting).amount_cents
    BankTransferFactory(
        amount_cents=left + 1,
        text=f"VIR SEPA RECU {payment_references.compact(waiting.number)} FORMATION",
        payer_name="MME KERMADEC SOLENE",
        state="near",
        note="Reçu 1 380,01 € au lieu de 1 380,00 €.",
        dossier=waiting,
    )
    BankTransferFactory(amount_cents=52_000, text="LOYER NOVEMBRE", payer_name="M. DURAND")


def _declarations() -> None:
    """Somebody who has declared everything: one in force, one refused then made again, one that is over."""
    holder = HolderFactory(user=UserFactory(email=DECLARING), first_names="Aïcha", birth_name="Benali")
    by, at = Actor(role=Role.HOLDER, user=holder.user, holder=holder), timezone.now()

    def made(kind: DeclarationKind, day: datetime, *proofs: str) -> Declaration:
        files = [a_file(PDF + b"\n" * number, name) for number, name in enumerate(proofs)]
        return declarations.declare(kind, proofs=files, by=by, at=day, request_id=uuid4())

    last_year = at - timedelta(days=365)
    over = made(DeclarationKind.PREFERS_HOURS, last_year)
    declarations.end(over.pk, until_year=over.from_year, by=by, at=at)
    low = made(DeclarationKind.LOW_QUALIFIED, last_year)
    declarations.confirm(low.pk, by=admin_actor(), at=last_year)
    dark = made(DeclarationKind.BOE, at - timedelta(days=9), "photo.pdf")
    reason = "La photo est trop sombre : la date de validité ne se lit pas."
    declarations.refuse(dark.pk, reason=reason, by=admin_actor(), at=at - timedelta(days=6))
    made(DeclarationKind.BOE, at - timedelta(days=2), "notification-rqth.pdf", "carte-mobilite-inclusion.pdf")
