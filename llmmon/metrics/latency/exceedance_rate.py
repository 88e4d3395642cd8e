"""Share of requests that are slower than the reference's slow ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import LATENCIES, require, rows_of
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Direction, Estimate


@metrics.register("exceedance_rate")
@dataclass(frozen=True, kw_only=True, slots=True)
class ExceedanceRate:
    """Share of requests slower than a quantile of the reference windows: 1 - `quantile` while nothing changes.

    It sees the tail that ``latency_quantile`` sees, but as a rate in [0, 1], which few rows bound: prefer it where a
    window has fewer than some 100 requests. Failed requests are not in it; their number is in the detail.

    Parameters
    ----------
    field : str
        ``latency_ms``, ``ttft_ms``, ``tpot_ms`` or ``queue_ms``.
    quantile : float
        In (0, 1), of the reference.

    Notes
    -----
    A value equal to the limit does not exceed it. The limit counts as known: its own error is the same in every window
    and cannot make one differ from another. The interval is exact, and allows for rows of one user.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "latency_ms"
    quantile: float = 0.9

    def __post_init__(self) -> None:
        require("field", self.field, LATENCIES)
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile: expected a number between 0 and 1, got {self.quantile}")

    def summarise(self, reference: WindowData) -> Summary:
        """Return the limit in ms and how many requests it comes from; no limit without requests."""
        values, _, _ = rows_of(reference, self.field)
        return {"n": len(values), "limit_ms": float(np.quantile(values, self.quantile)) if len(values) else None}

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the share of requests above the reference's limit."""
        values, _, clusters = rows_of(current, self.field)
        if not len(values):
            return Estimate.absent(f"no {self.field}: not logged, or no request succeeded")
        if reference is None or reference["limit_ms"] is None:
            return Estimate.absent(f"no {self.field} in the reference windows", n=len(values))
        detail = {
            "limit_ms": reference["limit_ms"],
            "n_reference": reference["n"],
            "n_failed": int((current.requests["status"] != "ok").sum()),
        }
        return mean_estimate(values > reference["limit_ms"], clusters=clusters, detail=detail)
