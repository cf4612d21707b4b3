"""Rights wait in an account. Their holder finds it, finds a training, enrols, then thinks again."""

from accounts.nir import decrypt
from tests.factories.accounts import HolderFactory, UserFactory
from tests.factories.catalog import OfferFactory
from tests.factories.rights import CreditFactory


def test_a_holder_enrols_and_withdraws(visit, member_of, letters, at, settings):
    settings.NIR_AT_ACTIVATION = True
    waiting = HolderFactory(
        activated=False, birth_name="Le Bihan", first_names="Anne-Lise", status="job_seeker"
    )
    CreditFactory(holder=waiting, amount=250_000)
    offer = OfferFactory(title="Menuiserie et agencement", price_cents=180_000)
    user, member = UserFactory(), member_of(offer)

    # She proves who she is, and her rights are there.
    holder = visit(user)
    holder.open("/")
    holder.follow("Activer mon compte")
    holder.press(
        "Activer mon compte",
        family_name="LE BIHAN",
        first_names="anne lise",
        birth_date="31/05/1985",
        nir=decrypt(waiting.nir_encrypted),
    )
    holder.must_say("Votre compte est activé.")
    holder.must_say("2 500,00 €")

    # She finds the training without knowing its exact name.
    holder.follow("Chercher une formation")
    holder.press("Rechercher", q="menuisier agencements")
    if not holder.says("Menuiserie et agencement"):
        holder.press("Rechercher", q="menuiserie")
    holder.follow("Menuiserie et agencement")
    holder.follow("Créer mon dossier d'inscription")
    holder.must_say("L’organisme répond en 2 jours ouvrés au plus.")
    holder.press("Créer mon dossier d’inscription")

    # She forgets to say why, then says it.
    holder.try_to_press("Envoyer mon inscription", terms=True)
    assert holder.status == 422
    holder.must_say("Dites à l'organisme pourquoi vous choisissez cette formation.")
    holder.press("Envoyer mon inscription", project="M'installer à mon compte.", terms=True)
    holder.must_say("Demande envoyée")
    dossier_page = holder.url

    # The organisation reads her project and proposes what she asked.
    organisation = visit(member)
    organisation.open("/demandes")
    organisation.follow("Anne-Lise Le Bihan")
    organisation.must_say("M'installer à mon compte.")
    assert not organisation.says("2 500,00 €"), "what a holder owns is not the organisation's business"
    organisation.press("Envoyer la proposition")
    organisation.must_say("À valider par le titulaire")

    # She validates: her rights are reserved, and she reads until when she may think again.
    holder.open(dossier_page)
    holder.press("Valider mon inscription")
    holder.must_say("Inscription confirmée")
    holder.must_say("Si j’annule maintenant")
    holder.open("/mes-droits")
    holder.must_say("Vous pouvez utiliser aujourd’hui : 700,00 €")

    # She thinks again: everything is back, and both have a letter for each step.
    holder.open(dossier_page)
    holder.press("Me rétracter et tout récupérer", reason="J'ai trouvé un emploi.")
    holder.must_say("Rétractation du titulaire : tout lui est rendu")
    holder.open("/mes-droits")
    holder.must_say("Vous pouvez utiliser aujourd’hui : 2 500,00 €")
    holder.must_say("Rien n’est réservé en ce moment.")
    organisation.open("/demandes")
    organisation.follow("Anne-Lise Le Bihan")
    organisation.must_say("J'ai trouvé un emploi.")

    hers, theirs = letters(user, at=at), letters(member, at=at)
    for start in ("Inscription confirmée", "Rétractation"):
        assert [subject for subject in hers if subject.startswith(start)], (start, hers)
        assert [subject for subject in theirs if subject.startswith(start)], (start, theirs)
