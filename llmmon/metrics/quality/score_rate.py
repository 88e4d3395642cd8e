"""Share of responses whose score passes a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import AS_LOGGED, require, scored, why_no_scores
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("score_rate")
@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRate:
    """Share of requests whose score is beyond a limit, such as answers with less than half their sentences supported.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration.
    limit : float
        In the scorer's unit.
    side : str
        ``below`` counts values < `limit`, ``above`` values > `limit`.
    lane, variant : str
        Which responses; ``logged`` is what production answered.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    scorer: str
    limit: float
    side: str = "below"
    lane: str = LOGGED
    variant: str = AS_LOGGED

    def __post_init__(self) -> None:
        require("side", self.side, ("below", "above"))
        if not math.isfinite(self.limit):
            raise ValueError(f"limit: expected a finite number, got {self.limit}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the weighted share with its interval."""
        rows = scored(current, self.scorer, self.lane, self.variant)
        if rows.empty:
            return Estimate.absent(why_no_scores(current, self.scorer, self.lane, self.variant))
        beyond = rows["value"] < self.limit if self.side == "below" else rows["value"] > self.limit
        return mean_estimate(beyond, rows["weight"], rows["cluster"])
