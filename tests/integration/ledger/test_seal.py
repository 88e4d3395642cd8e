"""The sealer: alone, beside others, killed, and with no more rights than it needs."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from llmmon.audit.event import body
from llmmon.errors import LedgerError, StoreError, StoreUnavailableError
from llmmon.pipeline.seal import seal
from llmmon.pipeline.verify_ledger import verify_ledger
from llmmon.store import ledger
from llmmon.store.database import Database
from llmmon.store.roles import create_login
from llmmon.store.scratch import programs_for
from tests.integration.ledger.conftest import KEY, NOW, append


def one(database: Database, query: str):
    """Return the only cell of a query."""
    with database.transaction() as connection:
        return connection.exec_driver_sql(query).scalar_one()


def as_login(database: Database, role: str) -> Database:
    """Open the database as a fresh login of a group role."""
    with database.transaction() as connection:
        create_login(connection, f"test_{role}", "a password", member_of=role)  # type: ignore[arg-type]
    url = make_url(database.url).set(username=f"test_{role}", password="a password")
    return Database(url.render_as_string(hide_password=False))


def test_events_wait_in_the_transaction_that_made_them(database):
    """What was rolled back is neither recorded nor waits."""
    append(database, 2)
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO audit.event (body) SELECT body FROM audit.event")
        connection.rollback()
    assert one(database, "SELECT count(*) FROM audit.pending") == 2
    assert seal(database) == 2
    assert one(database, "SELECT count(*) FROM audit.pending") == 0


def test_many_writers_and_sealers_killed_at_random_make_one_tree(database):
    """Four writers and four sealers, whose backends are ended now and then: every acknowledged event is sealed once."""
    stop, acknowledged, draw = threading.Event(), [0] * 4, random.Random(3)

    def write(number: int) -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        while not stop.is_set():
            try:
                append(own, 3)
                acknowledged[number] += 3
            except StoreUnavailableError:  # its backend was ended
                continue
        own.engine.dispose()

    def sealing() -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        while not stop.is_set():
            try:
                with own.transaction() as connection:
                    ledger.seal(connection, draw.choice([1, 2, 5, 50]))
            except StoreUnavailableError:  # its backend was ended
                continue
        own.engine.dispose()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=sealing) for _ in range(4)]
    for thread in threads:
        thread.start()
    n_ended = 0
    for _ in range(25):
        time.sleep(0.1)
        with database.transaction() as connection:
            n_ended += connection.exec_driver_sql(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) one"
            ).scalar_one()
    stop.set()
    for thread in threads:
        thread.join(30)
    seal(database)
    assert n_ended > 10
    n_events = one(database, "SELECT count(*) FROM audit.event")
    # the answer to a COMMIT can be lost with the connection: then an event is there that was not acknowledged
    assert sum(acknowledged) <= n_events <= sum(acknowledged) + 3 * n_ended
    assert one(database, "SELECT count(*) FROM audit.leaf") == n_events
    assert one(database, "SELECT max(seq) + 1 FROM audit.leaf") == n_events
    verdict = verify_ledger(database, {}, None)
    assert (verdict.n_events, verdict.problems, verdict.doubts) == (n_events, [], [])


def test_a_second_sealer_does_not_wait(database):
    """While one seals, another is told so at once."""
    append(database, 3)
    with database.transaction() as first, database.transaction() as second:
        assert ledger.seal(first) == 3
        assert ledger.seal(second) is None


def test_a_burst_is_sealed_whatever_the_planner_believes_of_the_queue(database):
    """Autovacuum met an empty queue and noted that its pages hold nothing; then 200,000 events came."""
    text = body("e.f", "s", {}, config_digest="")
    burst = "INSERT INTO audit.event (body) SELECT %s FROM generate_series(1, %s)"
    with database.transaction() as connection:
        connection.exec_driver_sql(burst, (text, 200_000))
        connection.exec_driver_sql("ANALYZE audit.event")
        connection.exec_driver_sql(
            "UPDATE pg_class SET reltuples = 0, relpages = 800 WHERE oid = 'audit.pending'::regclass"
        )
    assert seal(database) == 200_000  # comparing each with each, this takes the better part of an hour
    assert one(database, "SELECT count(*) FROM audit.leaf") == 200_000
    verdict = verify_ledger(database, {}, None)
    assert (verdict.n_events, verdict.problems, verdict.doubts) == (200_000, [], [])


def test_the_sealer_may_seal_and_nothing_else(database):
    """It grows the tree and shows that it lives; it reads no event and forges no place."""
    sealer = as_login(database, "llmmon_sealer")
    append(database, 4)
    assert seal(sealer) == 4
    for statement in (
        "SELECT body FROM audit.event",
        "INSERT INTO audit.event (recorded_us, body) VALUES (0, '{}')",
        "DELETE FROM audit.pending",
        "INSERT INTO audit.leaf VALUES (4, 4, '')",
        "UPDATE audit.seal SET root = ''",
        "INSERT INTO audit.seal (size, root) VALUES (9, '')",
        "SELECT * FROM llmmon.ingest_batch",
    ):
        with pytest.raises(StoreError, match="permission denied"), sealer.transaction() as connection:
            connection.exec_driver_sql(statement)
    writer = as_login(database, "llmmon_writer")
    for statement in ("SELECT audit.seal(1)", "DELETE FROM audit.pending", "INSERT INTO audit.pending VALUES (99)"):
        with pytest.raises(StoreError, match="permission denied"), writer.transaction() as connection:
            connection.exec_driver_sql(statement)
    for opened in (sealer, writer):
        opened.engine.dispose()


@pytest.mark.parametrize("table", ["leaf", "node", "seal", "anchor"])
def test_even_the_superuser_meets_the_append_only_triggers(database, make_anchorer, table):
    """Also with ordinary triggers off."""
    append(database, 4)
    seal(database)
    make_anchorer(database).look(NOW)
    for statement in (f"DELETE FROM audit.{table}", f"TRUNCATE audit.{table}"):
        with pytest.raises(StoreError, match=f"audit.{table} is append-only"), database.transaction() as connection:
            connection.exec_driver_sql(f"SET LOCAL session_replication_role = replica; {statement}")


def test_the_sealers_process_goes_on_and_shows_that_it_lives(database):
    """`llmmon audit seal --every` seals what comes, records that it lives otherwise, and outlives its backend."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [Path(sys.executable).parent / "llmmon", "audit", "seal", "--every", "0.1", "--alive", "0.3"]
    append(database, 2)
    wanted = "SELECT count(*) FROM audit.leaf JOIN audit.trail USING (event_id) WHERE event = 'ledger.alive'"
    with subprocess.Popen([*command, "--database", url]) as process:
        for n_alive in (2, 4):
            end = time.monotonic() + 60
            while one(database, wanted) < n_alive:
                assert time.monotonic() < end, "no sign of life"
                assert process.poll() is None
                time.sleep(0.05)
            with database.transaction() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        process.terminate()


