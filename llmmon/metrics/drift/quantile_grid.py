"""A numeric distribution in at most 1,024 numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from llmmon.metrics.base import Summary
from llmmon.metrics.intervals import Floats, effective_n

GRID_SIZE: Final = 1024
"""A distribution function kept as so many quantiles is nowhere wrong by more than 1 / 2,048."""
_COUNTED: Final = 200_000
"""From so many rows on, counting in cells is faster than sorting all."""
_CELLS: Final = 1 << 16
_CELL_BITS: Final = 40
"""A float without its last 40 bits: cells of 1/4,096 to 1/8,192 of the number, which repeat after 16 doublings."""
_CELL: Final = np.dtype({"names": ["cell"], "formats": ["<u2"], "offsets": [_CELL_BITS // 8], "itemsize": 8})
_LARGEST_ERROR: Final = 1 / 4096
"""Error of a share above which rows are sorted all the same."""


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


def shares(values: Floats, at: Floats) -> tuple[Floats, Floats, float]:
    """Return which share of the rows is below each number, and which is not above it.

    Parameters
    ----------
    values : array of float
        At least one row, finite.
    at : array of float
        The numbers.

    Returns
    -------
    below, upto : arrays, shape of `at`
    error : float
        Most that a share may be off: 0 where the rows were sorted, at most 1 / 4,096 where many were counted in cells.
    """
    counted = _counted(values, at)
    if counted is not None and counted[1] <= _LARGEST_ERROR:
        return counted[0], counted[0], counted[1]
    ordered = np.sort(values)
    below, upto = (np.searchsorted(ordered, at, side) / len(values) for side in ("left", "right"))
    return below, upto, 0.0


def _counted(values: Floats, at: Floats) -> tuple[Floats, float] | None:
    """Return the share up to each number, halfway through its cell, and half the share of the fullest such cell.

    None where there are no `_Cells`.
    """
    cells = _Cells.of(values)
    if cells is None:
        return None
    ends = cells.ends
    cell = (np.clip(at, *ends).astype("<f8").view("<u8") >> _CELL_BITS).astype(np.int64) - cells.first
    around = cells.n_below[np.add.outer((0, 1), cell)] / len(values)
    around[:, at < ends[0]] = 0.0
    around[:, at > ends[1]] = 1.0
    return around.mean(axis=0), float(np.diff(around, axis=0).max() / 2)


def order_statistics(values: Floats, ranks: npt.NDArray[np.int64]) -> Floats:
    """Return the rows that sorting would put at some ranks; of many rows only their cells' are sorted.

    Parameters
    ----------
    values : array of float
        At least one row, finite.
    ranks : array of int
        From 0 to one less than there are rows.
    """
    cells = _Cells.of(values)
    if cells is None:
        return np.asarray(np.sort(values)[ranks])
    cell = np.searchsorted(cells.n_below, ranks, side="right") - 1
    is_asked = np.zeros(_CELLS, dtype=bool)
    is_asked[cell] = True
    rows = np.sort(values[np.roll(is_asked, cells.first % _CELLS)[cells.of_row]])
    n_left_out = np.cumsum(np.where(is_asked, 0, np.diff(cells.n_below)))  # a rank's own cell is never left out
    return np.asarray(rows[ranks - n_left_out[cell]])


@dataclass(frozen=True, slots=True)
class _Cells:
    """Positive numbers counted by their bits without the last 40.

    Parameters
    ----------
    of_row : array of int, shape (n_rows,)
        Each number's cell but for multiples of 65,536.
    ends : array of shape (2,)
        The smallest and the largest number.
    first : int
        The cell of the smallest.
    n_below : array of int, shape (65,537,)
        Rows below each cell from `first` on, and rows in all.
    """

    of_row: npt.NDArray[np.uint16]
    ends: Floats
    first: int
    n_below: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: Floats) -> Self | None:
        """Count many rows; None for few, and where cells do not tell all apart.

        They do not tell zeros, numbers below, and such as are 65,536 times others.
        """
        if len(values) < _COUNTED:
            return None
        ends = np.array([values.min(), values.max()], dtype="<f8")
        first, last = (int(bits) >> _CELL_BITS for bits in ends.view("<u8"))
        if ends[0] <= 0 or last - first >= _CELLS:
            return None
        of_row = np.ascontiguousarray(values, dtype="<f8").view(_CELL)["cell"]
        n = np.roll(np.bincount(of_row, minlength=_CELLS), -(first % _CELLS))
        return cls(of_row, ends, first, np.concatenate(([0], np.cumsum(n))))


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
        kept = order_statistics(values, (middles * n).astype(np.int64))
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
