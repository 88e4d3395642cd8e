"""Share of requests that break a service level objective."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import LATENCIES, Objects, require, rows_of
from llmmon.metrics.independence import Floats
from llmmon.metrics.intervals import mean_estimate
from llmmon.metrics.sketch import buckets_of
from llmmon.model import Direction, Estimate


@metrics.register("slo_bad_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class SloBadShare:
    """Share of requests that fail or take longer than a limit, as ``compliance.slo_status`` counts them.

    Watch it with ``slo_threshold`` and a limit of 1 - objective: the alarm then keeps to the deployment's alarm budget,
    which a rule on burn rates does not.

    Parameters
    ----------
    limit_ms : float or None
        Slower requests are bad; None when only failing counts.
    field : str
        ``latency_ms``, ``ttft_ms``, ``tpot_ms`` or ``queue_ms``.
    fails_count : bool
        Whether a request that failed is bad; otherwise it is left out.

    Notes
    -----
    A request is too slow when its bucket lies above the limit's, so from at most 2% above the limit on: what sketches
    can tell. A request that succeeded without a logged latency is neither good nor bad; the detail counts it.

    References
    ----------
    B. Beyer et al., "The Site Reliability Workbook", 2018, chapter 5.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = False

    limit_ms: float | None = None
    field: str = "latency_ms"
    fails_count: bool = True

    def __post_init__(self) -> None:
        require("field", self.field, LATENCIES)
        if self.limit_ms is None and not self.fails_count:
            raise ValueError("limit_ms: nothing breaks this objective; give a limit, or fails_count = true")
        if self.limit_ms is not None and not 0 < self.limit_ms < math.inf:
            raise ValueError(f"limit_ms: expected a number above 0, got {self.limit_ms}")

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the share of bad requests among those that are good or bad."""
        rows = current.requests
        failed = rows[rows["status"] != "ok"]
        bad, clusters = self._answered(current)
        n_slow, n_unknown = int(bad.sum()), len(rows) - len(failed) - len(bad)
        if self.fails_count:
            bad = np.concatenate([bad, np.ones(len(failed))])
            clusters = np.concatenate([clusters, failed["cluster"].to_numpy(dtype=object)])
        if not len(bad):
            return Estimate.absent(f"no requests, or none that {self.field} is known of")
        detail = {"n_too_slow": n_slow, "n_failed": len(failed), "n_unknown": n_unknown}
        return mean_estimate(bad, clusters=clusters, detail=detail)

    def _answered(self, current: WindowData) -> tuple[Floats, Objects]:
        """Return 1 for each answer that was too slow and 0 for the others, and whose they are."""
        if self.limit_ms is None:
            answered = current.requests[current.requests["status"] == "ok"]
            return np.zeros(len(answered)), answered["cluster"].to_numpy(dtype=object)
        values, _, clusters = rows_of(current, self.field)
        assert clusters is not None
        known = values >= 0
        limit = int(buckets_of(np.array([self.limit_ms]))[0])
        return (buckets_of(values[known]) > limit).astype(float), clusters[known]
