"""Highest rate of a group minus the lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.contrasts import largest_difference
from llmmon.metrics.bias.groups import Groups, OverGroups
from llmmon.model import Direction, Estimate


@metrics.register("demographic_parity_difference")
@dataclass(frozen=True, kw_only=True, slots=True)
class DemographicParityDifference(OverGroups):
    """Highest group's rate minus the lowest group's: 0 when every group fares the same.

    With `correctness` as scorer this is the accuracy difference between groups. Prefer ``group_gap`` for two groups
    that are known beforehand: its value is 0 on average among equal groups, this one's is above 0.

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
    The 95% interval holds although the two groups are picked as the extremes: it encloses the largest difference of
    any pair, by intervals of all pairs that hold together (`llmmon.metrics.bias.contrasts`). Because the extremes are
    picked, the value itself is above 0 even among equal groups, the more so the smaller they are: compare it with the
    reference windows, as detectors do, or with the interval's lower bound, which then is 0.

    References
    ----------
    A. Agarwal et al., "A Reductions Approach to Fair Classification", ICML 2018 (demographic parity).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "difference of rates"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the difference of the extreme groups with its interval, and every group's rate in the detail."""
        groups = self.compared(current)
        return groups if isinstance(groups, Estimate) else difference_of_extremes(groups)


def difference_of_extremes(groups: Groups) -> Estimate:
    """Return highest minus lowest rate, with the interval that allows for having picked them."""
    lowest, highest = groups.rates[0], groups.rates[-1]
    low, high = largest_difference([groups.rates])
    detail = {**groups.detail, "lowest": lowest.name, "highest": highest.name, "n_looks": groups.n_pairs}
    return Estimate(value=highest.rate - lowest.rate, n=groups.n, low=low, high=high, detail=detail)
