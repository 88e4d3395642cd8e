"""Drift metrics against scipy and hand-worked values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from llmmon.metrics.drift.embedding_drift import EmbeddingDrift
from llmmon.metrics.drift.jensen_shannon import JensenShannon
from llmmon.metrics.drift.ks_distance import KsDistance
from llmmon.metrics.drift.psi import Psi
from llmmon.metrics.drift.text_statistic import TextStatistic
from tests.drifts import against
from tests.windows import make_window

WORDS = np.array(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"])


def texts(n: int, seed: int, first: float = 0.1) -> list[str]:
    """Return texts of 20 words in which the first word of the list has the given share."""
    random = np.random.default_rng(seed)
    shares = [first, *[(1 - first) / 9] * 9]
    return [" ".join(random.choice(WORDS, 20, p=shares)) for _ in range(n)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rounding", [0, 3])
def test_ks_equals_scipy(seed: int, rounding: int) -> None:
    """The distance is scipy's, with ties too."""
    random = np.random.default_rng(seed)
    values, others = random.gamma(2, 5, 83).round(rounding), random.gamma(2.3, 5, 211).round(rounding)
    found = against(
        KsDistance(field="latency_ms"), make_window(83, latency_ms=values), make_window(211, latency_ms=others)
    )
    assert found.value == pytest.approx(stats.ks_2samp(values, others).statistic, abs=1e-12)
    assert found.low <= found.value <= found.high


def test_ks_interval_covers_the_true_distance() -> None:
    """Massart's interval covers the distance of two known normals at least 95% of the time."""
    truth = 2 * stats.norm.cdf(0.25) - 1
    random = np.random.default_rng(8)
    hits = 0
    for _ in range(200):
        found = against(
            KsDistance(field="latency_ms"),
            make_window(60, latency_ms=random.normal(0, 1, 60)),
            make_window(120, latency_ms=random.normal(0.5, 1, 120)),
        )
        hits += found.low <= truth <= found.high
    assert hits >= 190


def test_psi_equals_the_formula_with_half_a_row_added() -> None:
    """Counts 10, 30, 60 against 50, 30, 20 give the hand-worked index."""
    current = make_window(100, route=["a"] * 10 + ["b"] * 30 + ["c"] * 60)
    reference = make_window(100, route=["a"] * 50 + ["b"] * 30 + ["c"] * 20)
    p, q = (np.array(side) / 101.5 for side in ((10.5, 30.5, 60.5), (50.5, 30.5, 20.5)))
    expected = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    found = against(Psi(field="route"), current, reference)
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


def test_psi_of_a_new_category_is_finite() -> None:
    """A category that only one side has counts as rare, not as impossible."""
    found = against(Psi(field="route"), make_window(20, route="new"), make_window(20, route="old"))
    assert math.isfinite(found.value)
    assert found.value > 1


def test_psi_sees_a_value_move_away_from_a_point_mass() -> None:
    """Where the reference is one value, values below and above it fall into bins of their own."""
    reference = make_window(50, latency_ms=5.0)
    for moved in (4.0, 6.0):
        assert against(Psi(field="latency_ms"), make_window(50, latency_ms=moved), reference).value > 1
    assert against(Psi(field="latency_ms"), make_window(50, latency_ms=5.0), reference).value == pytest.approx(0)


def test_jensen_shannon_equals_scipy() -> None:
    """The divergence is the square of scipy's distance in base 2."""
    current = make_window(10, route=["a"] * 7 + ["b"] * 3)
    reference = make_window(20, route=["a"] * 5 + ["c"] * 15)
    expected = jensenshannon([0.7, 0.3, 0.0], [0.25, 0.0, 0.75], base=2) ** 2
    assert against(JensenShannon(), current, reference).value == pytest.approx(expected)


def test_embedding_drift_is_silent_on_the_same_source() -> None:
    """Over 40 pairs of windows from one source the interval holds 0.5 about 95% of the time."""
    hits = 0
    values = []
    for seed in range(40):
        current = make_window(60, response_text=texts(60, 2 * seed), first_key=10_000 * seed)
        reference = make_window(150, response_text=texts(150, 2 * seed + 1), first_key=10_000 * seed + 5000)
        found = against(EmbeddingDrift(), current, reference)
        values.append(found.detail["distance"])
        hits += found.low <= 0.5 <= found.high
    assert abs(np.mean(values)) < 0.06
    assert hits >= 36


def test_embedding_drift_sees_another_vocabulary() -> None:
    """One word becoming common is found, and quite other texts are told apart completely."""
    reference = make_window(150, response_text=texts(150, 1), first_key=5000)
    changed = against(EmbeddingDrift(), make_window(100, response_text=texts(100, 2, first=0.4)), reference)
    assert changed.low > 0.8
    other = against(EmbeddingDrift(), make_window(50, response_text="No."), reference)
    assert other.value > 0.99
    assert other.low > 0.9


def test_the_same_texts_on_both_sides_are_no_drift() -> None:
    """Where every text of the window is in the reference too, the classifier is misled and the value is 0.5."""
    same = texts(80, 9)
    found = against(EmbeddingDrift(), make_window(80, prompt=same), make_window(80, prompt=same, first_key=500))
    assert (
        against(EmbeddingDrift(field="prompt"), make_window(80, prompt=same), make_window(80, prompt=same)).value == 0.5
    )
    assert found.value == 0.5
    assert found.low < 0.5 < found.high


def test_text_statistic_is_a_mean_over_texts() -> None:
    """Words per text of three answers, hand-counted; an absent answer is left out."""
    window = make_window(4, response_text=["one two", "one", "one two three", None])
    found = TextStatistic().compute(window, None)
    assert (found.value, found.n) == (2, 3)
    code = TextStatistic(statistic="has_code").compute(make_window(2, response_text=["```x```", "x"]), None)
    assert code.value == 0.5
