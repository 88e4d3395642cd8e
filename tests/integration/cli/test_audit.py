"""`llmmon audit`: the auditor's commands end to end, with files that leave the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.model import Window
from llmmon.pipeline.ingest import ingest_source
from llmmon.store.request_log import window_requests
from tests.integration.ledger.conftest import TWO_FOLDERS


@pytest.fixture
def run(database_url, tmp_path, monkeypatch):
    """Run a verb and return what it printed; ``code`` is the exit status it must have."""
    monkeypatch.setenv("LLMMON_DATABASE_URL", database_url)
    monkeypatch.setenv("LLMMON_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def invoke(*words, code=0):
        result = CliRunner().invoke(main, ["audit", *map(str, words)])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


@pytest.fixture
def key(run, database, config, jsonl, tmp_path):
    """Load twelve requests, seal, and sign the head; return the public key."""
    jsonl(12)
    ingest_source(database, config(), "logs")
    Path("anchorer.toml").write_text(TWO_FOLDERS, "utf-8")
    public = run("keygen", "example.com/llmmon", "--out", "key").strip()
    assert Path("key").stat().st_mode & 0o777 == 0o600
    assert run("seal") == "1 events sealed\n"
    anchor = ("anchor", "--config", "anchorer.toml", "--key-file", "key", "--state", "state.json")
    assert run(*anchor) == "1 events signed, 1 of them new, sent to vault, auditor\n"
    assert run(*anchor) == "1 events signed, 0 of them new\n"
    return public


def offline(*words):
    """Run the verifier as its users do: Python alone, isolated from every package."""
    command = [sys.executable, "-I", "-S", "trail/offline_verifier.py", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_auditor_checks_the_trail_with_and_without_the_database(run, key, database):
    """Verify, export and the offline verifier say that it holds; after a forgery all of them say that it does not."""
    assert run("verify", "--key", key, "--heads", "vault", "--depth", "requests") == (
        "1 events, 2 signed heads\n1 batches of 12 requests\nholds\n"
    )
    assert json.loads(run("verify", "--key", key, "--json"))["holds"] is True
    assert "no signed head was compared" in run("verify")
    assert "trail: 1 events" in run("export", "trail")
    heads = [str(path) for path in Path("vault").iterdir()]
    held = offline(key, "trail/entries.tsv", *heads)
    assert (held.returncode, held.stdout) == (0, "holds: 1 heads\n")

    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE audit.event DISABLE TRIGGER USER")
        connection.exec_driver_sql("UPDATE audit.event SET body = replace(body, 'logs', 'dogs')")
        connection.exec_driver_sql("UPDATE audit.leaf SET hash = hash WHERE false")
    told = run("verify", "--key", key, "--heads", "vault", code=10)
    assert "the first 1 events are not those that were signed" in told
    assert "does not hold" in told
    run("export", "trail")
    forged = offline(key, "trail/entries.tsv", *heads)
    assert forged.returncode == 1
    assert "are not those that were signed" in forged.stderr
    assert "not in the signed trail" in run("prove", "1", "--key", key, code=10)


def test_after_an_erasure_the_trail_holds_and_the_erased_request_is_still_proven(
    run, database, config, jsonl, line, tmp_path
):
    """Ann's text is unreadable, every request still fits its batch, and the proof of her batch is the one of before."""
    jsonl([line(index, user=user) for index, user in enumerate(("ann", "bob", "ann"))])
    settings = config()
    ingest_source(database, settings, "logs")
    Path("anchorer.toml").write_text(TWO_FOLDERS, "utf-8")
    key = run("keygen", "example.com/llmmon", "--out", "key").strip()
    anchor = ("anchor", "--config", "anchorer.toml", "--key-file", "key", "--state", "state.json")
    run("seal")
    run(*anchor)
    run("export", "trail")
    before = run("prove", "--request", "req-0", "--key", key)

    words = ["subject", "erase", "--user", "ann", "--because", "she asked", "--config", str(tmp_path / "llmmon.toml")]
    assert CliRunner().invoke(main, words).exit_code == 0

    run("seal")
    run(*anchor)
    with database.transaction() as connection:
        window = Window.parse("2023-06-27T05:00", hours=1)
        texts = {
            request.request_id: request.response_text for _, request in window_requests(connection, "assistant", window)
        }
    assert texts == {"req-0": None, "req-1": "No, 1 is not.", "req-2": None}
    assert run("verify", "--key", key, "--heads", "vault", "--depth", "requests").endswith(
        "1 batches of 3 requests\nholds\n"
    )
    after = run("prove", "--request", "req-0", "--key", key)
    for proof in (before, after):
        Path("e.tlog-proof").write_text(proof, "utf-8")
        held = offline(key, "e.tlog-proof")
        assert held.returncode == 0
        event = json.loads(held.stdout.removeprefix("holds: "))
        assert (event["event"], event["detail"]["n_new"]) == ("batch.loaded", 3)


def test_one_event_is_proven_to_somebody_who_has_only_the_key(run, key):
    """By its number, by its batch and by a request; the proof shows the event and holds offline, for its key alone."""
    run("export", "trail")
    proofs = [run("prove", *words, "--key", key) for words in (("1",), ("--batch", "1"), ("--request", "req-3"))]
    assert len(set(proofs)) == 1
    assert "place 0 of 1 signed ones" in run("prove", "1", "--key", key, "--out", "e.tlog-proof")
    assert Path("e.tlog-proof").read_text("utf-8") == proofs[0]
    held = offline(key, "e.tlog-proof")
    assert held.returncode == 0
    assert json.loads(held.stdout.removeprefix("holds: "))["event"] == "batch.loaded"
    other = run("keygen", "example.com/llmmon", "--out", "other").strip()
    assert "not signed by example.com/llmmon" in offline(other, "e.tlog-proof").stderr


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("prove",), "give the number of an event", 2),
        (("prove", "1", "--batch", "2"), "give the number of an event", 2),
        (("prove", "99"), "event 99 is under no signed head", 10),
        (("prove", "--batch", "99"), "no event tells of batch 99", 10),
        (("prove", "--request", "nobody"), "none is stored", 10),
        (("verify", "--key", "nonsense"), "no public key", 2),
        (("verify", "--heads", "home"), "no .checkpoint file", 2),
        (("keygen", "two words", "--out", "x"), "no spaces", 2),
        (("keygen", "a", "--out", "key"), "never written over another", 2),
        (
            ("anchor", "--config", "anchorer.toml", "--key-file", "nowhere", "--state", "s"),
            "nowhere: cannot be read",
            2,
        ),
        (("anchor", "--config", "nowhere", "--key-file", "key", "--state", "s"), "nowhere: no such file", 2),
        (("anchor", "--config", "anchorer.toml", "--key-file", "anchorer.toml", "--state", "s"), "no signing key", 2),
    ],
)
def test_mistakes_are_told_with_an_exit_code(run, key, words, told, code):
    """Each names what was given and what to do."""
    Path("home").mkdir(exist_ok=True)
    given = ["--key", key] if words[0] == "prove" else []
    assert told in " ".join(run(*words, *given, code=code).split())


def test_without_a_key_nothing_can_be_proven(run, database):
    """No local stack and no --key: told so."""
    assert "public key is needed" in run("prove", "1", code=2)


def test_the_trail_is_listed(run, key):
    """Newest first, as rows or JSON, of one name if asked."""
    assert json.loads(run("trail", "--event", "batch.loaded", "--json"))[0]["subject"] == "source logs"
    assert "the audit trail is empty" in run("trail", "--event", "no.such")
