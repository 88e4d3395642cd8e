"""Intervals stay where values can be."""

from __future__ import annotations

import math

import pytest

from llmmon.config import MonitorConfig, PluginConfig
from llmmon.metrics.quality.score_mean import ScoreMean
from llmmon.pipeline.measure import estimate_of
from llmmon.pipeline.monitors import Monitor
from tests.windows import make_window, scored


def test_an_interval_is_cut_off_where_no_value_can_be() -> None:
    """The interval of ten scores with mean 0.94 reaches beyond 0.95; where that is the largest value it ends there."""
    window = make_window(10, scores=scored([1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9, 0.8], scorer="groundedness"))
    settings = MonitorConfig(
        metric=PluginConfig(type="score_mean", parameters={"scorer": "groundedness"}), min_effect=0
    )

    def measured(*value_range: float) -> tuple[float | None, float | None, float | None]:
        monitor = Monitor("m", ScoreMean(scorer="groundedness"), settings, "share", (value_range[0], value_range[1]), 1)
        found = estimate_of(monitor, window, None)
        return found.value, found.low, found.high

    free, cut = measured(-math.inf, math.inf), measured(0.0, 0.95)

    assert free[2] is not None
    assert free[2] > 0.95
    assert cut == (pytest.approx(0.94), free[1], 0.95)
