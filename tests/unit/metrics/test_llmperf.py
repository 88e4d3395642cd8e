"""The published quantiles of the LLMPerf leaderboard (19 December 2023), from its raw requests."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmmon.metrics.base import WindowData
from llmmon.metrics.latency.error_rate import ErrorRate
from llmmon.metrics.latency.latency_quantile import LatencyQuantile
from llmmon.metrics.sketch import Sketch
from tests.windows import make_window

FIELDS = {"ttft_ms": "ttft_s", "latency_ms": "end_to_end_latency_s"}
LEVELS = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def read(name: str) -> list[dict[str, Any]]:
    """Read one of the set's files."""
    path = Path(os.environ["LLMMON_DATA"], "latency_llmperf_2023", name)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def window_of(rows: list[dict[str, Any]]) -> WindowData:
    """Return requests of one endpoint as a window, failed ones with the latencies that mean nothing."""
    failed = [row["error_code"] is not None for row in rows]
    columns = {
        name: [np.nan if row[given] is None else 1000 * row[given] for row in rows] for name, given in FIELDS.items()
    }
    return make_window(
        len(rows),
        status=["error" if each else "ok" for each in failed],
        error_type=[None if row["error_code"] is None else str(row["error_code"]) for row in rows],
        **columns,
    )


@pytest.mark.skipif("LLMMON_DATA" not in os.environ, reason="LLMMON_DATA names no folder of public data")
def test_published_quantiles_and_errors() -> None:
    """Quantiles equal the published ones to nine digits, the sketch's to 1%; errors are counted apart."""
    requests, published = read("requests.jsonl.gz"), read("provider_summary.jsonl.gz")
    assert len(published) == 13
    for summary in published:
        rows = [row for row in requests if all(row[key] == summary[key] for key in ("provider", "model_size"))]
        window = window_of(rows)
        for field, given in FIELDS.items():
            answered = window.requests.loc[window.requests["status"] == "ok", field]
            for name, level in LEVELS.items():
                expected = 1000 * summary[f"results_{given}_quantiles_{name}"]
                assert LatencyQuantile(field=field, quantile=level).compute(window, None).value == pytest.approx(
                    expected, rel=1e-9
                )
                assert Sketch.of(answered).quantile(level) == pytest.approx(expected, rel=0.01)
        errors = ErrorRate().compute(window, None)
        assert round(errors.value * errors.n) == summary["results_number_errors"]
        assert sum(errors.detail["error_types"].values()) == summary["results_number_errors"]
    assert Counter(row["error_code"] for row in requests if row["error_code"] is not None)[429] == 262
