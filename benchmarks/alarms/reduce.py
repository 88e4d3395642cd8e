"""Many windows at once, reduced as `llmmon.metrics.intervals` reduces one: value and squared standard error.

The standard error is half the width of the 95% interval over 1.96, as llmmon's detectors read it. The equality with
`llmmon.metrics.intervals` is tested.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from llmmon.metrics.intervals import Z, mean_estimate

Floats = npt.NDArray[np.float64]


def rates(cases: npt.NDArray[Any], n: npt.NDArray[Any] | int) -> tuple[Floats, Floats]:
    """Return rates and squared standard errors from the exact intervals of `cases` among `n`, as `rate_interval`."""
    from scipy.special import betaincinv

    pairs, place = np.unique(np.stack(np.broadcast_arrays(cases, n)).reshape(2, -1), axis=1, return_inverse=True)
    k, size = pairs.astype(np.float64)
    low = np.where(k == 0, 0.0, betaincinv(np.maximum(k, 0.5), size - k + 1, 0.025))
    high = np.where(k == size, 1.0, betaincinv(k + 1, np.maximum(size - k, 0.5), 0.975))
    return cases / n, (((high - low) / (2 * Z)) ** 2)[place].reshape(np.shape(cases))


def means(rows: Floats) -> tuple[Floats, Floats]:
    """Return means over the last axis and squared standard errors from `skewed_mean`'s intervals.

    Where no interval would hold it is the plain standard error, as llmmon's detectors read it.
    """
    n = rows.shape[-1]
    mean = rows.mean(axis=-1)
    low, high, skewness = _corrected(rows)
    positive = rows.min(axis=-1) > 0
    logs = np.log(np.where(positive[..., None], rows, 1.0))
    tailed = positive & ((n < 10) | (skewness**2 > 0.01) & (skewness > np.abs(_corrected(logs)[2])))
    long_low, long_high = _lognormal(logs)
    low, high = np.where(tailed, np.minimum(low, long_low), low), np.where(tailed, np.maximum(high, long_high), high)
    absent = (rows.min(axis=-1) < 0) & ((n < 10) | (skewness**2 > 0.04))
    absent |= (rows == rows[..., :1]).all(axis=-1) | ~np.isfinite(high)
    variance = np.where(absent, rows.var(axis=-1, ddof=1) / n, ((high - low) / (2 * Z)) ** 2)
    for place in np.argwhere(rows.min(axis=-1) == 0):  # zeros among positive values are a rate of their own
        found = mean_estimate(rows[tuple(place)], may_be_rate=False)
        if found.low is not None and found.high is not None:
            variance[tuple(place)] = ((found.high - found.low) / (2 * Z)) ** 2
    return mean, variance


def _corrected(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Return Hall's interval and skewness / sqrt(n), as `llmmon.metrics.skewness` does for one window."""
    from scipy.special import stdtrit

    n = rows.shape[-1]
    mean = rows.mean(axis=-1)
    parts = rows - mean[..., None]
    squares = (parts**2).sum(axis=-1)
    skewness = (parts**3).sum(axis=-1) / np.maximum(squares, 1e-100) ** 1.5
    error = np.sqrt(squares / (n - 1) / n)
    t, safe = float(stdtrit(n - 1, 0.975)), np.where(np.abs(skewness) < 1e-6, 1.0, skewness)

    def pivot(quantile: float) -> Floats:
        bent = 3 / safe * (np.cbrt(1 + safe * (quantile - safe / 6)) - 1)
        return np.where(np.abs(skewness) < 1e-6, quantile, bent)

    return mean - error * pivot(t), mean - error * pivot(-t), skewness


