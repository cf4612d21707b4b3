"""The pages of reviews: given and changed, answered and reported, read by everybody; the administration."""

import uuid

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import JournalEntry
from catalog.models import Offer
from dossiers import reviews
from dossiers.models import Review, ReviewReport, ReviewText
from dossiers.review_models import MARKS
from portal import duty, exports
from tests.factories.accounts import UserFactory
from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import DossierFactory, provider_actor
from tests.factories.reviews import ReviewFactory, ended_dossier, marks_of, text_of
from ui import french

pytestmark = pytest.mark.django_db
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def dossier():
    return ended_dossier()


def client_of(client_for, dossier):
    return client_for(dossier.holder.user)


def own_page(dossier):
    return reverse("dossier_review", args=[dossier.pk])


def offer_page(client, offer, **asked):
    response = client.get(reverse("offer", args=[offer.pk]), asked)
    assert response.status_code == 200
    return response.content.decode()


def sent(**more):
    return {"request_id": str(uuid.uuid4()), **marks_of(5), "words": "Très utile."} | more


# --- The holder -----------------------------------------------------------------------------------------


def test_a_review_is_given_from_the_dossier_and_stands_there_afterwards(client_for, dossier):
    client = client_of(client_for, dossier)
    before = client.get(reverse("dossier", args=[dossier.pk])).content.decode()
    assert "Donner mon avis" in before and own_page(dossier) in before
    form = client.get(own_page(dossier)).content.decode()
    assert "Votre nom n’est montré à personne" in form
    assert f"formée en {french.month(dossier.exited_on)}" in form
    response = client.post(own_page(dossier), sent(), follow=True)
    assert "vos notes comptent déjà" in response.content.decode()
    assert "attend d’être lu" in response.content.decode()
    assert Review.objects.get().welcome == 5
    after = client.get(reverse("dossier", args=[dossier.pk])).content.decode()
    assert "5,0 sur 5" in after and "Votre texte attend d’être lu" in after


@pytest.mark.parametrize("missing", MARKS)
def test_a_missing_mark_is_asked_beside_its_field_and_the_words_are_kept(client_for, dossier, missing):
    data = sent(words="À garder.")
    del data[missing]
    response = client_of(client_for, dossier).post(own_page(dossier), data)
    assert response.status_code == 422
    page = response.content.decode()
    assert "Choisissez une note" in page and "À garder." in page
    assert not Review.objects.exists()


@pytest.mark.parametrize("mark", ["0", "6", "x", "", "5.0"])
def test_a_mark_that_is_none_is_refused(client_for, dossier, mark):
    response = client_of(client_for, dossier).post(own_page(dossier), sent(team=mark))
    assert response.status_code == 422
    assert not Review.objects.exists()


def test_words_that_leak_are_kept_in_their_field_with_the_reason(client_for, dossier):
    response = client_of(client_for, dossier).post(own_page(dossier), sent(words="Au 06 12 34 56 78 !"))
    page = response.content.decode()
    assert response.status_code == 422
    assert "un numéro de téléphone" in page and "Au 06 12 34 56 78 !" in page


def test_a_refused_text_shows_its_motive_and_is_written_again(client_for):
    dossier = ReviewFactory(refused="contact").dossier
    client = client_of(client_for, dossier)
    page = client.get(own_page(dossier)).content.decode()
    assert "Le texte donne des coordonnées" in page and "Enregistrer mes changements" in page
    client.post(own_page(dossier), sent(words="Sans coordonnées."))
    assert ReviewText.objects.get().state == "waiting"


def test_a_review_is_taken_away_by_a_form_without_javascript(client_for):
    dossier = ReviewFactory(published=True).dossier
    client = client_of(client_for, dossier)
    assert "Supprimer mon avis" in client.get(own_page(dossier)).content.decode()
    response = client.post(reverse("dossier_review_delete", args=[dossier.pk]), follow=True)
    assert "Votre avis est supprimé" in response.content.decode()
    assert not Review.objects.exists()


