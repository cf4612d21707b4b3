"""A registration is confirmed. What follows, whatever happens: the money lands where the rule says."""

from datetime import timedelta
from urllib.parse import urljoin

import pytest

from dossiers import clocks, deadlines
from dossiers.models import Dossier
from dossiers.states import ClockKind, State
from rights import ledger
from rights.kinds import PocketKind
from tests.factories.catalog import SessionFactory
from tests.factories.dossiers import (
    FAR,
    DossierFactory,
    a_proof,
    act,
    bring,
    in_business_days,
    noon,
    the_day_after,
)

PRICE = 100_000


@pytest.fixture
def dossier(at):
    return DossierFactory(at=at, balance_cents=PRICE, accepted=True)


def money_of(dossier, *, at) -> tuple[int, int]:
    """What its holder can use, and what is due to the organisation."""
    owned = sum(purse.balance for purse in ledger.purses(dossier.holder, at=at))
    return owned, ledger.due_to(dossier.provider_id)


def send(visitor, path, **fields):
    """A form with a file, as a browser sends it."""
    visitor.open(path)
    form = next(form for form in visitor.page.forms if form.get("enctype"))
    known = {name: value for name, value in form.fields.items() if value is not None}
    answer = visitor.client.post(urljoin(visitor.url, path), known | fields)
    assert answer.status_code == 302, answer.content.decode()
    visitor.open(answer.url)


def test_a_training_is_followed_to_its_end(dossier, visit, member_of, letters, as_at, at):
    member = member_of(dossier.offer)
    with as_at(noon(dossier.starts_on, at=at)):
        organisation = visit(member)
        organisation.open("/demandes?view=a-declarer")
        organisation.follow(dossier.holder.display_name)
        # A slip of the finger is told beside its field, and nothing has happened.
        organisation.try_to_press("Déclarer l’entrée", **{"entry-entered_on": "2020-01-01"})
        organisation.must_say("avant le premier jour convenu")
        organisation.press("Déclarer l’entrée", **{"entry-entered_on": str(dossier.starts_on)})
        organisation.must_say("En formation")
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Votre formation a commencé")
        assert not holder.says("Si j’annule maintenant")

    last = noon(dossier.ends_on, at=at)
    with as_at(last):
        organisation = visit(member)
        organisation.open(f"/demandes/{dossier.pk}")
        organisation.press(
            "Déclarer la fin", **{"exit-exited_on": str(dossier.ends_on), "exit-exit_reason": "finished"}
        )
        organisation.follow("Déclarer le service fait")
        organisation.try_to_press("Déclarer", total_hours="35", done_hours="36")
        organisation.must_say("dépasse la durée prévue")
        organisation.press("Calculer d’abord", total_hours="35", done_hours="35")
        organisation.must_say("1 000,00 €")
        organisation.must_say("Rien n’est encore déclaré")
        organisation.press("Déclarer", total_hours="35", done_hours="35")
        organisation.must_say("Service fait en vérification")
        assert money_of(dossier, at=last) == (0, 0)

    over = clocks.running(dossier, ClockKind.VALIDATION).due_at
    deadlines.settle_overdue(at=over)
    with as_at(over):
        organisation = visit(member)
        organisation.open("/sommes-dues")
        organisation.must_say("1 000,00 €")
        organisation.must_say(dossier.number)
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Où est allé le prix")
        holder.must_say("Reçu par l’organisme")
    assert money_of(dossier, at=over) == (0, PRICE)
    for start in ("Entrée en formation", "Fin de formation", "Service fait déclaré", "Service fait validé"):
        assert [words for words in letters(dossier.holder.user, at=over) if words.startswith(start)], start


def test_something_grave_happens_in_the_middle(dossier, visit, member_of, as_at, at):
    """Two days of five, then an accident: what was not done comes back, proved by the organisation."""
    ended = bring(dossier, State.ENDED, at=at)
    last = noon(dossier.ends_on, at=at)
    with as_at(last):
        organisation = visit(member_of(dossier.offer))
        send(
            organisation,
            f"/demandes/{ended.pk}/service-fait",
            total_hours="35",
            done_hours="14",
            cause="left",
            words="Accident le troisième jour.",
            force_majeure="on",
            evidence=a_proof(),
        )
        organisation.must_say("40 %")
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Accident le troisième jour.")
        holder.must_say("Êtes-vous d’accord")
    over = clocks.running(dossier, ClockKind.VALIDATION).due_at
    deadlines.settle_overdue(at=over)
    assert money_of(dossier, at=over) == (60_000, 40_000)


