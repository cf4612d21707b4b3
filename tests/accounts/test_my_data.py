"""« Télécharger mes données »: everything of this person, nothing of others, to who types the password."""

import json

import pytest
from django.urls import reverse

from accounts import journal, nir, sign_ins
from accounts.models import JournalEntry
from portal import exports
from tests.factories.accounts import PASSWORD, HolderFactory, MembershipFactory, UserFactory
from tests.factories.admissions import JoinRequestFactory
from tests.factories.dossiers import DossierFactory, admin_actor, holder_actor
from tests.factories.notices import NoticeFactory
from tests.factories.payments import BankTransferFactory, CardPaymentFactory, RefundFactory
from tests.factories.reviews import ReviewFactory, ended_dossier
from tests.factories.support import TicketFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def holder(at):
    found = HolderFactory(birth_name="Lefèvre", phone="06 12 34 56 78")
    MembershipFactory(user=found.user, organisation__name="Atelier Nord")
    DossierFactory(at=at, holder=found, accepted=True)
    sign_ins.record(found.user, at=at, place=sign_ins.Place(browser="Firefox", system="Linux"))
    journal.record(by=admin_actor(), action="holder_viewed", subject=found, at=at)
    TicketFactory(by=holder_actor(found), words="Il me manque une année.")
    JoinRequestFactory(author=found.user, name="Atelier des Lices")
    return found


@pytest.fixture
def stranger(at):
    """Whose things could leak."""
    other = HolderFactory(birth_name="Étrangère", phone="07 98 76 54 32")
    DossierFactory(at=at, holder=other, requested=True)
    NoticeFactory(user=other.user)
    TicketFactory(by=holder_actor(other), words="Ce que l’étrangère a écrit.")
    JoinRequestFactory(author=other.user, name="École de l’étrangère")
    return other


def test_the_file_holds_everything_of_theirs_and_nothing_of_others(client, holder, stranger):
    client.force_login(holder.user)
    answer = client.post(reverse("my_data"), {"password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    found = json.loads(answer.content)
    assert found["acces"]["adresse_e_mail"] == holder.user.email
    assert found["compte_de_formation"]["telephone"] == "06 12 34 56 78"
    assert [one["nom"] for one in found["organisations"]] == ["Atelier Nord"]
    assert found["droits"]["mouvements"] and found["droits"]["poches"]
    [dossier] = found["dossiers"]
    assert dossier["historique"][-1]["etat"] == dossier["etat"]
    assert found["connexions"][0]["appareil"] == "Firefox sur Linux"
    assert found["notifications"][0]["objet"]
    assert [line["action"] for line in found["journal"]][:1] == ["holder_viewed"]
    [ticket] = found["demandes_d_aide"]
    assert ticket["echange"][0]["message"] == "Il me manque une année."
    [asked] = found["demandes_de_referencement"]
    assert asked["reponses"]["nom de l’organisme"] == "Atelier des Lices"
    assert {document["octets"] > 0 for document in asked["pieces"]} == {True}
    text = answer.content.decode()
    assert "l’étrangère" not in text
    assert "Étrangère" not in text and "07 98" not in text and stranger.user.email not in text
    # Neither the number nor what opens the account.
    assert nir.decrypt(holder.nir_encrypted) not in text
    assert holder.user.password not in text and client.cookies["sessionid"].value not in text
    assert JournalEntry.objects.filter(action="data_exported", user=holder.user).exists()


def test_what_they_paid_is_in_it_and_what_came_back(at):
    """A transfer that only looks like theirs is left out: it may be somebody else's."""
    dossier = DossierFactory(awaiting_payment=True)
    CardPaymentFactory(dossier_id=dossier.pk, amount_cents=12_000, state="failed", failure="card_declined")
    paid = {"dossier": dossier, "amount_cents": 12_000}
    BankTransferFactory(**paid, state="matched", text="FORMATION", payer_name="MME LE BIHAN")
    BankTransferFactory(**paid, state="near", payer_name="M. DURAND")
    RefundFactory(dossier=dossier, amount_cents=5_000, reason="Trop payé.")
    [found] = exports.everything_of(dossier.holder.user, at=at)["dossiers"]
    assert [(one["chemin"], one["montant_en_centimes"], one["etat"]) for one in found["paiements"]] == [
        ("Sur la carte", 12_000, "Refusé"),
        ("Par virement", 12_000, "Rattaché"),
    ]
    assert found["paiements"][1]["paye_par"] == "MME LE BIHAN"
    [refund] = found["remboursements"]
    assert (refund["chemin"], refund["montant_en_centimes"], refund["motif"]) == (
        "Par virement",
        5_000,
        "Trop payé.",
    )
    other = DossierFactory(at=at, requested=True)
    [nothing] = exports.everything_of(other.holder.user, at=at)["dossiers"]
    assert (nothing["paiements"], nothing["remboursements"]) == ([], [])


def test_without_the_password_nothing_is_given(client, holder):
    client.force_login(holder.user)
    page = client.get(reverse("my_data"))
    assert "06 12 34 56 78" not in page.text
    refused = client.post(reverse("my_data"), {"password": "pas le bon du tout"})
    assert refused.status_code == 422 and "ne convient pas" in refused.text
    assert not JournalEntry.objects.filter(action="data_exported").exists()


@pytest.mark.parametrize("who", ["member", "administrator", "newcomer"])
def test_people_without_account_have_their_file_too(client, who):
    user = {
        "member": lambda: MembershipFactory().user,
        "administrator": lambda: UserFactory(is_staff=True),
        "newcomer": UserFactory,
    }[who]()
    client.force_login(user)
    found = json.loads(client.post(reverse("my_data"), {"password": PASSWORD}).content)
    assert (found["compte_de_formation"], found["droits"], found["dossiers"]) == (None, None, [])


@pytest.mark.parametrize("size", [1, 3])
def test_it_costs_the_same_however_much_there_is(at, size, django_assert_num_queries):
    holder = HolderFactory()
    for _ in range(size):
        DossierFactory(at=at, holder=holder, requested=True)
        MembershipFactory(user=holder.user)
        NoticeFactory(user=holder.user)
        TicketFactory(by=holder_actor(holder))
        JoinRequestFactory(author=holder.user)
        ReviewFactory(dossier=ended_dossier(holder=holder), words="Bien.")
    with django_assert_num_queries(29):
        exports.everything_of(holder.user, at=at)
