"""Share of requests that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Direction, Estimate


@metrics.register("error_rate")
@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorRate:
    """Share of requests that failed before an answer, with Wilson's interval; the error types are in the detail."""

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the share of requests with status ``error``."""
        failed = current.requests["status"] == "error"
        if not len(failed):
            return Estimate.absent("no requests")
        types = current.requests.loc[failed, "error_type"].fillna("unknown").value_counts()
        return mean_estimate(failed, detail={"error_types": {str(k): int(v) for k, v in sorted(types.items())}})
