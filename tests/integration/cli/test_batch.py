"""`llmmon batch`: what is held is listed, shown safely, and released or discarded with a reason."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.store.database import Database

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
gate = {max_bad_fraction = 0.1}
[deployments.assistant]
source = "logs"
"""
BAD = b"\x1b[2Jno JSON"


@pytest.fixture
def run(config, tmp_path, database_url, monkeypatch):
    """Run a verb; its output, or what it says when it ends with another code than 0."""
    monkeypatch.setenv("LLMMON_DATABASE_URL", database_url)
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "llmmon.toml"))
    config(TOML)

    def invoke(*words, code=0):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.output

    return invoke


@pytest.fixture
def held(run, jsonl, line):
    """Hold one batch of three rows, one of which is broken."""
    jsonl([line(0), BAD, line(1)])
    assert "n_held 3" in run("ingest", code=4)


def test_a_held_batch_is_listed_shown_and_released(run, held):
    """The list names it until somebody decides; then it shows who did and why, and the audit trail too."""
    (row,) = json.loads(run("batch", "list", "--json"))
    assert (row["batch_id"], row["state"], row["n_in"], row["n_held"]) == (1, "held", 3, 3)
    shown = run("batch", "show", "1", "--rows", "2")
    assert "33.3% of its rows cannot be read, at most 10% may" in shown
    assert "Is 0 a prime number?" in shown
    assert "no JSON" in shown
    assert "\x1b" not in shown
    words = ("batch", "release", "1", "--because", "one torn line", "--by", "Mira Novak")
    assert "is released: 3 rows: 2 new, 0 already there, 1 quarantined" in run(*words)
    assert run("batch", "list").strip() == "no batch is held"
    (row,) = json.loads(run("batch", "list", "--all", "--json"))
    assert (row["state"], row["decided_by"], row["decided_because"]) == ("released", "Mira Novak", "one torn line")
    (event,) = json.loads(run("audit", "trail", "--event", "batch.released", "--json"))
    assert (event["actor"], event["detail"]["because"]) == ("Mira Novak", "one torn line")
    assert "batch 1 is released, not held" in run(*words, code=2)


def test_what_the_gate_found_is_written_as_a_page_that_loads_nothing(run, held, database_url, tmp_path):
    """Great Expectations' sections stand in it, words first; hostile text in a stored result stays text."""
    page = tmp_path / "gate.html"
    run("batch", "show", "1", "--html", str(page))
    assert "No such file or directory" in run("batch", "show", "1", "--html", str(tmp_path / "no" / "page"), code=1)
    text = page.read_text("utf-8")
    assert "33.3% of its rows cannot be read, at most 10% may" in text
    assert "mean must be less than or equal to" in text
    assert "Volume by hour: 1 of 1 hours: 0 earlier hours are known, 7 are needed" in text
    assert not re.search(r"https?://|<script|<link|<img|<iframe", text)
    assert "default-src 'none'" in text
    hostile = "<img src=x onerror=alert(1)>"
    database = Database(database_url)
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE llmmon.ingest_batch SET source = %(text)s, gate = replace(gate::text, 'is_bad', %(text)s)::jsonb",
            {"text": hostile},
        )
    database.engine.dispose()
    run("batch", "show", "1", "--html", str(page))
    assert "<img" not in page.read_text("utf-8")
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.read_text("utf-8")


def test_a_discarded_batch_keeps_its_counts(run, held):
    """Its rows are gone and cannot be shown any more; a reason is asked for."""
    assert "Missing option '--because'" in run("batch", "discard", "1", code=2)
    assert "3 rows: 3 discarded" in run("batch", "discard", "1", "--because", "a test of the gateway")
    found = json.loads(run("batch", "show", "1", "--rows", "5", "--json"))
    assert (found["state"], found["n_in"], found["n_held"], found["rows"]) == ("discarded", 3, 3, [])
    assert run("ingest").strip().startswith("logs: source logs, n_batches 0, n_in 0")


def test_a_number_that_is_not_there_is_told(run):
    """With the verb that lists what is there."""
    assert "there is no batch 99; `llmmon batch list` shows" in run("batch", "show", "99", code=2)
