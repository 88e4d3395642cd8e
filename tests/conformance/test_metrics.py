"""Every metric: an empty window gives a reason, order and inputs do not matter, numbers are finite."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pandas
import pytest

from llmmon.metrics.base import ReferenceMetric, WindowData, metrics
from tests.conformance.examples import build
from tests.drifts import against, stored
from tests.windows import make_window

COUNTS = {"volume"}
"""Metrics for which an empty window has a value: nothing, counted, is 0."""

CHANGES = {
    "as_logged": {},
    "attribute_swap": {
        "rule": "attribute_swap", "attribute": "age", "groups": ["old", "young"], "from": "old", "to": "young"
    },
    "repeat": {"rule": "repeat"},
}  # fmt: skip
"""What the variants tell that they changed."""


def full_window(n: int, seed: int) -> WindowData:
    """Return a window in which every metric finds something to measure."""
    random = np.random.default_rng(seed)
    keys = range(seed * 10_000, seed * 10_000 + n)
    scores = [
        {
            "request_key": key,
            "lane": lane,
            "variant": variant,
            "value": float(random.integers(2)),
            "weight": float(random.choice([1.0, 2.0, 5.0])),
            "change": CHANGES[variant],
        }
        for key in keys
        for lane, variant in (
            ("logged", "as_logged"),
            ("reference", "as_logged"),
            ("reference", "attribute_swap"),
            ("reference", "repeat"),
        )
    ]
    probes = [
        {
            "prompt": f"prompt {index % 5}",
            "repeat": index // 5,
            "text": " ".join(random.choice(["yes", "no", "maybe", "never"], 6)),
            "first_logprobs": {"yes": -random.random(), "no": -1 - random.random()},
        }
        for index in range(n)
    ]
    reviews = [
        {
            "request_key": -key,
            "score": score,
            "label": float(random.random() < (0.9 if score else 0.2)),
            "weight": 1 + score,
        }
        for key, score in enumerate(random.integers(2, size=2 * n).astype(float))
    ]
    anchors = [{"fixed": float(value), "value": float(value) + 0.1 * random.random()} for value in random.random(n)]
    return make_window(
        n,
        first_key=seed * 10_000,
        scores=scores,
        probes=probes,
        reviews=reviews,
        anchors=anchors,
        route=random.choice(["chat", "code"], n),
        status=["error" if value else "ok" for value in random.random(n) < 0.1],
        response_text=[" ".join(random.choice(["yes", "no", "maybe", "never"], 12)) for _ in range(n)],
        n_output_tokens=random.integers(1, 300, n).astype(float),
        latency_ms=random.exponential(900, n) + 50,
        cost_usd=random.random(n),
        **{"group.age": random.choice(["old", "young"], n)},
    )


def shuffled(window: WindowData, seed: int) -> WindowData:
    """Return the same rows in another order."""
    return dataclasses.replace(
        window,
        requests=window.requests.sample(frac=1, random_state=seed),
        scores=window.scores.sample(frac=1, random_state=seed),
        responses=window.responses.sample(frac=1, random_state=seed),
        probes=window.probes.sample(frac=1, random_state=seed),
        reviews=window.reviews.sample(frac=1, random_state=seed),
        anchors=window.anchors.sample(frac=1, random_state=seed),
    )


CURRENT, REFERENCE, BIG = full_window(60, 1), full_window(150, 2), full_window(3000, 3)


@pytest.mark.parametrize("name", metrics.names())
def test_an_empty_window_gives_a_reason(name: str) -> None:
    """Without rows there is no value, whether or not there is a reference."""
    metric = build("metrics", name)
    for reference in (REFERENCE, make_window(), None):
        found = against(metric, make_window(), reference)
        assert (found.value is None) == (name not in COUNTS)
        assert found.reason
        assert found.n == 0


@pytest.mark.parametrize("name", metrics.names())
def test_a_full_window_gives_a_finite_value_inside_its_interval(name: str) -> None:
    """Value and interval are finite, ordered, and an absent bound has its reason."""
    found = against(build("metrics", name), CURRENT, REFERENCE)
    assert found.value is not None, found.reason
    assert found.n > 0
    for bound in (found.low, found.high):
        assert bound is None or math.isfinite(bound)
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.value <= found.high
    assert (found.low is not None and found.high is not None) or found.reason


@pytest.mark.parametrize("name", metrics.names())
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    """The same rows in another order give the same estimate, detail included."""
    metric = build("metrics", name)
    expected = against(metric, CURRENT, REFERENCE)
    found = against(metric, shuffled(CURRENT, 5), shuffled(REFERENCE, 6))
    assert (found.n, found.reason) == (expected.n, expected.reason)
    assert rounded(found.detail) == rounded(expected.detail)
    assert rounded([found.value, found.low, found.high]) == rounded([expected.value, expected.low, expected.high])


@pytest.mark.parametrize("name", metrics.names())
def test_inputs_stay_untouched_and_a_second_run_is_equal(name: str) -> None:
    """A metric changes nothing it was given and gives the same estimate again."""
    metric = build("metrics", name)
    before = [frame.copy(deep=True) for frame in frames(CURRENT) + frames(REFERENCE)]
    assert against(metric, CURRENT, REFERENCE) == against(metric, CURRENT, REFERENCE)
    for frame, copy in zip(frames(CURRENT) + frames(REFERENCE), before, strict=True):
        pandas.testing.assert_frame_equal(frame, copy)


@pytest.mark.parametrize("name", metrics.names())
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_rows_never_breaks(name: str, n: int) -> None:
    """One, two and three rows give an estimate or a reason."""
    found = against(build("metrics", name), full_window(n, 3), REFERENCE)
    assert found.value is not None or found.reason


@pytest.mark.parametrize("name", metrics.names())
def test_rows_that_are_all_equal_or_empty_never_break(name: str) -> None:
    """Constant columns, and columns without any value, give an estimate or a reason."""
    scores = [{"request_key": key, "value": 1.0, "change": {}} for key in range(20)]
    constant = make_window(20, scores=scores, latency_ms=5.0, n_output_tokens=3.0, cost_usd=0.1, **{"group.age": "old"})
    missing = make_window(20, response_text=None, prompt=None, route=None)
    metric = build("metrics", name)
    for window in (constant, missing):
        for reference in (constant, missing):
            found = against(metric, window, reference)
            assert found.value is not None or found.reason


@pytest.mark.parametrize("name", metrics.names())
def test_a_metric_that_compares_keeps_little_and_no_text(name: str) -> None:
    """A metric says whether it compares; what it keeps of many rows is small, and no word of a text is in it."""
    metric = build("metrics", name)
    assert isinstance(metric, ReferenceMetric) == metric.needs_reference
    if metric.needs_reference:
        kept = json.dumps(stored(metric, BIG))
        assert len(kept) < 100_000
        assert not any(word in kept for word in ("maybe", "never", "prime"))


def frames(window: WindowData) -> list[pandas.DataFrame]:
    """Return the frames of a window."""
    return [window.requests, window.scores, window.responses, window.probes, window.reviews, window.anchors]


def rounded(value: Any) -> Any:
    """Round every float to 10 digits: sums in another order differ in the last ones."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return round(value, 10) if isinstance(value, float) else value
