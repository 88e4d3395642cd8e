"""Intervals that are honest at small n: means, rates, quantiles, differences and ratios of rates.

How often each covers is simulated in tests/unit/metrics/test_coverage.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from llmmon.metrics.independence import Floats, Rows
from llmmon.metrics.rates import Z, difference_of_rates, rate_interval, ratio_of_rates, wilson, worth
from llmmon.metrics.skewness import skewed_mean
from llmmon.model import STANDARD_ERROR, Estimate

__all__ = [
    "Floats",
    "Z",
    "difference_of_rates",
    "effective_n",
    "finite",
    "hull",
    "mean_estimate",
    "quantile_estimate",
    "rate_interval",
    "ratio_of_rates",
    "wilson",
]
_NOTHING: Final = "no finite value"


def effective_n(weights: Floats) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2.

    References
    ----------
    L. Kish, "Survey Sampling", 1965, section 11.7.
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


def finite(values: Any, weights: Any = None) -> tuple[Floats, Floats]:
    """Return the finite values and their weights, sorted, so that the order of rows cannot change a sum."""
    numbers = np.asarray(values, dtype=float)
    given = np.ones(len(numbers)) if weights is None else np.asarray(weights, dtype=float)
    keep = np.isfinite(numbers)
    numbers, given = numbers[keep], given[keep]
    order = np.lexsort((given, numbers))
    return numbers[order], given[order]


def mean_estimate(
    values: Any,
    weights: Any = None,
    clusters: Any = None,
    *,
    detail: dict[str, Any] | None = None,
    may_be_rate: bool = True,
) -> Estimate:
    """Estimate a mean with its 95% interval: exact when every value is 0 or 1, corrected for skewness otherwise.

    Parameters
    ----------
    values, weights : array-like
        Weights are 1 / inclusion probability; values that are not finite are left out.
    clusters : array-like or None
        Who or what each row comes from (`WindowData.requests["cluster"]`): rows of one user resemble each other.
    detail : dict or None
        Passed on.
    may_be_rate : bool
        False for differences: a window in which they happen to be 0 and 1 only is no rate.

    Notes
    -----
    How the interval is found, and where it holds, is told in `skewed_mean`. An interval that would not hold is
    absent, with the reason; the plain standard error is then in the detail. All values equal say nothing of the spread;
    of a rate they still do.
    """
    rows = Rows.of(values, weights, clusters)
    n = rows.n
    if not n:
        return Estimate.absent(_NOTHING, detail=detail)
    mean = rows.mean
    size, freedom = rows.sizes()
    notes = dict(detail or {})
    if size < n - 1e-9:
        notes["effective_n"] = round(size, 3)
    if rows.clusters is not None:
        notes["n_clusters"] = rows.n_clusters
    if may_be_rate and np.isin(rows.values, (0.0, 1.0)).all():
        low, high = rate_interval(mean, worth(size, freedom))
        return Estimate(value=mean, n=n, low=low, high=high, detail={**notes, "interval": "exact"})
    if n < 2 or size <= 1:
        return Estimate(value=mean, n=n, reason="one row has no spread to take an interval from", detail=notes)
    if rows.values[0] == rows.values[-1]:
        return Estimate(
            value=mean, n=n, reason=f"all {n} values are equal: no spread to take an interval from", detail=notes
        )
    found = skewed_mean(rows)
    if isinstance(found, str):
        # no interval holds, but detectors must not take the window for one without error
        return Estimate(value=mean, n=n, reason=found, detail={**notes, STANDARD_ERROR: rows.standard_error()})
    return Estimate(value=mean, n=n, low=found.low, high=found.high, detail={**notes, "interval": found.name})


def quantile_estimate(values: Any, quantile: float, weights: Any = None, clusters: Any = None) -> Estimate:
    """Estimate a quantile with a distribution-free 95% interval.

    Notes
    -----
    The interval runs between two order statistics whose ranks come from Binomial(n, quantile) (David and Nagaraja,
    "Order Statistics", section 7.1): it covers at least 95%, more where n is small or values tie. With weights or
    clusters n is the effective one and ranks are shares of the weight (Woodruff, JASA 47, 1952). A bound that so few
    rows cannot give is absent, with the reason.
    """
    from scipy.special import bdtrik

    rows = Rows.of(values, weights, clusters)
    numbers, n = rows.values, rows.n
    if not n:
        return Estimate.absent(_NOTHING)
    notes: dict[str, Any] = {"interval": "order statistics"}
    level = np.cumsum(rows.weights) / rows.weights.sum()
    size: float = n
    if rows.clusters is None and np.all(rows.weights == rows.weights[0]):
        value = float(np.quantile(numbers, quantile))
    else:
        value = float(numbers[min(int(np.searchsorted(level, quantile)), n - 1)])
        size, freedom = rows.replace((numbers <= value).astype(float)).sizes()
        notes["effective_n"] = round(size, 3)
        if rows.clusters is not None:
            notes["n_clusters"] = rows.n_clusters
        size = worth(size, freedom)
    few = (1 - quantile) ** size > 0.025, quantile**size > 0.025  # no bound: the chance that all rows lie on one side
    ranks = math.floor(bdtrik(0.025, size, quantile)) + 1, math.ceil(bdtrik(0.975, size, quantile)) + 1
    low_rank = 0 if few[0] else int(np.searchsorted(level, ranks[0] / size + 1e-9, side="right"))
    high_rank = n + 1 if few[1] else int(np.searchsorted(level, min(1.0, ranks[1] / size) - 1e-9)) + 1
    # the value interpolates between rows, which at very small n can lie outside the bounds
    low = min(value, float(numbers[low_rank - 1])) if low_rank >= 1 else None
    high = max(value, float(numbers[high_rank - 1])) if high_rank <= n else None
    missing = [name for name, bound in (("lower", low), ("upper", high)) if bound is None]
    reason = f"{n} rows are too few for the {' and '.join(missing)} bound of this quantile" if missing else None
    return Estimate(value=value, n=n, low=low, high=high, reason=reason, detail=notes)


def hull(value: float, resampled: Sequence[float] | Floats) -> tuple[float, float]:
    """Return a 95% bootstrap interval of a distance: the hull of the percentile and the basic interval, from 0 up.

    A plug-in distance is biased upwards and its bootstrap twice so; the basic interval corrects for that, the
    percentile interval holds the value. Together they are wider than 95% asks for.
    """
    high = float(np.quantile(resampled, 0.975))
    return max(0.0, min(value, 2 * value - high)), max(value, high)
