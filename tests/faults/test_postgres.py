"""Rows 3, 4, 6 and 23 of docs/reliability.md: Postgres or the way to it fails, and the loader goes on or says so."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from llmmon.errors import StoreError
from llmmon.store.database import Database
from tests.faults.site import Site, cut, kill_backend
from tests.faults.wire import POINTS, Link, Strike

CURSOR = "SELECT position FROM llmmon.source_cursor WHERE source = 'logs' FOR UPDATE"
ATTEMPTS = "trying again"
MINUTE = 60


def terminate_backend(link: Link) -> bool:
    """End the connection as `pg_terminate_backend` does."""
    os.kill(link.backend_pid, signal.SIGTERM)
    return True


@contextmanager
def somebody_else(site: Site) -> Iterator[Connection]:
    """Open a transaction of another session."""
    other = Database(site.cluster.url(site.name))
    with other.transaction() as connection:
        yield connection
    other.engine.dispose()


def set_for_all(site: Site, setting: str, value: str) -> None:
    """Set a server setting for every new connection to the site's database."""
    site.cluster.execute(f"ALTER DATABASE {site.name} SET {setting} = '{value}'")


@pytest.mark.parametrize("fault", [kill_backend, terminate_backend, cut])
@pytest.mark.parametrize(
    "point", ["before the cursor is locked", "within COPY of facts", "before the audit event", "before COMMIT"]
)
def test_row_03_a_loader_whose_backend_dies_goes_on(site: Site, point: str, fault: object) -> None:
    """The same process tries the batch again, also while Postgres recovers, and loads everything once."""
    site.traffic.append(100)
    assert site.strike(POINTS[point], fault, occurrence=1) == (True, 0), site.told()
    assert ATTEMPTS in site.told()
    found = site.account()
    assert found.closes, found.findings
    site.assert_whole()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT])
def test_row_03_the_server_dies_and_comes_back(site: Site, how: signal.Signals) -> None:
    """Kill -9 or an immediate shutdown in the middle of a batch: what was committed is there, the rest comes again."""
    site.traffic.append(100)

    def restart(link: Link) -> bool:
        site.cluster.kill(how)
        site.cluster.start()
        link.cut()
        return False

    struck, ended = site.strike(POINTS["within COPY of facts"], restart, occurrence=1)
    assert struck
    assert ended in {0, StoreError.exit_code}, site.told()
    site.assert_whole()


@pytest.mark.parametrize("fault", [cut, terminate_backend])
def test_row_04_the_answer_to_commit_is_lost(site: Site, fault: object) -> None:
    """The loader cannot know whether its batch was kept; it asks with the same key and changes nothing."""
    site.traffic.append(100)
    assert site.strike(POINTS["after COMMIT, before its answer"], fault, occurrence=1)[0]
    site.assert_whole()
    assert site.rows("SELECT sum(n_in), count(*) FROM llmmon.ingest_batch") == [(100, 4)]


def test_row_04_the_connection_goes_silent(site: Site) -> None:
    """Packets vanish both ways, as in a firewall that forgot the connection: both sides give it up after a minute."""
    site.traffic.append(100)
    noticed = threading.Event()

    def silence(link: Link) -> bool:
        link.silence()
        noticed.wait(2 * MINUTE)
        return False

    begun = time.monotonic()
    strike = Strike(POINTS["before the audit event"], silence, occurrence=1)
    site.wire.arm(strike)
    ended = site.finish(site.start())
    noticed.set()
    assert ended == 0, site.told()
    assert ATTEMPTS in site.told()
    assert MINUTE / 2 < time.monotonic() - begun < 2 * MINUTE
    site.assert_whole()


def test_row_06_eight_loaders_at_once_and_half_of_them_killed(site: Site, dice: random.Random) -> None:
    """Two schedulers, or a task that is started twice: the cursor's lock lets one batch in at a time."""
    for _ in range(3):
        site.traffic.append(300)
        processes = [site.start() for _ in range(8)]
        for process in processes[:4]:
            time.sleep(dice.uniform(0, 0.2))
            process.kill()
        assert [site.finish(process) for process in processes[4:]] == [0] * 4, site.told()
        for process in processes[:4]:
            site.finish(process)
        found = site.account()
        assert found.closes, found.findings
    site.assert_whole()


