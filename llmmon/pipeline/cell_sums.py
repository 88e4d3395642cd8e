"""Weighted means of many slices at once: one pass over the requests, however many cells there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from llmmon.metrics.intervals import Floats


@dataclass(frozen=True, slots=True, eq=False)
class CellSums:
    """Sums over the cells of one side of 1, w, wy, w^2, w^2 y, w^2 y^2, and over all its requests.

    Take values from a level near their mean, so that sums of squares do not cancel.
    """

    cells: tuple[Floats, ...]
    totals: tuple[float, ...]

    @classmethod
    def of(cls, y: Floats, w: Floats, codes: npt.NDArray[np.intp], n_cells: int) -> Self:
        """Return the sums of values `y` with weights `w`; `codes` says the cell of each, -1 for none."""
        columns: tuple[Floats, ...] = (np.ones_like(w), w, w * y, w**2, w**2 * y, w**2 * y**2)
        inside = codes >= 0
        cells = tuple(np.bincount(codes[inside], column[inside], n_cells).astype(float) for column in columns)
        return cls(cells, tuple(float(column.sum()) for column in columns))

    @property
    def n(self) -> Floats:
        """Requests of each cell."""
        return self.cells[0]

    @property
    def part(self) -> Floats:
        """Part of all requests that lies in each cell."""
        return self.cells[1] / self.totals[1]

    @property
    def size_of_all(self) -> float:
        """Kish's effective number of all requests."""
        return self.totals[1] ** 2 / self.totals[3]

    def rest(self) -> Self:
        """Return the sums over all requests outside each cell."""
        return type(self)(tuple(all_ - cell for all_, cell in zip(self.totals, self.cells, strict=True)), self.totals)

    def mean(self, span: float) -> tuple[Floats, Floats, Floats]:
        """Return each cell's mean, its squared standard error, and its degrees of freedom."""
        _, weight, first, squares, products, second = self.cells
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = first / weight
            size = weight**2 / squares
            spread = (second - 2 * mean * products + mean**2 * squares) / weight**2
            error = spread * size / (size - 1)
            odd = (span / (size + 2)) ** 2  # no spread at all: one odd request, as in `attribution`
        error = np.where(spread * size <= 1e-12 * span**2, odd, error)
        return mean, error, np.maximum(size - 1, 1.0)
