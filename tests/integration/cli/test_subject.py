"""`llmmon subject`: a person's data on request, and gone on request."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.privacy.keys import master_key

BECAUSE = ("--because", "request 17")


@pytest.fixture
def run(config, tmp_path, database_url, monkeypatch, jsonl, line):
    """Run a verb over two requests of Ann and one of Bob; returns output and exit code."""
    monkeypatch.setenv("LLMMON_DATABASE_URL", database_url)
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "llmmon.toml"))
    config()
    jsonl([line(index, user=user) for index, user in enumerate(("ann", "bob", "ann"))])

    def invoke(*words, code=0):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == code, result.output
        return result.output

    invoke("ingest")
    return invoke


def test_export_prints_a_line_for_each_request_and_a_summary(run):
    """By reference or by the user's own name the same lines; for people a count by deployment."""
    ref = master_key().pseudonym("ann")
    exported = run("subject", "export", "--user", "ann", "--json")
    assert exported == run("subject", "export", ref, "--json")
    lines = [json.loads(line) for line in exported.splitlines()]
    assert [item["messages"][0]["content"] for item in lines] == ["Is 0 a prime number?", "Is 2 a prime number?"]
    assert lines[0]["user_ref"] == ref
    summary = run("subject", "export", "--user", "ann").splitlines()
    assert summary[0].strip() == f"subject {ref}"
    assert summary[2].split() == ["assistant", "2023-06-27", "05:00", "2023-06-27", "05:00", "2", "2", "0", "0", "0"]


def test_erase_says_what_was_done_and_export_then_has_no_text(run):
    """Facts are still exported; a second erasure and a stranger are clear errors."""
    done = json.loads(run("subject", "erase", "--user", "ann", *BECAUSE, "--by", "mira", "--json"))
    assert (done["n_requests"], done["user_ref"]) == (2, master_key().pseudonym("ann"))
    lines = [json.loads(line) for line in run("subject", "export", "--user", "ann", "--json").splitlines()]
    assert [("messages" in item, item["latency_ms"]) for item in lines] == [(False, 100.0), (False, 102.0)]
    assert "erased already" in run("subject", "erase", "--user", "ann", *BECAUSE, code=2)
    assert "nothing is kept" in run("subject", "erase", "--user", "carl", *BECAUSE, code=2)
    (proof,) = json.loads(run("query", "erasure_proof", "--json"))
    assert (proof["erased_by"], proof["because"], proof["n_texts_readable"]) == ("mira", "request 17", 0)
    assert "cannot be read any more" in run("subject", "erase", "--user", "bob", *BECAUSE)


def test_a_person_is_named_in_one_way_and_with_the_key(run, monkeypatch):
    """Neither none nor both; a name needs the key, a reference does not."""
    assert "either REF or --user" in run("subject", "erase", *BECAUSE, code=2)
    assert "either REF or --user" in run("subject", "export", "x", "--user", "ann", code=2)
    ref = master_key().pseudonym("bob")
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    assert "LLMMON_PRIVACY_KEY is not set" in run("subject", "export", "--user", "ann", code=2)
    assert "LLMMON_PRIVACY_KEY is not set" in run("subject", "export", ref, "--json", code=2)
    assert "1 requests" in run("subject", "erase", ref, *BECAUSE)
