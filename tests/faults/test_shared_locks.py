"""What processes that are forked from one share, and one that is killed would take with it."""

from __future__ import annotations

import multiprocessing
import os
import signal

from tqdm import tqdm

from llmmon.pipeline.gate import great_expectations


def _killed_while_it_checks() -> None:
    tqdm.get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_loader_killed_in_the_gate_stops_no_other() -> None:
    """Great Expectations asks for tqdm's lock at every check, also of bars that are not drawn."""
    great_expectations()
    killed = multiprocessing.get_context("fork").Process(target=_killed_while_it_checks)
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert tqdm.get_lock().acquire(timeout=10), "the lock is held for good"
    tqdm.get_lock().release()
