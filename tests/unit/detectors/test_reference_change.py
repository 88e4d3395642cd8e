"""The change detector against its formula, computed another way, and on hand-made streams."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from scipy import integrate, stats

from llmmon.detectors.base import fold
from llmmon.detectors.reference_change import EFFECT_VARIANCES, ReferenceChange
from llmmon.errors import ConfigError
from llmmon.model import Direction
from tests.unit.detectors.streams import stream

CALM = [0.017, 0.02, 0.012, 0.018, 0.016]


def bayes_factor(before: list[float], after: list[float], g: float) -> float:
    """Return the two-sample Bayes factor of Gonen et al. (2005) from scipy's t statistic."""
    n1, n2 = len(before), len(after)
    nu, n_delta = n1 + n2 - 2, n1 * n2 / (n1 + n2)
    # scipy.stats.ttest_ind needs a variance in each sample; the pooled statistic needs it in both together
    pooled = sum(float(np.sum((np.array(part) - np.mean(part)) ** 2)) for part in (before, after)) / nu
    t = float(np.mean(after) - np.mean(before)) / math.sqrt(pooled / n_delta)
    marginal = stats.t(nu, scale=math.sqrt(1 + n_delta * g))
    return float(marginal.pdf(t) / stats.t(nu).pdf(t))


def test_evidence_is_the_mixture_of_bayes_factors() -> None:
    """M_t equals the weighted sum of two-sample Bayes factors, written as ratios of Student t densities."""
    values = [*CALM, 0.03, 0.10, 0.11]
    evidence = fold(ReferenceChange(burn_in=5), stream(values), min_effect=0, direction="neither")

    for n in (6, 7, 8):
        expected = 1 / (n - 5 + 1)
        for tested, split in enumerate(range(5, n), start=1):
            factor = np.mean([bayes_factor(values[:split], values[split:n], g) for g in EFFECT_VARIANCES])
            expected += factor / (tested * (tested + 1))
        assert evidence[n - 1].e_value == pytest.approx(expected, rel=1e-9)


def test_bayes_factor_is_the_integral_it_claims_to_be() -> None:
    """Integrating the noncentral t likelihood over the prior of the shift gives the closed form."""
    before, after, g = [1.0, 2.0, 1.5, 1.2], [2.6, 2.4], 1.0
    n1, n2 = len(before), len(after)
    nu, n_delta = n1 + n2 - 2, n1 * n2 / (n1 + n2)
    t = float(stats.ttest_ind(after, before).statistic)
    integral, _ = integrate.quad(
        lambda delta: stats.nct.pdf(t, nu, delta * math.sqrt(n_delta)) * stats.norm.pdf(delta, scale=math.sqrt(g)),
        -8, 8, limit=200,
    )  # fmt: skip
    assert integral / stats.t.pdf(t, nu) == pytest.approx(bayes_factor(before, after, g), rel=1e-6)


def test_learning_windows_have_a_reason_and_no_evidence() -> None:
    """The reference windows are learnt from; an absent window counts neither for nor against."""
    values = [0.017, None, 0.02, 0.012, 0.018, 0.016, 0.015]
    evidence = fold(ReferenceChange(burn_in=5), stream(values), min_effect=0.1, direction="lower_is_better")

    assert [item.reason for item in evidence] == [
        "learning: reference window 1 of 5",
        "no value: no requests",
        *[f"learning: reference window {k} of 5" for k in (2, 3, 4, 5)],
        None,
    ]
    assert [item.e_value is None for item in evidence] == [True] * 6 + [False]
    assert evidence[6].reference_value == pytest.approx(np.mean(CALM))


def test_a_large_shift_is_found_in_its_first_window() -> None:
    """Refusals that jump from 2% to 77% give overwhelming evidence at once, in percent as in fractions."""
    values = [*CALM, 0.018, 0.769]
    fractions = fold(
        ReferenceChange(burn_in=5),
        stream(values, half_width=0.02),
        min_effect=0.1,
        direction="lower_is_better",
    )
    percent = fold(
        ReferenceChange(burn_in=5),
        stream([100 * value for value in values], half_width=2),
        min_effect=10,
        direction="lower_is_better",
    )

    assert fractions[-1].e_value is not None
    assert fractions[-1].e_value > 1e3
    assert fractions[-1].relevant
    assert not fractions[-2].relevant
    assert fractions[-1].detail["likeliest_start"] == "2023-06-27T11:00:00"
    assert percent[-1].e_value == pytest.approx(fractions[-1].e_value, rel=1e-6)


def test_a_noisy_window_is_not_surprising() -> None:
    """The same jump with wide intervals is hardly evidence: the floor is the windows' own error."""
    values = [*CALM, 0.06]
    sharp, noisy = (
        fold(ReferenceChange(burn_in=5), stream(values, half_width=width), min_effect=0, direction="neither")[-1]
        for width in (None, 0.2)
    )
    assert sharp.e_value is not None
    assert noisy.e_value is not None
    assert noisy.e_value < 1 < sharp.e_value


