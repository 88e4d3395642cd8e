"""Mean of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import AS_LOGGED, scored, why_no_scores
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("score_mean")
@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreMean:
    """Mean of a scorer's values: a rate where they are 0 or 1.

    Repeats of a request are averaged first, so that n counts requests; scores of a sample are weighted by the inverse
    of their inclusion probability.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration.
    lane, variant : str
        Which responses; ``logged`` is what production answered.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "score"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    scorer: str
    lane: str = LOGGED
    variant: str = AS_LOGGED

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the weighted mean with its interval."""
        rows = scored(current, self.scorer, self.lane, self.variant)
        if rows.empty:
            return Estimate.absent(why_no_scores(current, self.scorer, self.lane, self.variant))
        return mean_estimate(rows["value"], rows["weight"], rows["cluster"])
