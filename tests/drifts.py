"""A window measured against rows of a reference, as the pipeline does it: through a summary that was stored."""

from __future__ import annotations

import json
from typing import Any

from llmmon.metrics.base import Summary, WindowData
from llmmon.model import Estimate


def stored(metric: Any, reference: WindowData | None) -> Summary | None:
    """Return what a metric keeps of a reference, read back from JSON; None where it needs none."""
    if reference is None or not metric.needs_reference:
        return None
    summary: Summary = json.loads(json.dumps(metric.summarise(reference), allow_nan=False))
    return summary


def against(metric: Any, current: WindowData, reference: WindowData | None) -> Estimate:
    """Return the estimate of `current` against the rows of `reference`."""
    found: Estimate = metric.compute(current, stored(metric, reference))
    return found
