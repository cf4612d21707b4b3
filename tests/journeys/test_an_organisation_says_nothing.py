"""A request gets no answer. The page says so before any job has passed; then the broom settles it."""

from datetime import timedelta

from dossiers import clocks, deadlines
from dossiers.models import Dossier
from dossiers.states import ClockKind
from tests.factories.dossiers import DossierFactory


def test_an_organisation_says_nothing(visit, member_of, letters, as_at, at):
    dossier = DossierFactory(requested=True, at=at)
    user, member = dossier.holder.user, member_of(dossier.offer)
    due_at = clocks.running(dossier, ClockKind.PROVIDER_ANSWER).due_at

    # In the last second the organisation may still answer.
    with as_at(due_at - timedelta(seconds=1)):
        organisation = visit(member)
        organisation.open(f"/demandes/{dossier.pk}")
        assert organisation.offers("Envoyer la proposition")
        late_proposal = organisation.filled("Envoyer la proposition")

    # A second later it is too late, for the page it left open too, though no job has passed.
    with as_at(due_at):
        organisation = visit(member)
        organisation.open(f"/demandes/{dossier.pk}")
        organisation.must_say("Le délai est dépassé")
        assert not organisation.offers("Envoyer la proposition")
        address, data = organisation_form(late_proposal, organisation)
        organisation.try_to_open(address, data)
        assert organisation.status == 422
        organisation.must_say("Le délai est dépassé")
        holder = visit(user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Le délai est dépassé")
        assert not holder.offers("Annuler ma demande")

    # The broom passes, once is enough.
    later = due_at + timedelta(minutes=1)
    assert deadlines.settle_overdue(at=later).settled == 1
    assert deadlines.settle_overdue(at=later).settled == 0
    dossier = Dossier.objects.get(pk=dossier.pk)
    assert (dossier.state, dossier.silent_party) == ("lapsed", "provider")

    with as_at(later):
        holder = visit(user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say(f"{dossier.provider.organisation.name} n’a pas répondu dans le délai")
        # She tidies her list; the organisation keeps its trace.
        holder.press("Retirer de ma liste")
        holder.must_say(f"Le dossier {dossier.number} n'est plus dans votre liste.")
        assert not holder.offers(dossier.offer.title)
        organisation = visit(member)
        organisation.open("/demandes")
        organisation.must_say(dossier.number)
        # And she may ask again.
        holder.open(f"/formations/{dossier.offer_id}")
        holder.follow("Créer mon dossier d'inscription")
        holder.press("Créer mon dossier d’inscription")
        holder.press("Envoyer mon inscription", project="Je voudrais toujours venir.", terms=True)
        holder.must_say("Demande envoyée")

    for person in (user, member):
        subjects = letters(person, at=later)
        assert [subject for subject in subjects if subject.startswith("Sans suite, délai dépassé")], subjects


def organisation_form(late_proposal, organisation):
    """The page left open, sent from a session that is still valid: its token is that of today."""
    address, data = late_proposal
    token = organisation.client.cookies["csrftoken"].value
    kept = [pair for pair in data.decode().split("&") if not pair.startswith("csrfmiddlewaretoken=")]
    return address, "&".join([*kept, f"csrfmiddlewaretoken={token}"]).encode()
