"""Population stability index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.drift.bins import OverBins, compare, count_bins
from llmmon.metrics.intervals import Floats
from llmmon.model import Direction, Estimate


@metrics.register("psi")
@dataclass(frozen=True, kw_only=True, slots=True)
class Psi(OverBins):
    """Population stability index of a column against the reference windows: sum of (p - q) ln(p / q) over bins.

    Parameters
    ----------
    field : str
        Numeric or categorical column of the request log.
    bins : int
        Quantile bins of a numeric column.
    n_resamples : int
        Of the bootstrap.
    seed : int
        Of the bootstrap.

    Notes
    -----
    Half a row is added to every bin on both sides (Jeffreys' prior), so that an empty bin counts as rare, not as
    impossible; a category that neither side has is no bin. The reference keeps its 256 most frequent categories;
    the others, and whatever is new, are one more. Plug-in PSI is biased upwards by about (bins - 1)(1/n + 1/m): the
    usual limits 0.1 and 0.25 are passed by chance at small n. The interval is the hull of the percentile and the
    basic bootstrap interval over bin counts.

    References
    ----------
    B. Yurdakul, J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 14, 2020.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "nats"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "n_output_tokens"

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the index with its bootstrap interval, and the bins in the detail."""
        counts = count_bins(current, reference, self.field)
        if isinstance(counts, Estimate):
            return counts
        return compare(counts, _psi, n_resamples=self.n_resamples, seed=self.seed)


def _psi(current: Floats, reference: Floats) -> Floats:
    p = (current + 0.5) / (current + 0.5).sum(axis=-1, keepdims=True)
    q = (reference + 0.5) / (reference + 0.5).sum(axis=-1, keepdims=True)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))
