"""Rate of one group minus that of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.contrasts import difference_interval
from llmmon.metrics.bias.groups import OverGroups
from llmmon.model import Direction, Estimate


@metrics.register("group_gap")
@dataclass(frozen=True, kw_only=True, slots=True)
class GroupGap(OverGroups):
    """Rate of one group minus that of another, or of everyone else: 0 on average when both fare the same.

    The one to watch through time when it is known whom it may concern: nothing is picked, so its value has no bias that
    changes with the sizes of the groups, and a detector sees both a growing and a reversed gap.

    Parameters
    ----------
    scorer : str
        A scorer whose value is 0 or 1.
    of : str
        The group, as the log names it; with several attributes ``old & female``.
    against : str or None
        The other group; None is every other group together.
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
    The 95% interval combines both exact intervals (`llmmon.metrics.bias.contrasts`).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "difference of rates"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    of: str
    against: str | None = None

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the difference with its interval, and every group's rate in the detail."""
        groups = self.compared(current)
        if isinstance(groups, Estimate):
            return groups
        rates = {item.name: item for item in groups.rates}
        for name in (self.of, self.against):
            if name is not None and name not in rates:
                reason = f"group {name!r} has fewer than {self.min_group_size} requests"
                return Estimate.absent(reason, n=groups.n, detail=groups.detail)
        first = rates[self.of]
        second = groups.rest(self.of) if self.against is None else rates[self.against]
        low, high = difference_interval(first, second)
        detail = {**groups.detail, "of": first.name, "against": second.name}
        n = first.n_rows + second.n_rows
        return Estimate(value=first.rate - second.rate, n=n, low=max(low, -1.0), high=min(high, 1.0), detail=detail)
