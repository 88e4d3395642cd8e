"""Latency, errors, volume and cost."""

from __future__ import annotations

import numpy as np
import pytest

from llmmon.metrics.cost import Cost
from llmmon.metrics.latency.error_rate import ErrorRate
from llmmon.metrics.latency.latency_quantile import LatencyQuantile
from llmmon.metrics.latency.volume import Volume
from tests.windows import make_window


def test_failed_requests_never_enter_latency() -> None:
    """A quantile is that of the requests that succeeded."""
    window = make_window(5, latency_ms=[10, 20, 30, 9999, 9999], status=["ok", "ok", "ok", "error", "error"])
    found = LatencyQuantile(quantile=0.5).compute(window, None)
    assert (found.value, found.n) == (20, 3)


def test_tpot_is_time_after_the_first_token_per_further_token() -> None:
    """TPOT is (latency - TTFT) / (output tokens - 1); one-token answers have none."""
    window = make_window(3, latency_ms=[1100, 500, 100], ttft_ms=[100, 100, 100], n_output_tokens=[11, 5, 1])
    found = LatencyQuantile(field="tpot_ms", quantile=0.5).compute(window, None)
    assert (found.value, found.n) == (100, 2)


def test_replayed_latency_comes_from_its_lane() -> None:
    """A lane's TTFT uses its plain replays that succeeded, and nothing production logged."""
    replays = [
        {"request_key": 0, "lane": "serving", "ttft_ms": 50.0},
        {"request_key": 1, "lane": "serving", "ttft_ms": 70.0},
        {"request_key": 1, "lane": "serving", "ttft_ms": 999.0, "variant": "typo"},
        {"request_key": 2, "lane": "serving", "ttft_ms": 999.0, "reason": "timed out"},
        {"request_key": 2, "lane": "reference", "ttft_ms": 999.0},
    ]
    window = make_window(3, ttft_ms=1.0, responses=replays)
    found = LatencyQuantile(field="ttft_ms", quantile=0.5, lane="serving").compute(window, None)
    assert (found.value, found.n) == (60, 2)


def test_error_rate_counts_and_names_errors() -> None:
    """Two of eight failed: a quarter, with the exact interval and the types."""
    window = make_window(8, status=["error"] * 2 + ["ok"] * 6, error_type=["429", None] + [None] * 6)
    found = ErrorRate().compute(window, None)
    assert found.value == 0.25
    assert (found.low, found.high) == pytest.approx((0.0319, 0.6509), abs=1e-4)
    assert found.detail["error_types"] == {"429": 1, "unknown": 1}


def test_volume_of_an_empty_window_is_zero() -> None:
    """No requests is a count of 0, without an interval and with the reason why."""
    found = Volume().compute(make_window(), None)
    assert (found.value, found.low, found.reason) == (0, None, "a full count has no sampling interval")


def test_cost_mean_leaves_out_and_sum_refuses_missing_costs() -> None:
    """The mean is over logged costs; a sum over missing ones would be too low and is absent."""
    window = make_window(4, cost_usd=[0.1, 0.3, np.nan, 0.2])
    mean = Cost().compute(window, None)
    assert mean.value == pytest.approx(0.2)
    assert mean.detail["n_without_cost"] == 1
    total = Cost(statistic="sum").compute(window, None)
    assert total.value is None
    assert "missing for 1 of 4" in (total.reason or "")
    assert Cost(statistic="sum").compute(make_window(2, cost_usd=[0.1, 0.3]), None).value == pytest.approx(0.4)
    assert Cost().compute(make_window(2), None).reason == "no cost_usd is logged"
