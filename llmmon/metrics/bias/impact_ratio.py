"""Lowest rate of a group divided by the highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.groups import group_rates
from llmmon.metrics.intervals import ratio_of_rates
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("impact_ratio")
@dataclass(frozen=True, kw_only=True, slots=True)
class ImpactRatio:
    """Lowest group's rate of a good outcome divided by the highest group's; below 0.8 is the four-fifths rule of thumb.

    Parameters
    ----------
    scorer : str
        A scorer whose value is 1 for the good outcome and 0 otherwise.
    group : str
        Group attribute of the request log, such as ``age``.
    min_group_size : int
        Smaller groups are left out, counted and named in the detail.
    lane : str
        Which responses; ``logged`` is what production answered.

    Notes
    -----
    The interval is the 95% log interval of that one ratio with half a case added to every cell. Because the two groups
    are picked as the extremes, the ratio is below 1 even among equal groups; compare it with reference windows.

    References
    ----------
    29 CFR 1607.4(D), Uniform Guidelines on Employee Selection Procedures. G. Y. Zou and A. Donner, Statistics in
    Medicine 27, 2008.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "ratio"
    direction: ClassVar[Direction] = "higher_is_better"
    needs_reference: ClassVar[bool] = False

    scorer: str
    group: str
    min_group_size: int = 10
    lane: str = LOGGED

    def __post_init__(self) -> None:
        if self.min_group_size < 2:
            raise ValueError(f"min_group_size: expected at least 2, got {self.min_group_size}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the ratio of the extreme groups with its interval, and every group's rate in the detail."""
        found = group_rates(current, self.scorer, self.group, self.lane, self.min_group_size)
        if isinstance(found, Estimate):
            return found
        lowest, highest = found.rates[0], found.rates[-1]
        detail = {**found.detail, "lowest": lowest.name, "highest": highest.name}
        if highest.rate == 0:
            return Estimate.absent("no group has a single good outcome", n=found.n, detail=detail)
        value = lowest.rate / highest.rate
        low, high = ratio_of_rates((lowest.rate, lowest.n), (highest.rate, highest.n))
        return Estimate(value=value, n=found.n, low=min(low, value), high=max(high, value), detail=detail)