def test_row_23_a_deadlock_is_tried_again(site: Site) -> None:
    """40P01: the loader is the one that Postgres chooses to stop, and succeeds afterwards."""
    site.traffic.append(100)
    asked = threading.Event()

    def stand_in_the_way() -> None:
        with somebody_else(site) as connection:
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '1h'")  # so that the loader is the victim
            connection.exec_driver_sql("LOCK TABLE llmmon.request_log IN SHARE MODE")
            asked.set()
            connection.exec_driver_sql(CURSOR)

    other = threading.Thread(target=stand_in_the_way)

    def meet(link: Link) -> bool:
        other.start()
        assert asked.wait(10)
        _wait_until_blocked(site)
        return True

    assert site.strike(POINTS["before COPY of facts"], meet, occurrence=1) == (True, 0), site.told()
    other.join(10)
    assert "deadlock detected" in site.told()
    assert ATTEMPTS in site.told()
    site.assert_whole()


def test_row_23_a_lock_that_is_not_had_in_time_is_tried_again_five_times(site: Site) -> None:
    """55P03: while somebody holds the cursor for long, the loader says so and keeps nothing; else it comes through."""
    site.traffic.append(60)
    site.drain()
    site.traffic.append(60)
    set_for_all(site, "lock_timeout", "100ms")
    with somebody_else(site) as connection:
        connection.exec_driver_sql(CURSOR)
        assert site.finish(site.start()) == StoreError.exit_code
        assert site.told().count(ATTEMPTS) == 4
        assert "another step holds the lock, run this again" in site.told()
    assert site.rows("SELECT sum(n_in) FROM llmmon.ingest_batch") == [(60,)]
    with somebody_else(site) as connection:
        connection.exec_driver_sql(CURSOR)
        process = site.start()
        _wait_until_blocked(site)
    assert site.finish(process) == 0
    site.assert_whole()


def test_row_23_a_serialization_failure_is_tried_again(site: Site) -> None:
    """40001: where the database's default is REPEATABLE READ, a cursor that was touched meanwhile is read anew."""
    site.traffic.append(60)
    site.drain()
    site.traffic.append(60)
    set_for_all(site, "default_transaction_isolation", "repeatable read")
    with somebody_else(site) as connection:
        connection.exec_driver_sql("UPDATE llmmon.source_cursor SET updated_at = clock_timestamp()")
        process = site.start()
        _wait_until_blocked(site)
    assert site.finish(process) == 0, site.told()
    assert "could not serialize access" in site.told()
    site.assert_whole()


def test_row_23_a_transaction_that_is_idle_too_long_is_tried_again(site: Site) -> None:
    """25P03: the loader is held up between two statements until Postgres ends its session."""
    site.traffic.append(60)
    set_for_all(site, "idle_in_transaction_session_timeout", "200ms")

    def dawdle(link: Link) -> bool:
        time.sleep(1)
        return True

    assert site.strike(POINTS["before the audit event"], dawdle) == (True, 0), site.told()
    assert ATTEMPTS in site.told()
    site.assert_whole()


def test_row_23_what_does_not_pass_is_told_at_once(site: Site) -> None:
    """57014: a statement that takes longer than the operator allows is not repeated; nothing of the batch is kept."""
    site.traffic.append(60)
    set_for_all(site, "statement_timeout", "500ms")
    with somebody_else(site) as connection:
        connection.exec_driver_sql("LOCK TABLE llmmon.ingest_batch IN SHARE MODE")
        assert site.finish(site.start()) == StoreError.exit_code
    assert "statement timeout" in site.told()
    assert ATTEMPTS not in site.told()
    assert site.rows("SELECT count(*) FROM llmmon.request_log") == [(0,)]
    site.cluster.execute(f"ALTER DATABASE {site.name} RESET statement_timeout")
    site.assert_whole()


def _wait_until_blocked(site: Site) -> None:
    """Wait until a session of the site's database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end = time.monotonic() + 30
    while site.rows(waiting) != [(1,)]:
        assert time.monotonic() < end, site.told()
        time.sleep(0.02)
