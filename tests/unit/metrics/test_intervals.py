"""Intervals against scipy, published values and exact coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from llmmon.metrics import intervals


@pytest.mark.parametrize(("cases", "n"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (81, 263)])
def test_wilson_equals_scipy(cases: int, n: int) -> None:
    """Wilson's interval is scipy's, at the ends too."""
    expected = stats.binomtest(cases, n).proportion_ci(method="wilson")
    assert intervals.wilson(cases / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_exact_interval_of_a_rate_equals_scipy() -> None:
    """Clopper and Pearson's interval is scipy's."""
    expected = stats.binomtest(81, 263).proportion_ci(method="exact")
    assert intervals.rate_interval(81 / 263, 263) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_mean_of_symmetric_values_equals_scipy() -> None:
    """Without skewness the interval is Student's, weights of 1 or not."""
    values = np.concatenate([np.linspace(1, 5, 19), 6 - np.linspace(1, 5, 18)])
    values = np.concatenate([values, 6 - values])
    found = intervals.mean_estimate(values)
    expected = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(expected)


def test_equal_clusters_give_the_t_interval_of_their_means() -> None:
    """Ten users of four equal rows each are ten values: n - 1 is 9."""
    means = np.array([3.0, 5.0, 4.0, 6.0, 2.0, 4.0, 3.0, 5.0, 2.0, 6.0])
    found = intervals.mean_estimate(np.repeat(means, 4), clusters=np.repeat(np.arange(10), 4))
    expected = stats.t.interval(0.95, 9, loc=means.mean(), scale=stats.sem(means))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.n, found.detail["n_clusters"], found.detail["effective_n"]) == (40, 10, 10)


def test_halls_interval_by_hand() -> None:
    """Hall's cubic on twelve skewed values, some below zero, worked with its formula."""
    values = np.array([-3.0, -2, -2, -1, -1, -1, 0, 0, 1, 2, 3, 4])
    found = intervals.mean_estimate(values)
    centred = values - values.mean()
    skewness = (centred**3).sum() / (centred**2).sum() ** 1.5
    t = stats.t.ppf(0.975, 11)
    for bound, quantile in ((found.low, t), (found.high, -t)):
        pivot = (values.mean() - bound) / stats.sem(values)
        assert pivot + skewness * pivot**2 / 3 + skewness**2 * pivot**3 / 27 + skewness / 6 == pytest.approx(quantile)


def test_weights_undo_the_sampling() -> None:
    """A value drawn with probability 1/4 stands for four, and the effective n is Kish's."""
    found = intervals.mean_estimate([1.0, 2.0, 5.0], [4.0, 4.0, 1.0])
    assert found.value == pytest.approx((4 + 8 + 5) / 9)
    assert found.detail["effective_n"] == pytest.approx(81 / 33, abs=1e-3)


def test_weighted_interval_covers_the_population_mean() -> None:
    """Over 500 unequal-probability draws from a known population the interval covers its mean about 95% of the time."""
    random = np.random.default_rng(3)
    population = random.gamma(2, 10, 5000)
    probability = np.clip(population / population.sum() * 150, 0.004, 1)
    hits = 0
    for _ in range(500):
        drawn = random.random(5000) < probability
        found = intervals.mean_estimate(population[drawn], 1 / probability[drawn])
        hits += found.low <= population.mean() <= found.high
    assert 0.92 <= hits / 500 <= 0.985


@pytest.mark.parametrize(
    ("values", "low", "reason"),
    [
        ([3.0], None, "one row has no spread"),
        ([3.0, 3.0, 3.0], None, "all 3 values are equal"),
        ([3.0, np.nan, np.inf, 3.0], None, "all 2 values are equal"),
        ([0.0, 0.0], 0.0, None),
    ],
)
def test_degenerate_means_say_why(values: list[float], low: float | None, reason: str | None) -> None:
    """One row, equal rows and infinities give a value and either an honest interval or a reason."""
    found = intervals.mean_estimate(values)
    assert found.low == low
    assert found.reason is None if reason is None else reason in (found.reason or "")


@pytest.mark.parametrize("n", [6, 20, 59, 60, 100, 333])
@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95])
def test_quantile_intervals_cover_by_the_binomial(n: int, quantile: float) -> None:
    """The order statistics miss the true quantile with at most 2.5% on each side, and no narrower ones would do."""
    found = intervals.quantile_estimate(np.arange(1.0, n + 1), quantile)
    assert found.value == pytest.approx(np.quantile(np.arange(1.0, n + 1), quantile))
    below = stats.binom(n, quantile)
    if found.low is None:
        assert below.cdf(0) > 0.025
    else:
        assert below.cdf(found.low - 1) <= 0.025 < below.cdf(found.low)
    if found.high is None:
        assert below.sf(n - 1) > 0.025
        assert "too few" in (found.reason or "")
    else:
        assert below.sf(found.high - 1) <= 0.025 < below.sf(found.high - 2)


def test_weighted_quantile_covers() -> None:
    """With unequal weights the Woodruff interval covers the population's 90% quantile about 95% of the time."""
    random = np.random.default_rng(5)
    population = random.exponential(1, 4000)
    probability = np.where(random.random(4000) < 0.5, 0.02, 0.08)
    truth = np.quantile(population, 0.9)
    hits = total = 0
    for _ in range(300):
        drawn = random.random(4000) < probability
        found = intervals.quantile_estimate(population[drawn], 0.9, 1 / probability[drawn])
        if found.low is not None and found.high is not None:
            total += 1
            hits += found.low <= truth <= found.high
    assert total > 290
    assert hits / total > 0.92


def test_newcombe_gives_the_published_interval() -> None:
    """Method 10 on 9/10 against 3/10 is what Newcombe (1998), table II, prints."""
    assert intervals.difference_of_rates((0.9, 10), (0.3, 10)) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_ratio_interval_is_the_log_interval() -> None:
    """With many cases the interval is Katz's, which knows no more than the variances of the logarithms."""
    low, high = intervals.ratio_of_rates((0.4, 10_000), (0.5, 10_000))
    error = np.sqrt(1 / 4000 - 1 / 10_000 + 1 / 5000 - 1 / 10_000)
    assert (low, high) == pytest.approx((0.8 * np.exp(-1.96 * error), 0.8 * np.exp(1.96 * error)), rel=1e-3)


def test_ratio_at_the_ends() -> None:
    """Both rates 1 still leave room on each side; none of the first bounds it at 0, none of the second not at all."""
    low, high = intervals.ratio_of_rates((1.0, 20), (1.0, 20))
    assert low < 0.9 < 1.1 < high
    assert intervals.ratio_of_rates((0.0, 20), (0.5, 20))[0] == 0
    assert intervals.ratio_of_rates((0.5, 20), (0.0, 20))[1] == np.inf
