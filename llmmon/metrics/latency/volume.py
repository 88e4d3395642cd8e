"""Number of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.model import Direction, Estimate


@metrics.register("volume")
@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """Number of requests in the window; an empty window has 0, which is a count and not an absence."""

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "requests"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the count; it has no interval, because every request was counted."""
        n = len(current.requests)
        return Estimate(value=float(n), n=n, reason="a full count has no sampling interval")
