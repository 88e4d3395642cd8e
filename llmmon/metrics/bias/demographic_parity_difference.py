"""Highest rate of a group minus the lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.groups import group_rates
from llmmon.metrics.intervals import difference_of_rates
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("demographic_parity_difference")
@dataclass(frozen=True, kw_only=True, slots=True)
class DemographicParityDifference:
    """Highest group's rate minus the lowest group's: 0 when every group fares the same.

    Parameters
    ----------
    scorer : str
        A scorer whose value is 0 or 1. With `correctness` this is the accuracy difference between groups.
    group : str
        Group attribute of the request log, such as ``age``.
    min_group_size : int
        Smaller groups are left out, counted and named in the detail.
    lane : str
        Which responses; ``logged`` is what production answered.

    Notes
    -----
    Newcombe's 95% interval of that one difference. Because the two groups are picked as the extremes, the difference
    is above 0 even among equal groups; compare it with reference windows.

    References
    ----------
    A. Agarwal et al., "A Reductions Approach to Fair Classification", ICML 2018 (demographic parity).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "difference of rates"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    scorer: str
    group: str
    min_group_size: int = 10
    lane: str = LOGGED

    def __post_init__(self) -> None:
        if self.min_group_size < 2:
            raise ValueError(f"min_group_size: expected at least 2, got {self.min_group_size}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the difference of the extreme groups with its interval, and every group's rate in the detail."""
        found = group_rates(current, self.scorer, self.group, self.lane, self.min_group_size)
        if isinstance(found, Estimate):
            return found
        lowest, highest = found.rates[0], found.rates[-1]
        low, high = difference_of_rates((highest.rate, highest.n), (lowest.rate, lowest.n))
        detail = {**found.detail, "lowest": lowest.name, "highest": highest.name}
        return Estimate(value=highest.rate - lowest.rate, n=found.n, low=low, high=high, detail=detail)
