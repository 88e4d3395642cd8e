"""What swapping a group in the prompt does to the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.swaps import OverSwaps, n_plain, noise, swapped
from llmmon.metrics.pairs import holm, pair_estimate
from llmmon.model import Direction, Estimate

if TYPE_CHECKING:
    import pandas


@metrics.register("counterfactual_gap")
@dataclass(frozen=True, kw_only=True, slots=True)
class CounterfactualGap(OverSwaps):
    """Mean paired difference of a score between a prompt about one group and the same prompt about another.

    Both answers come from one replay lane, so that nothing but the swap differs. Only prompts in which a word of a
    group occurs have a swapped replay; they alone are counted. Each difference has the sign of the groups, whichever of
    them the log named, so that gaps of prompts about her and about him add up. A swap test shows sensitivity to the
    words, not counterfactual fairness in the causal sense.

    Prefer `counterfactual_excess` to see differences that have no common direction.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration; it must judge this lane.
    lane : str
        Replay lane that runs the plain and the swapped replay.
    attribute : str or None
        Which swap; None where the lane swaps one attribute only.
    group : str or None
        The gap is this group's score minus the other's; with several others, minus whichever was paired with it. None:
        the second group of the lexicon minus the first, where the window's swaps are between two groups.
    alpha : float
        Error of the two-sided test whose smallest detectable gap is told; the deployment's ``alpha`` where
        ``[deployments.NAME.counterfactual]`` sets the monitor up.

    Notes
    -----
    Several swaps of one request are averaged first. The 95% interval is Bonett and Price's for outcomes of 0 and 1, and
    that of a mean corrected for skewness otherwise, over requests; requests of one user count as dependent, and so do
    copies of one prompt where no user is logged. ``smallest_detectable_gap`` is what one such window finds with
    probability 80%, from the pairs' own variance; a detector that adds windows up finds smaller ones. ``pairs`` tells
    each direction with an exact (McNemar) or t p-value, Holm-corrected over them. Prompts that name both groups alike
    have no direction; they are counted and left out. ``noise_floor`` is the mean absolute difference between two plain
    replays, where the lane has a ``repeat`` at the temperature ``"as_logged"``.

    References
    ----------
    D. Huang et al., "Reducing Sentiment Bias in Language Models via Counterfactual Evaluation", EMNLP Findings 2020.
    D. G. Bonett and R. M. Price, Journal of Educational and Behavioral Statistics 37, 2012.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "score difference"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    group: str | None = None

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the mean paired difference with its interval."""
        rows = swapped(current, self.scorer, self.lane, self.attribute)
        if isinstance(rows, str):
            return Estimate.absent(rows)
        chosen = (
            rows if self.group is None else rows[rows["groups"].map(lambda groups: self.group in groups).astype(bool)]
        )
        directed = chosen[chosen["source"].notna()]
        again = noise(current, self.scorer, self.lane)
        detail: dict[str, Any] = {
            "n_swaps": len(chosen),
            "n_without_term": n_plain(current, self.scorer, self.lane) - int(rows["request_key"].nunique()),
            "n_mixed": len(chosen) - len(directed),
            "mean_absolute_gap": _mean_absolute(chosen),
            "noise_floor": float(again["noise"].mean()) if len(again) else None,
            "n_noise": len(again),
        }
        if directed.empty:
            return Estimate.absent(_why_none(chosen, self.group), detail=detail)
        between = sorted(set(directed["groups"]))
        if self.group is None and len(between) > 1:
            named = ", ".join(sorted({group for groups in between for group in groups}))
            return Estimate.absent(
                f"swaps are between several groups ({named}): name one of them in `group`", detail=detail
            )
        group = self.group or between[0][1]
        sign = np.where(directed["target"] == group, 1.0, -1.0)
        directed = directed.assign(gap=sign * (directed["value"] - directed["plain"]))
        others = sorted({str(other) for groups in between for other in groups} - {group})
        detail |= {"group": group, "minus": others, "pairs": self._by_direction(directed)}
        paired = _per_request(directed)
        return pair_estimate(
            paired["gap"].to_numpy(dtype=float), paired["weight"], paired["cluster"], alpha=self.alpha, detail=detail
        )

    def _by_direction(self, directed: pandas.DataFrame) -> dict[str, Any]:
        found = {}
        for (source, target), part in directed.groupby(["source", "target"], sort=True):
            one = _per_request(part)
            estimate = pair_estimate(one["gap"].to_numpy(dtype=float), one["weight"], one["cluster"], alpha=self.alpha)
            found[f"{source} -> {target}"] = {
                "n": estimate.n,
                "gap": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "p_value": estimate.detail["p_value"],
            }
        known = [name for name, one in found.items() if one["p_value"] is not None]
        for name, corrected in zip(known, holm([found[name]["p_value"] for name in known]), strict=True):
            found[name]["p_holm"] = corrected
        return found


def _per_request(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return one row per request: the mean gap over its swaps."""
    return rows.groupby("request_key", sort=True).agg({"gap": "mean", "weight": "first", "cluster": "first"})


def _mean_absolute(rows: pandas.DataFrame) -> float | None:
    return float(abs(rows["value"] - rows["plain"]).mean()) if len(rows) else None


def _why_none(chosen: pandas.DataFrame, group: str | None) -> str:
    if chosen.empty:
        return f"no swap is from or to {group!r}"
    return f"all {len(chosen)} swaps are of prompts that name both groups alike: they have no direction"
