"""How far a scorer moved on the responses that it judges again every day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Direction, Estimate


@metrics.register("anchor_shift")
@dataclass(frozen=True, kw_only=True, slots=True)
class AnchorShift:
    """Mean difference between what a scorer says of its anchors now and what it said when they were fixed.

    Anchors are responses that stay the same, so what moves is the judge: another version, another model behind an
    endpoint, another prompt. 0 is a judge that is what it was. Production's answers do not enter.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration.

    Notes
    -----
    Pairs of one anchor; the interval is that of a mean. A judge that says exactly the same of every anchor has not
    moved on them, and the interval is 0 to 0. A judge that answers with chance moves a little every day: what is usual
    is learnt by the detector. Anchors that the judge has no value for now are left out and counted.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "score difference"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    scorer: str

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the mean paired difference with its interval."""
        anchors = current.anchors
        mine = anchors[anchors["scorer"] == self.scorer]
        told = mine[mine["value"].notna()]
        if told.empty:
            why = f"the scorer has no value for any of its {len(mine)} anchors" if len(mine) else "no anchor was judged"
            return Estimate.absent(f"{why} for this window")
        moved = (told["value"] - told["fixed"]).to_numpy(dtype=float)
        detail = {
            "n_moved": int((moved != 0).sum()),
            "n_without_value": len(mine) - len(told),
            "judged_for": told["window_start"].max().isoformat(),
        }
        if not moved.any():
            return Estimate(value=0.0, n=len(moved), low=0.0, high=0.0, detail=detail)
        return mean_estimate(moved, detail=detail, may_be_rate=False)