def test_nobody_comes(dossier, visit, member_of, as_at, at):
    with as_at(the_day_after(dossier, at=at)):
        organisation = visit(member_of(dossier.offer))
        organisation.open(f"/demandes/{dossier.pk}")
        organisation.press("Déclarer l’absence", **{"absence-reason": "Aucune nouvelle."})
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Votre absence au premier jour")
        holder.must_say("Expliquer mon absence")
    over = clocks.running(dossier, ClockKind.ABSENCE).due_at
    deadlines.settle_overdue(at=over)
    with as_at(over):
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Droits perdus")
        holder.must_say("950,00 €")
    assert money_of(dossier, at=over) == (0, 5_000)


def test_an_absence_is_explained_and_everything_comes_back(dossier, visit, member_of, as_at, at):
    absent = bring(dossier, State.ABSENT, at=at)
    moment = the_day_after(dossier, at=at)
    with as_at(moment):
        holder = visit(absent.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.follow("Expliquer mon absence")
        holder.try_to_press("Envoyer ma demande", words="Hospitalisation.")
        holder.must_say("Joignez un justificatif")
        send(
            holder, f"/mes-dossiers/{dossier.pk}/force-majeure", words="Hospitalisation.", evidence=a_proof()
        )
        holder.must_say("Force majeure à l’examen")
        # The organisation knows that something is examined, and nothing of what.
        organisation = visit(member_of(dossier.offer))
        organisation.open(f"/demandes/{dossier.pk}")
        organisation.must_say("Force majeure")
        assert not organisation.says("Hospitalisation")
    act("grant_claim", dossier, at=moment, reason="Certificat lu.")
    with as_at(moment):
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Certificat lu.")
        holder.must_say("Rendu à vos droits et aux financeurs")
    assert money_of(dossier, at=moment) == (PRICE, 0)


def test_a_funder_is_asked_and_stays_silent(visit, as_at, at):
    dossier = DossierFactory(at=at, balance_cents=40_000, proposed=True)
    holder = visit(dossier.holder.user)
    holder.open(f"/mes-dossiers/{dossier.pk}")
    holder.try_to_press("Envoyer ma demande d’aide", **{"funder-amount": "700"})
    holder.must_say("ce qui manque, au plus")
    holder.press("Envoyer ma demande d’aide", **{"funder-amount": "600"})
    holder.must_say("En attente du financeur")
    over = clocks.running(dossier, ClockKind.FUNDER_ANSWER).due_at
    deadlines.settle_overdue(at=over)
    with as_at(over):
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        holder.must_say("Aide du financeur accordée")
        holder.press("Valider mon inscription")
        holder.must_say("Inscription confirmée")
        holder.must_say("France Travail")


def test_an_organisation_cancels(dossier, visit, member_of, as_at, at):
    organisation = visit(member_of(dossier.offer))
    organisation.open(f"/demandes/{dossier.pk}")
    organisation.press("Annuler l’inscription", **{"call_off_form-reason": "Formateur absent."})
    assert money_of(dossier, at=at) == (PRICE, 0)
    holder = visit(dossier.holder.user)
    holder.open(f"/mes-dossiers/{dossier.pk}")
    holder.must_say("Formateur absent.")


def test_a_late_cancellation_becomes_a_credit_that_pays_the_next_training(visit, as_at, at):
    start = in_business_days(at, 60)
    session = SessionFactory(
        starts_on=start,
        ends_on=start + timedelta(days=4),
        offer__price_cents=PRICE,
        offer__certification__registered_until=FAR,
    )
    dossier = DossierFactory(
        at=at, session=session, balance_cents=70_000, is_exempt=False, awaiting_payment=True
    )
    act("confirm_payment", dossier, at=at, reference="VIR-1", amount_cents=30_000)
    dossier = Dossier.objects.get(pk=dossier.pk)
    with as_at(dossier.free_until):
        holder = visit(dossier.holder.user)
        holder.open(f"/mes-dossiers/{dossier.pk}")
        # Before any click: what is lost, what is kept, and until when it was free.
        holder.must_say("L’annulation était sans frais jusqu’au")
        holder.must_say("700,00 €")
        holder.must_say("Gardé en avoir sur votre compte")
        holder.press("Annuler et perdre 700,00", reason="Déménagement.")
        holder.must_say("Annulée par le titulaire")
        holder.must_say("Gardé en avoir sur votre compte")
        holder.open("/mes-droits")
        holder.must_say("Vous pouvez utiliser aujourd’hui : 300,00 €")
    moment = dossier.free_until
    assert money_of(dossier, at=moment) == (30_000, 5_000)
    again = DossierFactory(
        at=moment,
        holder=dossier.holder,
        balance_cents=0,
        is_exempt=False,
        price_cents=30_000 + 10_000,
        proposed=True,
    )
    act("accept", again, at=moment)
    sources = {line.source.kind for line in again.funding_lines.all() if line.source}
    assert sources == {PocketKind.CREDIT}
