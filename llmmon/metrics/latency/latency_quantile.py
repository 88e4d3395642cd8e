"""Quantile of a latency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import LATENCIES, require, rows_of
from llmmon.metrics.intervals import quantile_estimate
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("latency_quantile")
@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyQuantile:
    """Quantile of a latency over the requests that succeeded; failed ones never enter it.

    Parameters
    ----------
    field : str
        ``latency_ms`` end to end, ``ttft_ms`` to the first non-empty token, ``tpot_ms`` per output token after it:
        (latency - TTFT) / (output tokens - 1), or ``queue_ms`` before work began, where the log has it.
    quantile : float
        In (0, 1); 0.95 for the slowest twentieth.
    lane : str
        ``logged`` for what production measured, else a replay lane.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "ms"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    field: str = "latency_ms"
    quantile: float = 0.95
    lane: str = LOGGED

    def __post_init__(self) -> None:
        require("field", self.field, LATENCIES)
        if self.field == "queue_ms" and self.lane != LOGGED:
            raise ValueError(f"field: queue_ms is known of logged requests only, not on lane {self.lane!r}")
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile: expected a number between 0 and 1, got {self.quantile}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the quantile with its order-statistic interval."""
        values, weights, clusters = rows_of(current, self.field, self.lane)
        if not len(values):
            return Estimate.absent(f"no {self.field} on lane {self.lane!r}: not logged, or no request succeeded")
        found = quantile_estimate(values, self.quantile, weights, clusters)
        if self.lane != LOGGED:
            return found
        n_failed = int((current.requests["status"] != "ok").sum())
        return replace(found, detail={**found.detail, "n_failed": n_failed})