def test_a_constant_stream_is_no_evidence_and_a_step_from_it_is_finite() -> None:
    """Without any variation nothing divides by zero, and evidence stays finite."""
    evidence = fold(ReferenceChange(burn_in=3), stream([0.1] * 40), min_effect=0, direction="neither")
    assert all(item.e_value is not None and item.e_value <= 1 for item in evidence[3:])

    step = fold(ReferenceChange(burn_in=3), stream([0.1] * 6 + [0.3] * 400), min_effect=0, direction="neither")
    found = [item.e_value for item in step[6:] if item.e_value is not None]
    assert len(found) == 400
    assert found[0] > 20
    assert all(later >= earlier for earlier, later in itertools.pairwise(found))
    assert all(math.isfinite(value) for value in found)


def test_a_level_that_is_large_beside_its_variation_loses_no_precision() -> None:
    """Adding 1e9 to every value changes the evidence by rounding only."""
    values = [3.0, 4.0, 2.0, 5.0, 3.0, 9.0]
    near, far = (
        fold(ReferenceChange(burn_in=3), stream([value + level for value in values]), min_effect=0, direction="neither")
        for level in (0.0, 1e9)
    )
    assert far[-1].e_value == pytest.approx(near[-1].e_value, rel=1e-6)


@pytest.mark.parametrize(
    ("sides", "direction", "value", "relevant"),
    [
        ("both", "lower_is_better", 0.0, True),
        ("worse", "lower_is_better", 0.0, False),
        ("worse", "lower_is_better", 2.0, True),
        ("worse", "higher_is_better", 0.0, True),
        ("worse", "higher_is_better", 2.0, False),
    ],
)
def test_a_change_for_the_better_counts_only_where_asked(
    sides: str, direction: Direction, value: float, relevant: bool
) -> None:
    """With sides = "worse" a change in the good direction is not relevant; its evidence is the same."""
    detector = ReferenceChange(burn_in=3, sides=sides)  # type: ignore[arg-type]
    last = fold(detector, stream([1.0, 1.1, 0.9, value]), min_effect=0.5, direction=direction)[-1]
    assert last.relevant is relevant


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_state_of_a_long_stream_is_small_and_its_evidence_hardly_lower(shift: float) -> None:
    """After 2,000 windows some hundred starts are kept; the evidence is at most that of all starts, and near it."""
    random = np.random.default_rng(17)
    values = random.normal(50, 4, 2000)
    values[1500:] += shift
    detector = ReferenceChange(burn_in=24)
    state = detector.begin()
    sizes = []
    for item in stream(values.tolist()):
        state, evidence = detector.step(state, item, min_effect=0, direction="neither")
        sizes.append(len(json.dumps(state)))
    assert len(state["starts"]) <= 64 + 8 * 5 + 8 + 4
    assert max(sizes) < 8000

    x = values - values[0]
    n1 = np.arange(24, 2000)
    terms = np.array([log_bayes_factor(x, int(n)) for n in n1]) - np.log((n1 - 23) * (n1 - 22))
    whole = float(np.logaddexp(np.logaddexp.reduce(terms), -math.log(1977)))
    assert evidence.e_value is not None
    assert whole - 2 < math.log(evidence.e_value) <= whole


def log_bayes_factor(x: np.ndarray, n1: int) -> float:
    """Return the logarithm of the Bayes factor for a change at `n1`, from all values."""
    n = len(x)
    n_delta = n1 * (n - n1) / n
    between = n_delta * (x[n1:].mean() - x[:n1].mean()) ** 2
    within = ((x[:n1] - x[:n1].mean()) ** 2).sum() + ((x[n1:] - x[n1:].mean()) ** 2).sum()
    shrink = 1 + n_delta * EFFECT_VARIANCES
    factors = (n - 1) / 2 * np.log((within + between) / (within + between / shrink)) - np.log(shrink) / 2
    return float(np.logaddexp.reduce(factors)) - math.log(len(EFFECT_VARIANCES))


def test_worse_needs_a_metric_with_a_direction() -> None:
    """Asking for changes for the worse of a metric without direction is a configuration error."""
    with pytest.raises(ConfigError, match="sides = 'worse'"):
        fold(ReferenceChange(burn_in=3, sides="worse"), stream([1.0]), min_effect=0, direction="neither")


@pytest.mark.parametrize("parameters", [{"burn_in": 2}, {"burn_in": 5, "sides": "up"}])
def test_impossible_parameters_are_refused(parameters: dict[str, object]) -> None:
    """Too short a burn-in and an unknown side raise ValueError."""
    with pytest.raises(ValueError, match=r"at least 3|sides is 'up'"):
        ReferenceChange(**parameters)  # type: ignore[arg-type]
