"""Cost of the requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import require
from llmmon.metrics.intervals import finite, mean_estimate
from llmmon.model import Direction, Estimate


@metrics.register("cost")
@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Cost in US dollars, per request or of the whole window, as logged.

    Parameters
    ----------
    statistic : str
        ``mean`` over the requests whose cost is logged, or ``sum``, which needs the cost of every request.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "USD"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    statistic: str = "mean"

    def __post_init__(self) -> None:
        require("statistic", self.statistic, ("mean", "sum"))

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the cost; a sum over requests some of whose costs are missing would be too low and is absent."""
        costs = current.requests["cost_usd"]
        values, _ = finite(costs)
        n_missing = len(current.requests) - len(values)
        if not len(values):
            return Estimate.absent("no cost_usd is logged" if n_missing else "no requests")
        detail = {"n_without_cost": n_missing}
        if self.statistic == "mean":
            return mean_estimate(costs, clusters=current.requests["cluster"], detail=detail)
        if n_missing:
            return Estimate.absent(
                f"cost_usd is missing for {n_missing} of {len(current.requests)} requests: their sum is not known",
                n=len(values),
                detail=detail,
            )
        total = float(np.sum(values))
        return Estimate(value=total, n=len(values), reason="a full sum has no sampling interval", detail=detail)
