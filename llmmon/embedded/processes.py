"""Child processes of the stack: known by pid and start time, marked by a variable, stopped by that alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from llmmon.errors import EmbeddedStackError

_STOP_SECONDS: Final = 15
_MARK: Final = "LLMMON_STACK"
"""Every process of a stack, and whatever it starts, carries its home in this variable."""
_KEEP_MARK: Final = {"SPT_NOENV": "1"}
"""Airflow's processes rename themselves; without this setproctitle writes the name over the environment."""


def log_file(home: Path, name: str) -> Path:
    """Return the file that the output of `name` goes to."""
    return home / "logs" / f"{name}.log"


def last_lines(home: Path, name: str, n: int = 15) -> str:
    """Return the end of the output of `name`."""
    path = log_file(home, name)
    if not path.exists():
        return "(no output)"
    with path.open(encoding="utf-8", errors="replace") as lines:
        return "".join(deque(lines, n)).rstrip() or "(no output)"


def start(
    home: Path,
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    who: Mapping[str, Any] | None = None,
) -> None:
    """Start `command` as `name` unless it is running; its output is appended to its log file.

    Raises
    ------
    EmbeddedStackError
        When the program cannot be started.
    """
    if is_running(home, name):
        return
    log = log_file(home, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**(os.environ if environment is None else environment), _MARK: str(home), **_KEEP_MARK},
                cwd=cwd or home,
                start_new_session=True,  # Ctrl-C reaches llmmon, which stops its children in order
                **(who or {}),
            )
    except OSError as error:
        raise EmbeddedStackError(f"{name} did not start: {command[0]}: {error}") from error
    _record(home, name).parent.mkdir(parents=True, exist_ok=True)
    started = psutil.Process(child.pid).create_time()
    _record(home, name).write_text(json.dumps({"pid": child.pid, "started": started}), "utf-8")


def is_running(home: Path, name: str) -> bool:
    """Return whether the process that was started as `name` is still alive."""
    return running_pid(home, name) is not None


def running_pid(home: Path, name: str) -> int | None:
    """Return the pid of the process that was started as `name`, None when it has ended."""
    process = _process(home, name)
    with suppress(psutil.NoSuchProcess):
        if process is not None and process.status() != psutil.STATUS_ZOMBIE:
            return process.pid
    return None


def names(home: Path) -> list[str]:
    """Return the names of everything that was started and not stopped, newest first."""
    records = sorted((home / "run").glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path.stem for path in records]


def stop(home: Path, *stopped: str, how: signal.Signals = signal.SIGTERM) -> None:
    """Stop processes and all that they started, at the same time; those that do not end by themselves are killed.

    Parameters
    ----------
    how : signal.Signals
        Sent to each process; its children are its own business until the time is over.
    """
    family: list[psutil.Process] = []
    for name in stopped:
        process = _process(home, name)
        _record(home, name).unlink(missing_ok=True)
        if process is not None:
            with suppress(psutil.NoSuchProcess):
                family += [process, *process.children(recursive=True)]
                process.send_signal(how)
    _, alive = psutil.wait_procs(family, timeout=_STOP_SECONDS)
    for straggler in alive:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()
    psutil.wait_procs(alive, timeout=_STOP_SECONDS)


def sweep(home: Path) -> int:
    """Kill what a killed process of the stack left behind, such as tasks without their scheduler; return how many."""
    alive = [process for name in names(home) if (process := _process(home, name)) is not None]
    ours = {child.pid for parent in alive for child in (parent, *parent.children(recursive=True))} | {os.getpid()}
    orphans = [process for process in psutil.process_iter() if process.pid not in ours and _is_marked(process, home)]
    for orphan in orphans:
        with suppress(psutil.NoSuchProcess):
            orphan.kill()
    psutil.wait_procs(orphans, timeout=_STOP_SECONDS)
    return len(orphans)


def _is_marked(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get(_MARK) == str(home)
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess, OSError):
        return False


def wait_until(home: Path, name: str, ready: Any, *, seconds: float, what: str) -> None:
    """Wait until ``ready()`` is true.

    Raises
    ------
    EmbeddedStackError
        When the process ends or the time is over first; shows the end of its log.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        if not is_running(home, name):
            break
        time.sleep(0.3)
    raise EmbeddedStackError(
        f"{what} did not become ready in {seconds:.0f} s; the end of {log_file(home, name)}:\n{last_lines(home, name)}"
    )


def _record(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.json"


def _process(home: Path, name: str) -> psutil.Process | None:
    try:
        known = json.loads(_record(home, name).read_text("utf-8"))
        process = psutil.Process(known["pid"])
        # a pid is used again after a restart; the start time tells our process from a stranger
        ours = abs(process.create_time() - known["started"]) < 1 and process.pid != os.getpid()
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return process if ours else None
