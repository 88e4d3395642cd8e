"""Many windows at once, reduced as `llmmon.metrics.intervals` reduces one: value and squared standard error.

The standard error is a quarter of the 95% interval's width over 0.98, as llmmon's detectors read it. The equality with
`llmmon.metrics.intervals` is tested.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from llmmon.metrics.intervals import Z

Floats = npt.NDArray[np.float64]


def rates(cases: npt.NDArray[Any], n: npt.NDArray[Any] | int) -> tuple[Floats, Floats]:
    """Return rates and squared standard errors from Wilson's intervals of `cases` among `n`."""
    rate = cases / n
    half = Z / (1 + Z**2 / n) * np.sqrt(rate * (1 - rate) / n + Z**2 / (4 * np.square(n, dtype=np.float64)))
    centre = (rate + Z**2 / (2 * n)) / (1 + Z**2 / n)
    low = np.where(rate == 0, 0.0, np.maximum(0.0, centre - half))
    high = np.where(rate == 1, 1.0, np.minimum(1.0, centre + half))
    return rate, ((high - low) / (2 * Z)) ** 2


def means(rows: Floats) -> tuple[Floats, Floats]:
    """Return means over the last axis and squared standard errors from Student's t intervals."""
    from scipy.special import stdtrit

    n = rows.shape[-1]
    error = rows.std(axis=-1, ddof=1) / np.sqrt(n)
    return rows.mean(axis=-1), (error * float(stdtrit(n - 1, 0.975)) / Z) ** 2


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
    from scipy.special import bdtr

    below = bdtr(np.arange(n, dtype=float), n, quantile)
    low, high = int((below <= 0.025).sum()), int((below < 0.975).sum()) + 1
    if low < 1 or high > n:
        raise ValueError(f"{n} rows are too few for both bounds of quantile {quantile}")
    return low, high


def counts(n: npt.NDArray[Any], iat_cv: npt.NDArray[Any] | float = 1.0) -> tuple[Floats, Floats]:
    """Return counts of arrivals, and their variance when gaps between arrivals vary by `iat_cv` (1: Poisson)."""
    value = np.asarray(n, dtype=np.float64)
    return value, value * np.square(iat_cv)
