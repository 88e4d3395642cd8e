"""A batch that fails its gate is kept whole, told once, and loaded or thrown away by a person; nothing is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from llmmon.audit.tree import root_of
from llmmon.config import PrivacyConfig
from llmmon.errors import BatchStateError, ConfigError, GateError, SealError, UnknownBatchError
from llmmon.model import Window
from llmmon.pipeline.decide_batch import discard_batch, release_batch
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.seal import seal
from llmmon.pipeline.verify_ledger import verify_ledger
from llmmon.privacy.keys import opened_quarantine
from llmmon.store.coverage import unfinished_windows
from llmmon.store.database import Database
from tests.conftest import PRIVACY_KEY, as_bytes

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
max_rows_per_batch = 4
gate = {max_bad_fraction = 0.3, max_held_batches = %d}
[channels]
log = "log"
ops = "log"
[deployments.assistant]
source = "logs"
"""
WINDOW = Window.parse("2023-06-27T05:00", hours=1)
WHY = "the gateway's test lines, agreed with Jo"
ACCOUNT = """
    SELECT sum(n_in)::int, sum(n_new)::int, sum(n_dup)::int, sum(n_bad)::int, sum(n_held)::int, bool_and(adds_up),
           bool_and(follows_the_batch_before), bool_and(n_bad = n_in_quarantine),
           bool_and(n_held_kept = CASE WHEN state = 'held' THEN n_held ELSE 0 END)
      FROM compliance.ingest_reconciliation
"""
STATES = "SELECT state FROM llmmon.ingest_batch ORDER BY batch_id"
ALERT = "SELECT state, severity, title, sentence, detail FROM llmmon.alert ORDER BY alert_id"
EVENTS = "SELECT event FROM audit.trail WHERE event LIKE 'alert%%' OR event LIKE 'batch%%' ORDER BY event_id"


