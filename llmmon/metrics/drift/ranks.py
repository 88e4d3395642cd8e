"""How many rows lie at or below given points, without sorting many rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from llmmon.metrics.intervals import Floats

_SORTED_UP_TO: Final = 20_000
_LARGEST_SPAN: Final = 1e300
_CELLS: Final = 2**16
_BLOCK: Final = 2**17
"""Rows at a time: what is made of them stays in the processor's cache, and memory stays flat."""

_Counts = npt.NDArray[np.int64]


def counts_at(values: Floats, points: Floats) -> tuple[_Counts, _Counts]:
    """Return for each of the sorted `points` how many `values` lie at or below it, and how many below it.

    Both are exact. Many rows are not sorted: each falls into one of up to 65,536 cells around the points, whose counts
    give the ranks between cells, and only the rows in a cell that holds a point are sorted. The cell of a number is
    made of the leading bits of its distance from just below the first point: cells are fine there and coarse far away,
    which suits long tails.
    """
    if len(values) <= _SORTED_UP_TO or not 0 < points[-1] / 2 - points[0] / 2 < _LARGEST_SPAN:
        ordered = np.sort(values)
        return np.searchsorted(ordered, points, "right"), np.searchsorted(ordered, points, "left")
    middle = points[len(points) // 2] - points[0] or points[-1] - points[0]
    origin = points[0] - middle / 64
    places = (points - origin).view(np.int64)
    shift = 30
    while (int(places[-1]) >> shift) - (int(places[0]) >> shift) > _CELLS:
        shift += 1
    first = int(places[0]) >> shift
    last = (int(places[-1]) >> shift) + 1 - first  # the cell of what lies outside the points
    cell_of_point = (places >> shift) - first
    holds_point = np.zeros(last + 1, dtype=bool)
    holds_point[cell_of_point] = holds_point[last] = True
    counts: Any = np.zeros(last + 1, dtype=np.int64)
    close = []
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        # a positive double and its bits, read as an integer, have the same order; a negative one is below them all, and
        # read without a sign whatever is below the points is large
        cells = (block - origin).view(np.int64)
        cells >>= shift
        cells -= first
        np.minimum(cells.view(np.uint64), np.uint64(last), out=cells.view(np.uint64))
        counts += np.bincount(cells, minlength=last + 1)
        close.append(block[holds_point[cells]])
    rows = np.sort(np.concatenate(close))
    sorted_counts = np.where(holds_point, counts, 0)
    # rows of all cells before a point's cell, less those of them that are among the sorted rows
    before = (np.cumsum(counts) - counts - np.cumsum(sorted_counts) + sorted_counts)[cell_of_point]
    return before + np.searchsorted(rows, points, "right"), before + np.searchsorted(rows, points, "left")
