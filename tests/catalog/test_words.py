"""The words a certification goes by, gathered without a database."""

import pytest

from catalog import words
from catalog.words import Facts, Phrases, Thesaurus

NOTHING = Thesaurus(phrases=Phrases([]), genders={}, terms={}, title_words=set())


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Élèves de l'Œuvre", "eleves de l oeuvre"),
        ("auto-école / moto", "auto ecole moto"),
        ("Développeur C++ et C#", "developpeur cplusplus et csharp"),
        ("ASP .NET", "asp dotnet"),
        ("Bac +2, niveau 5", "bacplus2 niveau5"),
        ("<b>3D</b>", "b 3d b"),
        ("😀 \t", ""),
        ("l’anglais à l’oral – 2 h", "l anglais a l oral 2 h"),
        ("snake_case ﬁn №5", "snake case fin 5"),
    ],
)
def test_texts_are_folded(text, folded):
    assert words.fold(text) == folded


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("Négociation et digitalisation de la relation client", "ndrc"),
        ("Management commercial opérationnel", "mco"),
        ("Gestion de la PME", "gpme"),
        ("Services informatiques aux organisations (option réseaux)", "sio"),
        ("Cuisine", ""),
        ("Concevoir, animer et évaluer une action de formation pour des adultes en entreprise", ""),
        ("", ""),
    ],
)
def test_initials_are_those_that_people_say(title, short):
    assert words.initials(title) == short


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("Formation en comptabilité", "comptabilite"),
        ("je veux devenir boulanger", "boulanger"),
        ("formation professionnelle continue d'adultes", "adultes"),
        ("cours d'anglais à distance", "anglais distance"),
        ("formation CPF à distance de paie", "paie"),
        ("conseiller en formation", "conseiller formation"),
        ("vente à distance", "vente distance"),
        ("formation de formateur", "formateur"),
        ("pilote de ligne", "pilote ligne"),
        ("formation", "formation"),
        ("formation à distance", "formation distance"),
        ("", ""),
    ],
)
def test_how_one_begins_to_ask_is_no_subject_unless_nothing_else_is_said(asked, left):
    assert words.meant(words.fold(asked)) == left.split()


def test_both_genders_of_a_trade_are_learnt_from_job_names():
    pairs = words.genders(
        ["Conducteur livreur / Conductrice livreuse poids lourds", "Pilote", "Agent / Agente de gare"]
    )
    assert pairs == {
        "conducteur": {"conductrice"},
        "conductrice": {"conducteur"},
        "livreur": {"livreuse"},
        "livreuse": {"livreur"},
        "agent": {"agente"},
        "agente": {"agent"},
    }


def test_a_wording_is_found_whole_and_whatever_small_words_it_holds():
    phrases = Phrases([("ressources humaines", "rh"), ("gestion de la paie", "gdp")])
    assert list(phrases.others(words.significant("charge de ressources humaines"))) == ["rh"]
    assert list(phrases.others(words.significant("gestion des paie"))) == ["gdp"]
    assert list(phrases.others(["ressources", "naturelles"])) == []


def test_each_word_goes_to_its_weight():
    found = words.words_of(
        Facts(
            code="RNCP90",
            number=90,
            title="Conduite de travaux",
            kind=["BTS"],
            level=5,
            titles=["BTS conduite de travaux"],
            old_titles=["Chef de chantier"],
            term_codes=["F1201", "233n"],
            labels=["Encadrement"],
            texts=["Organiser le chantier"],
        ),
        Thesaurus(
            phrases=Phrases([("bts", "brevet de technicien superieur"), ("encadrement", "chef")]),
            genders={"chef": {"cheffe"}},
            terms={"F1201": ["conducteur de travaux"], "233": ["batiment"]},
            title_words=set(),
        ),
    )
    assert found.names == "conduite travaux bts de RNCP90 de 90"
    assert found.others.split(" de ") == [
        "bts conduite travaux", "chef chantier", "brevet technicien superieur", "cheffe", "ct", "cc",
        "niveau5 bacplus2",
    ]  # fmt: skip
    assert found.jobs == "conducteur travaux de batiment de encadrement de chef"
    assert found.texts == "Organiser le chantier"
    assert found.title_size == 2


def test_a_trade_goes_by_who_works_in_it_when_somebody_says_so():
    """« boulangerie » and « boulanger » have two stems for PostgreSQL."""
    known = Thesaurus(
        phrases=Phrases([]), genders={}, terms={}, title_words=set(), trades={"boulangerie", "patisserie"}
    )
    others = words.words_of(Facts(code="RNCP1", number=1, title="Boulanger pâtissier fermier"), known).others
    assert {"boulangerie", "patisserie"} <= set(others.split()) and "fermerie" not in others


def test_a_diploma_of_the_state_goes_by_its_initials_whatever_its_title_leaves_out():
    nurse = Facts(code="RNCP1", number=1, title="Aide-Soignant", kind=["DE"])
    known = Thesaurus(
        phrases=Phrases((long, short) for short, long in words.abbreviations()),
        genders={}, terms={}, title_words=set(),
    )  # fmt: skip
    assert "deas" in words.words_of(nurse, known).others.split()
    nurse.kind = ["TP"]
    assert "deas" not in words.words_of(nurse, known).others.split()


def test_initials_that_are_a_word_of_a_title_are_nobodys():
    facts = Facts(code="RS1", number=1, title="Atelier, restauration, tableaux")
    facts.title = "Art Rupestre Tropical"
    assert "art" in words.words_of(facts, NOTHING).others.split()
    told = Thesaurus(phrases=Phrases([]), genders={}, terms={}, title_words={"art"})
    assert "art" not in words.words_of(facts, told).others.split()


def test_the_shipped_abbreviations_are_well_formed():
    pairs = words.abbreviations()
    assert len(pairs) == len(set(pairs)) > 150
    for short, long in pairs:
        assert words.significant(short), short
        assert words.significant(long) and short != long
