"""Hour of day and day of week: what a stream's value is expected to be in a window while nothing changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from llmmon.detectors.start_mixture import Floats

Ints = npt.NDArray[np.int64]

_HOUR: Final = 3600.0
_THURSDAY: Final = 3
"""Day of the week on which Unix time begins; Monday is 0."""
_DAYS_FOR: Final = {"hours": 2.0, "weekends": 14.0, "weekdays": 28.0}
"""Days of reference from which hours of the day, weekends apart, and each day of the week are learnt."""
_PRIOR_ROWS: Final = 8.0
"""How many windows the variance over all cells counts for in that of one cell."""


def hours_of(moment: datetime) -> float:
    """Return the hours from the beginning of Unix time to `moment`."""
    return moment.timestamp() / _HOUR


def weekday_of(hours: Floats) -> Ints:
    """Return the day of the week in UTC, Monday being 0, of moments in hours of Unix time."""
    return (np.floor(hours / 24).astype(np.int64) + _THURSDAY) % 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Rhythm:
    """Expected values and between-window variances by hour of day and day of week, of several streams at once.

    Parameters
    ----------
    expected, variance : arrays of shape (n_streams, n_cells)
        One cell for all windows, 24 for the hours of the day, or 48 with those of weekends apart.
    n : array of shape (n_streams, n_cells)
        Reference windows of each cell.
    weekdays : array of shape (n_streams, 7)
        What a day of the week adds to the expected value.

    Notes
    -----
    Each mean is drawn towards the mean over all cells by the empirical-Bayes factor 1 - 1/F, with F the ratio of the
    variance between cells to that inside them: without a rhythm nothing is fitted to noise.
    """

    expected: Floats
    variance: Floats
    n: Floats
    weekdays: Floats

    @classmethod
    def learn(cls, values: Floats, variances: Floats, hours: Floats) -> Self:
        """Learn from reference windows.

        Parameters
        ----------
        values, variances : arrays of shape (n_streams, n_windows)
            Measured values, NaN where there is none, and their squared standard errors.
        hours : array of shape (n_windows,)
            Window starts in hours of Unix time, evenly spaced.
        """
        span = (hours[-1] - hours[0]) / 24 * len(hours) / max(len(hours) - 1, 1)
        n_cells = 48 if span >= _DAYS_FOR["weekends"] else 24 if span >= _DAYS_FOR["hours"] else 1
        cells = np.eye(n_cells)[_cell(hours, n_cells)]
        expected = _drawn_together(values, cells)
        rest = values - expected @ cells.T
        weekdays = np.zeros((len(values), 7))
        if span >= _DAYS_FOR["weekdays"]:
            day = np.floor(hours / 24).astype(np.int64)
            which, first = np.unique(day, return_index=True)
            daily = _cell_means(rest, np.eye(len(which))[np.searchsorted(which, day)])[0]
            weekdays = _drawn_together(daily, np.eye(7)[weekday_of(hours[first])])
            weekdays -= weekdays.mean(axis=1, keepdims=True)
            rest = rest - weekdays[:, weekday_of(hours)]
        excess, n = _cell_means(rest**2 - variances, cells)
        overall = np.nanmean(rest**2 - variances, axis=1, keepdims=True)
        variance = np.maximum((n * np.nan_to_num(excess) + _PRIOR_ROWS * overall) / (n + _PRIOR_ROWS), 0.0)
        return cls(expected=expected, variance=variance, n=n, weekdays=weekdays)

    def at(self, hours: Floats) -> tuple[Floats, Floats, Floats]:
        """Return, for windows that start at `hours`, what is expected, its between-window variance, and n.

        All of shape (n_streams, n_windows).
        """
        cell = _cell(hours, self.expected.shape[1])
        expected = self.expected[:, cell] + self.weekdays[:, weekday_of(hours)]
        return expected, self.variance[:, cell], self.n[:, cell]


def _cell(hours: Floats, n_cells: int) -> Ints:
    if n_cells == 1:
        return np.zeros(len(hours), dtype=np.int64)
    hour = np.floor(hours % 24).astype(np.int64)
    return hour if n_cells == 24 else hour + 24 * (weekday_of(hours) >= 5)


def _cell_means(values: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """Return the mean of each cell, NaN for an empty one, and how many values it has; `cells` is one-hot."""
    seen = np.isfinite(values)
    n = seen.astype(np.float64) @ cells
    with np.errstate(invalid="ignore"):
        return np.where(seen, values, 0.0) @ cells / n, n


def _drawn_together(values: Floats, cells: Floats) -> Floats:
    """Return the means of the cells, drawn towards the mean of all of them as far as they differ by chance alone."""
    means, n = _cell_means(values, cells)
    overall = np.nanmean(values, axis=1, keepdims=True)
    means = np.where(n > 0, means, overall)
    used = (n > 0).sum(axis=1)
    inside = np.nansum((values - means @ cells.T) ** 2, axis=1) / np.maximum(n.sum(axis=1) - used, 1)
    between = (n * (means - overall) ** 2).sum(axis=1) / np.maximum(used - 1, 1)
    with np.errstate(over="ignore"):  # cells that are alike, or a single one, are drawn together wholly
        keep = np.maximum(0.0, 1 - inside / np.maximum(between, np.finfo(float).tiny))
    found: Floats = overall + keep[:, None] * (means - overall)
    return found
