"""Finding certifications: each way to find one is first shown missing, then there."""

import pgtrigger
import pytest
from django.db import DataError, connection, transaction
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from catalog import finding, words
from catalog.models import (
    Certification,
    CertificationIndex,
    CertificationStatement,
    CertificationWord,
    JobName,
    RegisterWord,
    Succession,
    SynonymGroup,
    Word,
)
from tests.factories.catalog import CertificationFactory, TermFactory, in_days, today

pytestmark = pytest.mark.django_db


def index():
    words.reindex()
    words.refresh()


@pytest.fixture
def find():
    """The codes found for a text, in order, in an index written now."""

    def find(text, *, limit=10, fresh=True):
        if fresh:
            index()
        return [one.code for one in finding.find_certifications(text, on=today(), limit=limit)]

    return find


def certification(number, title, **more):
    return CertificationFactory(number=number, title=title, **more)


# --- Words ----------------------------------------------------------------------------------------


def test_nothing_is_found_before_it_is_indexed(find):
    certification(90, "Tapissier d'ameublement")
    assert find("tapissier", fresh=False) == []
    assert find("tapissier") == ["RNCP90"]


def test_how_one_begins_to_ask_brings_nobody_up(find):
    """« Formation comptable » is asked by whoever would count, not by whoever would train."""
    certification(90, "Responsable de formation")
    certification(91, "Comptable")
    assert find("formation comptable") == ["RNCP91"]
    assert find("je veux devenir comptable") == ["RNCP91"]
    assert find("responsable de formation")[:1] == ["RNCP90"]
    assert find("formation") == find('"formation"') == ["RNCP90"]
    assert set(find('"formation" comptable')) == {"RNCP90", "RNCP91"}, "quoted, it is meant"


@pytest.mark.parametrize(
    "typed",
    ["Crémier fromager", "cremier", "CRÉMIERS", "fromagers", "crèmier-fromager", "le crémier", "l'fromager"],
)
def test_accents_capitals_plurals_and_small_words_do_not_matter(find, typed):
    certification(90, "Crémier-fromager")
    certification(91, "Horloger")
    assert find(typed) == ["RNCP90"]


def test_a_mistyped_word_is_read_as_the_nearest_that_exists(find):
    certification(90, "Électricien du bâtiment")
    certification(91, "Opticien lunetier")
    index()
    words_known = finding.understand("electritien").corrections
    assert words_known == {"electritien": ("electricien",)}
    assert find("electritien batimant") == ["RNCP90"]
    RegisterWord.objects.all().delete()
    assert find("electritien", fresh=False) == [], "without the words it would not be found"


def test_what_was_read_for_a_mistyped_word_is_told_as_the_catalogue_spells_it(find):
    certification(90, "Électricien du bâtiment")
    index()
    text = "électritien du BATIMANT"
    corrections = finding.understand(text).corrections
    assert finding.read_as(text, corrections) == "electricien du batiment"
    Word.objects.create(key="electricien", spelling="électricien")
    assert finding.read_as(text, corrections) == "électricien du batiment"
    assert finding.read_as("électricien", finding.understand("électricien").corrections) == ""


def test_a_word_that_exists_is_never_corrected(find):
    certification(90, "Serrurier métallier")
    certification(91, "Verrier")
    index()
    assert finding.understand("verrier").corrections == {}
    assert find("verrier") == ["RNCP91"]


def test_a_job_name_finds_what_leads_to_the_job(find):
    certification(90, "Conduite d'installations", rome_codes=["H9001"])
    assert find("pilote de ligne automatisée") == []
    TermFactory(code="H9001", label="Pilotage", names=["Pilote / Pilote de ligne automatisée"])
    assert find("pilote de ligne automatisée") == ["RNCP90"]


