"""A certification ends by the clock and another replaces it, as its organisation and the enrolled live it.

Warned three times, once each; the offers taken over in one click; hidden at midnight in Paris; who is
confirmed stays, who waits is told why; a certification that was obtained stays valid.
"""

from datetime import date, datetime, timedelta

import pytest
import time_machine

from catalog import tasks as catalog_tasks
from catalog.models import Offer, Succession
from dossiers import tasks as dossier_tasks
from dossiers.models import Dossier
from notices.models import Notice
from rulebook import workdays
from tests.conftest import PARIS
from tests.factories.accounts import HolderFactory
from tests.factories.catalog import (
    CertificationFactory,
    HabilitationFactory,
    OfferFactory,
    ProviderFactory,
    SessionFactory,
    TownFactory,
)
from tests.factories.dossiers import DossierFactory, in_business_days
from ui import french

# The last day of each story is a day on which the clocks change, or an ordinary one.
ENDS = [date(2027, 6, 30), date(2027, 3, 28), date(2027, 10, 31)]
WARNINGS = {
    date(2027, 6, 30): [date(2026, 12, 30), date(2027, 3, 30), date(2027, 5, 30)],
    date(2027, 3, 28): [date(2026, 9, 28), date(2026, 12, 28), date(2027, 2, 28)],
    date(2027, 10, 31): [date(2027, 4, 30), date(2027, 7, 31), date(2027, 9, 30)],
}


def moment(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=PARIS)


def told_of(user, kind):
    return Notice.objects.filter(user=user, kind=kind).count()


