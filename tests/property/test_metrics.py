"""What metrics and scorers keep for any numbers and any text."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmmon.metrics import intervals
from llmmon.metrics.drift.ks_distance import ks_statistic
from llmmon.metrics.drift.quantile_grid import distribution, order_statistics, shares
from llmmon.model import Document, Estimate, Message, Scorable
from llmmon.scorers.base import scorers
from tests.conformance.examples import build

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0]), max_size=40)
N_MANY = 200_000
WEIGHTS = st.floats(1.0, 50.0)
# Presidio takes seconds to import and is not ours
OWN = [build("scorers", name) for name in scorers.names() if name != "pii"]


def is_sound(found: Estimate) -> bool:
    """Return whether an estimate is ordered and says why something is missing."""
    if found.value is None:
        return bool(found.reason)
    slack = 1e-9 * max(1.0, abs(found.value))
    ordered = (found.low is None or found.low <= found.value + slack) and (
        found.high is None or found.value <= found.high + slack
    )
    return ordered and ((found.low is not None and found.high is not None) or bool(found.reason))


@given(NUMBERS, st.data())
def test_means_and_quantiles_are_sound(values: list[float], data: st.DataObject) -> None:
    """Any numbers, with any weights, give an ordered estimate or a reason."""
    weights = data.draw(st.lists(WEIGHTS, min_size=len(values), max_size=len(values)))
    quantile = data.draw(st.floats(0.01, 0.99))
    for given_weights in (None, weights):
        assert is_sound(intervals.mean_estimate(values, given_weights))
        assert is_sound(intervals.quantile_estimate(values, quantile, given_weights))


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_rate(cases: int, n: int) -> None:
    """The interval lies in [0, 1] and holds the rate."""
    rate = min(cases, n) / n
    low, high = intervals.wilson(rate, n)
    assert 0 <= low <= rate <= high <= 1


@given(*[st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)] * 2)
def test_ks_equals_scipy_with_ties(first: list[float], second: list[float]) -> None:
    """Also with many ties the distance is scipy's, and the same the other way round."""
    a, b = np.array(first), np.array(second)
    ones_a, ones_b = np.ones(len(a)), np.ones(len(b))
    found, error = ks_statistic(a, ones_a, distribution(b, ones_b))
    assert error == 0
    assert math.isclose(found, stats.ks_2samp(a, b, method="asymp").statistic, abs_tol=1e-12)
    assert math.isclose(found, ks_statistic(b, ones_b, distribution(a, ones_a))[0], abs_tol=1e-12)


@given(*[st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 4)), min_size=1, max_size=12)] * 2)
def test_a_weight_counts_like_copies(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    """A value of weight three moves the distribution like three equal values."""
    sides = [np.array(side, dtype=float).T for side in (first, second)]
    copies = [np.repeat(values, weights.astype(int)) for values, weights in sides]
    weighted, _ = ks_statistic(*sides[0], distribution(*sides[1]))
    assert math.isclose(weighted, stats.ks_2samp(*copies, method="asymp").statistic, abs_tol=1e-9)


MANY_ROWS = (
    st.floats(1e-3, 4.0),
    st.floats(-300.0, 300.0),
    st.sampled_from(["as drawn", "rounded", "all alike", "some are 0", "some are negative"]),
    st.integers(0, 2**32 - 1),
)


def many_rows(spread: float, centre: float, kind: str, seed: int) -> intervals.Floats:
    """Return log-normal rows, changed as `kind` says."""
    random = np.random.default_rng(seed)
    values = np.exp(centre + spread * random.standard_normal(N_MANY))
    return {
        "as drawn": values,
        "rounded": np.ceil(values / np.exp(centre) * 20),
        "all alike": np.full(N_MANY, values[0]),
        "some are 0": np.where(random.random(N_MANY) < 0.1, 0.0, values),
        "some are negative": values - np.exp(centre),
    }[kind]


@settings(max_examples=30, deadline=None)
@given(*MANY_ROWS)
def test_many_rows_counted_in_cells_tell_their_error(spread: float, centre: float, kind: str, seed: int) -> None:
    """Whatever their scale and ties, shares of many rows are off by no more than they say, and zeros are sorted."""
    values = many_rows(spread, centre, kind, seed)
    at = np.concatenate([values[:300], 0.999 * values[:300], [values.min(), values.max(), -1.0, 0.0, np.inf]])
    below, upto, error = shares(values, at)
    ordered = np.sort(values)
    assert 0 <= error <= 1 / 4096
    assert np.abs(below - np.searchsorted(ordered, at, "left") / N_MANY).max() <= error + 1e-12
    assert np.abs(upto - np.searchsorted(ordered, at, "right") / N_MANY).max() <= error + 1e-12
    if kind in ("some are 0", "some are negative"):
        assert error == 0
    elif kind == "as drawn" and 0.5 < spread < 1.2:
        assert error > 0  # the cells were used


@settings(max_examples=30, deadline=None)
@given(*MANY_ROWS)
def test_ranks_among_many_rows_are_those_of_sorted_ones(spread: float, centre: float, kind: str, seed: int) -> None:
    """Whatever their scale and ties, the rows at some ranks are the same to the last bit as if all were sorted."""
    values = many_rows(spread, centre, kind, seed)
    for ranks in (np.array([0, N_MANY - 1]), np.arange(7, N_MANY, 191), np.arange(N_MANY)):
        np.testing.assert_array_equal(order_statistics(values, ranks), np.sort(values)[ranks])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=100))
def test_scorers_judge_any_text(text: str, document: str, reference: str) -> None:
    """Any text gets a value or a reason, and spans inside it."""
    response = Scorable(
        request_key=1,
        lane="logged",
        variant="as_logged",
        repeat=0,
        messages=(Message(role="user", content=document),),
        documents=(Document(content=document),),
        text=text,
        reference_answer=reference,
        siblings=(document, reference),
    )
    for scorer in OWN:
        score = scorer.score(response)
        assert (score.value is None) == (score.reason is not None)
        assert all(0 <= span.start < span.end <= len(text) for span in score.spans)