def test_who_asks_for_a_job_by_its_name_asks_for_what_leads_to_it(find):
    """Another leads to several jobs, each of which has one of the words, and has one in its title."""
    TermFactory(code="G1803", label="Chef / Cheffe de rang")
    TermFactory(code="H1101", label="Assemblage", names=["Monteur / Monteuse de rangs"])
    certification(90, "Service en restauration", rome_codes=["G1803"])
    certification(91, "Chef monteur", rome_codes=["H1101"])
    for number in range(100, 120):
        certification(number, f"Chef de {chr(number)}teliers")
    assert find("rang chef")[0] == find("chefs de rangs")[0] == "RNCP91", "that is no name of the job"
    assert find("chef de rang")[0] == find("Cheffe de rang")[0] == "RNCP90"


def test_the_name_of_a_job_is_worth_less_than_a_title_that_says_it(find):
    TermFactory(code="G1803", label="Chef / Cheffe de rang")
    title = certification(90, "Chef de rang", rome_codes=[])
    certification(91, "Service en restauration", rome_codes=["G1803"])
    assert find("chef de rang") == ["RNCP90", "RNCP91"]
    title.registered_until = in_days(-1)
    title.save()
    assert find("chef de rang") == ["RNCP90", "RNCP91"], "ended, it still is what was asked for"


def test_it_leads_to_the_jobs_of_what_it_replaces_when_nobody_states_its_own(find):
    TermFactory(code="G1803", label="Chef / Cheffe de rang")
    certification(90, "Ancien service", rome_codes=["G1803"], ended=True)
    certification(91, "Nouveau service")
    Succession.objects.create(old_code="RNCP90", new_code="RNCP91")
    assert find("chef de rang") == ["RNCP91", "RNCP90"]
    assert CertificationIndex.objects.get(pk="RNCP91").jobs == ["G1803"]


def test_names_of_jobs_are_those_of_today(find):
    job = TermFactory(code="G1803", label="Chef / Cheffe de rang", names=["Serveur", "Serveur de bar"])
    TermFactory(code="G1804", label="Serveur / Serveuse de bar")
    index()
    names = JobName.objects.order_by("key").values_list("key", "codes")
    assert dict(names) == {
        "chef rang": ["G1803"], "cheffe rang": ["G1803"], "serveur bar": ["G1803", "G1804"],
        "serveuse bar": ["G1804"],
    }  # fmt: skip
    job.names.all().delete()
    index()
    assert dict(names.all()) == {
        "chef rang": ["G1803"], "cheffe rang": ["G1803"], "serveur bar": ["G1804"], "serveuse bar": ["G1804"],
    }  # fmt: skip


def test_a_synonym_of_its_formacode_finds_it(find):
    certification(90, "Arts de la table", formacodes=["42700"])
    assert find("serveur") == []
    TermFactory(nomenclature="formacode", code="42700", label="Service salle", names=["serveur restaurant"])
    assert find("serveur") == ["RNCP90"]


def test_the_other_gender_of_a_trade_finds_it(find):
    certification(90, "Duc de carnaval")
    assert find("duchesse") == []
    TermFactory(names=["Duc / Duchesse de fête"])
    assert find("duchesse") == ["RNCP90"]


def test_initials_find_the_diploma_and_the_diploma_its_initials(find):
    certification(90, "Vente et conseil en literie", short_code="BTS")
    certification(91, "Assistant RH")
    assert find("VCL") == ["RNCP90"]
    assert find("BTS vcl")[:1] == ["RNCP90"]
    assert find("brevet de technicien supérieur literie")[:1] == ["RNCP90"]
    assert find("assistant ressources humaines")[:1] == ["RNCP91"]


def test_a_group_of_synonyms_is_taken_at_its_word(find):
    certification(90, "Production de fleurs et légumes")
    assert find("pfleg") == []
    SynonymGroup.objects.create(key="a", names=["PRODUCTION FLEURS LEGUMES", "pfleg"])
    assert find("pfleg") == ["RNCP90"]


def test_a_single_word_of_a_group_is_not_taken_for_its_initials(find):
    certification(90, "Technicien")
    SynonymGroup.objects.create(key="a", names=["TECHNICIEN", "ESTHETICIEN COSMETICIEN", "tec"])
    assert find("tec") == []
    assert find("cosmeticien") == []