def test_after_some_days_it_is_read_and_not_changed(client_for, monkeypatch, at, rules):
    review = ReviewFactory(words="Lu.", at=at)
    monkeypatch.setattr("dossiers.review_guards.changes_until", lambda _review, _rules: at)
    page = client_of(client_for, review.dossier).get(own_page(review.dossier)).content.decode()
    assert "ne se modifie plus" in page and "Lu." in page
    assert "Enregistrer mes changements" not in page and "Supprimer mon avis" in page


@pytest.mark.parametrize("state", ["accepted", "in_training"])
def test_before_the_end_there_is_nothing_to_review(client_for, at, state):
    dossier = DossierFactory(at=at, **{state: True})
    client = client_of(client_for, dossier)
    assert client.get(own_page(dossier)).status_code == 404
    assert "Votre avis" not in client.get(reverse("dossier", args=[dossier.pk])).content.decode()


# --- Everybody ------------------------------------------------------------------------------------------


def test_an_offer_nobody_reviewed_says_so(client):
    assert "Personne n’a encore donné d’avis" in offer_page(client, OfferFactory())


def test_few_reviews_show_their_words_and_no_mean(client):
    offer = OfferFactory()
    ReviewFactory(offer=offer, mark=5, published=True, words="Des cas concrets.")
    page = offer_page(client, offer)
    assert "1 avis reçu. La moyenne est montrée à partir de 5" in page
    assert "Des cas concrets." in page and "5,0 sur 5" in page
    assert "Moyenne de chaque critère" not in page


def test_enough_reviews_show_mean_distribution_and_criteria_as_tables(client, rules):
    offer = OfferFactory()
    for mark in (5, 4, 4, 3, 5):
        ReviewFactory(offer=offer, mark=mark)
    page = offer_page(client, offer)
    assert "4,2" in page and "d’après 5 avis" in page
    assert "la vraie moyenne est sans doute entre" in page
    assert "Combien ont donné chaque note" in page and "Équipe de formateurs" in page
    assert '"ratingValue": "4.2"' in page and '"reviewCount": 5' in page


def test_nothing_on_the_page_names_who_wrote(client, member_client):
    offer = OfferFactory()
    review = ReviewFactory(offer=offer, published=True, answer="Merci.")
    page = offer_page(client, offer)
    holder = review.dossier.holder
    assert f"Une personne, formée en {french.month(review.dossier.exited_on)}" in page
    for secret in (holder.birth_name, holder.user.email, str(review.dossier_id), review.dossier.number):
        assert secret not in page
    assert "Merci." in page and f"Réponse de {offer.provider.organisation.name}" in page


def test_words_are_words(client, client_for):
    offer = OfferFactory()
    review = ReviewFactory(offer=offer, published=True, words=HOSTILE, answer=HOSTILE)
    for page in (
        offer_page(client, offer),
        client_for(provider_actor(offer.provider).user).get(reverse("provider_reviews")).content.decode(),
        client_of(client_for, review.dossier).get(own_page(review.dossier)).content.decode(),
    ):
        assert "<script>alert" not in page and "<img src=x" not in page
        assert page.count("</main>") == 1


def test_the_newest_words_come_first_and_pages_keep_their_place(client, at, monkeypatch):
    monkeypatch.setattr("dossiers.review_screen.COMMENTS_PAGE", 2)
    offer = OfferFactory()
    for number in range(3):
        ReviewFactory(offer=offer, published=True, words=f"Texte {number}.")
    first = offer_page(client, offer)
    assert first.index("Texte 2.") < first.index("Texte 1.")
    assert "Texte 0." not in first and 'href="?page=2#avis"' in first
    second = offer_page(client, offer, page=2)
    assert "Texte 0." in second
    for nonsense in ("0", "-1", "abc", "9" * 40):
        assert "Avis des stagiaires" in offer_page(client, offer, page=nonsense)


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_as_much_for_three_reviews_as_for_one(client, count, django_assert_num_queries):
    offer = OfferFactory()
    for _number in range(count):
        ReviewFactory(offer=offer, published=True, answer="Merci.")
    # As without reviews (tests/catalog/test_public_pages.py); then how many words, the words, their answers.
    with django_assert_num_queries(8 + 3):
        offer_page(client, offer)


