import pytest
from django.core.management import CommandError, call_command

from rulebook import loading
from rulebook.management.commands import write_rulebook_doc


def test_the_document_is_up_to_date():
    call_command("write_rulebook_doc", "--check")


def test_a_document_that_lags_or_lacks_is_refused_until_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(write_rulebook_doc, "DOCUMENT", tmp_path / "rulebook.md")
    with pytest.raises(CommandError, match="n'est pas à jour"):
        call_command("write_rulebook_doc", "--check")
    call_command("write_rulebook_doc")
    call_command("write_rulebook_doc", "--check")
    (tmp_path / "rulebook.md").write_text("autre chose", encoding="utf-8")
    with pytest.raises(CommandError, match="n'est pas à jour"):
        call_command("write_rulebook_doc", "--check")


def test_every_row_is_in_the_document():
    text = write_rulebook_doc.document()
    for row in loading.read():
        assert f"## `{row.name}`" in text
        assert f"| {row.since.isoformat()} |" in text
        assert row.legal_reference in text
