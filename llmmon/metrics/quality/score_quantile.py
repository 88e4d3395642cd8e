"""Quantile of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import AS_LOGGED, scored, why_no_scores
from llmmon.metrics.intervals import quantile_estimate
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("score_quantile")
@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreQuantile:
    """Quantile of a scorer's values over requests.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration.
    quantile : float
        In (0, 1).
    lane, variant : str
        Which responses; ``logged`` is what production answered.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "score"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    scorer: str
    quantile: float = 0.5
    lane: str = LOGGED
    variant: str = AS_LOGGED

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile: expected a number between 0 and 1, got {self.quantile}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the weighted quantile with a distribution-free interval."""
        rows = scored(current, self.scorer, self.lane, self.variant)
        if rows.empty:
            return Estimate.absent(why_no_scores(current, self.scorer, self.lane, self.variant))
        return quantile_estimate(rows["value"], self.quantile, rows["weight"], rows["cluster"])
