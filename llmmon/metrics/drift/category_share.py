"""Share of one category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import CATEGORIES, require
from llmmon.metrics.intervals import wilson
from llmmon.model import Direction, Estimate


@metrics.register("category_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryShare:
    """Share of the requests that have one category, such as one language, route or finish reason.

    Prefer `jensen_shannon` to watch the whole mix, and this to watch the one category that matters: its value is read
    without a reference, and its direction of change is seen.

    Parameters
    ----------
    field : str
        Categorical column of the request log.
    category : str
        Its value, as logged.

    Notes
    -----
    Failed requests count, requests without a value do not. A category that no request of the window has gives 0 of n,
    with Wilson's interval.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    field: str
    category: str

    def __post_init__(self) -> None:
        require("field", self.field, CATEGORIES)

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the share with its interval."""
        values = current.requests[self.field].dropna()
        n = len(values)
        if not n:
            return Estimate.absent(f"no {self.field} in this window")
        share = float((values == self.category).mean())
        low, high = wilson(share, n)
        return Estimate(value=share, n=n, low=low, high=high, detail={"interval": "wilson"})
