"""Largest gap between groups among the requests that deserved the good outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.bias.demographic_parity_difference import difference_of_extremes
from llmmon.metrics.bias.groups import OverGroups
from llmmon.metrics.bias.truth import TRUTH, check_truth, judged_with_truth
from llmmon.model import Direction, Estimate


@metrics.register("equal_opportunity_difference")
@dataclass(frozen=True, kw_only=True, slots=True)
class EqualOpportunityDifference(OverGroups):
    """Highest true positive rate of a group minus the lowest: 0 when those who deserve a 1 get it alike.

    Prefer it to ``demographic_parity_difference`` where groups differ in how often they deserve the outcome and the
    truth is known; ``equalized_odds_difference`` looks at those who do not deserve it, too.

    Parameters
    ----------
    scorer : str
        The outcome: its value is 1 when the request got it. Also a scorer of correctness: among those who deserve a
        1 it is the same.
    truth : str
        What says which requests truly deserved a 1: another scorer whose value is 0 or 1 (of the logged answer), or a
        column and its value, as ``reference_answer=yes`` or ``group.condition=disambig``.
    group : str or list of str
        Group attribute of the request log, such as ``age``; of several, every combination is a group.
    min_group_size : int
        Groups with fewer deserving requests are left out, counted and named in the detail.
    pool_small : bool
        Compare the small groups together as ``other (n groups)`` instead.
    max_missing : float
        Share of the requests that may lack the attribute; with more there is no value.
    lane : str
        Which responses; ``logged`` is what production answered.

    Notes
    -----
    Requests whose truth is not known are left out and counted. The interval allows for having picked the extremes, as
    that of ``demographic_parity_difference`` does; the value is above 0 even among equal groups.

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
        """Return the difference of the extreme groups among deserving requests; every group's rate in the detail."""
        found = judged_with_truth(self, current, self.truth)
        if isinstance(found, Estimate):
            return found
        rows, n_without_truth = found
        groups = self.grouped(rows[rows[TRUTH] == 1], of="deserving")
        if isinstance(groups, Estimate):
            return groups
        groups.detail["n_without_truth"] = n_without_truth
        return difference_of_extremes(groups)