def test_places_that_are_left_are_those_not_agreed_upon_here(client, at):
    offer = OfferFactory(sessions=0)
    session = SessionFactory(offer=offer, places=2)
    assert "Groupe de 2 personnes" in offer_page(client, offer)
    DossierFactory(session=session, accepted=True, at=at)
    DossierFactory(session=session, requested=True, at=at)
    assert "1 place encore libre ici" in offer_page(client, offer)
    DossierFactory(session=session, accepted=True, at=at)
    assert "complet d’après les inscriptions faites ici" in offer_page(client, offer)


# --- The organisation -----------------------------------------------------------------------------------


@pytest.fixture
def received(client_for):
    """A published review, and the browser of a member of its organisation."""
    review = ReviewFactory(published=True, words="Très bien.")
    return review, client_for(provider_actor(review.dossier.provider).user)


def test_an_organisation_reads_answers_and_reports_without_a_name(received):
    review, client = received
    listed = client.get(reverse("provider_reviews")).content.decode()
    holder = review.dossier.holder
    for secret in (holder.birth_name, str(review.dossier_id), review.dossier.number):
        assert secret not in listed
    where = reverse("provider_review_answer", args=[review.pk])
    assert where in listed and "Très bien." in listed
    data = {"request_id": str(uuid.uuid4()), "words": "Merci !"}
    assert client.post(where, data).status_code == 302
    assert "attend d’être lue" in client.get(reverse("provider_reviews")).content.decode()
    assert client.get(where).status_code == 404
    reports = reverse("provider_review_report", args=[review.pk])
    assert client.post(reports, {"request_id": str(uuid.uuid4()), "motive": ""}).status_code == 422
    data = {"request_id": str(uuid.uuid4()), "motive": "person", "words": "Un prénom."}
    assert client.post(reports, data).status_code == 302
    assert "Signalé" in client.get(reverse("provider_reviews")).content.decode()
    assert client.get(reports).status_code == 404


def test_an_answer_is_refused_beside_its_field(received):
    review, client = received
    where = reverse("provider_review_answer", args=[review.pk])
    for words, said in (("", "Écrivez votre réponse"), ("Écrivez à moi@exemple.fr", "une adresse e-mail")):
        response = client.post(where, {"request_id": str(uuid.uuid4()), "words": words})
        assert response.status_code == 422 and said in response.content.decode()


def test_an_organisation_without_review_reads_what_will_come(member_client):
    assert "Aucun avis publié pour l’instant" in member_client.get(reverse("provider_reviews")).text


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_much_for_three_as_for_one(client_for, count, django_assert_num_queries):
    offer = OfferFactory(sessions=0)
    for _number in range(count):
        ReviewFactory(offer=offer, published=True, answer="Merci.")
    client = client_for(provider_actor(offer.provider).user)
    client.get(reverse("provider_reviews"))
    # session, person, roles (two), how many, reviews, texts with reports, unread notices
    with django_assert_num_queries(8):
        client.get(reverse("provider_reviews"))


# --- The administration -----------------------------------------------------------------------------------