@pytest.mark.parametrize("typed", ["bac+2 fromagerie", "bac +2 fromagerie", "fromagerie niveau 5"])
def test_a_level_is_understood_as_people_say_it(find, typed):
    certification(90, "Fromagerie", level=3)
    certification(91, "Fromagerie", level=5)
    assert find(typed)[0] == "RNCP91"


def test_what_it_replaces_still_finds_it(find):
    certification(90, "Steward en croisière", ended=True)
    certification(91, "Hôte de bord")
    assert find("steward") == ["RNCP90"]
    Succession.objects.create(old_code="RNCP90", new_code="RNCP91")
    assert find("steward") == ["RNCP91", "RNCP90"]


def test_without_codes_of_its_own_it_has_those_of_what_it_replaces(find):
    TermFactory(code="H9001", names=["Docker"])
    certification(90, "Manutention portuaire", rome_codes=["H9001"], ended=True)
    certification(91, "Opérations de quai")
    Succession.objects.create(old_code="RNCP90", new_code="RNCP91")
    assert find("docker")[0] == "RNCP91"


def test_another_title_that_a_source_gives_finds_it(find, at):
    row = certification(90, "Gestion d'un point de vente")
    assert find("boutiquier") == []
    CertificationStatement.objects.create(
        certification=row,
        source="certif_info",
        facts={"titles": ["Boutiquier"], "rome_codes": [], "formacodes": []},
        imported_at=at,
    )
    assert find("boutiquier") == ["RNCP90"]


# --- Numbers and quotes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["RNCP90123", "rncp 90123", "90123", "RNCP-90123", "Rncp n°90123", ' "90123" ']
)
def test_a_number_finds_its_record(find, typed):
    certification(90123, "Luthier")
    certification(90124, "Relieur 90123")
    assert find(typed)[0] == "RNCP90123"


def test_a_number_alone_is_looked_for_in_both_registers(find):
    certification(6604, "Relieur")
    certification(6604, "Chaînes de blocs", register="RS")
    assert find("6604") == ["RNCP6604", "RS6604"]
    assert find("RS6604") == ["RS6604"]
    assert find("rs 6604") == ["RS6604"]
    assert find("RNCP6605") == []


def test_a_number_in_a_sentence_is_one_when_it_names_its_register(find):
    certification(90, "Luthier")
    certification(91, "Relieur")
    assert find("relieur RNCP90") == ["RNCP90", "RNCP91"]
    assert find("relieur 90") == ["RNCP91", "RNCP90"], "90 is a word of RNCP90, no more"


def test_a_number_that_has_ended_comes_with_what_replaces_it(find):
    certification(90, "Luthier", ended=True)
    certification(91, "Luthier d'art", ended=True)
    certification(92, "Facture d'instruments")
    Succession.objects.create(old_code="RNCP90", new_code="RNCP91")
    Succession.objects.create(old_code="RNCP91", new_code="RNCP92")
    Succession.objects.create(
        old_code="RNCP92", new_code="RNCP90"
    )  # a loop in the register ends all the same
    found = finding.find_certifications("RNCP90", on=today())
    assert [(one.code, one.status, one.replaced_by) for one in found] == [
        ("RNCP90", "ended", ("RNCP92",)),
        ("RNCP92", "active", ()),
    ]


def test_quotes_ask_for_the_words_together(find):
    certification(90, "Gestion de la paie")
    certification(91, "Paie et gestion")
    assert set(find("gestion paie")) == {"RNCP90", "RNCP91"}
    assert find('"gestion de la paie"') == ["RNCP90"]
    assert find("« gestion de la paie »") == ["RNCP90"]


# --- The order ------------------------------------------------------------------------------------


def test_the_order_goes_from_the_title_to_the_texts(find):
    TermFactory(code="H9001", names=["Vannier"])
    certification(90, "Artisan d'art", activities="Former un vannier")
    certification(91, "Métiers du rotin", rome_codes=["H9001"])
    certification(92, "Vannier et cannier en ameublement")
    certification(93, "Vannier")
    assert find("vannier") == ["RNCP93", "RNCP92", "RNCP91", "RNCP90"]


