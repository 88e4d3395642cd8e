"""Evidently's default drift statistics of many windows at once, equal to its own functions (tested).

Evidently 0.7 chooses by the reference alone: above 1,000 rows the normed Wasserstein distance for numbers and the
Jensen-Shannon distance for categories, both with threshold 0.1; up to 1,000 rows p-values below 0.05 of the
Kolmogorov-Smirnov test, and of the z test for two categories. Each statistic is given as a multiple of its threshold:
distance / 0.1, or 0.05 / p, so that 1 is where Evidently says drift.
"""

from __future__ import annotations

import functools
import warnings

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LARGE_REFERENCE = 1000
DISTANCE_THRESHOLD = 0.1
P_THRESHOLD = 0.05
SMALLEST_P = 1e-300
_GRID = 4


def of_rates(rate: Floats, reference_rate: float, *, n: int = 1, n_reference_rows: int = LARGE_REFERENCE + 1) -> Floats:
    """Return the score of a two-valued column for each window's rate; `n` rows matter to a small reference only."""
    if n_reference_rows > LARGE_REFERENCE:
        return _jensen_shannon(rate, reference_rate) / DISTANCE_THRESHOLD
    from scipy.special import ndtr

    pooled = (rate * n + reference_rate * n_reference_rows) / (n + n_reference_rows)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_reference_rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, np.abs(rate - reference_rate) / error, 0.0)
    return P_THRESHOLD / np.maximum(2 * ndtr(-z), SMALLEST_P)


def _jensen_shannon(rate: Floats, reference_rate: float) -> Floats:
    first = np.stack([rate, 1 - rate])
    second = np.array([reference_rate, 1 - reference_rate]).reshape(2, *([1] * rate.ndim))
    middle = (first + second) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(part > 0, part * np.log(part / middle), 0.0).sum(axis=0) for part in (first, second)]
    return np.sqrt(np.maximum((terms[0] + terms[1]) / 2, 0.0))


def of_rows(ordered: Floats, reference: Floats) -> Floats:
    """Return the score of each window whose sorted rows are the last axis, against the reference's rows.

    The Wasserstein distance is taken on a grid of four quantiles per row of the window; the reference's own quantiles
    are exact.
    """
    if len(reference) <= LARGE_REFERENCE:
        return P_THRESHOLD / np.maximum(_ks_p(ordered, np.sort(reference)), SMALLEST_P)
    n = ordered.shape[-1]
    levels = (np.arange(n * _GRID) + 0.5) / (n * _GRID)
    at = np.quantile(reference, levels, method="inverted_cdf").reshape(n, _GRID)
    total = np.zeros(ordered.shape[:-1])
    for column in range(_GRID):
        total += np.abs(ordered - at[:, column]).mean(axis=-1)
    return total / _GRID / max(float(np.std(reference)), 0.001) / DISTANCE_THRESHOLD


def _ks_p(ordered: Floats, reference: Floats) -> Floats:
    """Return p-values of the two-sample Kolmogorov-Smirnov test, by way of the few distances that occur."""
    n, size = ordered.shape[-1], len(reference)
    steps = np.arange(1, n + 1) / n
    below = np.searchsorted(reference, ordered, side="left") / size
    upto = np.searchsorted(reference, ordered, side="right") / size
    distance = np.maximum((steps - upto).max(axis=-1), (below - (steps - 1 / n)).max(axis=-1))
    found, place = np.unique(np.round(distance * n * size).astype(np.int64), return_inverse=True)
    return np.array([_p_of_distance(int(d), n, size) for d in found])[place].reshape(distance.shape)


@functools.cache
def _p_of_distance(scaled: int, n: int, size: int) -> float:
    """Return the p-value of distance scaled / (n size), which no other property of the two samples changes."""
    from scipy.stats import ks_2samp

    i = next(i for i in range(n + 1) if i * size >= scaled and (i * size - scaled) % n == 0)
    j = (i * size - scaled) // n
    window, reference = np.repeat([0.0, 1.0], [i, n - i]), np.repeat([0.0, 1.0], [j, size - j])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it says that it took the asymptotic p-value
        return float(ks_2samp(reference, window)[1])
