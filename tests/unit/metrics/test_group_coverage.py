"""How often the intervals between groups cover, and how often the four-fifths rule accuses wrongly, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from llmmon.metrics.bias.contrasts import (
    difference_interval,
    largest_difference,
    ratio_interval,
    ratios_to_highest,
    smallest_ratio,
)
from llmmon.metrics.bias.four_fifths import _score, chance_below
from llmmon.metrics.bias.groups import GroupRate

N_RUNS = 1500
TABLES = {
    "two equal groups": ([0.5, 0.5], [40, 40]),
    "two unlike groups": ([0.9, 0.6], [25, 60]),
    "six equal groups": ([0.7] * 6, [30] * 6),
    "six groups, one far below": ([0.8, 0.8, 0.78, 0.75, 0.8, 0.4], [40, 40, 15, 30, 80, 20]),
    "ten groups, rare outcome": ([0.05] * 9 + [0.15], [50] * 10),
    "three groups near 1": ([0.99, 0.97, 0.95], [30, 60, 200]),
}


def rate(cases: int, n: int) -> GroupRate:
    """Return the rate of a group."""
    return GroupRate(name="", rate=cases / n, n_rows=n, n=n)


def draws(name: str, seed: int = 0) -> tuple[np.ndarray, list[list[GroupRate]]]:
    """Return the true rates and drawn tables."""
    true, sizes = TABLES[name]
    cases = np.random.default_rng(seed).binomial(sizes, true, (N_RUNS, len(sizes)))
    return np.array(true), [[rate(int(x), n) for x, n in zip(row, sizes, strict=True)] for row in cases]


@pytest.mark.parametrize("name", TABLES)
def test_intervals_of_the_extremes_cover(name: str) -> None:
    """Largest difference and smallest ratio are covered 94% of the time or more, although the extremes are picked."""
    true, tables = draws(name)
    differences = [largest_difference([table]) for table in tables]
    ratios = [smallest_ratio(table) for table in tables]
    gap, ratio = true.max() - true.min(), true.min() / true.max()
    assert np.mean([low <= gap <= high for low, high in differences]) >= 0.94
    assert np.mean([low <= ratio <= high for low, high in ratios]) >= 0.94


@pytest.mark.parametrize("name", TABLES)
def test_ratios_to_the_highest_cover_together(name: str) -> None:
    """In 94% of runs or more every group's interval holds."""
    true, tables = draws(name, seed=1)
    ratio = true / true.max()
    assert (
        np.mean(
            [
                all(low <= value <= high for value, (low, high) in zip(ratio, ratios_to_highest(table), strict=True))
                for table in tables
            ]
        )
        >= 0.94
    )


@pytest.mark.parametrize(("rates", "sizes"), [((0.5, 0.3), (12, 20)), ((0.98, 0.9), (40, 25)), ((0.02, 0.3), (60, 10))])
def test_intervals_of_two_known_groups_cover(rates: tuple[float, float], sizes: tuple[int, int]) -> None:
    """Over every table there can be, weighed by its probability: 95% or more, at small n and near 0 and 1."""
    masses = [stats.binom.pmf(np.arange(n + 1), n, p) for n, p in zip(sizes, rates, strict=True)]
    covered = [0.0, 0.0]
    for x1, mass1 in enumerate(masses[0]):
        for x2, mass2 in enumerate(masses[1]):
            pair = rate(x1, sizes[0]), rate(x2, sizes[1])
            for place, (interval, truth) in enumerate(
                ((difference_interval, rates[0] - rates[1]), (ratio_interval, rates[0] / rates[1]))
            ):
                low, high = interval(*pair)
                covered[place] += mass1 * mass2 * (low <= truth <= high)
    assert min(covered) >= 0.95


@pytest.mark.parametrize(("n1", "n2"), [(5, 6), (10, 12), (30, 9)])
@pytest.mark.parametrize("least", [0.8, 0.6])
def test_four_fifths_is_the_exact_test(n1: int, n2: int, least: float) -> None:
    """Its chance is the brute-force one over every table; the statistic it orders by rises with the first group."""
    x1, x2 = (grid.astype(float) for grid in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
    scores = _score(x1.ravel(), n1, x2.ravel(), n2, least).reshape(x1.shape)
    assert (np.diff(scores, axis=0) >= -1e-9).all()
    true = np.linspace(0.001, 1, 1000)
    masses = [
        stats.binom.pmf(np.arange(n1 + 1)[:, None], n1, least * true),
        stats.binom.pmf(np.arange(n2 + 1)[:, None], n2, true),
    ]
    for seen in [(0, n2), (n1 // 4, n2 - 1), (n1 // 5, n2 - 2)]:
        far = scores <= scores[seen] + 1e-12
        brute = np.einsum("xp,xy,yp->p", masses[0], far.astype(float), masses[1]).max()
        assert chance_below(rate(seen[0], n1), rate(seen[1], n2), least) == pytest.approx(brute, abs=2e-3)


def test_four_fifths_accuses_wrongly_in_one_of_twenty_at_most() -> None:
    """At a true ratio of 0.8 the exact test rejects with at most 5%, whatever the rate; the score test does not."""
    n1, n2 = 12, 20
    chances = np.array([[chance_below(rate(x, n1), rate(y, n2)) for y in range(n2 + 1)] for x in range(n1 + 1)])
    true = np.linspace(0.01, 1, 200)
    masses = [
        stats.binom.pmf(np.arange(n1 + 1)[:, None], n1, 0.8 * true),
        stats.binom.pmf(np.arange(n2 + 1)[:, None], n2, true),
    ]
    rejected = np.einsum("xp,xy,yp->p", masses[0], (chances <= 0.05).astype(float), masses[1])
    assert rejected.max() <= 0.0501
    assert rejected.max() > 0.03
