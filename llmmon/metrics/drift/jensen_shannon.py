"""Jensen-Shannon divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.drift.bins import OverBins, compare_in_bits, count_bins
from llmmon.model import Direction, Estimate


@metrics.register("jensen_shannon")
@dataclass(frozen=True, kw_only=True, slots=True)
class JensenShannon(OverBins):
    """Jensen-Shannon divergence of a column to the reference windows, in bits: 0 for equal shares, 1 for disjoint.

    Parameters
    ----------
    field : str
        Categorical or numeric column of the request log.
    bins : int
        Quantile bins of a numeric column.
    n_resamples : int
        Of the bootstrap.
    seed : int
        Of the bootstrap.

    Notes
    -----
    JSD(p, q) = (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2; an empty bin needs no smoothing. It is the square of
    scipy's ``jensenshannon(p, q, base=2)``. The interval is the hull of the percentile and the basic bootstrap
    interval over bin counts.

    The G statistic of the two sides is 2 ln(2) (n + N) times the divergence with weights n and N in place of halves, so
    it says the same, and grows with the number of rows; the divergence can be compared between windows. The reference
    keeps its 256 most frequent categories; the others, and whatever is new, are one more.

    References
    ----------
    J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37, 1991.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "bits"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "route"

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the divergence with its bootstrap interval, and the bins in the detail."""
        counts = count_bins(current, reference, self.field)
        if isinstance(counts, Estimate):
            return counts
        return compare_in_bits(counts, n_resamples=self.n_resamples, seed=self.seed)
