"""Rights do not pay everything. The rest comes by bank transfer, at the second try; or never comes."""

from datetime import timedelta

import pytest

from dossiers import clocks, deadlines
from dossiers.models import Dossier
from dossiers.states import ClockKind
from rulebook import workdays
from tests.factories.accounts import HolderFactory
from tests.factories.dossiers import DossierFactory, admin_actor
from ui.french import euros

PRICE, RIGHTS = 120_000, 300_000


@pytest.fixture
def proposal(at):
    """1 200 € for an employee who has 3 000 €: rights would do, but the law leaves a part to pay."""
    holder = HolderFactory(status="private_employee")
    return DossierFactory(
        proposed=True, at=at, holder=holder, price_cents=PRICE, balance_cents=RIGHTS, is_exempt=False
    )


def test_a_transfer_confirms_the_registration_at_the_second_try(proposal, visit, letters, at, rules):
    to_pay = rules.participation_cents
    user, dossier_page = proposal.holder.user, f"/mes-dossiers/{proposal.pk}"
    holder = visit(user)
    holder.open(dossier_page)
    holder.must_say(f"Il vous restera {euros(to_pay)} à payer")
    holder.press("Valider mon inscription")
    holder.must_say("Paiement en cours")
    holder.must_say(proposal.number)
    holder.must_say("À payer par vous")
    assert not holder.says("Payé par vous"), "nothing is received yet"
    holder.open("/mes-droits")
    holder.must_say(f"Vous pouvez utiliser aujourd’hui : {euros(RIGHTS - PRICE + to_pay)}")

    # The bank refuses a first transfer; an admin records it, and the holder may try again.
    admin = visit(admin_actor().user)
    payment_page = f"/administration/dossiers/dossier/{proposal.pk}/paiement/"
    admin.open(payment_page)
    admin.press("Enregistrer", outcome="refused", reference="VIR-1", reason="Compte insuffisant.")
    holder.open(dossier_page)
    holder.must_say("Paiement refusé")
    holder.must_say("Compte insuffisant.")

    # The second one arrives, a cent short at first: the admin cannot record what was not received.
    admin.open(payment_page)
    wrong = f"{to_pay // 100},{to_pay % 100 - 1:02}"
    admin.try_to_press("Enregistrer", outcome="confirmed", reference="VIR-2", amount=wrong)
    assert admin.status == 422
    admin.must_say("Le montant reçu n'est pas celui qui reste à payer.")
    admin.press("Enregistrer", amount=f"{to_pay // 100},{to_pay % 100:02}")
    holder.open(dossier_page)
    holder.must_say("Inscription confirmée")
    holder.must_say("Payé par vous")

    # Withdrawing gives the rights back; the payment goes back where it came from.
    holder.press("Me rétracter et tout récupérer")
    holder.must_say("Ce qui était prévu, et vous est rendu")
    holder.open("/mes-droits")
    holder.must_say(f"Vous pouvez utiliser aujourd’hui : {euros(RIGHTS)}")
    subjects = letters(user, at=at)
    for start in ("Paiement attendu", "Paiement refusé", "Inscription confirmée", "Rétractation"):
        assert [subject for subject in subjects if subject.startswith(start)], (start, subjects)


def test_a_payment_that_never_comes_gives_everything_back(proposal, visit, as_at):
    user, dossier_page = proposal.holder.user, f"/mes-dossiers/{proposal.pk}"
    holder = visit(user)
    holder.open(dossier_page)
    holder.press("Valider mon inscription")
    due_at = clocks.running(proposal, ClockKind.PAYMENT).due_at
    assert deadlines.settle_overdue(at=due_at - timedelta(seconds=1)).settled == 0
    assert deadlines.settle_overdue(at=due_at).settled == 1
    dossier = Dossier.objects.get(pk=proposal.pk)
    assert (dossier.state, dossier.silent_party) == ("lapsed", "holder")
    with as_at(due_at + timedelta(hours=9)):
        holder = visit(user)
        holder.open(dossier_page)
        holder.must_say("Sans suite")
        assert not holder.offers("Valider mon inscription")
        holder.open("/mes-droits")
        holder.must_say(f"Vous pouvez utiliser aujourd’hui : {euros(RIGHTS)}")
    assert workdays.paris_day(due_at) > workdays.paris_day(proposal.created_at)