def rows(database, query):
    """Run a query of the test's own."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


@pytest.fixture
def settings(config):
    """Return a configuration with batches of four rows, of which at most one may be bad, and ten held at most."""
    return config(TOML % 10)


@pytest.fixture
def mixed(jsonl, line):
    """Write twelve rows: four good ones, four of which two are broken and one repeats, four good ones."""
    lines = [line(index) for index in range(12)]
    lines[5], lines[6], lines[7] = "broken", '{"half":', lines[4]
    jsonl(lines)
    return [as_bytes(item) for item in lines[4:8]]


@pytest.mark.parametrize("key", [None, PRIVACY_KEY])
def test_a_held_batch_is_kept_byte_for_byte_and_the_batches_behind_it_load(database, settings, mixed, monkeypatch, key):
    """Its rows wait in order, sealed under the privacy key; the account closes; reading again finds nothing new."""
    if key is None:
        monkeypatch.delenv("LLMMON_PRIVACY_KEY")
        settings = settings.model_copy(update={"privacy": PrivacyConfig(redact=False)})
    result = ingest_source(database, settings, "logs")
    assert (result.n_in, result.n_new, result.n_bad, result.n_held) == (12, 8, 0, 4)
    assert rows(database, STATES) == [("loaded",), ("held",), ("loaded",)]
    kept = rows(database, "SELECT raw, sealed FROM llmmon.held_row WHERE batch_id = 2 ORDER BY place")
    assert [sealed for _, sealed in kept] == [key is not None] * 4
    assert ([bytes(raw) for raw, _ in kept] == mixed) == (key is None)
    assert not [raw for raw, sealed in kept if sealed and b"prime" in bytes(raw)]
    assert rows(database, ACCOUNT) == [(12, 8, 0, 0, 4, True, True, True, True)]
    again = ingest_source(database, settings, "logs")
    assert (again.n_in, again.n_held) == (0, 0)

    decided = release_batch(database, settings, 2, because=WHY, by="Mira Novak")
    assert (decided.n_in, decided.n_new, decided.n_dup, decided.n_bad) == (4, 1, 1, 2)
    assert rows(database, ACCOUNT) == [(12, 9, 1, 2, 0, True, True, True, True)]
    assert rows(database, "SELECT count(*) FROM llmmon.held_row") == [(0,)]


def test_rows_that_are_no_requests_wait_with_the_batch_and_are_in_no_count(database, config, jsonl):
    """The account of a held and of a released batch closes without them, and the view names them after the release."""
    chat = {"call_type": "acompletion", "startTime": 1687842007.25, "endTime": 1687842008, "model": "gpt-4o"}
    jsonl([{**chat, "id": "a"}, {**chat, "id": "b", "call_type": "aembedding"}, "broken", {**chat, "id": "c"}])
    settings = config((TOML % 10).replace("openai_jsonl", "litellm_jsonl").replace("0.3", "0.2"))
    result = ingest_source(database, settings, "logs")
    assert (result.n_in, result.n_held, sum(result.passed_over.values())) == (3, 3, 1)
    traffic = "SELECT n_in, n_new, n_in_quarantine, n_held, closes FROM compliance.traffic_accounted_for"
    assert rows(database, traffic) == [(3, 0, 0, 3, True)]
    decided = release_batch(database, settings, 1, because=WHY, by="Mira Novak")
    assert (decided.n_in, decided.n_new, decided.n_bad) == (3, 2, 1)
    assert rows(database, traffic) == [(3, 2, 1, 0, True)]
    assert rows(database, "SELECT batch_id, n FROM compliance.rows_passed_over") == [(1, 1)]
    seal(database)
    verdict = verify_ledger(database, {}, None, depth="requests")
    assert (verdict.n_batches, verdict.n_requests, verdict.problems) == (1, 2, [])


def test_rows_that_a_changed_configuration_passes_over_leave_the_count_at_the_release(database, config, jsonl):
    """What was a broken row when the batch was held is no request any more when it is released."""
    chat = {"call_type": "acompletion", "startTime": 1687842007.25, "endTime": 1687842008, "model": "gpt-4o"}
    jsonl([{**chat, "id": "a"}, {**chat, "id": "b", "call_type": "aembedding"}, {**chat, "id": "c"}])
    ingest_source(database, config(TOML % 10), "logs")
    decided = release_batch(
        database, config((TOML % 10).replace("openai_jsonl", "litellm_jsonl")), 1, because=WHY, by="Mira Novak"
    )
    assert (decided.n_in, decided.n_new, decided.n_bad) == (2, 2, 0)
    assert rows(database, "SELECT n_in, n_new, closes FROM compliance.traffic_accounted_for") == [(2, 2, True)]


def test_a_released_batch_loads_as_any_other(database, settings, mixed):
    """Facts, texts, root, quarantine and late windows are those of the loader; the decision names person and login."""
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", WINDOW)
    decided = release_batch(database, settings, 2, because=WHY, by="Mira Novak")
    assert decided.n_dirty_windows == 1
    with database.transaction() as connection:
        assert unfinished_windows(connection, "assistant", "ingest", length=timedelta(hours=1)) == [WINDOW]
    found = rows(database, "SELECT request_id, batch_id, digest FROM llmmon.request_log WHERE batch_id = 2")
    assert [(name, batch) for name, batch, _ in found] == [("req-4", 2)]
    ((root, passed),) = rows(database, "SELECT root, gate -> 'success' FROM llmmon.ingest_batch WHERE batch_id = 2")
    assert bytes(root) == root_of([bytes(found[0][2])])
    assert passed is False
    quarantined = rows(database, "SELECT raw, sealed, batch_id FROM llmmon.quarantine ORDER BY byte_offset")
    opened = [(opened_quarantine(bytes(raw), sealed=sealed), batch) for raw, sealed, batch in quarantined]
    assert opened == [(b"broken", 2), (b'{"half":', 2)]
    ((actor, detail),) = rows(database, "SELECT actor, detail FROM audit.trail WHERE event = 'batch.released'")
    assert actor == "Mira Novak"
    assert (detail["because"], detail["batch_id"], detail["n_new"]) == (WHY, 2, 1)
    assert detail["login"]
    assert detail["database_login"] == database.url.username
    told = "SELECT decided_by, decided_because FROM compliance.ingest_reconciliation WHERE state = 'released'"
    assert rows(database, told) == [("Mira Novak", WHY)]


def test_a_batch_is_released_with_the_present_configuration(database, config, jsonl, line):
    """A mapping that was mended after the batch was held makes its rows readable; its time is then known."""
    settings = config(TOML % 10)
    lines = [line(index) for index in range(4)]
    for item in lines:
        item["asked_at"] = item.pop("timestamp")
    jsonl(lines)
    assert ingest_source(database, settings, "logs").n_held == 4
    spans = "SELECT first_occurred_at::text, last_occurred_at::text FROM llmmon.ingest_batch"
    assert rows(database, spans) == [(None, None)]
    mended = config((TOML % 10).replace('"${here}/*.jsonl*"', '"${here}/*.jsonl*", fields = {timestamp = "asked_at"}'))
    assert release_batch(database, mended, 1, because=WHY, by=None).n_new == 4
    assert rows(database, spans) == [("2023-06-27 05:00:00+00", "2023-06-27 05:00:03+00")]


def test_a_discarded_batch_leaves_its_counts_and_the_reason(database, settings, mixed):
    """Its rows are gone, what it held stays counted, and its requests are read again by nobody."""
    ingest_source(database, settings, "logs")
    decided = discard_batch(database, settings, 2, because=WHY, by=None)
    assert (decided.n_in, decided.n_discarded, decided.n_new) == (4, 4, 0)
    assert rows(database, ACCOUNT) == [(12, 8, 0, 0, 4, True, True, True, True)]
    assert rows(database, "SELECT count(*) FROM llmmon.held_row") == [(0,)]
    assert ingest_source(database, settings, "logs").n_in == 0
    ((actor, detail),) = rows(database, "SELECT actor, detail FROM audit.trail WHERE event = 'batch.discarded'")
    assert (detail["n_discarded"], detail["because"], detail["login"]) == (4, WHY, actor)


def test_a_batch_is_decided_on_once(database_url, settings, mixed):
    """Of four people at once one releases it; the others are told that it is not held any more."""
    databases = [Database(database_url) for _ in range(4)]
    ingest_source(databases[0], settings, "logs")

    def release(database):
        try:
            return str(release_batch(database, settings, 2, because=WHY, by=None).n_new)
        except BatchStateError as error:
            return str(error).partition(";")[0]

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(release, databases)) == ["1", *["batch 2 is released, not held"] * 3]
    assert rows(databases[0], "SELECT count(*) FROM audit.trail WHERE event = 'batch.released'") == [(1,)]
    with pytest.raises(BatchStateError, match="batch 1 is loaded"):
        discard_batch(databases[0], settings, 1, because=WHY, by=None)
    with pytest.raises(UnknownBatchError, match="no batch 99"):
        release_batch(databases[0], settings, 99, because=WHY, by=None)
    for database in databases:
        database.engine.dispose()


def test_loaders_at_once_hold_each_batch_once(database_url, config, jsonl, line):
    """Of four loaders of a source one holds a batch, and the others go on behind it."""
    settings = config(TOML % 100)
    jsonl([("broken" if index % 8 < 4 else line(index)) for index in range(80)])
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda database: ingest_source(database, settings, "logs"), databases))
    assert (sum(result.n_new for result in results), sum(result.n_held for result in results)) == (40, 40)
    assert rows(databases[0], ACCOUNT) == [(80, 40, 0, 0, 40, True, True, True, True)]
    assert rows(databases[0], "SELECT count(*) FROM llmmon.alert") == [(1,)]
    for database in databases:
        database.engine.dispose()


def test_nothing_is_released_without_a_reason_its_key_or_its_very_rows(database, settings, mixed, monkeypatch):
    """An empty reason, another privacy key and changed rows are refused, and the batch stays held."""
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", "a key for tests, long enough")
    ingest_source(database, settings, "logs")
    with pytest.raises(ConfigError, match="because"):
        release_batch(database, settings, 2, because="  ", by=None)
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    with pytest.raises(SealError, match="LLMMON_PRIVACY_KEY is not set"):
        release_batch(database, settings, 2, because=WHY, by=None)
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", "a key for tests, long enough")
    with database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM llmmon.held_row WHERE place = 3")
    with pytest.raises(BatchStateError, match="not those that were held"):
        release_batch(database, settings, 2, because=WHY, by=None)
    assert rows(database, STATES) == [("loaded",), ("held",), ("loaded",)]


def test_reading_stops_when_too_many_batches_wait_and_goes_on_after_a_decision(database, config, jsonl, line):
    """The disk does not fill: at the limit the cursor stays; each decision lets one more batch in, and none is lost."""
    settings = config(TOML % 2)
    jsonl(["broken"] * 16 + [line(index) for index in range(4)])
    for _ in range(2):
        with pytest.raises(GateError, match="2 batches of 8 rows are held back"):
            ingest_source(database, settings, "logs")
    assert rows(database, "SELECT count(*) FROM llmmon.held_row") == [(8,)]
    discard_batch(database, settings, 1, because=WHY, by=None)
    with pytest.raises(GateError):
        ingest_source(database, settings, "logs")
    for batch_id in (2, 3):
        discard_batch(database, settings, batch_id, because=WHY, by=None)
    result = ingest_source(database, settings, "logs")
    assert (result.n_in, result.n_new, result.n_held) == (8, 4, 4)
    assert rows(database, STATES) == [*[("discarded",)] * 3, ("held",), ("loaded",)]
    assert rows(database, ACCOUNT)[0][:6] == (20, 4, 0, 0, 16, True)


def test_a_source_has_one_alert_until_all_of_it_is_decided(database, config, jsonl, line):
    """Two held batches are one alert, told once to each channel and once more when reading stops; the last decision
    resolves it with the person's reason, and a later batch opens another.
    """
    settings = config(TOML % 2)
    jsonl(["broken"] * 4 + [line(index) for index in range(4)], name="a.jsonl")
    ingest_source(database, settings, "logs")
    ((state, severity, title, sentence, _),) = rows(database, ALERT)
    assert (state, severity, title) == ("open", "warning", "source logs: 1 batch held back by the gate")
    assert "1 batch of 4 rows held back since" in sentence
    assert "the newest because 100% of its rows cannot be read, at most 30% may. What comes after is read" in sentence
    assert rows(database, "SELECT channel FROM llmmon.delivery ORDER BY 1") == [("log",), ("ops",)]

    jsonl(["broken"] * 3, name="b.jsonl")
    with pytest.raises(GateError):
        ingest_source(database, settings, "logs")
    ((state, severity, title, sentence, detail),) = rows(database, ALERT)
    assert (severity, title) == ("critical", "source logs: reading stopped, 2 batches held back by the gate")
    assert "at most 2 may wait" in sentence
    assert detail["batch_ids"] == [1, 3]
    assert rows(database, "SELECT count(*) FROM llmmon.delivery") == [(4,)]

    release_batch(database, settings, 1, because=WHY, by="Mira")
    assert rows(database, ALERT)[0][:3] == ("open", "warning", "source logs: 1 batch held back by the gate")
    discard_batch(database, settings, 3, because=WHY, by="Mira")
    assert rows(database, "SELECT state FROM llmmon.alert") == [("resolved",)]
    assert rows(database, "SELECT event, actor, note FROM llmmon.alert_event ORDER BY 1")[1] == (
        "resolved",
        "Mira",
        WHY,
    )
    assert rows(database, "SELECT count(*) FROM llmmon.delivery") == [(4,)]
    jsonl(["broken"] * 2, name="c.jsonl")
    ingest_source(database, settings, "logs")
    assert rows(database, "SELECT state FROM llmmon.alert ORDER BY alert_id") == [("resolved",), ("open",)]
    events = [event for (event,) in rows(database, EVENTS)]
    assert [event for event in events if event.startswith("alert")] == [
        "alert.opened",
        "alert.escalated",
        "alert.resolved",
        "alert.opened",
    ]
    assert json.dumps(detail).count("broken") == 0
