"""Largest gap between groups, among those who deserved the good outcome or among those who did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.contrasts import largest_difference
from llmmon.metrics.bias.groups import OverGroups
from llmmon.metrics.bias.truth import TRUTH, check_truth, judged_with_truth
from llmmon.model import Direction, Estimate


@metrics.register("equalized_odds_difference")
@dataclass(frozen=True, kw_only=True, slots=True)
class EqualizedOddsDifference(OverGroups):
    """The larger of two gaps between groups: of true positive rates and of false positive rates; 0 when both agree.

    Parameters
    ----------
    scorer : str
        The outcome: its value is 1 when the request got it. A scorer of correctness gives the same differences.
    truth : str
        What says which requests truly deserved a 1: another scorer whose value is 0 or 1 (of the logged answer), or a
        column and its value, as ``reference_answer=yes`` or ``group.condition=disambig``.
    group : str or list of str
        Group attribute of the request log, such as ``age``; of several, every combination is a group.
    min_group_size : int
        Groups with fewer deserving, or fewer other, requests are left out, counted and named in the detail.
    pool_small : bool
        Compare the small groups together as ``other (n groups)`` instead.
    max_missing : float
        Share of the requests that may lack the attribute; with more there is no value.
    lane : str
        Which responses; ``logged`` is what production answered.

    Notes
    -----
    Absent unless two groups are large enough among the deserving and two among the others. The interval encloses the
    larger of both largest gaps, by intervals of all pairs in both that hold together with 95%. ``groups`` in the
    detail are those of the larger gap, ``where`` says which it is, and ``elsewhere`` holds the other rates.

    References
    ----------
    M. Hardt, E. Price and N. Srebro, "Equality of Opportunity in Supervised Learning", NeurIPS 2016.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "difference of rates"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    truth: str

    def __post_init__(self) -> None:
        OverGroups.__post_init__(self)
        check_truth(self.truth)

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the larger gap with its interval, and every group's rates in the detail."""
        found = judged_with_truth(self, current, self.truth)
        if isinstance(found, Estimate):
            return found
        rows, n_without_truth = found
        families = []
        for truth, of in ((1.0, "deserving"), (0.0, "undeserving")):
            groups = self.grouped(rows[rows[TRUTH] == truth], of=of)
            if isinstance(groups, Estimate):
                return groups
            families.append((groups.rates[-1].rate - groups.rates[0].rate, of, groups))
        value, where, groups = max(families, key=lambda item: item[0])
        _, _, others = min(reversed(families), key=lambda item: item[0])
        low, high = largest_difference([item.rates for _, _, item in families])
        detail = {
            **groups.detail,
            "where": where,
            "lowest": groups.rates[0].name,
            "highest": groups.rates[-1].name,
            "elsewhere": others.detail["groups"],
            "n_without_truth": n_without_truth,
            "n_looks": sum(item.n_pairs for _, _, item in families),
        }
        return Estimate(value=value, n=groups.n + others.n, low=low, high=high, detail=detail)
