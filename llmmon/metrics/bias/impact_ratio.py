"""Lowest rate of a good outcome divided by that of the reference, and the four-fifths rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.contrasts import smallest_ratio
from llmmon.metrics.bias.four_fifths import verdicts, worst_of
from llmmon.metrics.bias.groups import OverGroups
from llmmon.model import Direction, Estimate


@metrics.register("impact_ratio")
@dataclass(frozen=True, kw_only=True, slots=True)
class ImpactRatio(OverGroups):
    """Lowest group's rate of a good outcome over the reference group's; below 0.8 is the four-fifths rule of thumb.

    The detail says for each group whether it is below four fifths, and whether beyond chance.

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
    good : int
        Value of the score that is the good outcome: 1, or 0 where the scorer looks for something bad, such as a
        refusal.
    reference : str
        What groups are compared with: ``highest`` (the highest rate, as the guideline has it), ``overall`` (the rate of
        all groups together) or the name of a group.

    Notes
    -----
    ``detail["groups"][name]`` holds ``rate, n, low, high`` (exact), ``ratio, ratio_low, ratio_high`` and
    ``four_fifths``: "below 0.8 beyond chance" (exact test, 5%), "below 0.8, within chance", "not below", or "too few"
    when even a group without a single good outcome could not be told from chance. ``chance`` is the test's, times the
    comparisons made: every ordered pair for ``highest``, since that group is picked by what was seen, else one for
    each group. All intervals of ratios hold together with 95%, and the value's is that of the smallest ratio,
    whichever group has it. ``detail["four_fifths"]`` is the worst verdict of any group.

    Because the extremes are picked, the value is below 1 even among equal groups; compare it with reference windows.
    Rows of one user count for less (effective n). A user whose requests are in several groups makes the rates alike,
    which makes the intervals too wide, not too narrow.

    References
    ----------
    29 CFR 1607.4(D), Uniform Guidelines on Employee Selection Procedures. NYC Local Law 144, 6 RCNY 5-301.
    G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008 (interval of a ratio).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "ratio"
    direction: ClassVar[Direction] = "higher_is_better"
    needs_reference: ClassVar[bool] = False

    good: int = 1
    reference: str = "highest"

    def __post_init__(self) -> None:
        OverGroups.__post_init__(self)
        if self.good not in (0, 1):
            raise ValueError(f"good: expected 1 or 0, got {self.good!r}")
        if not self.reference:
            raise ValueError("reference: expected highest, overall or the name of a group, got nothing")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the smallest ratio with its interval; every group's rate, ratio and verdict in the detail."""
        rows = self.judged(current)
        if isinstance(rows, Estimate):
            return rows
        groups = self.grouped(rows if self.good else rows.assign(value=1 - rows["value"]))
        if isinstance(groups, Estimate):
            return groups
        names = [item.name for item in groups.rates]
        if self.reference not in ("highest", "overall", *names):
            reason = f"the reference group {self.reference!r} has fewer than {self.min_group_size} requests"
            return Estimate.absent(reason, n=groups.n, detail=groups.detail)
        if groups.rates[-1].rate == 0:
            return Estimate.absent("no group has a single good outcome", n=groups.n, detail=groups.detail)
        found, n_tests = verdicts(groups, self.reference)
        detail = {
            **groups.detail,
            "groups": {name: {**rate, **found.get(name, {})} for name, rate in groups.detail["groups"].items()},
            "lowest": names[0],
            "highest": names[-1],
            "reference": self.reference,
            "four_fifths": worst_of(found),
            "n_tests": n_tests,
        }
        ratios = [item["ratio"] for item in found.values() if item["ratio"] is not None]
        if not ratios:
            reason = f"the reference group {self.reference!r} has no good outcome to divide by"
            return Estimate.absent(reason, n=groups.n, detail=detail)
        value = min(ratios)
        if self.reference == "highest":
            low, high = smallest_ratio(groups.rates)
        else:
            low = min(item["ratio_low"] for item in found.values())
            most = 1.0 if self.reference == "overall" else math.inf
            high = min(
                most, *(math.inf if item["ratio_high"] is None else item["ratio_high"] for item in found.values())
            )
        if math.isinf(high):
            reason = f"the rate of the reference group {self.reference!r} may be 0: the ratio has no upper bound"
            return Estimate(value=value, n=groups.n, low=min(low, value), reason=reason, detail=detail)
        return Estimate(value=value, n=groups.n, low=min(low, value), high=max(high, value), detail=detail)