def test_words_wait_among_the_decisions_with_their_age_and_are_published(admin_client_, administrator, at):
    review = ReviewFactory(words="Beaucoup de pratique.", at=at)
    text = text_of(review)
    where = reverse("admin:dossiers_reviewtext_change", args=[text.pk])
    [waiting] = duty.decisions(administrator, at=at, kind="texte-d-avis")[:10]
    assert (waiting.url, waiting.since) == (where, text.at)
    page = admin_client_.get(where).text
    publish = reverse("admin:dossiers_reviewtext_act", args=[text.pk, "publier"])
    assert "Beaucoup de pratique." in page and publish in page
    assert "Tout le monde le lira" in admin_client_.get(publish).text
    assert admin_client_.post(publish, {}).status_code == 302
    assert text_of(review).state == "published"
    assert publish not in admin_client_.get(where).text
    assert duty.decisions(administrator, at=at, kind="texte-d-avis").count() == 0
    again = admin_client_.post(publish.replace("publier", "refuser"), {"motive": "abuse"}, follow=True)
    assert "Ce n’est plus possible" in again.text and text_of(review).state == "published"


def test_words_are_refused_for_a_motive_of_the_list(admin_client_):
    text = text_of(ReviewFactory(words="Voyez Monsieur Untel."))
    refuse = reverse("admin:dossiers_reviewtext_act", args=[text.pk, "refuser"])
    for motive in ("", "parce que"):
        assert admin_client_.post(refuse, {"motive": motive}).status_code == 422
    assert admin_client_.post(refuse, {"motive": "person"}).status_code == 302
    assert (text_of(text.review).state, text_of(text.review).motive) == ("refused", "person")


def test_a_report_is_decided_from_its_page(admin_client_, administrator, at):
    review = ReviewFactory(published=True)
    by = provider_actor(review.dossier.provider)
    reported = reviews.report(review.pk, by=by, at=at, request_id=uuid.uuid4(), motive="person")
    where = reverse("admin:dossiers_reviewreport_change", args=[reported.pk])
    assert duty.decisions(administrator, at=at, kind="avis-signale")[:10][0].url == where
    remove = reverse("admin:dossiers_reviewreport_act", args=[reported.pk, "retirer"])
    assert remove in admin_client_.get(where).text
    assert admin_client_.post(remove, {"motive": "person"}).status_code == 302
    assert ReviewReport.objects.get().outcome == "removed"


def test_who_may_not_decide_gets_403_and_each_look_is_written_down(client_for, admin_client_):
    text = text_of(ReviewFactory(words="Bien."))
    staff = client_for(UserFactory(is_staff=True))
    for name in ("publier", "refuser"):
        where = reverse("admin:dossiers_reviewtext_act", args=[text.pk, name])
        assert staff.post(where, {"motive": "abuse"}).status_code == 403
    # Who may only look is not shown the way.
    reader = UserFactory(is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_reviewtext"))
    page = client_for(reader).get(reverse("admin:dossiers_reviewtext_change", args=[text.pk])).text
    assert "Bien." in page and "/faire/" not in page
    admin_client_.get(reverse("admin:dossiers_reviewtext_change", args=[text.pk]))
    looks = {(entry.action, entry.subject) for entry in JournalEntry.objects.all()}
    assert ("review_text_viewed", f"dossier:{text.review.dossier_id}") in looks


# --- A copy of one's data -----------------------------------------------------------------------------------


def test_a_holder_s_own_data_holds_their_review(at):
    review = ReviewFactory(refused="private", words="Ma santé.", mark=2)
    [found] = exports.everything_of(review.dossier.holder.user, at=at)["dossiers"]
    given = found["avis_donne"]
    assert given["notes_sur_5"]["Accueil"] == 2
    assert (given["texte"], given["etat_du_texte"]) == ("Ma santé.", "Non publié")
    assert "privées" in given["pourquoi"]


def test_the_portal_counts_reviews_on_the_offer_that_everybody_compares(client, rules):
    offers = OfferFactory.create_batch(2)
    for _number in range(rules.review_average_min):
        ReviewFactory(offer=offers[0], mark=4)
    address = f"{reverse('compare')}?{'&'.join(f'offre={offer.pk}' for offer in offers)}"
    page = client.get(address).content.decode()
    assert "4,0 sur 5 (5 avis)" in page and "Aucun avis pour le moment" in page
    assert Offer.objects.get(pk=offers[0].pk).rating_tenths == 40