def _lognormal(logs: Floats) -> tuple[Floats, Floats]:
    """Return the interval of a lognormal mean, as `llmmon.metrics.skewness` does for one window."""
    from scipy.special import chdtri

    n = logs.shape[-1]
    half = logs.var(axis=-1, ddof=1) / 2
    drift = Z**2 * 2 * half / n
    below = half * (1 - (n - 1) / float(chdtri(n - 1, 0.025)))
    above = half * ((n - 1) / float(chdtri(n - 1, 0.975)) - 1)
    centre = logs.mean(axis=-1) + half
    return np.exp(centre - np.hypot(np.sqrt(drift), below)), np.exp(
        np.minimum(centre + np.hypot(np.sqrt(drift), above), 700)
    )


def quantiles(ordered: Floats, quantile: float) -> tuple[Floats, Floats]:
    """Return quantiles of rows sorted along the last axis, and squared standard errors from order statistics.

    Raises
    ------
    ValueError
        When a window has too few rows for both bounds.
    """
    n = ordered.shape[-1]
    low, high = _ranks(n, quantile)
    position = quantile * (n - 1)
    below = int(position)
    above = min(below + 1, n - 1)
    value = ordered[..., below] + (position - below) * (ordered[..., above] - ordered[..., below])
    width = np.maximum(value, ordered[..., high - 1]) - np.minimum(value, ordered[..., low - 1])
    return value, (width / (2 * Z)) ** 2


@functools.cache
def _ranks(n: int, quantile: float) -> tuple[int, int]:
    from scipy.special import bdtrik

    low = 0 if (1 - quantile) ** n > 0.025 else math.floor(bdtrik(0.025, n, quantile)) + 1
    high = n + 1 if quantile**n > 0.025 else math.ceil(bdtrik(0.975, n, quantile)) + 1
    if low < 1 or high > n:
        raise ValueError(f"{n} rows are too few for both bounds of quantile {quantile}")
    return low, high


def ks_distances(ordered: Floats, reference: Floats, *, n_own: int = 0) -> Floats:
    """Return the Kolmogorov-Smirnov distance of each window, sorted along the last axis, to the reference's rows.

    The first `n_own` windows are those whose rows the reference is. As `llmmon measure` does, each is compared with the
    others' rows: its distance to all of them is smaller by just the share that is its own.
    """
    n, ready = ordered.shape[-1], np.sort(reference)
    steps = np.arange(n + 1) / n
    upto = np.searchsorted(ready, ordered, side="right") / len(ready)
    below = np.searchsorted(ready, ordered, side="left") / len(ready)
    # equal rows are one step: what lies between them is no distance
    last = np.concatenate(
        [ordered[..., 1:] > ordered[..., :-1], np.ones((*ordered.shape[:-1], 1), dtype=bool)], axis=-1
    )
    first = np.concatenate([np.ones((*ordered.shape[:-1], 1), dtype=bool), last[..., :-1]], axis=-1)
    above = np.where(last, np.abs(steps[1:] - upto), 0.0).max(axis=-1)
    found: Floats = np.maximum(above, np.where(first, np.abs(below - steps[:-1]), 0.0).max(axis=-1))
    found[:n_own] *= n_own / max(n_own - 1, 1)
    return found


def ks_variances(distance: Floats, n: npt.NDArray[Any] | int, n_reference: int) -> Floats:
    """Return squared standard errors from the interval of `llmmon.metrics.drift.ks_distance`."""
    slack = math.sqrt(math.log(80) / 2) * (np.asarray(n, dtype=np.float64) ** -0.5 + n_reference**-0.5)
    width = np.minimum(1.0, distance + slack) - np.maximum(0.0, distance - slack)
    found: Floats = (width / (2 * Z)) ** 2
    return found


def counts(n: npt.NDArray[Any], iat_cv: npt.NDArray[Any] | float = 1.0) -> tuple[Floats, Floats]:
    """Return counts of arrivals, and their variance when gaps between arrivals vary by `iat_cv` (1: Poisson)."""
    value = np.asarray(n, dtype=np.float64)
    return value, value * np.square(iat_cv)
