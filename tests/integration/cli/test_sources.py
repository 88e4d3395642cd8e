"""`llmmon sources`: what a source gives, before anything is stored."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from llmmon.cli import main


@pytest.fixture
def run(config, tmp_path):
    """Run a verb against a small configuration."""
    config()
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(tmp_path / "llmmon.toml")])


def test_rows_are_shown_as_they_would_be_stored(run, jsonl, line):
    """Fields by llmmon's names, no user as logged, and rows that would be quarantined with offset and reason."""
    jsonl([line(1, user="ann"), b'{"id": 1'])
    result = run("sources", "check", "logs")
    assert result.exit_code == 0, result.output
    assert "request_id" in result.output
    assert "req-1" in result.output
    assert "would be quarantined: malformed_json" in result.output
    assert "ann" not in result.output
    assert "1 of 2 rows can be read; nothing was stored" in result.output


def test_a_newcomer_needs_no_key(run, jsonl, line, tmp_path, monkeypatch):
    """Without one the local stack's is used, so that what is shown is redacted as it would be."""
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    monkeypatch.setenv("LLMMON_HOME", str(tmp_path / "home"))
    jsonl([line(1, tags={"mail": "ann@example.com"})])
    result = run("sources", "check", "logs")
    assert result.exit_code == 0, result.output
    assert "<EMAIL_ADDRESS>" in result.output


def test_a_log_cannot_write_to_the_terminal(run, jsonl, line):
    """Escape sequences are shown as replacement characters, long text by its beginning and length."""
    jsonl([line(1, route="\x1b[31mred", tenant="x" * 100)])
    result = run("sources", "check", "logs")
    assert "\x1b" not in result.output
    assert "[31mred" in result.output
    assert "(100 characters)" in result.output


def test_for_scripts_there_is_json(run, jsonl):
    """One object a row."""
    jsonl(5)
    rows = json.loads(run("sources", "check", "logs", "--rows", "2", "--json").stdout)
    assert [row["request"]["request_id"] for row in rows] == ["req-0", "req-1"]
    (listed,) = json.loads(run("sources", "list", "--json").stdout)
    assert (listed["source"], listed["type"], listed["deployments"]) == ("logs", "openai_jsonl", ["assistant"])


def test_a_wrong_name_and_a_file_of_something_else_fail(run, jsonl):
    """The first lists the sources there are; the second says so with the exit code."""
    assert "no source 'log'; there are: logs" in run("sources", "check", "log").output
    jsonl([b"a,b,c", b"1,2,3", b""])
    assert run("sources", "check", "logs").exit_code == 2
