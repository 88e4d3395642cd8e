"""How often nominal 95% intervals cover, by seeded simulation and, where rates are exact, by summing the binomial.

The bounds are 93-97% with the slack of the simulation (a standard error of 0.8 points at 800 draws). Intervals that are
wider than they need be, which their docstrings tell, have the lower bound only.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from llmmon.metrics.intervals import (
    difference_of_rates,
    mean_estimate,
    quantile_estimate,
    rate_interval,
    ratio_of_rates,
    wilson,
)
from llmmon.model import Estimate

Draw = Callable[[np.random.Generator, int], np.ndarray]
DRAWS = 800
LEAST, MOST = 0.922, 0.978

SHAPES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda random, n: random.normal(10, 1, n), 10),
    "uniform": (lambda random, n: random.random(n), 0.5),
    "exponential": (lambda random, n: random.exponential(1, n), 1),
    "poisson": (lambda random, n: random.poisson(3, n) + 1.0, 4),
    "lognormal 0.5": (lambda random, n: random.lognormal(0, 0.5, n), math.exp(0.125)),
    "lognormal 1": (lambda random, n: random.lognormal(0, 1, n), math.exp(0.5)),
    "lognormal 1.5": (lambda random, n: random.lognormal(0, 1.5, n), math.exp(1.125)),
    "a tenth zeros": (lambda random, n: random.lognormal(0, 1, n) * (random.random(n) > 0.1), 0.9 * math.exp(0.5)),
    "differences": (lambda random, n: random.normal(0.3, 1, n), 0.3),
}


def missed(found: Estimate, truth: float) -> bool:
    """Return whether an interval leaves the truth out; a bound that is not given leaves nothing out."""
    return (found.low is not None and found.low > truth) or (found.high is not None and found.high < truth)


@pytest.mark.parametrize("n", [10, 30, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_means_cover(shape: str, n: int) -> None:
    """From 10 rows the interval of a mean covers 93-97%, zeros and long tails too, of which it is cautious: 98%."""
    draw, truth = SHAPES[shape]
    random = np.random.default_rng(11)
    found = [mean_estimate(draw(random, n)) for _ in range(DRAWS)]
    covered = 1 - np.mean([missed(each, truth) for each in found])
    cautious = n == 10 or shape in ("exponential", "lognormal 1.5")
    assert LEAST <= covered <= (0.987 if cautious else MOST)
    given = np.mean([each.low is not None for each in found])
    assert given == 1 if shape != "differences" else given > 0.7


@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize("shape", [name for name in SHAPES if name not in ("a tenth zeros", "differences")])
def test_few_positive_values_cover_at_least(shape: str, n: int) -> None:
    """From 5 rows, which cannot show a tail, positive values are allowed one: 93% or more for every shape."""
    draw, truth = SHAPES[shape]
    random = np.random.default_rng(5)
    found = [mean_estimate(draw(random, n)) for _ in range(DRAWS)]
    assert np.mean([missed(each, truth) for each in found]) <= 1 - LEAST
    assert np.mean([each.low is not None for each in found]) > 0.99  # five Poisson counts may all be equal


def test_students_t_would_fail() -> None:
    """The textbook interval covers 77% where ours is asked for 93%: these tests can tell an interval that is wrong."""
    random = np.random.default_rng(11)
    values = random.lognormal(0, 1.5, (DRAWS, 20))
    half = stats.t.ppf(0.975, 19) * values.std(1, ddof=1) / math.sqrt(20)
    assert np.mean(abs(values.mean(1) - math.exp(1.125)) <= half) < 0.82


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "no finite value"),
        ([4.0], "one row has no spread"),
        ([4.0] * 7, "all 7 values are equal"),
        ([1.0, 2.0, 3.0, 4.0], "4 rows are too few"),
        ([-1.0, 2.0, 3.0, 4.0, 5.0], "5 values that are not all above 0"),
        ([-1.0] + [0.0] * 10 + [50.0], "too few for the mean of values so skewed: about 227 are needed"),
        ([1e-300, 1.0, 1e300, 1e-200, 1e100], "orders of magnitude"),
    ],
)
def test_no_interval_where_none_would_hold(values: list[float], reason: str) -> None:
    """A mean without an interval says why."""
    found = mean_estimate(values)
    assert (found.low, found.high) == (None, None)
    assert reason in (found.reason or "")


@pytest.mark.parametrize("n", [1, 5, 20, 100, 500])
def test_a_rate_never_covers_less_than_its_level(n: int) -> None:
    """Summed exactly over the binomial, the interval covers 95% or more at every rate, Wilson's as little as 84%."""
    rates = np.linspace(1e-5, 0.5, 1500)
    assert covered_rates(rate_interval, n, rates).min() >= 0.95
    if n >= 20:
        assert covered_rates(rate_interval, n, rates).mean() < 0.98
    assert covered_rates(wilson, n, np.linspace(0.15 / n, 0.25 / n, 200)).min() < 0.9


