"""What a benchmark returns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to do the work.

    Parameters
    ----------
    way : str
        Name and what it does and does not do.
    value : float or None
        Best of the rounds, in the benchmark's unit; None when it did not run.
    note : str
        What to know when reading the value, or why there is none.
    """

    way: str
    value: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A table of ways.

    Parameters
    ----------
    unit : str
        Of every value, such as ``rows/s``.
    rows : sequence of Row
        In the order to print.
    reference : str
        The way that ratios are taken to.
    higher_is_better : bool
        How to read the unit.
    settings : mapping
        Sizes and rounds, to run it again.
    """

    unit: str
    rows: Sequence[Row]
    reference: str
    higher_is_better: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


def best_seconds(work: Callable[[], object], *, rounds: int, before: Callable[[], object] | None = None) -> float:
    """Return the shortest wall time of `rounds` runs of `work`, each after an untimed `before`."""
    seconds = []
    for _ in range(rounds):
        if before is not None:
            before()
        gc.collect()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table of words: one row per way or task.

    Parameters
    ----------
    title : str
        What a cell says.
    columns : sequence of str
        Heads; the first is that of the row's name.
    rows : sequence of sequences of str
        Cells in the order of the heads.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
