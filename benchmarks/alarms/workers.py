"""Work that is done on several processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

R = TypeVar("R")


def each(work: Callable[..., R], arguments: Sequence[tuple[object, ...]], *, jobs: int) -> Iterator[R]:
    """Return what `work` gives for each of the arguments, in their order.

    Parameters
    ----------
    work : callable
        A function of a module, because it is found by its name in the other processes.
    jobs : int
        Processes; 1 for none but this. They begin as copies of this one, so that what it has read they have, too.
    """
    if jobs == 1:
        yield from (work(*one) for one in arguments)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as processes:
        yield from processes.map(work, *zip(*arguments, strict=True))
