"""Differences and ratios of rates between groups, with intervals that hold for all pairs of groups together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmmon.metrics.bias.groups import GroupRate
from llmmon.metrics.independence import Floats
from llmmon.metrics.rates import rate_interval


def difference_interval(first: GroupRate, second: GroupRate, n_looks: int = 1) -> tuple[float, float]:
    """Return the interval of first - second; with `n_looks` of them, all hold together with 95%.

    The exact intervals of both rates, combined around their difference. With Wilson's in their place it would be
    Newcombe's; those cover too little far out in the tails, where comparisons of many pairs are made.

    References
    ----------
    R. G. Newcombe, Statistics in Medicine 17, 1998, method 10. C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.

    Examples
    --------
    >>> low, high = difference_interval(GroupRate(name="a", rate=56 / 70, n_rows=70, n=70),
    ...                                 GroupRate(name="b", rate=48 / 80, n_rows=80, n=80))
    >>> round(low, 4), round(high, 4)
    (0.0439, 0.3442)
    """
    low, high = _differences([first, second], n_looks)
    return float(low[0, 1]), float(high[0, 1])


def ratio_interval(first: GroupRate, second: GroupRate, n_looks: int = 1) -> tuple[float, float]:
    """Return the interval of first / second, infinite upwards where the second may be 0; `n_looks` as above."""
    low, high = _ratios([first, second], n_looks)
    return float(low[0, 1]), float(high[0, 1])


def largest_difference(families: Sequence[Sequence[GroupRate]]) -> tuple[float, float]:
    """Return the 95% interval of the largest difference between two groups of one family.

    The intervals of all pairs hold together with 95% (Bonferroni), so the largest lower and the largest upper bound
    enclose the largest difference, whichever pair has it. That pair need not be known: picking the extremes by what was
    seen does not spoil it. For two groups it is the interval of their difference, turned positive.
    """
    n_pairs = sum(len(rates) * (len(rates) - 1) // 2 for rates in families)
    lows, highs = zip(*(_off_diagonal(_differences(rates, n_pairs)) for rates in families), strict=True)
    return max(0.0, *(float(low.max()) for low in lows)), min(1.0, max(float(high.max()) for high in highs))


def ratios_to_highest(rates: Sequence[GroupRate]) -> list[tuple[float, float]]:
    """Return the interval of each rate over the highest rate, whichever group has it; all hold together with 95%."""
    low, high = _ratios(rates, len(rates) * (len(rates) - 1) // 2)
    itself = np.eye(len(rates), dtype=bool)
    lows, highs = (np.where(itself, 1.0, bounds).min(axis=1) for bounds in (low, high))
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def smallest_ratio(rates: Sequence[GroupRate]) -> tuple[float, float]:
    """Return the 95% interval of the lowest rate over the highest, by the same argument."""
    low, high = _off_diagonal(_ratios(rates, len(rates) * (len(rates) - 1) // 2))
    return float(low.min()), min(1.0, float(high.min()))


def _differences(rates: Sequence[GroupRate], n_looks: int) -> tuple[Floats, Floats]:
    rate, low, high = _limits(rates, n_looks)
    gap = rate[:, None] - rate[None, :]
    below = np.hypot((rate - low)[:, None], (high - rate)[None, :])
    above = np.hypot((high - rate)[:, None], (rate - low)[None, :])
    return gap - below, gap + above


def _ratios(rates: Sequence[GroupRate], n_looks: int) -> tuple[Floats, Floats]:
    """Return the bounds of every ratio: both exact intervals, combined on the log scale (Zou and Donner 2008)."""
    rate, low, high = _limits(rates, n_looks)
    n = np.array([item.n for item in rates])
    centre = (rate * n + 0.5) / (n + 1)  # a rate of 0 has no logarithm
    with np.errstate(divide="ignore"):
        down, up = np.log(centre / low), np.log(high / centre)  # infinite where the lower limit is 0
    ratio = centre[:, None] / centre[None, :]
    below, above = np.hypot(down[:, None], up[None, :]), np.hypot(up[:, None], down[None, :])
    with np.errstate(over="ignore"):
        return ratio * np.exp(-below), ratio * np.exp(above)


def _limits(rates: Sequence[GroupRate], n_looks: int) -> tuple[Floats, Floats, Floats]:
    bounds = [rate_interval(item.rate, item.n, 1 - 0.05 / n_looks) for item in rates]
    low, high = np.array(bounds).T
    return np.array([item.rate for item in rates]), low, high


def _off_diagonal(bounds: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    keep = ~np.eye(len(bounds[0]), dtype=bool)
    return bounds[0][keep], bounds[1][keep]
