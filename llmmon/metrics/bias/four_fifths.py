"""The four-fifths rule with its chance: whether a group's rate is below 80% of another's, or only looks so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np

from llmmon.metrics.bias.contrasts import ratio_interval, ratios_to_highest
from llmmon.metrics.bias.groups import GroupRate, Groups
from llmmon.metrics.independence import Floats

FOUR_FIFTHS: Final = 0.8
Verdict = Literal["below 0.8 beyond chance", "below 0.8, within chance", "too few", "not below"]
VERDICTS: Final[tuple[Verdict, ...]] = (
    "below 0.8 beyond chance",
    "below 0.8, within chance",
    "too few",
    "not below",
)
"""The worst first."""
_LEVEL: Final = 0.05
_LARGEST_EXACT: Final = 1000
"""Rows of a group up to which the test is exact; beyond, the score test's normal approximation is as good."""
_NUISANCE: Final = np.sin(np.linspace(0, np.pi / 2, 121)[1:]) ** 2
"""Rates of the second group at which the exact test is evaluated; closer together near 0 and 1, where it is rough."""


def verdicts(groups: Groups, reference: str) -> tuple[dict[str, dict[str, Any]], int]:
    """Return for each group its ratio to the reference with an interval, the verdict and its chance.

    Parameters
    ----------
    reference : str
        ``highest``, ``overall`` or the name of a group.

    Returns
    -------
    dict
        By group ``ratio, ratio_low, ratio_high, four_fifths, chance``; ratio and bounds are None where nothing is to be
        divided by or where they are infinite. The reference group itself is not among them.
    int
        Tests that the chance allows for.
    """
    rates = {item.name: item for item in groups.rates}
    found = {}
    if reference == "overall":
        n_tests = len(rates)
        for name, rate in rates.items():
            found[name] = _compared(rate, groups.rest(name), n_tests, share=groups.share(name))
        return found, n_tests
    other = groups.rates[-1] if reference == "highest" else rates[reference]
    # the highest group is picked by what was seen: allow for every ordered pair
    n_tests = len(rates) * (len(rates) - 1) if reference == "highest" else len(rates) - 1
    for name, rate in rates.items():
        if name != other.name:
            found[name] = _compared(rate, other, n_tests)
    if reference == "highest":
        for rate, (low, high) in zip(groups.rates, ratios_to_highest(groups.rates), strict=True):
            if rate.name in found:
                found[rate.name] |= {"ratio_low": low, "ratio_high": high}
    return found, n_tests


def _compared(rate: GroupRate, other: GroupRate, n_tests: int, share: float = 0.0) -> dict[str, Any]:
    """Compare a group with another, or, when it has a `share` of the whole, with the whole by way of the rest."""
    least = FOUR_FIFTHS * (1 - share) / (1 - FOUR_FIFTHS * share)  # of the rest, where four fifths is of the whole
    undefined = other.rate == 0 and (share == 0 or rate.rate == 0)
    low, high = (_of_whole(bound, share) for bound in ratio_interval(rate, other, n_tests))
    verdict, chance = _judge(rate, other, least, n_tests)
    return {
        "ratio": None if undefined else _of_whole(rate.rate / other.rate if other.rate else math.inf, share),
        "ratio_low": low,
        "ratio_high": high if math.isfinite(high) else None,
        "four_fifths": verdict,
        "chance": chance,
    }


