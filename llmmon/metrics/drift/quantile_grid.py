"""A numeric distribution in at most 1,024 numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from llmmon.metrics.base import Summary
from llmmon.metrics.intervals import Floats, effective_n

GRID_SIZE: Final = 1024
"""A distribution function kept as so many quantiles is nowhere wrong by more than 1 / 2,048."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A weighted empirical distribution.

    Parameters
    ----------
    values : array of float
        Sorted.
    levels : array of float
        The distribution function before the first of them and after each: one longer than `values`.
    n : int
        Rows that it was made from.
    effective_n : float
        Rows of equal weight that would say as much.
    """

    values: Floats
    levels: Floats
    n: int
    effective_n: float


def is_even(weights: Floats) -> bool:
    """Return whether all rows weigh the same; one weight that stands for every row is not compared row by row."""
    return weights.strides == (0,) or bool((weights == weights[0]).all())


def distribution(values: Floats, weights: Floats) -> Distribution:
    """Return the distribution of some rows; there is at least one."""
    n = len(values)
    if is_even(weights):
        return Distribution(np.sort(values), np.arange(n + 1) / n, n, float(n))
    order = np.lexsort((weights, values))
    levels = np.concatenate(([0.0], np.cumsum(weights[order]) / weights.sum()))
    return Distribution(values[order], levels, n, effective_n(weights))


def summarise_numbers(values: Floats, weights: Floats) -> Summary:
    """Return the distribution of a column as JSON values: whole up to 1,024 rows, above as as many quantiles."""
    n = len(values)
    if not n:
        return {"n": 0}
    middles = (np.arange(GRID_SIZE) + 0.5) / GRID_SIZE
    if n > GRID_SIZE and is_even(weights):
        kept = np.sort(values)[(middles * n).astype(int)]
        return {"n": n, "effective_n": float(n), "values": kept.tolist()}
    whole = distribution(values, weights)
    if n > GRID_SIZE:
        kept, told = whole.values[np.minimum(np.searchsorted(whole.levels[1:], middles), n - 1)], {}
    else:
        kept, told = whole.values, {} if is_even(weights) else {"shares": np.diff(whole.levels).tolist()}
    return {"n": n, "effective_n": whole.effective_n, "values": kept.tolist(), **told}


def stored_distribution(summary: Summary) -> Distribution | None:
    """Return the distribution that a summary keeps; None when there were no rows."""
    if not summary["n"]:
        return None
    values = np.asarray(summary["values"], dtype=float)
    if "shares" in summary:
        levels = np.concatenate(([0.0], np.cumsum(np.asarray(summary["shares"], dtype=float))))
    else:
        levels = np.arange(len(values) + 1) / len(values)
    return Distribution(values, levels, int(summary["n"]), float(summary["effective_n"]))
