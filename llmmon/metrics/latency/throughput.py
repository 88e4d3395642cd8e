"""Requests or output tokens a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import require
from llmmon.metrics.intervals import finite
from llmmon.model import Direction, Estimate


@metrics.register("throughput")
@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """What was served per second of the window: requests that succeeded, or the tokens of their answers.

    Prefer ``volume`` for how much was asked, failures included.

    Parameters
    ----------
    of : str
        ``requests`` or ``output_tokens``, which needs the tokens of every request that succeeded.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "per second"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    of: str = "requests"

    def __post_init__(self) -> None:
        require("of", self.of, ("requests", "output_tokens"))

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the rate; it has no interval, because everything was counted. 0 when every request failed."""
        rows = current.requests
        if rows.empty:
            return Estimate.absent("no requests")
        served = rows[rows["status"] == "ok"]
        seconds = sum((window.end - window.start).total_seconds() for window in current.windows)
        detail = {"n_failed": len(rows) - len(served), "seconds": seconds}
        total = float(len(served))
        if self.of == "output_tokens":
            tokens, _ = finite(served["n_output_tokens"])
            if len(tokens) < len(served):
                missing = f"n_output_tokens is missing for {len(served) - len(tokens)} of {len(served)} requests"
                return Estimate.absent(f"{missing}: their sum is not known", n=len(tokens), detail=detail)
            total = float(tokens.sum())
        reason = "a full count has no sampling interval"
        return Estimate(value=total / seconds, n=len(served), reason=reason, detail=detail)