def covered_rates(interval: Callable[[float, float], tuple[float, float]], n: int, rates: np.ndarray) -> np.ndarray:
    """Return the coverage of an interval of a rate at each of `rates`."""
    bounds = np.array([interval(cases / n, n) for cases in range(n + 1)])
    inside = (bounds[:, 0] <= rates[:, None]) & (rates[:, None] <= bounds[:, 1])
    return (stats.binom.pmf(np.arange(n + 1), n, rates[:, None]) * inside).sum(1)


@pytest.mark.parametrize("function", [difference_of_rates, ratio_of_rates])
def test_differences_and_ratios_of_rates_cover(function: Callable[..., tuple[float, float]]) -> None:
    """Summed exactly over both binomials of 20 and 30 trials: 95-96% over all rates, nowhere below 91%."""
    n1, n2 = 20, 30
    bounds = np.array([[function((i / n1, n1), (j / n2, n2)) for j in range(n2 + 1)] for i in range(n1 + 1)])
    covered = []
    for first in np.linspace(0.05, 0.95, 19):
        for second in np.linspace(0.05, 0.95, 19):
            truth = first - second if function is difference_of_rates else first / second
            weight = stats.binom.pmf(np.arange(n1 + 1), n1, first)[:, None] * stats.binom.pmf(
                np.arange(n2 + 1), n2, second
            )
            covered.append((weight * ((bounds[..., 0] <= truth) & (truth <= bounds[..., 1]))).sum())
    assert 0.95 <= np.mean(covered) <= 0.96
    assert min(covered) >= 0.91


@pytest.mark.parametrize("n", [1, 5, 40, 300])
@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_quantiles_cover_at_least(n: int, quantile: float) -> None:
    """Order statistics cover 95% or more: for a smooth distribution, and for one whose values tie."""
    random = np.random.default_rng(3)
    for draw, truth in (
        (lambda: random.lognormal(0, 1.5, n), stats.lognorm.ppf(quantile, 1.5)),
        (lambda: np.round(random.lognormal(0, 1.5, n)), np.round(stats.lognorm.ppf(quantile, 1.5))),
    ):
        share = np.mean([missed(quantile_estimate(draw(), quantile), truth) for _ in range(DRAWS)])
        assert share <= 1 - 0.93


def clustered(random: np.random.Generator, sizes: np.ndarray, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw standard normal rows of users, those of one user correlated; return them and whose they are."""
    users = np.repeat(np.arange(len(sizes)), sizes)
    shared = random.standard_normal(len(sizes))[users]
    own = random.standard_normal(len(users))
    return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own, users


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("n_users", "unequal"), [(6, False), (25, False), (25, True)])
def test_rows_of_users_cover(n_users: int, unequal: bool, correlation: float) -> None:
    """Many rows of one user: means, rates and quantiles cover 93% or more, whatever the rows have in common."""
    random = np.random.default_rng(2)
    missing = dict.fromkeys(("mean", "long tail", "rate", "quantile"), 0)
    draws = 300
    for _ in range(draws):
        sizes = np.minimum(random.zipf(1.7, n_users), 30) if unequal else np.full(n_users, 8)
        values, users = clustered(random, sizes, correlation)
        missing["mean"] += missed(mean_estimate(10 + values, clusters=users), 10)
        missing["long tail"] += missed(mean_estimate(np.exp(values), clusters=users), math.exp(0.5))
        missing["rate"] += missed(mean_estimate(values > 1, clusters=users), stats.norm.sf(1))
        missing["quantile"] += missed(quantile_estimate(values, 0.9, clusters=users), stats.norm.ppf(0.9))
    for name, n in missing.items():
        # users of very unequal size and a long tail at once are what nothing holds for; see skewed_mean
        assert 1 - n / draws >= (0.89 if name == "long tail" and unequal else 0.915), name


def test_rows_of_users_taken_as_independent_would_fail() -> None:
    """Without the users the same rows give intervals that cover half the time."""
    random = np.random.default_rng(2)
    found = [clustered(random, np.full(25, 8), 0.5) for _ in range(200)]
    assert np.mean([missed(mean_estimate(10 + values), 10) for values, _ in found]) > 0.25
    assert np.mean([missed(quantile_estimate(values, 0.5), 0) for values, _ in found]) > 0.2


def test_rows_without_a_user_are_independent() -> None:
    """A missing cluster is one of its own, and one cluster over all rows says nothing of dependence."""
    values = np.random.default_rng(4).lognormal(0, 1, 40)
    plain = mean_estimate(values)
    for clusters in ([None] * 40, ["service-account"] * 40, [f"u{i}" for i in range(40)]):
        found = mean_estimate(values, clusters=clusters)
        assert (found.low, found.high, found.detail) == (plain.low, plain.high, plain.detail)
    few = mean_estimate(values, clusters=["a", "b"] * 20)
    assert few.reason == "2 users or conversations are too few for the interval of a mean: 5 are needed"