def test_all_the_words_count_more_than_some_of_them(find):
    TermFactory(code="H9001", names=["Chauffeur de navette"])
    certification(90, "Chauffeur de salle")
    certification(91, "Transport de personnes", rome_codes=["H9001"])
    assert find("chauffeur navette")[0] == "RNCP91"


def test_active_ones_pass_before_those_that_ended(find):
    certification(93, "Vitrailliste", ended=True)
    certification(92, "Vitrailliste", withdrawn=True)
    certification(91, "Vitrailliste", registered_until=None, source="certif_info")
    certification(90, "Vitrailliste")
    certification(94, "Vitrailliste", effective_on=in_days(30))
    found = [(one.code, one.status) for one in _found("vitrailliste")]
    assert found == [
        ("RNCP90", "active"),
        ("RNCP94", "coming"),
        ("RNCP91", "unknown"),
        ("RNCP93", "ended"),
        ("RNCP92", "ended"),
    ]


def test_words_that_stand_together_in_a_name_pass_before_the_same_words_apart(find, monkeypatch):
    """Between equals the number registered last passes: here it stands apart."""
    certification(90, "Conduite de ligne automatisée")
    certification(91, "Ligne automatisée de conduite")
    certification(92, "Automatisée", activities="Conduite de ligne")
    assert find("conduite ligne") == ["RNCP90", "RNCP91", "RNCP92"]
    monkeypatch.setattr(finding, "IDEAS", finding.IDEAS.replace(f"THEN {finding.PHRASE_BONUS}", "THEN 1"))
    assert find("conduite ligne") == ["RNCP91", "RNCP90", "RNCP92"]


@pytest.mark.parametrize(
    "text", ["vitrailliste", "vitrallliste", '"vitrailliste art"', "vitrailliste verre", "RNCP90", "plomb"]
)
def test_those_that_are_active_can_be_asked_for_alone(text):
    """By a word of a name, a mistyped one, a phrase, a job, a number or a text."""
    TermFactory(code="B1601", label="Verre", names=["Verrier"])
    more = {"activities": "Souder le plomb", "rome_codes": ["B1601"]}
    certification(90, "Vitrailliste d’art", ended=True, **more)
    certification(91, "Vitrailliste d’art", withdrawn=True, **more)
    certification(92, "Vitrailliste d’art", registered_until=None, source="certif_info", **more)
    certification(93, "Vitrailliste d’art", effective_on=in_days(30), **more)
    certification(94, "Vitrailliste d’art", registered_until=today(), **more)
    Succession.objects.create(old_code="RNCP90", new_code="RNCP94")
    index()
    asked = finding.understand(text)
    assert len(finding.in_order(asked, on=today())) == (2 if text == "RNCP90" else 5)
    active = finding.in_order(asked, on=today(), only_active=True)
    assert [(one.code, one.status) for one in active] == [("RNCP94", "active")]
    assert finding.in_order(asked, on=in_days(1), only_active=True) == []


@pytest.mark.parametrize("change", [{"registered_until": in_days(400)}, {"withdrawn": False}])
def test_a_certification_that_is_registered_anew_is_found_at_once_by_its_words(change):
    """Whoever writes its dates tells its words, in the same statement."""
    certification(90, "Vitrailliste", registered_until=in_days(90), withdrawn=True)
    certification(91, "Vitrailliste", registered_until=in_days(-1))
    index()

    def found():
        asked = finding.understand("vitrailliste")
        return [one.code for one in finding.in_order(asked, on=today(), only_active=True)]

    assert found() == []
    changed = "RNCP90" if "withdrawn" in change else "RNCP91"
    with transaction.atomic():
        with pgtrigger.ignore("catalog.Certification:its_words_know_its_end"):
            Certification.objects.filter(pk=changed).update(**change)
        assert found() == [], "what would be without it"
        transaction.set_rollback(True)
    Certification.objects.filter(pk=changed).update(**change)
    assert found() == [changed]
    ends = set(CertificationWord.objects.filter(certification=changed).values_list("registered_until"))
    assert ends == {(Certification.objects.get(pk=changed).registered_until,)}
    Certification.objects.filter(pk=changed).update(withdrawn=True)
    assert found() == []


