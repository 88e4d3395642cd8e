"""The announced power: what is planted, and what the figure depends on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.bias import counterfactual
from llmmon.detectors.paired_difference import PairedDifference
from llmmon.metrics.pairs import pair_estimate
from llmmon.pipeline.gap_power import gap_power, planted
from llmmon.pipeline.judge import Rule
from tests.unit.detectors.streams import stream

RULE = Rule(detector=PairedDifference(), min_effect=0.02, direction="lower_is_better")


def stored(gaps, n_windows=5):
    """Return windows that all have these differences."""
    estimate = pair_estimate(np.array(gaps, dtype=float), np.ones(len(gaps)), [None] * len(gaps), alpha=0.05)
    return [dataclasses.replace(item, estimate=estimate) for item in stream([0.0] * n_windows)]


@pytest.mark.parametrize("gap", [0.05, -0.2])
def test_as_many_pairs_more_differ_as_the_gap_says(gap) -> None:
    """Outcomes of 0 and 1 stay such, and their mean moves by the gap; others are shifted."""
    rng = np.random.default_rng(3)
    before = rng.choice([-1.0, 0.0, 1.0], 100_000, p=[0.1, 0.8, 0.1])
    after = planted(before, gap, rng)
    assert set(after) <= {-1.0, 0.0, 1.0}
    assert after.mean() - before.mean() == pytest.approx(gap, abs=0.005)
    assert planted(np.array([0.25, -0.5]), gap, rng) == pytest.approx([0.25 + gap, -0.5 + gap])


def test_power_grows_with_gap_and_windows_and_nothing_is_rarely_found() -> None:
    """A tenth of 20 pairs differ: no gap is found within the budget, a large one nearly always."""
    windows = stored([0] * 18 + [1, -1])

    def found(gap, n_windows):
        return gap_power(windows, RULE, gap=gap, n_windows=n_windows, needed=80.0, n_runs=60).probability

    assert found(0.0, 30) <= 0.05
    assert found(0.1, 10) < found(0.1, 40)
    assert found(0.3, 30) > 0.95
    assert gap_power(windows, RULE, gap=0.1, n_windows=30, needed=80.0, n_runs=5).n_pairs == 600


def test_a_gap_that_is_stored_already_does_not_count() -> None:
    """Signs are drawn: windows whose differences all rise announce what windows without a direction do."""
    rising = gap_power(stored([0] * 18 + [1, 1]), RULE, gap=0.05, n_windows=20, needed=80.0, n_runs=50)
    neither = gap_power(stored([0] * 18 + [1, -1]), RULE, gap=0.05, n_windows=20, needed=80.0, n_runs=50)
    assert rising.probability == neither.probability


def test_nothing_stored_says_so() -> None:
    """Without a pair there is nothing to learn from."""
    found = gap_power(stream([None, None]), RULE, gap=0.1, n_windows=10, needed=80.0)
    assert (found.probability, found.reason) == (None, "no stored window has a pair to learn from")


def test_what_is_announced_is_found() -> None:
    """Announced from quiet months, found in biased ones by metrics, detectors and e-BH: within 15 points at 60 runs."""
    key = "gap-refusal", "all"
    biased = dataclasses.replace(counterfactual.QUIET, refuses_her=0.05)
    rng = np.random.default_rng
    quiet = [counterfactual.month(counterfactual.QUIET, 20, rng([1, place]), check=place == 0) for place in range(3)]
    announced = np.mean(
        [
            gap_power(
                month[key], counterfactual.rules()[key[0]], gap=0.05, n_windows=30, needed=80.0, n_runs=60
            ).probability
            for month in quiet
        ]
    )
    found = np.mean([key in counterfactual.alarms(counterfactual.month(biased, 20, rng([2, p]))) for p in range(60)])
    assert found == pytest.approx(announced, abs=0.15)
