"""The local Postgres and the processes of the stack: started once, stopped alone, back after kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from llmmon.embedded import home as stack_home
from llmmon.embedded import processes
from llmmon.embedded.postgres import Postgres, is_ready
from llmmon.errors import EmbeddedStackError
from llmmon.store.database import Database


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home of its own, with a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LLMMON_POSTGRES_PORT", str(probe.getsockname()[1]))
    monkeypatch.setenv("LLMMON_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[Postgres]:
    """Yield a running server."""
    made = Postgres(home, port=stack_home.port("postgres", 0), password=stack_home.secrets(home)["postgres"])
    made.start()
    yield made
    made.stop()


def ask(home: Path, statement: str, *, role: str = "postgres") -> object:
    """Return the first value of a statement, over TCP with a password."""
    database = Database(stack_home.url(home, role, "llmmon"))
    try:
        with database.transaction() as connection:
            return connection.exec_driver_sql(statement).scalar()
    finally:
        database.engine.dispose()


def test_what_was_committed_survives_kill_nine(home: Path, server: Postgres) -> None:
    """After kill -9 of the server a start brings it back with its data, and a stop leaves no process behind."""
    server.create_database("llmmon")
    server.create_database("llmmon")
    ask(home, "CREATE TABLE kept AS SELECT 41 AS value; SELECT 1")
    pid = json.loads((home / "run" / "postgres.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert not is_ready(home)
    server.start()
    assert ask(home, "SELECT value FROM kept") == 41
    assert stack_home.database_url() is not None
    server.stop()
    assert not is_ready(home)
    assert processes.sweep(home) == 0
    assert stack_home.database_url() is None


def test_a_wrong_password_is_refused(home: Path, server: Postgres) -> None:
    """The server asks for the password in secrets.json, which nobody else can read."""
    server.create_database("llmmon")
    assert ask(home, "SELECT current_setting('server_version_num')::int / 10000") == 18
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
    wrong = stack_home.url(home, "postgres", "llmmon").replace(stack_home.secrets(home)["postgres"], "wrong")
    with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed"):
        sqlalchemy.create_engine(Database(wrong).url).connect()


def test_a_port_in_use_is_named(home: Path) -> None:
    """The message names the port, what needs it, and the variable that chooses another; nothing is left running."""
    port = stack_home.port("postgres", 0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(EmbeddedStackError, match=rf"127\.0\.0\.1:{port} that PostgreSQL.*LLMMON_POSTGRES_PORT"):
            Postgres(home, port=port, password="x").start()
    assert processes.names(home) == []


def test_only_our_own_processes_are_stopped(home: Path) -> None:
    """A stranger that got the pid of a dead child, told by its start time, is left alone; our child is stopped."""
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    stranger = subprocess.Popen(sleep)
    try:
        (home / "run").mkdir()
        (home / "run" / "old.json").write_text(json.dumps({"pid": stranger.pid, "started": 1.0}))
        processes.start(home, "ours", sleep)
        assert processes.is_running(home, "ours")
        assert not processes.is_running(home, "old")
        processes.stop(home, *processes.names(home))
        assert not processes.is_running(home, "ours")
        assert stranger.poll() is None
        assert processes.names(home) == []
    finally:
        stranger.kill()
        stranger.wait()


def test_a_sweep_ends_what_a_killed_child_left_behind(home: Path) -> None:
    """A grandchild whose parent was killed with kill -9 is found and ended; nothing else is."""
    grandchild = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    processes.start(home, "parent", [sys.executable, "-c", f"{grandchild}; print('up', flush=True); time.sleep(60)"])
    processes.wait_until(
        home, "parent", lambda: "up" in processes.last_lines(home, "parent"), seconds=30, what="the parent"
    )
    parent = psutil.Process(json.loads((home / "run" / "parent.json").read_text())["pid"])
    [left] = parent.children()
    parent.kill()
    parent.wait(10)
    assert processes.sweep(home) == 1
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_ends_at_once_shows_its_last_words(home: Path) -> None:
    """The message carries the end of the log of a process that did not come up."""
    processes.start(home, "broken", [sys.executable, "-c", "raise SystemExit('the model is not there')"])
    with pytest.raises(EmbeddedStackError, match="the model is not there"):
        processes.wait_until(home, "broken", lambda: False, seconds=30, what="the broken one")
