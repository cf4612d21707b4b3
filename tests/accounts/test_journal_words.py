"""The journal is read by people: each action, subject and detail has words."""

import re
from pathlib import Path

import pytest

from accounts import journal, journal_words
from accounts.actors import SYSTEM
from accounts.models import HolderProfile
from admissions.states import MEASURE_VERB_WORDS, VERB_WORDS
from catalog.models import CatalogueImport
from rights.admin import EnvelopeAdmin
from support.states import VERB_WORDS as TICKET_WORDS

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "admissions", "catalog", "dossiers", "portal", "rights", "support")
# record(by=by, action="draft"), _record(organisation, "role_changed"), _note(declaration, "declaration_made")
WRITTEN = re.compile(r'(?:action=|_record\([\w.]+, |_note\(\w+, )"([a-z_]+)"')


def actions_in_code():
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            text = path.read_text()
            if "journal" in text:
                yield from ((path.name, action) for action in WRITTEN.findall(text))


def test_every_action_written_in_the_code_has_words():
    found = dict.fromkeys(actions_in_code())
    assert len(found) > 25  # the search itself still finds them
    assert [each for each in found if each[1] not in journal_words.ACTIONS] == []


def test_every_verb_of_a_request_a_measure_a_ticket_and_an_import_has_words():
    verbs = [f"join_{verb}" for verb in VERB_WORDS]
    verbs += [f"measure_{verb}" for verb in MEASURE_VERB_WORDS]
    verbs += [f"ticket_{verb}" for verb in TICKET_WORDS]
    verbs += [f"envelope_{act}" for act in EnvelopeAdmin.TITLES]
    verbs += [f"import_{state}" for state in CatalogueImport.WAITING]
    assert [verb for verb in verbs if verb not in journal_words.ACTIONS] == []


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("holder_viewed", "Fiche consultée : compte de formation"),
        ("join_request_listed", "Liste consultée : demande de référencement"),
        ("join_request_history_viewed", "Historique consulté : demande de référencement"),
        ("user_change_posted", "Modification envoyée : utilisateur"),
        ("user_delete_posted", "Suppression envoyée : utilisateur"),
        ("holder_freeze_posted", "Formulaire envoyé (freeze) : compte de formation"),
        ("account_frozen", "Compte gelé"),
        ("of_long_ago", "of_long_ago"),
    ],
)
def test_an_action_is_said_in_words(action, words):
    assert journal_words.action_in_words(action) == words


def test_no_two_actions_are_said_alike():
    said = [str(words) for words in journal_words.ACTIONS.values()]
    assert len(set(said)) == len(said)


def test_a_subject_names_its_kind_and_shortens_its_number():
    long = "holderprofile:0b1c2d3e-1111-2222-3333-444455556666"
    assert journal_words.subject_in_words(long) == "Compte de formation 0b1c2d3e"
    assert journal_words.subject_in_words("certification:RNCP40344") == "Certification RNCP40344"
    assert journal_words.subject_in_words("holderprofile:*") == "Comptes de formation"
    assert journal_words.subject_in_words("session:*") == "Sessions"  # the catalogue's, not Django's
    for odd in ("gone:12", "holderprofile:", "holderprofile"):
        assert journal_words.subject_in_words(odd) == odd
    assert journal_words.subject_model("holderprofile:12") == (HolderProfile, "12")


def test_details_are_said_line_by_line_and_nobodys_words_are_changed():
    details = {
        "reason": "Vol",
        "rows": ["1", "2"],
        "row": "holderprofile:*",
        "open": True,
        "until_year": None,
    }
    assert journal_words.details_in_words(details | {"q": "user:12", "strange": {"a": 1}}) == [
        ("Raison", "Vol"),
        ("Fiches", "1, 2"),
        ("Fiche", "Comptes de formation"),
        ("open", "oui"),
        ("Mots cherchés", "user:12"),
        ("strange", "a : 1"),
    ]


JOURNAL = "/administration/accounts/journalentry/"


def rows_of(answer):
    return answer.content.decode().partition('id="result_list"')[2].partition("</table>")[0]


def test_the_journal_in_the_administration_speaks_and_leads_there(admin_client_, holder, at):
    details = {"reason": "Vol"}
    line = journal.record(by=SYSTEM, action="account_frozen", subject=holder, at=at, details=details)
    rows = rows_of(admin_client_.get(JOURNAL))
    assert "Compte gelé" in rows
    assert "<p>Raison : Vol</p>" in rows
    assert "account_frozen" not in rows
    assert f"/accounts/holderprofile/{holder.pk}/change/" in rows
    page = admin_client_.get(f"{JOURNAL}{line.pk}/change/").content.decode()
    assert "account_frozen" in page  # the code is kept in sight, on its own page
    assert f"holderprofile:{holder.pk}" in page


def test_the_journal_is_filtered_and_searched_by_words(admin_client_, holder, at):
    journal.record(by=SYSTEM, action="account_frozen", subject=holder, at=at, details={"reason": "Vol"})
    journal.record(by=SYSTEM, action="holder_viewed", subject=holder, at=at, details={"page": "Autre"})
    looks = rows_of(admin_client_.get(JOURNAL, {"action": "_viewed"}))
    assert "Autre" in looks and "Vol" not in looks
    acts = rows_of(admin_client_.get(JOURNAL, {"action": "account_frozen"}))
    assert "Vol" in acts and "Autre" not in acts
    found = rows_of(admin_client_.get(JOURNAL, {"q": "gelé"}))
    assert "Vol" in found and "Autre" not in found
