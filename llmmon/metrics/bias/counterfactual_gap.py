"""What swapping a group in the prompt does to the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import AS_LOGGED
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Direction, Estimate


@metrics.register("counterfactual_gap")
@dataclass(frozen=True, kw_only=True, slots=True)
class CounterfactualGap:
    """Mean paired difference of a score between a prompt with its group swapped and the same prompt as logged.

    Both answers come from one replay lane, so that nothing but the swap differs. Only prompts in which a word of the
    group occurs have a swapped replay; they alone are counted. A swap test shows sensitivity to the words, not
    counterfactual fairness in the causal sense.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration; it must judge this lane.
    lane : str
        Replay lane that runs both variants.
    variant : str
        Variant that swaps.

    Notes
    -----
    The gap is swapped minus logged. A swap exchanges both groups, so gaps of opposite sign can cancel; the mean
    absolute gap in the detail does not, but is above 0 by sampling noise alone. Repeats and several swaps of one
    request are averaged first; the 95% interval is Student's t over requests.

    References
    ----------
    D. Huang et al., "Reducing Sentiment Bias in Language Models via Counterfactual Evaluation", EMNLP Findings 2020.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "score difference"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    scorer: str
    lane: str
    variant: str = "attribute_swap"

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the mean paired difference with its interval."""
        rows = current.scores
        rows = rows[(rows["scorer"] == self.scorer) & (rows["lane"] == self.lane) & rows["value"].notna()]
        plain = rows[rows["variant"] == AS_LOGGED].groupby("request_key")["value"].mean()
        swapped = rows[(rows["variant"] == self.variant) & rows["request_key"].isin(plain.index)]
        if swapped.empty:
            return Estimate.absent(
                f"no request has scores of {self.scorer!r} on lane {self.lane!r} both as logged and by {self.variant!r}"
            )
        gaps = swapped["value"].to_numpy(dtype=float) - plain.loc[swapped["request_key"]].to_numpy(dtype=float)
        paired = swapped.assign(gap=gaps).groupby("request_key").agg({"gap": "mean", "weight": "first"})
        detail = {
            "n_swaps": len(swapped),
            "mean_as_logged": float(plain.loc[paired.index].mean()),
            "mean_absolute_gap": float(paired["gap"].abs().mean()),
            "groups": sorted({" and ".join(sorted(change.get("groups", ()))) for change in swapped["change"]} - {""}),
        }
        return mean_estimate(paired["gap"], paired["weight"], detail=detail, may_be_rate=False)
