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
    """Share of requests that failed before an answer, with its exact interval; how many of each type is in the detail.

    Parameters
    ----------
    error_type : str
        Only errors whose logged type has this in it, upper or lower case alike: ``timeout`` is in ``APITimeoutError``.
        Empty for every error. An error without a logged type is called ``unknown``.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    error_type: str = ""

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the share of all requests with status ``error`` and a type that is asked for."""
        rows = current.requests
        if rows.empty:
            return Estimate.absent("no requests")
        types = rows["error_type"].fillna("unknown").astype(str)
        failed = (rows["status"] == "error") & types.str.lower().str.contains(self.error_type.lower(), regex=False)
        counts = {str(name): int(n) for name, n in sorted(types[failed].value_counts().items())}
        return mean_estimate(failed, clusters=rows["cluster"], detail={"error_types": counts})
