"""Intervals that are honest at small n: means, rates, quantiles, differences and ratios of rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from llmmon.model import Estimate

Floats = npt.NDArray[np.float64]

Z: Final = 1.959963984540054
"""Standard normal quantile of a 95% interval."""
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


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95% interval of a rate seen in `n` trials.

    References
    ----------
    E. B. Wilson, JASA 22, 1927; recommended for small n by Brown, Cai and DasGupta, Statistical Science 16, 2001.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(0.0, 10)]
    [0.0, 0.2775]
    """
    centre = (rate + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))
    return (0.0 if rate == 0 else max(0.0, centre - half)), (1.0 if rate == 1 else min(1.0, centre + half))


def mean_estimate(
    values: Any, weights: Any = None, *, detail: dict[str, Any] | None = None, may_be_rate: bool = True
) -> Estimate:
    """Estimate a mean with its 95% interval; Wilson's when every value is 0 or 1, Student's t otherwise.

    Parameters
    ----------
    values, weights : array-like
        Weights are 1 / inclusion probability; values that are not finite are left out.
    detail : dict or None
        Passed on.
    may_be_rate : bool
        False for differences: a window in which they happen to be 0 and 1 only is no rate.

    Notes
    -----
    The mean is Hajek's, sum(w y) / sum(w). Its variance is the linearised n / (n - 1) * sum(w^2 (y - mean)^2) /
    sum(w)^2, and t has (effective n) - 1 degrees of freedom. With equal weights both are the textbook ones.

    References
    ----------
    C.-E. Sarndal, B. Swensson, J. Wretman, "Model Assisted Survey Sampling", 1992, section 5.7.
    """
    numbers, given = finite(values, weights)
    n = len(numbers)
    if not n:
        return Estimate.absent(_NOTHING, detail=detail)
    mean = float((numbers * given).sum() / given.sum())
    size = effective_n(given)
    notes = dict(detail or {})
    if not np.all(given == given[0]):
        notes["effective_n"] = round(size, 3)
    if may_be_rate and np.isin(numbers, (0.0, 1.0)).all():
        low, high = wilson(mean, size)
        return Estimate(value=mean, n=n, low=low, high=high, detail={**notes, "interval": "wilson"})
    if n < 2 or size <= 1:
        return Estimate(value=mean, n=n, reason="one row has no spread to take an interval from", detail=notes)
    if numbers[0] == numbers[-1]:
        return Estimate(
            value=mean, n=n, reason=f"all {n} values are equal: no spread to take an interval from", detail=notes
        )
    from scipy.special import stdtrit

    error = math.sqrt(n / (n - 1) * float((given**2 * (numbers - mean) ** 2).sum())) / float(given.sum())
    half = float(stdtrit(size - 1, 0.975)) * error
    return Estimate(value=mean, n=n, low=mean - half, high=mean + half, detail={**notes, "interval": "t"})


def quantile_estimate(values: Any, quantile: float, weights: Any = None) -> Estimate:
    """Estimate a quantile with a distribution-free 95% interval.

    Notes
    -----
    With equal weights the interval runs between two order statistics whose ranks come from Binomial(n, quantile)
    (David and Nagaraja, "Order Statistics", section 7.1). With unequal ones Wilson's interval of the quantile level
    at the effective n is mapped through the weighted distribution (Woodruff, JASA 47, 1952). A bound that so few
    rows cannot give is absent, with the reason.
    """
    numbers, given = finite(values, weights)
    n = len(numbers)
    if not n:
        return Estimate.absent(_NOTHING)
    if np.all(given == given[0]):
        from scipy.special import bdtr

        value = float(np.quantile(numbers, quantile))
        below = bdtr(np.arange(n, dtype=float), n, quantile)  # P(at most k of n rows lie below the quantile)
        low_rank = int((below <= 0.025).sum())
        high_rank = int((below < 0.975).sum()) + 1
    else:
        level = np.cumsum(given) / given.sum()
        value = float(numbers[min(int(np.searchsorted(level, quantile)), n - 1)])
        bounds = wilson(quantile, effective_n(given))
        low_rank = int(np.searchsorted(level, bounds[0])) + (1 if level[0] < bounds[0] else 0)
        high_rank = int(np.searchsorted(level, bounds[1])) + 1 if level[-2:-1].sum() >= bounds[1] else n + 1
    # the value interpolates between rows, which at very small n can lie outside the bounds
    low = min(value, float(numbers[low_rank - 1])) if low_rank >= 1 else None
    high = max(value, float(numbers[high_rank - 1])) if high_rank <= n else None
    missing = [name for name, bound in (("lower", low), ("upper", high)) if bound is None]
    reason = f"{n} rows are too few for the {' and '.join(missing)} bound of this quantile" if missing else None
    return Estimate(value=value, n=n, low=low, high=high, reason=reason, detail={"interval": "order statistics"})


def difference_of_rates(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Return Newcombe's 95% interval of first - second; each is (rate, n).

    References
    ----------
    R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, 1998, method 10.

    Examples
    --------
    >>> [round(bound, 4) for bound in difference_of_rates((56 / 70, 70), (48 / 80, 80))]
    [0.0524, 0.3339]
    """
    (low1, high1), (low2, high2) = wilson(*first), wilson(*second)
    gap = first[0] - second[0]
    return (
        gap - math.hypot(first[0] - low1, high2 - second[0]),
        gap + math.hypot(high1 - first[0], second[0] - low2),
    )


def ratio_of_rates(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Return the 95% log interval of first / second, each (rate, n), with half a case added to every cell.

    References
    ----------
    D. Katz et al., Biometrics 34, 1978; the added halves after S. D. Walter, Biometrika 62, 1975.
    """
    (rate1, n1), (rate2, n2) = first, second
    cases1, cases2 = rate1 * n1 + 0.5, rate2 * n2 + 0.5
    centre = math.log(cases1 / (n1 + 0.5)) - math.log(cases2 / (n2 + 0.5))
    half = Z * math.sqrt(1 / cases1 - 1 / (n1 + 0.5) + 1 / cases2 - 1 / (n2 + 0.5))
    return math.exp(centre - half), math.exp(centre + half)


def hull(value: float, resampled: Sequence[float] | Floats) -> tuple[float, float]:
    """Return a 95% bootstrap interval of a distance: the hull of the percentile and the basic interval, from 0 up.

    A plug-in distance is biased upwards and its bootstrap twice so; the basic interval corrects for that, the
    percentile interval holds the value. Together they are wider than 95% asks for.
    """
    high = float(np.quantile(resampled, 0.975))
    return max(0.0, min(value, 2 * value - high)), max(value, high)
