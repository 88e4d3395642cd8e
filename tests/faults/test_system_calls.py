"""Row 28 of docs/reliability.md: any one system call of the loader fails, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from tests.faults.site import LOAD_SECONDS, Site

ON_THE_NETWORK = {"connect": 1, "poll": 60, "recvfrom": 60}
"""About how many of each call a load makes. A `sendto` that fails while its connection lives does not occur."""
ON_THE_LOG = {"newfstatat": 1, "openat": 2, "lseek": 3, "read": 3, "close": 2}
N_ON_THE_NETWORK = 20


def status(process: ForkServerProcess, field: str) -> str:
    """Return a field of the process's status."""
    lines = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))


def wait_until(ready: Callable[[], bool]) -> None:
    """Wait for something that takes milliseconds, and seconds on a busy machine."""
    end = time.monotonic() + LOAD_SECONDS
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.002)


def load_with_one_failing_call(site: Site, call: str, error: str, number: int, *only: str | Path) -> bool:
    """Let one system call of a loader fail, and wait for its end; return whether it made as many.

    Parameters
    ----------
    call, error, number
        The call of this name and number, counted in each thread, returns this error and does nothing.
    *only
        Further arguments of strace.
    """
    process = site.start(stopped=True)
    trace = site.folder / "trace.txt"
    injection = f"inject={call}:error={error}:when={number}"
    command = [
        "strace",
        "--follow-forks",
        f"--trace={call}",
        "-e",
        injection,
        *only,
        "-o",
        trace,
        "-p",
        str(process.pid),
    ]
    try:
        wait_until(lambda: status(process, "State").startswith("T"))
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            wait_until(lambda: tracer.poll() is not None or status(process, "TracerPid") != "0")
            assert tracer.poll() is None, tracer.communicate()[1]
            os.kill(process.pid or 0, signal.SIGCONT)
            site.finish(process)
    finally:
        process.kill()
    return "(INJECTED)" in trace.read_text("utf-8", "replace")


def test_row_28_one_call_on_the_network_fails(site: Site, dice: random.Random) -> None:
    """The loader tries its batch again or ends; the store is whole, and the next run loads the rest."""
    n_injected = 0
    for _ in range(N_ON_THE_NETWORK):
        site.traffic.append(30)
        call = dice.choice(sorted(ON_THE_NETWORK))
        number = dice.randint(1, ON_THE_NETWORK[call])
        n_injected += load_with_one_failing_call(site, call, dice.choice(("ECONNRESET", "ETIMEDOUT", "EIO")), number)
        site.assert_consistent()
    assert n_injected > N_ON_THE_NETWORK / 2
    site.assert_whole()


@pytest.mark.parametrize("call", ON_THE_LOG)
def test_row_28_one_call_on_the_log_fails(site: Site, dice: random.Random, call: str) -> None:
    """A log that cannot be read now is told, what came before is loaded, and the next run loads the rest."""
    for number in range(1, ON_THE_LOG[call] + 1):
        site.traffic.append(30)
        log = site.traffic.path
        assert load_with_one_failing_call(site, call, dice.choice(("EIO", "ENOMEM")), number, "-P", log), number
        assert "Traceback" not in site.told()
        site.assert_consistent()
    site.assert_whole()
