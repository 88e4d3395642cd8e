"""Differences within pairs of answers: their mean with its interval, what n can show, and bets against "no difference".

Pairs come from asking twice: with another group in the prompt, or the same again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from llmmon.metrics.independence import Floats, Rows, cluster_codes
from llmmon.metrics.intervals import mean_estimate
from llmmon.metrics.rates import Z, worth
from llmmon.model import BETS, Estimate

STAKES: Final = (1 / 16, 1 / 4, 1 / 2, 7 / 8)
"""Shares of the wealth that are put at risk on each pair."""
_POWER_QUANTILE: Final = 0.8416212335729143
"""Standard normal quantile of 80%."""
_MOST_KEPT: Final = 64
"""Absolute differences that are kept of a window; of more, so many quantiles."""


def pair_estimate(
    differences: Floats, weights: Any, clusters: Any, *, alpha: float, detail: dict[str, Any] | None = None
) -> Estimate:
    """Estimate the mean of paired differences.

    Parameters
    ----------
    differences : array of float
        One per request.
    weights, clusters : array-like
        1 / inclusion probability; whose requests, or which prompt: those that share one are not independent.
    alpha : float
        Two-sided error of `smallest_gap`.
    detail : dict or None
        Passed on, with ``smallest_detectable_gap``, ``p_value``, ``absolute_gaps``, ``n_effective`` (independent pairs
        that they are worth, by their weights and by how many come from one user) and the bets added.

    Notes
    -----
    Differences of outcomes that are 0 or 1 get the interval of `paired_rates`, all others that of a mean.
    """
    rows = Rows.of(differences, weights, clusters)
    effective, freedom = rows.sizes() if rows.n else (0.0, 0.0)
    size = worth(effective, freedom) if rows.n else 0.0
    is_binary = bool(np.isin(rows.values, (-1.0, 0.0, 1.0)).all())
    up, down = (
        float((rows.weights * (rows.values == side)).sum() / max(rows.weights.sum(), 1e-300)) for side in (1, -1)
    )
    notes = {
        **(detail or {}),
        "sum": float(rows.values.sum()),
        "sum_squares": float((rows.values**2).sum()),
        "absolute_gaps": _kept(np.abs(rows.values)),
        "n_effective": effective,
        BETS: log_wealth(differences, weights, clusters),
    }
    if is_binary and rows.n:
        notes |= {"n_up": int((rows.values == 1).sum()), "n_down": int((rows.values == -1).sum())}
        low, high = paired_rates(up * size, down * size, size)
        error = (high - low) / (2 * Z)
        value = up - down
        estimate = Estimate(value=value, n=rows.n, low=min(low, value), high=max(high, value))
    else:
        estimate = mean_estimate(differences, weights, clusters, may_be_rate=False)
        error = rows.standard_error() if rows.n > 1 else 0.0
    notes["detectable_errors"] = smallest_gap(1.0, alpha)
    notes["smallest_detectable_gap"] = smallest_gap(error, alpha) if error > 0 else None
    notes["p_value"] = _p_value(rows, is_binary)
    return Estimate(
        value=estimate.value,
        n=estimate.n,
        low=estimate.low,
        high=estimate.high,
        reason=estimate.reason,
        detail={**estimate.detail, **notes},
    )


def paired_rates(n_up: float, n_down: float, n: float) -> tuple[float, float]:
    """Return the 95% interval of the difference of two rates that were seen in the same `n` pairs.

    Parameters
    ----------
    n_up, n_down : float
        Pairs in which only the first, only the second has the outcome.

    Notes
    -----
    Wald's interval with one pair added to either side: it covers 95% on average from n = 10 on, and is not empty when
    no pair differs.

    References
    ----------
    D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data", Journal of Educational and Behavioral Statistics 37, 2012; compared by M. W. Fagerland, S. Lydersen
    and P. Laake, Statistics in Medicine 33, 2014.

    Examples
    --------
    Airway reactivity before and after a transplantation (1 of 21 only before, 7 only after):

    >>> [round(bound, 3) for bound in paired_rates(1, 7, 21)]
    [-0.508, -0.013]
    """
    first, second = (n_up + 1) / (n + 2), (n_down + 1) / (n + 2)
    gap = first - second
    half = Z * math.sqrt(max(first + second - gap**2, 0.0) / (n + 2))
    return max(-1.0, gap - half), min(1.0, gap + half)


def smallest_gap(error: float, alpha: float) -> float:
    """Return the true gap that one two-sided test at `alpha` finds with probability 80%, from a standard error."""
    from scipy.special import ndtri

    return float(ndtri(1 - alpha / 2) + _POWER_QUANTILE) * error


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's corrected p-values, in the order given.

    References
    ----------
    S. Holm, Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = largest
    return found


def log_wealth(differences: Any, weights: Any, clusters: Any) -> list[float]:
    """Return the logarithm of what each bet on the sign of the differences made of 1: stakes on a rise, then a fall.

    Notes
    -----
    While it makes no difference which of a pair's answers came first, its difference is as likely d as -d. So a bet
    turns 1 into 1 + s x, with x the difference over the window's largest and s a stake: its expectation is 1 whatever
    the absolute differences are, which are all that the scale depends on. Differences of one cluster have a sign
    together, so a cluster is one bet on their weighted sum. Of outcomes that are 0 or 1 only discordant pairs count, as
    in McNemar's test.
    """
    parts = np.asarray(differences, dtype=float) * np.asarray(weights, dtype=float)
    sums = np.sort(parts if clusters is None else np.bincount(cluster_codes(clusters), weights=parts))
    largest = float(np.abs(sums).max()) if len(sums) else 0.0
    if largest == 0:
        return [0.0] * (2 * len(STAKES))
    x = sums / largest
    return [float(np.log1p(side * stake * x).sum()) for side in (1, -1) for stake in STAKES]


def _p_value(rows: Rows, is_binary: bool) -> float | None:
    """Return a two-sided p-value of "the mean difference is 0": exact where pairs are alike, else Student's t."""
    from scipy.special import stdtr
    from scipy.stats import binomtest

    if not rows.n:
        return None
    n_up, n_down = int((rows.values > 0).sum()), int((rows.values < 0).sum())
    if n_up + n_down == 0:
        return 1.0
    if is_binary and rows.clusters is None and np.all(rows.weights == rows.weights[0]):
        return float(binomtest(n_up, n_up + n_down).pvalue)
    error, freedom = rows.standard_error(), rows.sizes()[1]
    if rows.n_clusters < 5 or error == 0:
        return None
    return float(2 * stdtr(max(freedom, 1.0), -abs(rows.mean) / error))


def _kept(values: Floats) -> list[float]:
    """Return some values, the smallest first."""
    if len(values) <= _MOST_KEPT:
        return [float(value) for value in np.sort(values)]
    return [float(value) for value in np.quantile(values, (np.arange(_MOST_KEPT) + 0.5) / _MOST_KEPT)]