def test_words_that_say_another_end_are_mended_within_the_hour():
    """Those that were being said at the very moment their certification was prolonged."""
    certification(90, "Vitrailliste", registered_until=in_days(90))
    certification(91, "Vitrailliste", registered_until=in_days(90), withdrawn=True)
    index()
    CertificationWord.objects.update(registered_until=in_days(-1))
    asked = finding.understand("vitrailliste")
    assert finding.in_order(asked, on=today(), only_active=True) == []
    assert words.keep_ends() == CertificationWord.objects.count()
    assert [one.code for one in finding.in_order(asked, on=today(), only_active=True)] == ["RNCP90"]
    assert words.keep_ends() == 0, "only what differs is written"


def test_of_those_that_answer_alike_the_last_registered_are_kept(monkeypatch):
    """However few are judged: here one."""
    for number in (90, 91, 100):
        certification(number, "Vitrailliste")
    certification(92, "Vitrailliste d’art")
    index()
    monkeypatch.setattr(finding, "CANDIDATES_MAX", 1)
    asked = finding.understand("vitrailliste")
    [found] = finding.in_order(asked, on=today(), only_active=True)
    assert found.code == "RNCP100"


def test_names_that_were_lost_are_written_again():
    certification(90, "Vitrailliste")
    index()
    CertificationIndex.objects.update(names="")
    assert words.reindex() == ["RNCP90"]
    assert CertificationIndex.objects.exclude(names="").exists()


def _found(text):
    index()
    return finding.find_certifications(text, on=today())


def test_the_status_is_that_of_the_day(find):
    certification(90, "Vitrailliste", registered_until=today())
    certification(91, "Vitrailliste", registered_until=in_days(-1))
    assert [(one.code, one.is_active) for one in _found("vitrailliste")] == [
        ("RNCP90", True),
        ("RNCP91", False),
    ]
    later = finding.find_certifications("vitrailliste", on=in_days(1))
    assert [one.status for one in later] == ["ended", "ended"]


def test_the_last_delivery_ends_what_no_source_gives_an_end(find):
    certification(
        90, "Vitrailliste", registered_until=None, source="certif_info", delivered_until=in_days(-1)
    )
    assert [one.status for one in _found("vitrailliste")] == ["ended"]


def test_the_typed_word_passes_before_its_cousin_of_the_same_stem(find):
    certification(91, "Éducation canine")
    certification(90, "Éducateur canin")
    assert find("éducateur canin") == ["RNCP90", "RNCP91"]


def test_a_word_that_nobody_has_hides_nothing(find):
    certification(90, "Vitrailliste")
    assert find("vitrailliste zzyzx") == ["RNCP90"]


def test_the_limit_is_kept(find):
    for number in range(90, 100):
        certification(number, "Vitrailliste")
    assert len(find("vitrailliste", limit=3)) == 3


# --- Hostile --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "\0", "'", '"', '""', "& | ! ( ) : * <->", "a:* & !b", "':A", "\\", "%", "%s %(x)s", "100 %",
        "'; DROP TABLE catalog_certification; --", "<script>alert(1)</script>", "😀", "😀 luthier :*",
        "a " * 5_000, "é" * 10_000, '"' * 999, "(" * 500, "\ud7ff\uffff", "rncp", "RNCP99999999999", "0",
        "le la les", "{}", "-luthier", "luthier OR 1=1", "\u202eluthier",
    ],
)  # fmt: skip
def test_whatever_is_typed_nothing_breaks(find, typed):
    certification(90, "Luthier")
    found = find(typed)
    assert found == (["RNCP90"] if "luthier" in typed else [])


def test_a_page_pasted_in_is_read_to_its_tenth_word(find):
    certification(90, "Luthier")
    asked = finding.understand(" ".join(f"mot{n}" for n in range(500)) + " luthier" * 2000)
    assert len(asked.ideas) == finding.IDEAS_MAX


