"""The register ends a certification. Who is confirmed stays; who waits is told why, and loses nothing."""

from datetime import timedelta

from dossiers import deadlines
from dossiers.models import Dossier
from rulebook import workdays
from tests.factories.catalog import CertificationFactory, OfferFactory, SessionFactory
from tests.factories.dossiers import DossierFactory, in_business_days


def test_a_certification_ends_meanwhile(visit, letters, as_at, at):
    today = workdays.paris_day(at)
    certification = CertificationFactory(registered_until=today)
    offer = OfferFactory(certification=certification, title="Taille de pierre", sessions=0)
    session = SessionFactory(
        offer=offer, starts_on=in_business_days(at, 30), ends_on=in_business_days(at, 40)
    )
    other = DossierFactory(requested=True, at=at)
    confirmed = DossierFactory(accepted=True, at=at, session=session)
    proposed = DossierFactory(proposed=True, at=at, session=session)
    requested = DossierFactory(requested=True, at=at, session=session)

    # Its last day still counts.
    midnight = workdays.midnight_after(today)
    assert deadlines.close_ended_certifications(at=midnight - timedelta(seconds=1)).settled == 0

    # The day after, before the nightly job: the offer is gone, a proposal can no longer be validated.
    tomorrow = midnight + timedelta(minutes=5)
    with as_at(tomorrow):
        holder = visit(proposed.holder.user)
        holder.open(f"/mes-dossiers/{proposed.pk}")
        holder.try_to_press("Valider mon inscription")
        assert holder.status == 422
        holder.must_say(f"La certification {certification.code} n'est plus active")
        holder.open("/recherche?q=taille+de+pierre")
        assert not holder.offers("Taille de pierre")

    # The job closes those who waited, and only them.
    assert deadlines.close_ended_certifications(at=tomorrow).settled == 2
    states = {str(pk): state for pk, state in Dossier.objects.values_list("pk", "state")}
    assert states == {
        str(confirmed.pk): "accepted",
        str(proposed.pk): "closed_by_platform",
        str(requested.pk): "closed_by_platform",
        str(other.pk): "requested",
    }

    with as_at(tomorrow):
        for dossier in (proposed, requested):
            holder = visit(dossier.holder.user)
            holder.open(f"/mes-dossiers/{dossier.pk}")
            holder.must_say("Close par le portail")
            holder.must_say(f"La certification {certification.code} n'est plus active")
            holder.open("/mes-droits")
            holder.must_say("Rien n’est réservé en ce moment.")
        holder = visit(confirmed.holder.user)
        holder.open(f"/mes-dossiers/{confirmed.pk}")
        holder.must_say("Inscription confirmée")
        assert holder.offers("Me rétracter et tout récupérer")

    def told_of_an_end(dossier):
        subjects = letters(dossier.holder.user, at=tomorrow)
        return any(subject.startswith("Dossier clos par le portail") for subject in subjects)

    assert [told_of_an_end(dossier) for dossier in (proposed, requested, confirmed, other)] == [
        True,
        True,
        False,
        False,
    ]