@pytest.mark.parametrize("end", ENDS, ids=["ordinary", "spring", "autumn"])
def test_a_certification_is_replaced(visit, member_of, letters, as_at, end):
    first, second, third = WARNINGS[end]
    with time_machine.travel(moment(first, 10) - timedelta(days=10), tick=False):
        provider = ProviderFactory()
        old = CertificationFactory(number=31_000, title="Tailleur de pierre", registered_until=end)
        new = CertificationFactory(
            number=41_000, title="Tailleuse ou tailleur de pierre", registered_until=date(2031, 1, 1)
        )
        Succession.objects.create(old_code=old.pk, new_code=new.pk)
        HabilitationFactory(certification=new, siret=provider.organisation.siret)
        offer = OfferFactory(
            provider=provider, certification=old, title="Taille de pierre", town=TownFactory(),
            objectives="Tailler.", accessibility="Rampe.", sessions=0,
        )  # fmt: skip
        OfferFactory(
            provider=provider, certification=old, title="Taille en ligne", mode="distance",
            objectives="Tailler.", entitled=False, sessions=0,
        )  # fmt: skip
        permanent = SessionFactory(offer=offer, permanent=True)
        member = member_of(offer)
        begins = in_business_days(moment(first, 10), 15)
        trained = DossierFactory(
            completion_validated=True,
            at=moment(first, 10) - timedelta(days=10),
            session=SessionFactory(offer=offer, starts_on=begins, ends_on=begins + timedelta(days=4)),
        )

    # 1. Three warnings, once each: the task runs every hour, missed two days once, and once ran twice.
    def warn(day, hour):
        with as_at(moment(day, hour)):
            catalog_tasks.warn_of_ending_certifications()
        return told_of(member, "certification_ending")

    assert warn(first - timedelta(days=1), 20) == 0
    assert [warn(first, hour) for hour in (7, 7, 8, 20)] == [1, 1, 1, 1]
    assert [warn(second + timedelta(days=2), hour) for hour in (7, 8)] == [2, 2], "two days late, once"
    # 2. The organisation sees what is coming and takes its offers over, in one click. Twice changes nothing.
    eve = end - timedelta(days=40)
    with as_at(moment(eve, 11)):
        session = SessionFactory(offer=offer, starts_on=end, ends_on=end + timedelta(days=90))
        confirmed = DossierFactory(accepted=True, at=moment(eve, 11), session=session)
        desk = visit(member)
        desk.open("/mes-offres")
        desk.must_say("Une certification de vos offres s’arrête bientôt")
        desk.follow("Voir la date et quoi faire")
        desk.must_say("Encore 40 jours")
        desk.must_say("1 dossier, qui continue")
        desk.must_say("Remplacée par RNCP41000")
        desk.press("Reprendre 2 offres pour RNCP41000")
        desk.must_say("2 brouillons sont prêts pour RNCP41000")
        desk.open("/mes-certifications")
        assert not desk.offers("Reprendre 2 offres")
        desk.must_say("2 brouillons à relire")
    draft = Offer.objects.get(replaces=offer)
    assert Offer.objects.filter(is_draft=True).count() == 2

    # It reads the new one again, and publishes it.
    with as_at(moment(eve, 12)):
        desk.open(f"/mes-offres/{draft.pk}")
        desk.must_say("Reprise de « Taille de pierre » (RNCP31000)")
        desk.press("Publier cette offre")
        desk.must_say("est publiée")

    assert [warn(third, hour) for hour in (9, 10)] == [3, 3]
    subjects = letters(member, at=moment(third, 10))
    assert subjects.count(f"RNCP31000 s’arrête le {french.day(end)}") == 3

    # 3. Some ask on the last day. At 23:30 in Paris the offer is still there; at midnight it is not.
    midnight = workdays.midnight_after(end)
    asked_at = midnight - timedelta(hours=13)
    requested = DossierFactory(requested=True, at=asked_at, session=permanent)
    proposed = DossierFactory(proposed=True, at=asked_at, session=permanent)
    late = midnight - timedelta(minutes=30)
    with as_at(late):
        assert late.astimezone(PARIS).strftime("%H:%M") == "23:30"
        dossier_tasks.close_ended_certifications()
        catalog_tasks.look_at_offers()
        visitor = visit(requested.holder.user)
        visitor.open("/recherche?certification=RNCP31000")
        assert f"/formations/{offer.pk}" in visitor.page.xpath("//a/@href")
        visitor.open(f"/formations/{offer.pk}")
    with as_at(midnight):
        visitor.open("/recherche?certification=RNCP31000")
        assert f"/formations/{offer.pk}" not in visitor.page.xpath("//a/@href")
        visitor.open("/recherche?q=RNCP31000")
        visitor.must_say("RNCP41000")  # what replaces it is shown instead
        visitor.open(f"/formations/{offer.pk}")
        visitor.must_say("Vous la voyez parce que vous y avez un dossier")
        visitor.must_say("La certification RNCP31000 n'est plus active")
        assert not visitor.offers("Créer mon dossier")
        visitor.open("/recherche?q=RNCP41000")
        assert visitor.offers("Taille de pierre"), "the one that replaces it is there"
        newcomer = visit(HolderFactory().user)
        newcomer.try_to_open(f"/formations/{offer.pk}")
        assert newcomer.status == 404
        newcomer.try_to_open(f"/mes-dossiers/creer/{permanent.pk}")
        assert newcomer.status == 404, "nobody enrols any more"

    # 4. The hour's tasks: requests and proposals closed in words, confirmed ones kept, the organisation told.
    with as_at(midnight + timedelta(minutes=10)):
        for _twice in range(2):
            catalog_tasks.look_at_offers()
            dossier_tasks.close_ended_certifications()
    states = {str(pk): state for pk, state in Dossier.objects.values_list("pk", "state")}
    assert states == {
        str(trained.pk): "completion_validated",
        str(confirmed.pk): "accepted",
        str(requested.pk): "closed_by_platform",
        str(proposed.pk): "closed_by_platform",
    }
    assert told_of(member, "offers_closed") == 1
    for dossier in (requested, proposed):
        assert told_of(dossier.holder.user, "dossier_closed") == 1

    with as_at(midnight + timedelta(hours=9)):
        for dossier in (requested, proposed):
            holder = visit(dossier.holder.user)
            holder.open(f"/mes-dossiers/{dossier.pk}")
            holder.must_say("Close par le portail")
            holder.must_say("La certification RNCP31000 n'est plus active")
        holder = visit(confirmed.holder.user)
        holder.open(f"/mes-dossiers/{confirmed.pk}")
        holder.must_say("Inscription confirmée")
        holder.must_say("Celle-ci est confirmée : elle continue jusqu’au bout.")
        holder = visit(trained.holder.user)
        holder.open(f"/mes-dossiers/{trained.pk}")
        holder.must_say("RNCP31000 · Tailleur de pierre")
        holder.must_say("Obtenue, elle reste valable")

        # 5. The old offer is put away with its dossiers: it never disappears.
        desk = visit(member)
        desk.open("/mes-certifications")
        desk.must_say("Arrêtée")
        desk.open(f"/mes-offres/{offer.pk}")
        desk.must_say("Pourquoi on ne la trouve pas")
        desk.press("Archiver")
        desk.must_say("est archivée")
        desk.open(f"/mes-offres/{offer.pk}")
        desk.try_to_press("Supprimer")
        desk.must_say("Des personnes ont un dossier sur cette offre")
    assert Offer.objects.get(pk=offer.pk).archived_at
