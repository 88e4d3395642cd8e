"""Loading goes on when Postgres stops it for a passing reason, and nothing is lost or counted twice."""

from __future__ import annotations

import threading
import time

import pytest

from llmmon.errors import StoreError
from llmmon.pipeline.ingest import ingest_source
from llmmon.store.database import Database, in_one_transaction

ACCOUNT = "SELECT sum(n_in), sum(n_new), sum(n_dup), sum(n_bad), count(*) FROM llmmon.ingest_batch"
WAITING = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


def query(database, text):
    """Run a statement of the test's own."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(text).all()]


@pytest.mark.parametrize("table", ["request_log", "request_payload", "ingest_batch"])
def test_a_loader_whose_connection_is_ended_loads_its_batch_once(database, config, jsonl, table):
    """A lock makes it wait at a known statement; its backend is terminated there, and the second attempt succeeds."""
    jsonl(20)
    settings, other = config(), Database(database.url.render_as_string(hide_password=False))
    outcome = []
    loader = threading.Thread(target=lambda: outcome.append(ingest_source(database, settings, "logs")))
    with other.transaction() as holder:
        holder.exec_driver_sql("SELECT llmmon.ensure_day_partition('2023-06-27')")
    with other.transaction() as holder:
        holder.exec_driver_sql(f"LOCK TABLE llmmon.{table} IN SHARE MODE")
        loader.start()
        deadline = time.monotonic() + 60
        while not (waiting := query(other, WAITING)):
            assert time.monotonic() < deadline, "the loader never waited"
            time.sleep(0.05)
        query(other, f"SELECT pg_terminate_backend({waiting[0][0]})")
    loader.join(60)
    assert outcome[0].n_new == 20
    assert query(database, ACCOUNT) == [(20, 20, 0, 0, 1)]
    assert query(
        database, "SELECT count(*) FROM llmmon.request_payload JOIN llmmon.request_log USING (request_key)"
    ) == [(20,)]
    other.engine.dispose()


def test_what_does_not_pass_is_told_at_once_and_what_passes_five_times_too():
    """A refusal is not repeated; a deadlock is, four times."""
    for transient, expected in ((False, 1), (True, 5)):
        attempts = []

        def fail(transient=transient, attempts=attempts):
            attempts.append(1)
            raise StoreError("no", transient=transient)

        with pytest.raises(StoreError):
            in_one_transaction(fail)
        assert len(attempts) == expected
