"""What value a request has under each kind of metric, on every lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llmmon.metrics.base import metrics
from llmmon.pipeline.attribute_change import tell
from llmmon.pipeline.request_values import NoReading, Reading, reading_of
from tests.windows import make_window, scored


def _read(metric: str, parameters: dict[str, Any], before: Any, now: Any) -> Reading | NoReading:
    return reading_of(metrics.create(metric, parameters, where="test"), "unit", before, now)


@pytest.mark.parametrize(
    ("metric", "parameters", "expected"),
    [
        # the reference's values are 0, 1, ..., 9: their median is 4.5
        ("latency_quantile", {"quantile": 0.5}, [0.0, 1.0]),
        # below 4 of them and equal to one: (4 + 5) / 20; 12 is above all
        ("ks_distance", {"field": "latency_ms"}, [0.45, 1.0]),
        ("slo_bad_share", {"limit_ms": 5.0}, [0.0, 1.0]),
        ("cost", {}, [0.1, 0.3]),
        ("error_rate", {}, [0.0, 0.0]),
        ("text_statistic", {"statistic": "n_words"}, [2.0, 3.0]),
    ],
)
def test_values_by_hand(metric: str, parameters: dict[str, Any], expected: list[float]) -> None:
    """Quantiles become exceedance, distances ranks; costs, failures and statistics of text stay as they are."""
    before = make_window(10, latency_ms=np.arange(10.0), cost_usd=0.1)
    now = make_window(
        2, latency_ms=np.array([4.0, 12.0]), cost_usd=np.array([0.1, 0.3]), response_text=["a b", "a b c"]
    )

    reading = _read(metric, parameters, before, now)

    assert isinstance(reading, Reading)
    assert reading.observed(now).tolist() == pytest.approx(expected)


def test_scores_and_rates_of_scores() -> None:
    """A score is itself; beyond a limit it is 1. Repeats of a replay are numbered after the plain answer."""
    replays = [
        {"request_key": 0, "lane": "serving", "value": 0.2},
        {"request_key": 0, "lane": "serving", "variant": "repeat", "repeat": 0, "value": 0.9},
        {"request_key": 0, "lane": "serving", "variant": "typo", "value": 0.7},
    ]
    window = make_window(2, scores=[*scored([0.1, 0.8]), *({"scorer": "refusal", **row} for row in replays)])
    plain = _read("score_mean", {"scorer": "refusal"}, window, window)
    rate = _read("score_rate", {"scorer": "refusal", "limit": 0.5, "side": "above"}, window, window)

    assert isinstance(plain, Reading)
    assert isinstance(rate, Reading)
    assert plain.observed(window).tolist() == [0.1, 0.8]
    assert rate.observed(window).tolist() == [0.0, 1.0]
    assert plain.answers(window, "serving")[["repeat", "value"]].to_numpy().tolist() == [[0, 0.2], [1, 0.9]]


@pytest.mark.parametrize(
    ("metric", "parameters", "is_traffic"),
    [
        ("jensen_shannon", {"field": "route"}, True),
        ("embedding_drift", {"field": "prompt"}, True),
        ("jensen_shannon", {"field": "finish_reason"}, False),
        ("volume", {}, True),
        ("impact_ratio", {"scorer": "refusal", "group": "age"}, False),
    ],
)
def test_what_has_no_value_per_request_says_why(metric: str, parameters: dict[str, Any], is_traffic: bool) -> None:
    """What is part of the requests is traffic by what it is; what compares requests with each other cannot be split."""
    window = make_window(30)

    reading = _read(metric, parameters, window, window)

    assert isinstance(reading, NoReading)
    assert reading.is_traffic is is_traffic
    told = tell(window, window, reading, judged_again=None, serving=None, reference=None, strata=())
    assert told.cause == ("traffic" if is_traffic else None)


def test_wording_tells_texts_it_has_not_seen() -> None:
    """Answers with other words read like now, near 1; a replay that still has the old words reads like before."""
    before = make_window(60, response_text=[f"the answer is {i} apples" for i in range(60)])
    old = [{"request_key": key, "text": f"the answer is {key} apples"} for key in range(100, 160)]
    now = make_window(60, first_key=100, response_text=[f"sorry I cannot say {i}" for i in range(60)], responses=old)

    reading = _read("embedding_drift", {"field": "response_text"}, before, now)

    assert isinstance(reading, Reading)
    assert reading.observed(before).mean() < 0.1
    assert reading.observed(now).mean() > 0.9
    assert reading.answers(now, "reference")["value"].mean() < 0.1


@pytest.mark.parametrize(
    ("n", "offset", "note"),
    [
        (30, 95.0, "already in the reference windows"),  # always another model
        (6, 0.0, "has not shown yet"),  # the same, but six replays that vary by 60 words do not show it
        (60, 0.0, None),
    ],
)
def test_a_serving_lane_counts_once_it_has_answered_like_production(n: int, offset: float, note: str | None) -> None:
    """A lane that may be another model is not taken for production asked again, and the note says why."""

    def side(first: int, logged: float, serving: float) -> Any:
        keys = range(first, first + n)
        scores = [{"request_key": k, "lane": "logged", "scorer": "words", "value": logged + k % 3 * 30} for k in keys]
        scores += [
            {"request_key": k, "lane": "serving", "scorer": "words", "value": serving + k // 3 % 3 * 30} for k in keys
        ]
        responses = [{"request_key": key, "lane": "serving"} for key in keys]
        return make_window(n, first_key=first, scores=scores, responses=responses)

    before, now = side(0, 100.0, 100.0 - offset), side(n, 50.0, 50.0)
    reading = _read("score_mean", {"scorer": "words"}, before, now)
    told = tell(before, now, reading, judged_again=None, serving="serving", reference=None, strata=("route",))

    assert told.lanes["serving"] == (None if note else "serving")
    assert note is None or any(note in found for found in told.notes)
