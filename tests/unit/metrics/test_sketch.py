"""The sketch of latencies keeps its error bound and merges by adding counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmon.metrics.sketch import ACCURACY, Sketch, buckets_of

LEVELS = (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0)


@given(st.lists(st.floats(1e-5, 1e9), min_size=1, max_size=60))
def test_quantiles_are_within_one_percent_of_numpys(values: list[float]) -> None:
    """Whatever the values, each quantile lies within 1% of the exact one, interpolation included."""
    sketch = Sketch.of(values)
    assert sketch.n == len(values)
    for level in LEVELS:
        exact = np.quantile(values, level)
        assert abs(sketch.quantile(level) - exact) <= exact * (ACCURACY + 1e-9)


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_the_tail_of_a_million_is_within_one_percent(sigma: float) -> None:
    """A heavy tail costs no accuracy, and some hundred buckets hold a million values."""
    values = np.random.default_rng(1).lognormal(6, sigma, 1_000_000)
    sketch = Sketch.of(values)
    for level in LEVELS:
        assert sketch.quantile(level) == pytest.approx(np.quantile(values, level), rel=ACCURACY)
    assert len(sketch.buckets) < 800


def test_sketches_merge_by_adding_counts() -> None:
    """Two halves together hold what the whole holds, bucket by bucket; zeros have a bucket of their own."""
    values = np.concatenate([np.random.default_rng(2).lognormal(6, 1, 1000), np.zeros(50)])
    whole, halves = Sketch.of(values), [Sketch.of(values[::2]), Sketch.of(values[1::2])]
    merged: dict[int, int] = {}
    for half in halves:
        for bucket, count in zip(half.buckets, half.counts, strict=True):
            merged[int(bucket)] = merged.get(int(bucket), 0) + int(count)
    assert merged == dict(zip(whole.buckets.tolist(), whole.counts.tolist(), strict=True))
    assert whole.quantile(0.01) == 0


def test_every_value_lies_in_its_bucket() -> None:
    """Bucket b holds (g^(b-1), g^b] with g = 1.01 / 0.99."""
    values = np.random.default_rng(3).lognormal(3, 3, 1000)
    upper = (1.01 / 0.99) ** buckets_of(values)
    assert np.all(values <= upper * (1 + 1e-12))
    assert np.all(values > upper / (1.01 / 0.99) * (1 - 1e-12))
