"""Requests and measures in Django's admin: the queue, the acts, the journal of who looked."""

import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import JournalEntry, Membership
from admissions.models import JoinRequest, Measure
from admissions.states import State
from catalog.models import Provider
from notices.models import Notice
from tests.factories.accounts import UserFactory
from tests.factories.admissions import JoinRequestFactory, MeasureFactory, act, author_actor
from tests.factories.catalog import HabilitationFactory, ProviderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def change(asked):
    return reverse("admin:admissions_joinrequest_change", args=[asked.pk])


def do(client, name, pk, **said):
    address = reverse(f"admin:admissions_{name}", args=[pk])
    assert client.get(address).status_code == 200
    return client.post(address, {"request_id": str(uuid.uuid4())} | said)


@pytest.mark.parametrize("name", ["joinrequest", "joinstep", "document", "measure", "measurestep"])
def test_lists_search_and_pages_open_to_read(client, boss, name):
    JoinRequestFactory(state=State.SENT)
    MeasureFactory()
    model = apps.get_model("admissions", name)
    address = reverse(f"admin:admissions_{name}_changelist")
    assert client.get(address).status_code == 200
    assert client.get(address, {"q": "Atelier é%'"}).status_code == 200
    row = model.objects.first()
    assert client.get(reverse(f"admin:admissions_{name}_change", args=[row.pk])).status_code == 200
    assert client.get(reverse(f"admin:admissions_{name}_add")).status_code == 403
    assert (
        client.post(reverse(f"admin:admissions_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )


def test_the_queue_begins_with_the_minute_that_runs_out(client, boss, at):
    JoinRequestFactory(state=State.DRAFT, name="Brouillon secret")
    JoinRequestFactory(state=State.ADMITTED, name="Dedans", at=at - timedelta(days=5))
    JoinRequestFactory(state=State.SENT, name="Récente", at=at - timedelta(days=1))
    JoinRequestFactory(state=State.SENT, name="Ancienne", at=at - timedelta(days=6))
    late = JoinRequestFactory(state=State.SENT, name="Tardive", at=at - timedelta(days=60))
    address = reverse("admin:admissions_joinrequest_changelist")
    page = client.get(address).content.decode()
    places = [page.index(name) for name in ("Tardive", "Ancienne", "Récente", "Dedans")]
    assert places == sorted(places)
    assert "Brouillon secret" not in page
    assert "En retard" in page
    for turn, inside, outside in (
        ("nous", "Récente", "Dedans"),
        ("retard", "Tardive", "Récente"),
        ("fini", "Dedans", "Récente"),
    ):
        page = client.get(address, {"tour": turn}).content.decode()
        assert inside in page
        assert outside not in page
    assert late.state == State.SENT


def test_a_draft_is_nobody_s_business(client, boss):
    draft = JoinRequestFactory()
    document = draft.documents.first()
    assert client.get(change(draft)).status_code == 302
    address = reverse("admin:admissions_joinrequest_document", args=[draft.pk, document.pk])
    assert client.get(address).status_code == 404
    assert client.get(reverse("admin:admissions_document_change", args=[document.pk])).status_code == 302


def test_looks_are_written_down(client, boss):
    asked = JoinRequestFactory(state=State.SENT)
    document = asked.documents.first()
    assert client.get(change(asked)).status_code == 200
    address = reverse("admin:admissions_joinrequest_document", args=[asked.pk, document.pk])
    assert address in client.get(change(asked)).content.decode()
    answer = client.get(address)
    assert answer["Content-Disposition"].startswith("attachment")
    looks = list(JournalEntry.objects.filter(user=boss).order_by("pk").values_list("action", "subject"))
    assert looks == [
        ("join_request_viewed", f"joinrequest:{asked.pk}"),
        ("join_request_viewed", f"joinrequest:{asked.pk}"),
        ("join_document_opened", f"document:{document.pk}"),
    ]


def test_what_registers_say_stands_beside(client, boss):
    asked = JoinRequestFactory(state=State.SENT)
    sibling = JoinRequestFactory(state=State.SENT, siret=asked.siret)
    HabilitationFactory(certification__number=90001, siret=asked.siret)
    ProviderFactory(organisation__siret=asked.siret, organisation__name="Nom de la liste")
    page = client.get(change(asked)).content.decode()
    for words in ("Nom de la liste", "RNCP90001", "ouverte à ce SIRET", sibling.number):
        assert words in page


def test_from_completing_to_admitting(client, boss, at):
    asked = JoinRequestFactory(state=State.SENT)
    answer = do(client, "joinrequest_complete", asked.pk, words="Illisible.")
    assert answer.status_code == 422
    assert "Cochez au moins un point" in answer.content.decode()
    answer = do(client, "joinrequest_complete", asked.pk, words="Illisible.", items=["activity_number"])
    assert answer.url == change(asked)
    author = author_actor(asked)
    from_author = {"activity_number": "53350000007"}
    JoinRequest.objects.filter(pk=asked.pk).update(**from_author)
    act("send", asked, at=at + timedelta(days=1), by=author)
    page = client.get(change(asked)).content.decode()
    assert "53351234567" in page
    assert "53350000007" in page
    assert do(client, "joinrequest_receivable", asked.pk).status_code == 302
    answer = do(client, "joinrequest_admit", asked.pk)
    assert "Écrivez pourquoi vous référencez" in answer.content.decode()
    assert do(client, "joinrequest_admit", asked.pk, notes="Vérifié.").status_code == 302
    asked.refresh_from_db()
    assert asked.state == State.ADMITTED
    assert Membership.objects.get(organisation=asked.organisation).user == asked.author
    assert "Vérifié." in client.get(change(asked)).content.decode()


def test_refused_with_motives(client, boss):
    asked = JoinRequestFactory(state=State.SENT)
    answer = do(client, "joinrequest_refuse", asked.pk, words="Non.")
    assert "Cochez au moins un motif" in answer.content.decode()
    do(client, "joinrequest_refuse", asked.pk, words="Non.", motives=["qualiopi"])
    asked.refresh_from_db()
    assert asked.state == State.REFUSED
    answer = do(client, "joinrequest_admit", asked.pk, notes="Tant pis.")
    assert answer.status_code == 422
    assert "a changé d’état" in answer.content.decode()


def test_one_s_own_request_is_for_somebody_else_to_decide(client, boss):
    asked = JoinRequestFactory(state=State.RECEIVABLE, author=boss)
    assert f"{asked.pk}/referencer" not in client.get(change(asked)).content.decode()
    answer = do(client, "joinrequest_admit", asked.pk, notes="Moi-même.")
    assert answer.status_code == 422
    assert not Membership.objects.exists()


def test_who_may_only_look_cannot_act(client):
    looker = UserFactory(is_staff=True)
    names = ["view_joinrequest", "view_measure", "view_document", "view_joinstep"]
    looker.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(looker)
    asked, measure = JoinRequestFactory(state=State.RECEIVABLE), MeasureFactory()
    assert client.get(change(asked)).status_code == 200
    assert "Référencer" not in client.get(change(asked)).content.decode()
    for name, pk in (
        ("joinrequest_admit", asked.pk),
        ("joinrequest_refuse", asked.pk),
        ("measure_suspend", measure.pk),
        ("measure_warn", measure.provider_id),
    ):
        address = reverse(f"admin:admissions_{name}", args=[pk])
        sent = {"request_id": str(uuid.uuid4()), "words": "x", "notes": "x", "motives": ["other"]}
        assert client.post(address, sent).status_code == 403
    assert (
        client.get(reverse("admin:admissions_measure_standing", args=[measure.provider_id])).status_code
        == 200
    )


def test_without_the_right_to_look_documents_stay_closed(client):
    client.force_login(UserFactory(is_staff=True))
    asked = JoinRequestFactory(state=State.SENT)
    address = reverse("admin:admissions_joinrequest_document", args=[asked.pk, asked.documents.first().pk])
    assert client.get(address).status_code == 403
    assert not JournalEntry.objects.filter(action="join_document_opened").exists()


# --- Measures -------------------------------------------------------------------------------------------


def test_a_suspension_from_its_announcement_to_its_end(client, boss):
    provider = ProviderFactory()
    standing = reverse("admin:admissions_measure_standing", args=[provider.pk])
    assert "jamais été averti" in client.get(standing).content.decode()
    answer = do(client, "measure_intend", provider.pk, words=" ")
    assert answer.status_code == 422
    assert do(client, "measure_intend", provider.pk, words="Prix trompeurs.").url == standing
    page = client.get(standing).content.decode()
    assert "Décider la suspension" in page
    assert "Suspendre en urgence" not in page
    measure = Measure.objects.get()
    answer = do(client, "measure_suspend", measure.pk, words="Décidé.")
    assert "n’a pas encore répondu" in answer.content.decode()
    do(client, "measure_suspend", measure.pk, words="Danger immédiat.", is_urgent="on")
    assert Provider.objects.get().state == "suspended"
    do(client, "measure_lift", measure.pk, words="Corrigé.")
    assert Provider.objects.get().state == "active"
    assert JournalEntry.objects.filter(user=boss, action="measure_lift").exists()
    assert Notice.objects.filter(kind="measure_lifted").count() == (1 if provider.organisation.email else 0)


def test_a_warning_and_an_emergency(client, boss):
    provider = ProviderFactory()
    do(client, "measure_warn", provider.pk, words="Répondez plus vite.")
    warning = Measure.objects.get()
    do(client, "measure_suspend_at_once", provider.pk, words="Fraude.", ends_on="2099-01-01")
    urgent = Measure.objects.get(state="suspended")
    assert str(urgent.ends_on) == "2099-01-01"
    do(client, "measure_drop", warning.pk, words="Expliqué.")
    answer = do(client, "measure_confirm", urgent.pk, words="Confirmé.")
    assert "n’a pas encore répondu" in answer.content.decode()
    assert client.get(reverse("admin:admissions_measure_changelist"), {"decider": "oui"}).status_code == 200
