"""Whether the judge behind a monitor moved on its anchors: said with an alert, so that no model is blamed for it."""

from __future__ import annotations

from sqlalchemy import Connection

from llmmon.config import DeploymentConfig
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Window
from llmmon.store.database import fetch


def moved_anchors(
    connection: Connection, settings: DeploymentConfig, deployment: str, monitor: str, window: Window
) -> str | None:
    """Return a sentence that the judge of `monitor` changed, None where it did not or nothing tells.

    It changed when the 95% interval of the mean difference between what it says of its anchors and what it said when
    they were fixed excludes 0, as `anchor_shift` measures it.
    """
    known = settings.monitors.get(monitor)
    scorer = None if known is None else known.metric.parameters.get("scorer")
    if scorer is None:
        return None
    place = {"deployment": deployment, "start": window.start, "end": window.end}
    rows = [row for row in fetch(connection, "frames/anchors", place) if row.scorer == scorer and row.value is not None]
    found = mean_estimate([row.value - row.fixed for row in rows], may_be_rate=False)
    low, high = found.low, found.high
    if not found.value:
        return None
    if low is None or high is None:  # all moved alike, which no chance does, or too few to tell
        if len(rows) < 2 or any(row.value - row.fixed != rows[0].value - rows[0].fixed for row in rows):
            return None
        low = high = found.value
    if low <= 0 <= high:
        return None
    return (
        f"The judge changed, too: what {scorer} says of its {len(rows)} anchors moved by {found.value:+.3g} on average "
        f"(95% interval {low:+.3g} to {high:+.3g}) since they were fixed."
    )
