"""`llmmon quarantine`: what could not be read is counted, shown safely, and loaded once it can be read."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from llmmon.cli import main

OTHER = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"%s}
gate = {max_bad_fraction = 1.0, min_rows = 0}
[privacy]
redact = false
[deployments.assistant]
source = "logs"
"""


@pytest.fixture(params=[None, "a key for tests, long enough"])
def run(config, tmp_path, database_url, monkeypatch, request):
    """Run a verb; with and without a privacy key."""
    if request.param:
        monkeypatch.setenv("LLMMON_PRIVACY_KEY", request.param)
    else:
        monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    monkeypatch.setenv("LLMMON_DATABASE_URL", database_url)
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "llmmon.toml"))
    config(OTHER % "")

    def invoke(*words):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


def renamed(line):
    """Return a line whose time has another name."""
    line["asked_at"] = line.pop("timestamp")
    return line


def test_rows_are_loaded_once_they_can_be_read(run, config, jsonl, line):
    """After the mapping is mended, retry takes what it can, leaves the rest, and the second time finds nothing."""
    jsonl([line(0), renamed(line(1)), renamed(line(2)), b"\x1b[2Jno JSON"])
    run("ingest")
    counts = json.loads(run("quarantine", "list", "--json"))
    assert {row["code"]: row["n_waiting"] for row in counts} == {"missing_timestamp": 2, "malformed_json": 1}
    config(OTHER % ', fields = {timestamp = "asked_at"}')
    result = json.loads(run("quarantine", "retry", "logs", "--json"))
    assert result == {"source": "logs", "n_tried": 3, "n_new": 2, "n_dup": 0, "n_bad": 1}
    again = json.loads(run("quarantine", "retry", "logs", "--json"))
    assert (again["n_tried"], again["n_new"]) == (1, 0)
    counts = {row["code"]: row for row in json.loads(run("quarantine", "list", "--json"))}
    assert (counts["missing_timestamp"]["n_waiting"], counts["missing_timestamp"]["n_resolved"]) == (0, 2)
    (newest, _) = json.loads(run("audit", "trail", "--event", "batch.loaded", "--json"))
    assert (newest["detail"]["n_from_quarantine"], newest["detail"]["n_new"]) == (2, 2)
    batches = json.loads(run("query", "ingest_reconciliation", "--json"))
    assert [batch["adds_up"] for batch in batches] == [True, True]
    assert [(batch["n_in_quarantine"], batch["n_loaded_from_quarantine"]) for batch in batches] == [(1, 2), (0, 0)]


def test_a_row_is_shown_with_its_place_and_cannot_drive_the_terminal(run, jsonl, line):
    """Offset, reason and bytes; the raw bytes only when they are asked for."""
    bad = b"\x1b[2Jno JSON"
    jsonl([line(0), bad])
    run("ingest")
    (row,) = json.loads(run("quarantine", "list", "--json"))
    shown = run("quarantine", "show", str(row["first_id"]))
    assert "malformed_json" in shown
    assert "no JSON" in shown
    assert "\x1b" not in shown
    assert run("quarantine", "show", str(row["first_id"]), "--raw").encode() == bad


def test_a_number_that_is_not_there_is_told(run):
    """With the verb that lists what is there."""
    result = CliRunner().invoke(main, ["quarantine", "show", "99"])
    assert result.exit_code == 2
    assert "no row 99 in quarantine" in result.output
