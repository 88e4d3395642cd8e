"""PostgreSQL from the wheel: one server for llmmon's database and Airflow's metadata, on 127.0.0.1."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from llmmon.embedded import processes
from llmmon.errors import EmbeddedStackError
from llmmon.store.scratch import programs_for

_NAME: Final = "postgres"
_START_SECONDS: Final = 60
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
    "max_connections": "120",
    "shared_buffers": "256MB",
    # a refused row must not end up in the server's log
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


def is_ready(home: Path) -> bool:
    """Return whether the stack's server runs and takes connections."""
    pid = processes.running_pid(home, _NAME)
    try:
        lines = (data_folder(home) / "postmaster.pid").read_text("utf-8").splitlines()
    except OSError:
        return False
    # after kill -9 the file of the dead server still says ready
    return pid is not None and len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def data_folder(home: Path) -> Path:
    """Return where the data lie: under `home`, or for root under /var/tmp when `home` is closed to other users.

    Postgres refuses to run as root, so for root another user has to reach the folder.
    """
    if os.geteuid() == 0 and any(not folder.stat().st_mode & 0o001 for folder in home.parents):
        return Path("/var/tmp") / f"llmmon-{hashlib.sha256(bytes(home)).hexdigest()[:12]}" / "postgres"  # noqa: S108
    return home / "postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    """The stack's server.

    Parameters
    ----------
    home : Path
        Folder of the stack.
    port : int
        On 127.0.0.1.
    password : str
        Of the superuser ``postgres``.
    """

    home: Path
    port: int
    password: str = field(repr=False)

    def start(self) -> None:
        """Start the server if it is not running; make its data folder first if there is none.

        Raises
        ------
        EmbeddedStackError
            When the port is taken or the server does not start; tells where its log is.
        """
        if is_ready(self.home):
            return
        data = data_folder(self.home)
        data.parent.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            data.parent.chmod(data.parent.stat().st_mode | 0o011)
        binaries, who = programs_for(data.parent)
        data.mkdir(exist_ok=True)
        data.chmod(0o700)
        if who:
            shutil.chown(data, who["user"], who["group"])
        if not (data / "PG_VERSION").exists():
            self._initialise(binaries, data, who)
        if not processes.is_running(self.home, _NAME):
            require_free_port(self.port, "PostgreSQL", "LLMMON_POSTGRES_PORT")
        options = [f"-c{key}={value}" for key, value in {**_SETTINGS, "port": str(self.port)}.items()]
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            processes.start(
                self.home, _NAME, [str(binaries / "postgres"), "-D", str(data), "-k", "", *options], cwd=data, who=who
            )
            while processes.is_running(self.home, _NAME) and time.monotonic() < end:
                if is_ready(self.home):
                    return
                time.sleep(0.1)
            # after a kill -9 its old children may still hold the shared memory for a moment
            time.sleep(0.5)
        raise EmbeddedStackError(
            f"PostgreSQL did not start; the last lines of {processes.log_file(self.home, _NAME)}:\n"
            f"{processes.last_lines(self.home, _NAME)}"
        )

    def stop(self) -> None:
        """Stop the server: clients are disconnected, the data are written."""
        processes.stop(self.home, _NAME, how=signal.SIGINT)

    def create_database(self, name: str, owner: str | None = None) -> None:
        """Create a database unless it is there."""
        owned = ["--owner", owner] if owner else []
        ran = self._client("createdb", "--encoding", "UTF8", *owned, name)
        if ran.returncode and "already exists" not in ran.stderr:
            raise EmbeddedStackError(f"database {name} could not be created: {ran.stderr.strip()}")

    def psql(self) -> Path:
        """Return the wheel's psql."""
        binaries, _ = programs_for(data_folder(self.home).parent)
        return binaries / "psql"

    def _client(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        binaries, _ = programs_for(data_folder(self.home).parent)
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        environment = {**os.environ, "PGPASSWORD": self.password}
        return subprocess.run(
            [binaries / program, *where, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    def _initialise(self, binaries: Path, data: Path, who: dict[str, Any]) -> None:
        with tempfile.NamedTemporaryFile("w", dir=data.parent, encoding="utf-8") as password:
            password.write(self.password)
            password.flush()
            if who:
                shutil.chown(password.name, who["user"], who["group"])
            made = subprocess.run(
                [
                    *(binaries / "initdb", "-D", data, "-U", "postgres", "--pwfile", password.name),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd=data,
                **who,
            )
        if made.returncode:
            raise EmbeddedStackError(f"initdb in {data} failed: {made.stderr.strip()}")


def require_free_port(port: int, what: str, variable: str) -> None:
    """Raise an error that names the port and the variable to change it, when something else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise EmbeddedStackError(
                f"the port 127.0.0.1:{port} that {what} needs is taken; stop the program that uses it, "
                f"or choose another one: {variable}=<port>"
            ) from None
