"""Lowest rate of a group divided by the highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.contrasts import smallest_ratio
from llmmon.metrics.bias.groups import OverGroups
from llmmon.model import Direction, Estimate


@metrics.register("demographic_parity_ratio")
@dataclass(frozen=True, kw_only=True, slots=True)
class DemographicParityRatio(OverGroups):
    """Lowest group's rate divided by the highest group's: 1 when every group fares the same.

    Prefer ``impact_ratio`` where one outcome is the good one: it knows the four-fifths rule and a reference group.

    Parameters
    ----------
    scorer : str
        A scorer whose value is 0 or 1.
    group : str or list of str
        Group attribute of the request log, such as ``age``; of several, every combination is a group.
    min_group_size : int
        Smaller groups are left out, counted and named in the detail.
    pool_small : bool
        Compare the small groups together as ``other (n groups)`` instead.
    max_missing : float
        Share of the requests that may lack the attribute; with more there is no value.
    lane : str
        Which responses; ``logged`` is what production answered.

    Notes
    -----
    Absent when no group has a single 1. The 95% interval allows for having picked the extremes, as that of
    ``demographic_parity_difference`` does; the value is below 1 even among equal groups.

    References
    ----------
    A. Agarwal et al., "A Reductions Approach to Fair Classification", ICML 2018 (demographic parity).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "ratio"
    direction: ClassVar[Direction] = "higher_is_better"
    needs_reference: ClassVar[bool] = False

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the ratio of the extreme groups with its interval, and every group's rate in the detail."""
        groups = self.compared(current)
        if isinstance(groups, Estimate):
            return groups
        lowest, highest = groups.rates[0], groups.rates[-1]
        detail = {**groups.detail, "lowest": lowest.name, "highest": highest.name, "n_looks": groups.n_pairs}
        if highest.rate == 0:
            return Estimate.absent(f"no group has a single 1 of {self.scorer!r}", n=groups.n, detail=detail)
        value = lowest.rate / highest.rate
        low, high = smallest_ratio(groups.rates)
        return Estimate(value=value, n=groups.n, low=min(low, value), high=max(high, value), detail=detail)