def test_a_restored_dump_goes_on_and_a_stale_one_is_found(database, make_database, make_anchorer, heads, tmp_path):
    """After pg_dump and restore the heads hold and sealing goes on; a dump older than a head does not pass for it."""
    append(database, 20)
    seal(database)
    append(database, 3)
    anchorer = make_anchorer(database)
    anchorer.look(NOW)

    programs, _ = programs_for(tmp_path)

    def copy_of(source: Database) -> Database:
        target = Database(make_database(None))
        urls = [each.url.set(drivername="postgresql").render_as_string(False) for each in (source, target)]
        dump = subprocess.run([programs / "pg_dump", "--no-owner", urls[0]], capture_output=True, check=True).stdout
        quiet = ["-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1"]
        subprocess.run([programs / "psql", *quiet, urls[1]], input=dump, check=True)
        return target

    stale = copy_of(database)
    restored = copy_of(database)
    assert seal(restored) == 3
    append(restored, 2)
    assert seal(restored) == 2
    make_anchorer(restored).look(NOW)
    assert verify_ledger(restored, heads(), KEY.public).holds
    append(stale, 2, first=700)
    seal(stale)
    assert verify_ledger(stale, heads(), KEY.public).problems
    with pytest.raises(LedgerError, match=r"not theirs|not those"):
        make_anchorer(stale).look(NOW)
    for opened in (stale, restored):
        opened.engine.dispose()
