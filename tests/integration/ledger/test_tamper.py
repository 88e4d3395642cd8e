"""What a superuser can do to the trail, and that everything that changes what an auditor reads is found.

Each attack is made with every right there is: triggers off, hashes rebuilt where that helps. The heads lie outside.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from llmmon.audit import offline_verifier
from llmmon.audit.checkpoint import SigningKey
from llmmon.errors import LedgerError
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.maintain import maintain
from llmmon.pipeline.seal import seal
from llmmon.pipeline.verify_ledger import verify_ledger
from llmmon.store import ledger
from llmmon.store.database import Database
from tests.conftest import make_line
from tests.integration.ledger.conftest import KEY, NOW, append

Run = Callable[[str], None]
ATTACKS: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("attacks.yaml").read_text("utf-8"))
HELPERS = """
CREATE FUNCTION the(place bigint) RETURNS bigint LANGUAGE sql AS
$$ SELECT event_id FROM audit.leaf WHERE seq = place $$;
CREATE FUNCTION rebuild() RETURNS void LANGUAGE plpgsql AS $$
DECLARE sizes bigint[] := ARRAY(SELECT size FROM audit.seal ORDER BY size);
BEGIN
  DELETE FROM audit.seal; DELETE FROM audit.node; DELETE FROM audit.leaf; DELETE FROM audit.pending;
  INSERT INTO audit.pending SELECT event_id FROM audit.event;
  FOR step IN 1 .. array_length(sizes, 1) LOOP
    PERFORM audit.seal(sizes[step] - coalesce(sizes[step - 1], 0));
  END LOOP;
  PERFORM audit.seal(1000);
END $$;
"""


@pytest.fixture
def loaded(database, config, jsonl, make_anchorer) -> Database:
    """Return a database with one batch of twelve requests and fifty events, under heads at 21, 42 and 51 events."""
    jsonl([make_line(index) for index in range(12)])
    assert ingest_source(database, config(), "logs").n_new == 12
    anchorer = make_anchorer(database)
    for step, n in enumerate((20, 21, 9)):
        append(database, n, first=100 * step)
        seal(database)
        anchorer.look(NOW + timedelta(minutes=step))
    return database


@pytest.fixture
def attack(loaded: Database) -> Run:
    """Return what runs SQL as the superuser, every trigger that refuses changes off."""

    def run(statements: str) -> None:
        with loaded.transaction() as connection:
            for table in ("event", "leaf", "node", "seal", "anchor"):
                for trigger in ("append_only_rows", "append_only_table"):
                    connection.exec_driver_sql(f"ALTER TABLE audit.{table} DISABLE TRIGGER {trigger}")
            connection.exec_driver_sql(HELPERS)
            connection.exec_driver_sql(statements)

    return run


def offline(database: Database, heads: dict[str, str]) -> None:
    """Export the trail as the auditor does and check it with the offline verifier."""
    entries = []
    for entry in ledger.entries(database):
        if entry.body is None:
            raise ValueError("the export is refused: an event is gone")
        entries.append(entry.bytes)
    offline_verifier.check_trail(entries, [offline_verifier.head_of(note, KEY.public) for note in heads.values()])


def test_honest_ledger_holds(loaded, heads, make_anchorer):
    """Untouched, every check passes at every depth."""
    verdict = verify_ledger(loaded, heads(), KEY.public, depth="requests")
    assert (verdict.problems, verdict.doubts) == ([], [])
    assert (verdict.n_events, verdict.n_heads, verdict.n_batches, verdict.n_requests) == (51, 3, 1, 12)
    offline(loaded, heads())
    make_anchorer(loaded).look(NOW + timedelta(days=2))


@pytest.mark.parametrize("name", ATTACKS["changes_what_is_read"])
def test_what_is_read_cannot_be_changed_unseen(name, attack, loaded, heads, make_anchorer):
    """Found against the heads: by `llmmon audit verify`, offline, and by the anchorer, which signs nothing more."""
    attack(ATTACKS["changes_what_is_read"][name])
    assert verify_ledger(loaded, heads(), KEY.public, depth="events").problems
    with pytest.raises(ValueError, match=r"gone|signed"):
        offline(loaded, heads())
    before = heads()
    with pytest.raises(LedgerError):
        make_anchorer(loaded).look(NOW + timedelta(days=2))
    assert heads() == before


@pytest.mark.parametrize("name", ATTACKS["changes_what_was_loaded"])
def test_what_was_loaded_cannot_be_changed_unseen(name, attack, loaded, heads):
    """The root in the load's event tells."""
    attack(ATTACKS["changes_what_was_loaded"][name])
    verdict = verify_ledger(loaded, heads(), KEY.public, depth="requests")
    assert verdict.problems
    assert all(problem.startswith("batch 1: ") for problem in verdict.problems)


@pytest.mark.parametrize("name", ATTACKS["changes_what_is_derived"])
def test_derived_rows_contradict_the_rest(name, attack, loaded, heads):
    """No event reads otherwise, so the heads hold; the ledger's own tables are in doubt."""
    attack(ATTACKS["changes_what_is_derived"][name])
    verdict = verify_ledger(loaded, heads(), KEY.public, depth="events")
    assert verdict.problems == []
    assert verdict.doubts


def test_without_heads_a_careful_forger_passes(attack, loaded, heads):
    """Why heads must leave the building: rebuilt tables agree with themselves."""
    attack(ATTACKS["changes_what_is_read"]["edit and rebuild all"])
    assert verify_ledger(loaded, {}, None, depth="events").holds
    assert not verify_ledger(loaded, heads(), KEY.public, depth="events").holds


def test_a_head_of_another_key_proves_nothing(loaded, heads):
    """Whoever rewrites the trail can sign it, but not with the anchorer's key."""
    forger = SigningKey.generate(KEY.name)
    with loaded.transaction() as connection:
        size, root = ledger.last_seal(connection)
    verdict = verify_ledger(loaded, {"slipped in": forger.checkpoint(size, root)}, KEY.public, depth="events")
    assert [problem.partition(":")[0] for problem in verdict.problems] == ["slipped in"]


def test_retention_that_left_an_event_is_not_an_attack(loaded, heads, config):
    """A day that was dropped with its event is told as retired; one request more than that event says is found."""
    assert maintain(loaded, config(), now=NOW).n_requests_removed == 12
    seal(loaded)
    verdict = verify_ledger(loaded, heads(), KEY.public, depth="requests")
    assert (verdict.problems, verdict.n_retired, verdict.n_requests) == ([], 12, 0)


@pytest.mark.timeout(1800)  # other programs may be at work
def test_no_false_alarm_on_a_million_honest_events(database, make_anchorer, heads):
    """A million events, sealed in hundreds of steps beside the anchorer: every head holds, nothing is in doubt."""
    anchorer = make_anchorer(database)
    for step in range(10):
        with database.transaction() as connection:
            connection.exec_driver_sql(
                "INSERT INTO audit.event (body) SELECT replace(b, '#', n::text) FROM generate_series(%s, %s) AS n,"
                ' (VALUES (\'{"actor":"a","code_version":"0","config_digest":"","detail":{"n":#},"event":"e.f",'
                '"subject":"s #"}\')) v (b)',
                (step * 100_000 + 1, (step + 1) * 100_000),
            )
        seal(database)
        anchorer.look(NOW + timedelta(minutes=step))
    verdict = verify_ledger(database, heads(), KEY.public)
    assert (verdict.n_events, verdict.n_heads, verdict.problems, verdict.doubts) == (1_000_000, 10, [], [])
    offline(database, heads())
