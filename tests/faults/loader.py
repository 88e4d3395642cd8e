"""Real processes that run `llmmon` and can be killed.

Each is forked from `multiprocessing`'s server, which has llmmon imported, so that a kill costs a fraction of a second;
what runs in it is the command line.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.faults import sabotage as broken

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = 2**64 - 1
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.preload"])


def start(
    arguments: list[str], environment: dict[str, str], output: Path, *, sabotage: str = "", stopped: bool = False
) -> ForkServerProcess:
    """Start ``llmmon ARGUMENTS``; its output is appended to a file.

    Parameters
    ----------
    sabotage : str
        Name of a way in which this one loader is broken, see `tests.faults.sabotage`; empty is the product.
    stopped : bool
        Whether it stops (``SIGSTOP``) before it begins, so that a tracer can be attached.
    """
    process = _CONTEXT.Process(target=_run, args=(arguments, environment, str(output), sabotage, stopped), daemon=True)
    process.start()
    return process


def _run(arguments: list[str], environment: dict[str, str], output: str, sabotage: str, stopped: bool) -> None:
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(environment)
    if sabotage:
        broken.apply(sabotage)
    from llmmon.cli import main

    if stopped:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(_ANYBODY))
        os.kill(os.getpid(), signal.SIGSTOP)
    main(arguments, prog_name="llmmon")
