"""The Postgres of the embedded stack, with its production settings (fsync on), to be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import psutil
import sqlalchemy
import tenacity
from sqlalchemy.exc import OperationalError

from llmmon.embedded import processes
from llmmon.embedded.postgres import Postgres, data_folder
from llmmon.store.database import Database
from llmmon.store.migrate import upgrade

_PASSWORD = "of-the-fault-tests"
_CONNECTING = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(OperationalError),
    wait=tenacity.wait_fixed(0.05),
    stop=tenacity.stop_after_delay(30),
    reraise=True,
)


class Cluster:
    """One server and the databases in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = data_folder(home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server = Postgres(home, port=self.port, password=_PASSWORD)
        self._template: str | None = None

    def start(self) -> None:
        """Start the server, or start it again: it recovers what was committed."""
        self._server.start()

    def wait(self) -> None:
        """Wait until the server takes connections, as it does after it has recovered."""
        self.execute("SELECT 1")

    def stop(self) -> None:
        """Stop the server as an operator does."""
        self._server.stop()

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the server without a word: ``SIGKILL``, or ``SIGQUIT``, which is Postgres' immediate shutdown."""
        pid = processes.running_pid(self.home, "postgres")
        assert pid is not None, "the server is not running"
        backends = psutil.Process(pid).children()
        os.kill(pid, how)
        self.wait_until_down()
        psutil.wait_procs(backends, timeout=20)

    def wait_until_down(self) -> None:
        """Wait until the server has ended."""
        end = time.monotonic() + 30
        while processes.is_running(self.home, "postgres"):
            assert time.monotonic() < end, "the server is still running"
            time.sleep(0.02)

    def remove(self) -> None:
        """End the server, at once, and remove its data, also those that lie outside `home`."""
        if processes.is_running(self.home, "postgres"):
            self.kill(signal.SIGQUIT)
        outside = self.data.parent != self.home  # where root's home is closed to the user that Postgres runs as
        shutil.rmtree(self.data.parent if outside else self.data)

    def url(self, database: str) -> str:
        """Return the owner's URL; without TLS, which the wire could not read."""
        return f"postgresql://postgres:{_PASSWORD}@127.0.0.1:{self.port}/{database}?sslmode=disable&gssencmode=disable"

    def create_database(self) -> str:
        """Create a migrated database and return its name."""
        self.wait()
        if self._template is None:
            self._template = "llmmon_template"
            self._server.create_database(self._template)
            upgrade(self.url(self._template))
        name = f"faults_{uuid.uuid4().hex[:8]}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY wal_log')
        return name

    def copy_by_dump(self, name: str) -> str:
        """Dump a database, restore it as another one, and return the name of that."""
        copy = f"{name}_restored"
        self.execute(f'CREATE DATABASE "{copy}" TEMPLATE template0 STRATEGY wal_log')
        dump, restore = (self._server.psql().with_name(program) for program in ("pg_dump", "pg_restore"))
        dumped = subprocess.run([dump, "--format=custom", self.url(name)], check=True, capture_output=True)
        subprocess.run([restore, "--exit-on-error", "--dbname", self.url(copy)], input=dumped.stdout, check=True)
        return copy

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as an administrator, each in a transaction of its own; wait while the server recovers."""
        engine = sqlalchemy.create_engine(Database(self.url(database)).url, isolation_level="AUTOCOMMIT")
        with _CONNECTING.copy()(engine.connect) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()
