"""Housekeeping keeps what must be kept, removes what is past its time, and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from llmmon.model import Window
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.maintain import maintain
from llmmon.store.coverage import StageCount, close_stage

NOW = datetime(2024, 6, 27, 12, tzinfo=UTC)
KEPT, GONE = "2023-06-29T05:00:00Z", "2023-06-26T05:00:00Z"


def rows(database, query):
    """Run a query of the test's own."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


def test_old_days_go_with_an_audit_event_and_do_not_come_back(database, config, jsonl, line):
    """A day past its retention is dropped whole, its identities stay, and reading the log again brings nothing back."""
    jsonl([line(0, timestamp=GONE), line(1, timestamp=KEPT)])
    settings = config()
    ingest_source(database, settings, "logs")
    result = maintain(database, settings, now=NOW)
    assert (result.n_partitions_dropped, result.n_requests_removed) == (1, 1)
    assert rows(database, "SELECT request_id FROM llmmon.request_log") == [("req-1",)]
    assert rows(database, "SELECT count(*) FROM llmmon.request_identity") == [(2,)]
    told = "SELECT subject, detail ->> 'n_requests' FROM audit.trail WHERE event = 'partition.dropped'"
    assert rows(database, told) == [("request_log 2023-06-26", "1")]
    jsonl([line(0, timestamp=GONE)], name="again.jsonl")
    assert ingest_source(database, settings, "logs").n_new == 0
    assert maintain(database, settings, now=NOW).n_requests_removed == 0


def test_partitions_are_made_ahead(database, config):
    """The next seven days have their partition before the first request of the day comes."""
    maintain(database, config(), now=NOW)
    found = rows(database, "SELECT to_regclass('llmmon.request_log_20240703') IS NOT NULL")
    assert found == [(True,)]


def test_a_window_that_waited_too_long_expires_and_a_late_request_revives_it(database, config, jsonl, line):
    """What was not looked at in time is accounted for as expired, never as done."""
    jsonl([line(0), line(1)], name="a.jsonl")
    settings = config(extra="[retention]\nrequest_log_days = 36500\n")
    window = Window.parse("2023-06-27T05:00", hours=1)
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", window)
    with database.transaction() as connection:
        close_stage(connection, "assistant", window, "sample", [StageCount("done", 2)])
    assert maintain(database, settings, now=datetime.now(UTC)).n_windows_expired == 0
    assert maintain(database, settings, now=datetime.now(UTC) + timedelta(hours=49)).n_windows_expired == 3
    states = "SELECT stage, state FROM llmmon.window_stage ORDER BY stage"
    assert rows(database, states) == [
        ("ingest", "done"),
        ("measure", "expired"),
        ("replay", "expired"),
        ("sample", "done"),
        ("score", "expired"),
    ]
    assert rows(database, "SELECT stage, n FROM llmmon.coverage WHERE state = 'expired' ORDER BY stage") == [
        ("measure", 2),
        ("replay", 2),
        ("score", 2),
    ]
    jsonl([line(2)], name="b.jsonl")
    ingest_source(database, settings, "logs")
    assert {state for _, state in rows(database, states)} == {"dirty"}


def test_quarantine_is_kept_for_its_days(database, config, jsonl):
    """Quarantined rows go after their retention; their batch still counts them."""
    jsonl(["broken"])
    settings = config()
    ingest_source(database, settings, "logs")
    assert maintain(database, settings, now=datetime.now(UTC)).n_quarantined_removed == 0
    assert maintain(database, settings, now=datetime.now(UTC) + timedelta(days=366)).n_quarantined_removed == 1
    assert rows(database, "SELECT n_bad FROM llmmon.ingest_batch") == [(1,)]


def test_a_held_batch_waits_as_long_as_quarantine_is_kept(database, config, jsonl):
    """After that it is discarded with the setting as its reason; its counts stay and its alert is resolved."""
    jsonl(["broken"] * 3)
    settings = config(
        '[sources.logs]\nread = {type = "openai_jsonl", path = "${here}/*.jsonl"}\n[deployments.a]\nsource = "logs"\n'
    )
    ingest_source(database, settings, "logs")
    assert maintain(database, settings, now=datetime.now(UTC)).n_held_removed == 0
    kept = "SELECT n, n_removals FROM compliance.retention_status WHERE record = 'held lines'"
    assert rows(database, kept) == [(3, 0)]
    assert maintain(database, settings, now=datetime.now(UTC) + timedelta(days=366)).n_held_removed == 3
    assert rows(database, kept) == [(0, 1)]
    assert rows(database, "SELECT state, n_held, decided_because FROM llmmon.ingest_batch") == [
        ("discarded", 3, "waited longer than retention.quarantine_days = 365")
    ]
    assert rows(database, "SELECT state FROM llmmon.alert") == [("resolved",)]