def test_the_number_of_queries_does_not_grow(find, django_assert_num_queries):
    for number in range(90, 99):
        certification(number, "Vitrailliste d'art", ended=number % 2)
    index()
    with django_assert_num_queries(3):  # nearest words, the search, what replaces those that ended
        finding.find_certifications("vitrailliste d'art sacré", on=today())
    with django_assert_num_queries(1):
        finding.find_certifications("RNCP90", on=today())


def test_after_an_import_no_search_reads_through_what_is_new():
    def pages_waiting():
        with connection.cursor() as cursor:
            cursor.execute("SELECT gin_clean_pending_list('certification_search'::regclass)")
            return cursor.fetchone()[0]

    certification(90, "Vitrailliste")
    words.reindex()
    assert pages_waiting() > 0, "without settling, they wait"
    certification(91, "Luthier")
    words.reindex()
    words.refresh()
    assert pages_waiting() == 0


# --- The index ------------------------------------------------------------------------------------


def test_indexing_again_changes_nothing(django_assert_num_queries):
    certification(90, "Vitrailliste")
    assert words.reindex() == ["RNCP90"]
    assert words.reindex() == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin FROM catalog_certificationindex")
        before = cursor.fetchall()
        words.reindex()
        cursor.execute("SELECT xmin FROM catalog_certificationindex")
        assert cursor.fetchall() == before


def test_the_queries_of_the_index_do_not_grow_with_a_lot():
    def queries(numbers):
        for number in numbers:
            certification(number, f"Métier {number}")
        with CaptureQueriesContext(connection) as captured:
            words.reindex()
        return len(captured)

    assert queries([90]) == queries(range(100, 140))


def test_successors_are_indexed_with_what_they_replace():
    certification(90, "Steward")
    certification(91, "Hôte")
    certification(92, "Accueil")
    Succession.objects.create(old_code="RNCP90", new_code="RNCP91")
    Succession.objects.create(old_code="RNCP91", new_code="RNCP92")
    assert set(words.reindex(["RNCP90"])) == {"RNCP90", "RNCP91", "RNCP92"}


@pytest.mark.parametrize("statement", [finding.IDEAS, finding.ACTIVE_IDEAS])
def test_a_word_of_a_name_is_looked_up_in_an_index_that_holds_all_it_takes_to_judge(statement):
    """With the scan of the whole table made dear, the plan must name both indexes."""
    certification(90, "Vitrailliste")
    index()
    idea = finding.Idea(("vitrailliste:%",), (1.0,))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", finding.params_of([idea], on=today()))
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("SELECT pg_get_indexdef('certification_has_a_word_once'::regclass)")
        [(index_of_words,)] = cursor.fetchall()
    assert "certification_has_a_word_once" in plan
    assert "certification_search" in plan, "for texts, and for words in quotes"
    assert "Seq Scan on catalog_certificationword" not in plan
    # Whether the table is read too is PostgreSQL's choice, until somebody has tidied it.
    assert "(word, certification_id) INCLUDE (place, title_size, registered_until)" in index_of_words


def test_words_follow_what_their_certification_is_found_by():
    def said():
        rows = CertificationWord.objects.filter(certification="RNCP90").values_list("word", "place")
        return {word: place for word, place in rows if not word.isdigit()}

    one = certification(90, "Vitrailliste", activities="Souder le plomb")
    index()
    before = said()
    assert before["vitraill"] == "A" and "soud" not in before, "texts are too long to be read so"
    ids = set(CertificationWord.objects.values_list("pk", flat=True))
    index()
    assert set(CertificationWord.objects.values_list("pk", flat=True)) == ids, "what is as it was stays"
    Certification.objects.filter(pk=one.pk).update(title="Luthier")
    index()
    assert said()["luthi"] == "A" and "vitraill" not in said()