def worst_of(found: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Return the worst verdict there is."""
    return next(verdict for verdict in VERDICTS if any(item["four_fifths"] == verdict for item in found.values()))


def chance_below(first: GroupRate, second: GroupRate, least: float = FOUR_FIFTHS) -> float:
    """Return the chance of seeing `first` so far below `least` times `second`, were it not below it.

    Notes
    -----
    The exact unconditional test that orders tables by Miettinen and Nurminen's score statistic: its p-value is the
    largest over all rates of the second group, so the chance of a false finding is at most what is said at any n
    (evaluated at 120 rates). With more than 1,000 rows in a group the normal approximation. Effective numbers of rows
    are rounded down and cases against the finding.

    References
    ----------
    S. Suissa and J. J. Shuster, JRSS A 148, 1985. O. S. Miettinen and M. Nurminen, Statistics in Medicine 4, 1985.

    Examples
    --------
    >>> chance = chance_below(GroupRate(name="a", rate=0.4, n_rows=20, n=20),
    ...                       GroupRate(name="b", rate=0.8, n_rows=30, n=30))
    >>> round(chance, 4)
    0.0379
    """
    from scipy.special import ndtr

    (x1, n1), (x2, n2) = _counts(first, up=True), _counts(second, up=False)
    if n1 < 1 or n2 < 1:
        return 1.0
    seen = float(_score(np.array([float(x1)]), n1, np.array([float(x2)]), n2, least)[0])
    if max(n1, n2) > _LARGEST_EXACT:
        return float(ndtr(seen))
    most = _last_as_far(np.arange(n2 + 1, dtype=float), n1, n2, least, seen)
    below = np.hstack(
        [np.zeros((len(_NUISANCE), 1)), np.cumsum(_masses(n1, np.minimum(least * _NUISANCE, 1.0)), axis=1)]
    )
    chances = (_masses(n2, _NUISANCE) * below[:, most.astype(int) + 1]).sum(axis=1)
    return min(1.0, float(chances.max()))


def _masses(n: int, rates: Floats) -> Floats:
    """Return the probabilities of 0 to n cases, one row a rate."""
    from scipy.special import gammaln, xlog1py, xlogy

    cases = np.arange(n + 1.0)
    ways = gammaln(n + 1) - gammaln(cases + 1) - gammaln(n - cases + 1)
    rate = rates[:, None]
    return np.asarray(np.exp(ways + xlogy(cases, rate) + xlog1py(n - cases, -rate)))


def _judge(first: GroupRate, second: GroupRate, least: float, n_tests: int) -> tuple[Verdict, float | None]:
    """Return the verdict on one group, and its chance when it was seen below."""
    none = GroupRate(name=first.name, rate=0.0, n_rows=first.n_rows, n=first.n)
    if n_tests * chance_below(none, second, least) > _LEVEL:
        return "too few", None  # not even a group without a single case could be told from chance
    if first.rate >= least * second.rate:
        return "not below", None
    chance = min(1.0, n_tests * chance_below(first, second, least))
    return ("below 0.8 beyond chance" if chance <= _LEVEL else "below 0.8, within chance"), chance


def _score(x1: Floats, n1: int, x2: Floats, n2: int, least: float) -> Floats:
    """Return the score statistic of rate 1 = least x rate 2; negative when the first rate is below."""
    a = least * (n1 + n2)
    b = -(least * n1 + x1 + n2 + least * x2)
    rate2 = np.clip((-b - np.sqrt(np.maximum(b * b - 4 * a * (x1 + x2), 0.0))) / (2 * a), 0.0, min(1.0, 1 / least))
    rate1 = least * rate2
    variance = np.maximum(rate1 * (1 - rate1) / n1 + least**2 * rate2 * (1 - rate2) / n2, 0.0)
    gap = x1 / n1 - least * x2 / n2
    return np.divide(gap, np.sqrt(variance), out=np.zeros_like(gap), where=variance > 1e-15)


def _last_as_far(x2: Floats, n1: int, n2: int, least: float, seen: float) -> Floats:
    """Return the most cases of the first group with which the statistic is as low as `seen`, -1 for none."""
    low, high = np.full(len(x2), -1.0), np.full(len(x2), float(n1))
    while (low < high).any():
        middle = np.ceil((low + high) / 2)
        is_far = _score(middle, n1, x2, n2, least) <= seen + 1e-12
        low, high = np.where(is_far & (low < high), middle, low), np.where(is_far | (low >= high), high, middle - 1)
    return low


def _counts(rate: GroupRate, *, up: bool) -> tuple[int, int]:
    n = math.floor(rate.n + 1e-9)
    cases = rate.rate * n
    return min(n, math.ceil(cases - 1e-9) if up else math.floor(cases + 1e-9)), n


def _of_whole(ratio: float, share: float) -> float:
    """Return the ratio to the whole from the ratio to the rest, of a group with that share of the whole."""
    if math.isinf(ratio):
        return 1 / share if share else math.inf
    return ratio / (share * ratio + 1 - share)
