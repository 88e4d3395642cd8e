"""How much more a swapped group changes the answer than asking the same again does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.swaps import OverSwaps, noise, swapped
from llmmon.metrics.pairs import pair_estimate
from llmmon.model import Direction, Estimate

if TYPE_CHECKING:
    import pandas


@metrics.register("counterfactual_excess")
@dataclass(frozen=True, kw_only=True, slots=True)
class CounterfactualExcess(OverSwaps):
    """Mean absolute difference after a swap, minus the mean absolute difference between two plain replays (A/A).

    A noisy model answers differently each time; that is no bias. 0 means that a swap changes the score as much as
    asking again does. Unlike `counterfactual_gap` it sees changes without a common direction, such as one group's
    answers being right or wrong in other places.

    Parameters
    ----------
    scorer : str
        Name of the scorer in the deployment's configuration; it must judge this lane.
    lane : str
        Replay lane with the plain and the swapped replay and ``{type = "repeat", temperature = "as_logged"}``.
    attribute : str or None
        Which swap; None where the lane swaps one attribute only.
    alpha : float
        Error of the two-sided test whose smallest detectable gap is told.

    Notes
    -----
    With plain replay A, its repeats A', and swaps B, a request adds the mean of |B - A| - |A' - A| over as many swaps
    as it has repeats. If a swap changes nothing, B and A' are drawn alike, so that the difference is as likely d as -d
    whatever the noise is. At temperature 0 on a backend that repeats itself the noise is 0, and any change counts.
    Requests without a repeat are left out.

    References
    ----------
    Kohavi, Tang and Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 19 (A/A tests).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "score difference"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the mean excess with its interval."""
        rows = swapped(current, self.scorer, self.lane, self.attribute)
        if isinstance(rows, str):
            return Estimate.absent(rows)
        again = noise(current, self.scorer, self.lane)
        rows = rows.assign(gap=abs(rows["value"] - rows["plain"]))
        both = _numbered(rows).merge(_numbered(again)[["request_key", "place", "noise"]], on=["request_key", "place"])
        if both.empty:
            return Estimate.absent(
                f"no swapped request has a repeat on lane {self.lane!r}: add "
                '{type = "repeat", k = 1, temperature = "as_logged"} to its variants'
            )
        both = both.assign(excess=both["gap"] - both["noise"])
        paired = both.groupby("request_key", sort=True).agg({"excess": "mean", "weight": "first", "cluster": "first"})
        detail = {
            "n_swaps": len(both),
            "n_without_repeat": len(rows) - len(both),
            "mean_absolute_gap": float(both["gap"].mean()),
            "noise_floor": float(both["noise"].mean()),
        }
        return pair_estimate(
            paired["excess"].to_numpy(dtype=float), paired["weight"], paired["cluster"], alpha=self.alpha, detail=detail
        )


def _numbered(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows with their place among those of the request."""
    ordered = rows.sort_values(["request_key", "repeat"])
    return ordered.assign(place=ordered.groupby("request_key").cumcount())
