"""Share of responses that have what a scorer looks for, corrected for the scorer's own errors by human labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.calibration import Labels, Verdicts, labels_for_width, prediction_powered, rogan_gladen
from llmmon.metrics.columns import AS_LOGGED, require, scored, why_no_scores
from llmmon.metrics.independence import Rows
from llmmon.metrics.rates import worth
from llmmon.model import LOGGED, Direction, Estimate

if TYPE_CHECKING:
    import pandas


@metrics.register("calibrated_rate")
@dataclass(frozen=True, kw_only=True, slots=True)
class CalibratedRate:
    """Share of requests that people would say yes to, from a scorer's verdicts and the labels of `review`.

    `score_rate` is the share of verdicts, right or wrong; this is what is left when the scorer's errors are taken out.
    Until there are enough labels there is no value, and the reason says how many are missing.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration.
    threshold : float
        A score beyond it is a yes: ``unsupported``, for a `groundedness` below 0.68, which is 1 less its own threshold.
    side : str
        ``below`` counts scores < `threshold`, ``above`` scores > `threshold`.
    method : str
        ``rogan_gladen`` holds when windows differ in how many responses are a yes; ``ppi``, prediction-powered
        inference, is sharper where they do not, and holds for a scorer that tells nothing.
    calibration_days : int
        Labels of requests that happened up to so many days before the window's end count.
    min_labels : int
        Fewer labels give no value.

    Notes
    -----
    Labels of another version or other parameters of the scorer are left out, and so are items that every reviewer
    found impossible to tell; both are counted in the detail. Items nobody has judged yet are taken to be like those
    drawn beside them that somebody has. ``effective_n`` is how many evenly drawn labels a plain rate would need for an
    interval as short. The formulas, the assumptions and the references are those of `llmmon.metrics.calibration`.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    scorer: str
    threshold: float
    side: str = "below"
    method: str = "rogan_gladen"
    calibration_days: int = 30
    min_labels: int = 50

    def __post_init__(self) -> None:
        require("side", self.side, ("below", "above"))
        require("method", self.method, ("rogan_gladen", "ppi"))
        if not math.isfinite(self.threshold):
            raise ValueError(f"threshold: expected a finite number, got {self.threshold}")
        if not 1 <= self.calibration_days <= 366:
            raise ValueError(f"calibration_days: expected 1 to 366 days, got {self.calibration_days}")
        if self.min_labels < 10:
            raise ValueError(f"min_labels: expected at least 10, got {self.min_labels}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the corrected share, or why it cannot be told."""
        rows = scored(current, self.scorer, LOGGED)
        if rows.empty:
            return Estimate.absent(why_no_scores(current, self.scorer, LOGGED, AS_LOGGED))
        reviews, detail = self._usable(current)
        missing = self.min_labels - len(reviews)
        if missing > 0:
            reason = f"uncalibrated: needs {missing} more labels"
            return Estimate.absent(reason, n=len(rows), detail={**detail, "uncalibrated": True})
        labels = Labels(
            score=reviews["score"].to_numpy(dtype=float),
            label=reviews["label"].to_numpy(dtype=float),
            weight=reviews["weight"].to_numpy(dtype=float),
        )
        verdicts = Verdicts(threshold=self.threshold, side=self.side)
        window = Rows.of(rows["value"], rows["weight"], rows["cluster"])
        called = Rows.of(verdicts.of(rows["value"].to_numpy(dtype=float)), rows["weight"], rows["cluster"])
        size = worth(*called.sizes())
        if self.method == "ppi":
            found = prediction_powered(window.values, window.weights, size, labels, verdicts)
        else:
            found = rogan_gladen(called.mean, size, labels, verdicts)
        detail |= {"method": self.method, **found.detail}
        if found.value is None or found.low is None or found.high is None:
            return Estimate.absent(str(found.reason), n=len(rows), detail={**detail, "uncalibrated": True})
        effective = labels_for_width(found.low, found.high)
        if math.isfinite(effective):
            detail["effective_n"] = round(effective, 1)
        return Estimate(value=found.value, n=len(rows), low=found.low, high=found.high, detail=detail)

    def _usable(self, current: WindowData) -> tuple[pandas.DataFrame, dict[str, Any]]:
        """Return the labels that count, and what became of the others."""
        end = max(window.end for window in current.windows)
        reviews = current.reviews
        inside = (reviews["occurred_at"] >= end - timedelta(days=self.calibration_days)) & (
            reviews["occurred_at"] < end
        )
        mine = reviews[inside & (reviews["scorer"] == self.scorer) & (reviews["lane"] == LOGGED)]
        told = mine[mine["label"].notna()]
        usable = told[told["same_judge"].astype(bool)].sort_values("request_key")
        detail: dict[str, Any] = {
            "n_labels": len(usable),
            "n_cannot_tell": len(mine) - len(told),
            "n_of_another_judge": len(told) - len(usable),
        }
        if len(usable):
            detail |= {
                "share_yes_of_labels": float(usable["label"].mean()),
                "labels_from": usable["occurred_at"].min().isoformat(),
                "labels_to": usable["occurred_at"].max().isoformat(),
                "last_decided_at": usable["decided_at"].max().isoformat(),
            }
        return usable, detail