def test_of_the_words_of_a_certification_only_those_that_differ_are_written():
    """A row written again leaves one behind, which the index carries until somebody tidies it."""

    def said():
        rows = CertificationWord.objects.filter(certification="RNCP90", word__in=["art", "bois"])
        # With the row's own place on the disk: it moves when the row is written.
        rows = rows.annotate(at=RawSQL("ctid::text", []))
        return {word: told for word, *told in rows.values_list("word", "place", "title_size", "at")}

    one = certification(90, "Luthier d’art", rome_codes=["B1601"])
    TermFactory(code="B1601", label="Bois", names=["Luthier"])
    index()
    before = said()
    assert before["art"][:2] == ["A", 2] and before["bois"][:2] == ["C", 2]
    Certification.objects.filter(pk=one.pk).update(title="Vitrailliste d’art")
    index()
    assert said() == before
    Certification.objects.filter(pk=one.pk).update(title="Luthier du bois")
    index()
    assert "art" not in said() and said()["bois"][:2] == ["A", 2]
    Certification.objects.filter(pk=one.pk).update(title="Luthier du bois d’art")
    index()
    assert [told[1] for told in said().values()] == [3, 3]


@pytest.mark.django_db(transaction=True)
def test_a_reindex_that_is_cut_leaves_nothing_half_said(monkeypatch):
    certification(90, "Vitrailliste")
    with monkeypatch.context() as patched:
        patched.setattr(words, "SAY", "SELECT 1 / 0, %(codes)s::text[]")
        with pytest.raises(DataError):
            words.reindex()
    assert not CertificationIndex.objects.exists() and not CertificationWord.objects.exists()
    assert words.reindex() == ["RNCP90"]
    assert CertificationWord.objects.filter(word="vitraill").exists()


def test_words_that_were_lost_are_said_again(find):
    certification(90, "Vitrailliste")
    certification(91, "Luthier")
    index()
    CertificationWord.objects.filter(certification="RNCP90").delete()
    assert words.reindex() == [], "nothing is found by other words than before"
    assert find("vitrailliste", fresh=False) == ["RNCP90"]
    assert CertificationWord.objects.filter(certification="RNCP90", word="vitraill", place="A").exists()


@pytest.mark.parametrize(("limit", "first"), [(1, "RNCP91"), (300, "RNCP91")])
def test_what_its_status_may_bring_among_the_best_is_read(monkeypatch, limit, first):
    """An ended one answers a little better; the active one passes before it, however few are kept."""
    certification(90, "Vitrailliste", ended=True)
    certification(91, "Vitrailliste d’art et de la restauration des monuments historiques")
    for number in range(92, 99):
        certification(number, f"Métier {number}", rome_codes=["B1601"])
    TermFactory(code="B1601", label="Verre", names=["Vitrailliste"])
    index()
    monkeypatch.setattr(finding, "CANDIDATES_MAX", limit)
    found = finding.find_certifications("vitrailliste", on=today())
    assert found[0].code == first
    assert len(found) == (1 if limit == 1 else 9)


def test_a_word_has_the_best_of_its_places():
    """« Soudeur » in the title and as a job name: once, for the title. As PostgreSQL’s own weights say."""
    certification(90, "Soudeur", rome_codes=["H2913"])
    TermFactory(code="H2913", label="Soudage", names=["Soudeur à l’arc"])
    index()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT said.lexeme, CASE WHEN 'A' = ANY(weights) THEN 'A' WHEN 'B' = ANY(weights) THEN 'B'"
            " ELSE 'C' END FROM catalog_certificationindex, unnest(search) AS said"
            " WHERE weights && '{A,B,C}'"
        )
        by_vector = dict(cursor.fetchall())
    assert by_vector["soudeur"] == "A" and by_vector["arc"] == "C"
    assert dict(CertificationWord.objects.values_list("word", "place")) == by_vector


def test_a_word_that_names_know_well_is_not_looked_for_in_texts(find, monkeypatch):
    certification(90, "Vitrailliste")
    certification(91, "Autre métier", activities="Aider un vitrailliste")
    assert find("vitrailliste") == ["RNCP90", "RNCP91"]
    monkeypatch.setattr(finding, "IDEAS", finding.IDEAS.replace(f"< {finding.COMMON_FROM}", "< 1"))
    assert find("vitrailliste") == ["RNCP90"]
