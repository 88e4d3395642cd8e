"""Bets on the signs of paired differences: worked by hand, and within the budget whatever the noise is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from llmmon.detectors.base import fold
from llmmon.detectors.paired_difference import PairedDifference
from llmmon.errors import ConfigError
from llmmon.metrics.pairs import STAKES, pair_estimate
from tests.unit.detectors.streams import stream

RULE = {"min_effect": 0.02, "direction": "lower_is_better"}


def measured(windows):
    """Return a stream whose windows are given as paired differences."""
    found = []
    for item, gaps in zip(stream([0.0] * len(windows)), windows, strict=True):
        gaps = np.asarray(gaps, dtype=float)
        estimate = pair_estimate(gaps, np.ones(len(gaps)), [None] * len(gaps), alpha=0.05)
        found.append(dataclasses.replace(item, estimate=estimate))
    return found


def test_evidence_worked_by_hand() -> None:
    """Two rises and a fall, then a rise: products of 1 + stake and 1 - stake, mixed over stakes, sides and starts."""
    found = fold(PairedDifference(), measured([[1, 1, -1, 0], [1]]), **RULE)
    first = [(1 + s) ** 2 * (1 - s) for s in STAKES] + [(1 - s) ** 2 * (1 + s) for s in STAKES]
    second = [1 + s for s in STAKES] + [1 - s for s in STAKES]
    one = np.array(first) / 2
    two = (one + 1 / 6) * second
    assert found[0].e_value == pytest.approx(one.mean() + 1 / 2)
    assert found[1].e_value == pytest.approx(two.mean() + 1 / 3)
    assert (found[0].effect, found[1].effect) == (pytest.approx(0.25), pytest.approx(0.4))
    assert found[1].detail == {"n_pairs": 5}


def test_worse_counts_one_side_only() -> None:
    """Falls are no evidence where lower is better and only the worse side counts."""
    gaps = [[-1] * 5] * 20
    assert fold(PairedDifference(sides="worse"), measured(gaps), **RULE)[-1].e_value < 0.1
    both = fold(PairedDifference(), measured(gaps), **RULE)[-1]
    assert both.e_value > 1e6
    assert both.relevant
    assert (both.reference_value, both.effect) == (0.0, -1.0)
    with pytest.raises(ConfigError, match="which direction"):
        fold(PairedDifference(sides="worse"), measured(gaps), min_effect=0.0, direction="neither")


def test_the_effect_is_that_since_the_gap_began() -> None:
    """Three hundred windows without a gap do not dilute the forty with one, and that is when evidence rises."""
    random = np.random.default_rng(4)
    quiet = [random.choice([-1, 0, 0, 0, 1], 6) for _ in range(300)]
    biased = [random.choice([0, 0, 0, 1, 1], 6) for _ in range(40)]
    found = fold(PairedDifference(), measured([*quiet, *biased]), **RULE)
    assert max(one.e_value for one in found[:300]) < 20
    assert found[-1].e_value > 1e6
    assert found[-1].effect == pytest.approx(0.4, abs=0.1)


def test_a_window_without_a_value_is_no_evidence() -> None:
    """It is skipped with its reason, and so is a metric that does not bet."""
    absent, plain = fold(PairedDifference(), stream([None, 0.3]), **RULE)
    assert (absent.e_value, absent.reason) == (None, "no value: no requests")
    assert (plain.e_value, plain.reason) == (None, "the metric bets on no pairs")


@pytest.mark.parametrize("noise", ["binary", "rare", "heavy", "skewed absolute differences"])
def test_without_a_difference_it_alarms_within_its_budget(noise: str) -> None:
    """Over 200 windows of 1 to 12 pairs, evidence of 20 comes in at most one run of twenty (and chance)."""
    random = np.random.default_rng(8)
    runs, alarms = 300, 0
    for _ in range(runs):
        windows = []
        for _ in range(200):
            n = int(random.integers(1, 13))
            windows.append(
                {
                    "binary": random.integers(0, 2, n) - random.integers(0, 2, n),
                    "rare": (random.random(n) < 0.03).astype(int) - (random.random(n) < 0.03).astype(int),
                    "heavy": random.standard_t(1.2, n),
                    "skewed absolute differences": random.exponential(1, n) - random.exponential(1, n),
                }[noise]
            )
        alarms += max(bets_alone(windows)) >= 20
    assert alarms / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def bets_alone(windows):
    """Return the evidence of each window, as the detector adds it up, without the rest of a measurement."""
    from llmmon.metrics.pairs import log_wealth
    from llmmon.model import BETS

    items = [
        dataclasses.replace(
            item,
            estimate=dataclasses.replace(
                item.estimate, detail={BETS: log_wealth(gaps, np.ones(len(gaps)), [None] * len(gaps))}
            ),
        )
        for item, gaps in zip(stream([0.0] * len(windows)), windows, strict=True)
    ]
    return [one.e_value for one in fold(PairedDifference(), items, **RULE)]
