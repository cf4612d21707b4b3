"""Two databases: public pages of the catalogue read the copy, all the rest the one that is written."""

import uuid

import psycopg
import pytest
from django.db import connection, connections, router, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from catalog import indexing, words
from catalog.models import CertificationWord, Offer, Provider, Word
from tests import template
from tests.factories.catalog import SessionFactory, today
from ui import replica

COPIED = (
    *("accounts_organisation", "catalog_provider", "catalog_certification", "catalog_habilitation"),
    *(
        "catalog_town",
        "catalog_offer",
        "catalog_offerindex",
        "catalog_offerwords",
        "catalog_session",
        "catalog_word",
        "catalog_certificationindex",
        "catalog_certificationword",
        "catalog_registerword",
        "catalog_jobname",
    ),
)


two_databases = pytest.mark.django_db(transaction=True, databases=["default", "replica"])


@pytest.fixture(scope="module")
def other_database():
    """A second database with every table of the portal; nothing replicates into it but the tests."""
    settings = connection.settings_dict
    name = f"replica_{uuid.uuid4().hex[:12]}"
    address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/postgres".format(**settings)
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template.make(address)}")
        connections.databases["replica"] = connections.databases["default"] | {"NAME": name}
        yield f"{address.removesuffix('postgres')}{name}"
        connections["replica"].close()
        del connections["replica"]
        del connections.databases["replica"]
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def copy(other_database, db, settings):
    """`copy()` brings the catalogue, as it stands now, to the replica."""
    settings.DATABASE_ROUTERS = ["ui.replica.Router"]

    def bring():
        with psycopg.connect(other_database, autocommit=True) as other, connection.cursor() as cursor:
            other.execute(f"TRUNCATE {', '.join(COPIED)} CASCADE")
            for table in COPIED:
                with cursor.copy(f"COPY {table} TO STDOUT") as out:
                    rows = b"".join(bytes(part) for part in out)
                with other.cursor().copy(f"COPY {table} FROM STDIN") as into:
                    into.write(rows)

    return bring


@pytest.fixture
def offer():
    offer = SessionFactory(offer__title="Soudure à l’arc").offer
    indexing.reindex(on=today())
    return offer


@two_databases
def test_a_public_page_shows_what_the_replica_holds(copy, offer, client):
    copy()
    Offer.objects.filter(pk=offer.pk).update(title="Soudure au laser")
    page = client.get(reverse("offer", args=[offer.pk])).content.decode()
    assert "Soudure à l’arc" in page
    assert "Soudure au laser" not in page
    found = client.get(reverse("search"), {"q": "soudure"}).content.decode()
    assert "Soudure à l’arc" in found


@two_databases
def test_answers_to_words_are_found_and_gathered_in_the_replica(copy, offer, client):
    """What is planned once a connection is planned on that one (ui.prepared)."""
    words.reindex()
    copy()
    CertificationWord.objects.all().delete()
    Offer.objects.filter(pk=offer.pk).update(title="Autre chose")
    title = offer.certification.title
    with CaptureQueriesContext(connections["replica"]) as there, CaptureQueriesContext(connection) as here:
        page = client.get(reverse("search"), {"q": title}).content.decode()
    assert title in page and "Soudure à l’arc" in page
    asked = [query["sql"] for query in here if "catalog_" in query["sql"]]
    assert asked == [] and len(there) > 4


@two_databases
def test_a_mistyped_word_is_looked_up_in_the_replica(copy, offer, client):
    copy()
    Word.objects.all().delete()
    assert "soudure" in client.get(reverse("search"), {"q": "soudurre"}).content.decode()


@two_databases
def test_what_is_judged_is_read_where_it_is_written(copy, offer):
    copy()
    Offer.objects.filter(pk=offer.pk).update(title="Soudure au laser")
    assert Offer.objects.get(pk=offer.pk).title == "Soudure au laser"

    @replica.from_replica
    def view():
        with transaction.atomic():
            inside = Offer.objects.get(pk=offer.pk)
        return Offer.objects.get(pk=offer.pk), inside, router.db_for_read(User)

    outside, inside, of_users = view()
    assert (outside.title, inside.title) == ("Soudure à l’arc", "Soudure au laser")
    assert of_users == "default"


@two_databases
def test_a_row_of_the_replica_is_saved_where_it_is_written(copy, offer):
    copy()

    @replica.from_replica
    def view():
        late = Provider.objects.get(pk=offer.provider_id)
        late.town_name = "Rennes"
        late.save(update_fields=["town_name"])
        return late, Provider.objects.get(pk=offer.provider_id)

    late, read_again = view()
    assert (late._state.db, read_again.town_name) == ("default", "")
    assert Provider.objects.get(pk=offer.provider_id).town_name == "Rennes"


@two_databases
def test_a_view_that_fails_leaves_the_next_one_where_it_belongs(copy, offer):
    @replica.from_replica
    def view():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        view()
    assert router.db_for_read(Offer) == "default"


def test_without_a_replica_nothing_is_routed(db):
    assert router.routers == []
    assert router.db_for_read(Offer) == "default"


def test_a_replica_is_never_migrated(settings):
    settings.DATABASE_ROUTERS = ["ui.replica.Router"]
    assert router.allow_migrate("default", "catalog")
    assert not router.allow_migrate("replica", "catalog")
