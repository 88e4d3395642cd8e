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


def test_what_pairs_are_worth_worked_by_hand() -> None:
    """Weights 1, 1, 3, 3 are worth (1 + 1 + 3 + 3)^2 / (1 + 1 + 9 + 9) = 3.2 pairs, copies of two prompts 2."""
    weighted = pair_estimate(np.array([1.0, 0.0, 0.0, 0.0]), [1, 1, 3, 3], [None] * 4, alpha=0.05)
    copies = pair_estimate(np.array([1.0, 1.0, 0.0, 0.0]), [1] * 4, ["a", "a", "b", "b"], alpha=0.05)
    assert weighted.detail["n_effective"] == pytest.approx(3.2)
    assert copies.detail["n_effective"] == pytest.approx(2)
    windows = [dataclasses.replace(item, estimate=copies) for item in stream([0.0] * 3)]
    found = gap_power(windows, RULE, gap=0.1, n_windows=10, needed=80.0, n_runs=1)
    assert (found.n_pairs, found.n_effective) == (40, 20)


def test_a_gap_that_is_stored_already_does_not_count() -> None:
    """Signs are drawn: windows whose differences all rise announce what windows without a direction do."""
    rising = gap_power(stored([0] * 18 + [1, 1]), RULE, gap=0.05, n_windows=20, needed=80.0, n_runs=50)
    neither = gap_power(stored([0] * 18 + [1, -1]), RULE, gap=0.05, n_windows=20, needed=80.0, n_runs=50)
    assert rising.probability == neither.probability


def dependent(rng, kind, gap):
    """Return a window of differences about `gap`, with weights and whose each is."""
    if kind == "weights":
        return rng.normal(gap, 0.15, 30), np.where(rng.random(30) < 0.5, 1.0, 8.0), [None] * 30
    return np.repeat(rng.normal(gap, 0.15, 8), 4), np.ones(32), list(np.repeat(np.arange(8), 4))


@pytest.mark.parametrize(("kind", "gap"), [("weights", 0.03), ("copies", 0.04)])
def test_dependent_pairs_count_for_what_they_are_worth(kind, gap) -> None:
    """Announced within 12 points of what a detector finds in such windows; counted alike they would promise more."""
    rng, hours = np.random.default_rng(7), stream([0.0] * 30)

    def month(gap):
        return [
            dataclasses.replace(hour, estimate=pair_estimate(*dependent(rng, kind, gap), alpha=0.05)) for hour in hours
        ]

    def announced(windows):
        return np.mean(
            [gap_power(one, RULE, gap=gap, n_windows=30, needed=80.0, n_runs=60).probability for one in windows]
        )

    def alarms(windows):
        state = RULE.detector.begin()
        for item in windows:
            state, found = RULE.detector.step(state, item, min_effect=0.02, direction="lower_is_better")
            if found.e_value >= 80 and found.relevant:
                return True
        return False

    quiet = [month(0.0) for _ in range(6)]
    found = np.mean([alarms(month(gap)) for _ in range(200)])
    assert announced(quiet) == pytest.approx(found, abs=0.12)
    alike = [[without(item, "n_effective") for item in one] for one in quiet]
    assert announced(alike) > found + 0.1


def without(item, key):
    """Return a measurement without one part of its detail."""
    detail = {name: value for name, value in item.estimate.detail.items() if name != key}
    return dataclasses.replace(item, estimate=dataclasses.replace(item.estimate, detail=detail))


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
