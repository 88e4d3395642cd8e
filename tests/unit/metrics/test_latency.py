"""Latency, errors, volume and cost."""

from __future__ import annotations

import numpy as np
import pytest

from llmmon.metrics.cost import Cost
from llmmon.metrics.latency.error_rate import ErrorRate
from llmmon.metrics.latency.exceedance_rate import ExceedanceRate
from llmmon.metrics.latency.latency_quantile import LatencyQuantile
from llmmon.metrics.latency.slo_bad_share import SloBadShare
from llmmon.metrics.latency.throughput import Throughput
from llmmon.metrics.latency.volume import Volume
from tests.drifts import against
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


def test_error_rate_of_a_type_is_a_share_of_all_requests() -> None:
    """Timeouts are found by a part of their name; other errors count as requests only."""
    types = ["APITimeoutError", "timeout", "429", None, None, None, None, None]
    window = make_window(8, status=["error"] * 3 + ["ok"] * 5, error_type=types)
    found = ErrorRate(error_type="timeout").compute(window, None)
    assert (found.value, found.n) == (0.25, 8)
    assert found.detail["error_types"] == {"APITimeoutError": 1, "timeout": 1}
    assert ErrorRate(error_type="gpu").compute(window, None).value == 0


def test_errors_of_one_user_count_less() -> None:
    """Twenty errors that all are one user's leave a wider interval than twenty users' errors."""
    status = ["error"] * 20 + ["ok"] * 180
    alone = ErrorRate().compute(make_window(200, status=status), None)
    users = [f"u{i // 20}" for i in range(200)]
    found = ErrorRate().compute(make_window(200, status=status, cluster=users), None)
    assert found.value == alone.value == 0.1
    assert found.high > 1.5 * alone.high
    assert found.detail["n_clusters"] == 10


def test_failed_requests_are_told_beside_latency() -> None:
    """A quantile says how many requests it does not speak of."""
    window = make_window(5, latency_ms=[10, 20, 30, 9999, 9999], status=["ok", "ok", "ok", "error", "error"])
    assert LatencyQuantile(quantile=0.5).compute(window, None).detail["n_failed"] == 2


def test_throughput_counts_what_was_served() -> None:
    """90 answers of 20 tokens in an hour are 0.025 requests and 0.5 tokens a second; failures give none."""
    status = ["ok"] * 90 + ["error"] * 10
    window = make_window(100, status=status, n_output_tokens=[20.0] * 90 + [np.nan] * 10)
    found = Throughput().compute(window, None)
    assert (found.value, found.n, found.detail["n_failed"]) == (0.025, 90, 10)
    assert Throughput(of="output_tokens").compute(window, None).value == 0.5
    missing = make_window(2, n_output_tokens=[5.0, np.nan])
    assert "missing for 1 of 2" in (Throughput(of="output_tokens").compute(missing, None).reason or "")
    assert Throughput().compute(make_window(3, status="error"), None).value == 0


def test_exceedance_rate_is_a_tenth_while_nothing_changes() -> None:
    """Against the reference's 90% quantile a tenth is slower; of a window twice as slow, more; failures are told."""
    metric = ExceedanceRate(quantile=0.9)
    reference = make_window(1000, latency_ms=np.arange(1.0, 1001))
    same = against(metric, make_window(200, latency_ms=np.arange(5.0, 1001, 5)), reference)
    assert same.value == 0.1
    assert same.detail["limit_ms"] == np.quantile(np.arange(1.0, 1001), 0.9)
    slow = against(metric, make_window(200, latency_ms=np.arange(10.0, 2001, 10)), reference)
    assert slow.value == 0.55
    failed = make_window(3, latency_ms=[1.0, 2000.0, 5000.0], status=["ok", "ok", "error"])
    assert (against(metric, failed, reference).value, against(metric, failed, reference).detail["n_failed"]) == (0.5, 1)
    nothing = against(metric, failed, make_window(3, status="error"))
    assert nothing.reason == "no latency_ms in the reference windows"


def test_slo_bad_share_by_hand() -> None:
    """Ten requests: three too slow, two failed, one without a latency: 5 of 9; without failures 3 of 7."""
    latency = [100, 200, 500, 2100, 3000, 9000, 100, np.nan, 50, 60]
    status = ["ok"] * 8 + ["error"] * 2
    window = make_window(10, latency_ms=latency, status=status)
    found = SloBadShare(limit_ms=2000).compute(window, None)
    assert (found.value, found.n) == (pytest.approx(5 / 9), 9)
    assert found.detail | {"n_too_slow": 3, "n_failed": 2, "n_unknown": 1} == found.detail
    assert SloBadShare(limit_ms=2000, fails_count=False).compute(window, None).value == pytest.approx(3 / 7)
    assert SloBadShare().compute(window, None).value == 0.2
    assert SloBadShare(limit_ms=10, fails_count=False).compute(make_window(2), None).value is None


def test_queueing_is_read_where_it_is_logged() -> None:
    """The time in the queue is a latency like the others, of logged requests."""
    window = make_window(3, queue_ms=[5.0, 7.0, np.nan])
    assert LatencyQuantile(field="queue_ms", quantile=0.5).compute(window, None).value == 6
    with pytest.raises(ValueError, match="logged requests only"):
        LatencyQuantile(field="queue_ms", lane="serving")
