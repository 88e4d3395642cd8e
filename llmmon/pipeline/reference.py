"""The reference windows of a deployment, and what its metrics keep of them.

The reference windows are fixed by time: the first `reference_windows` windows from ``active_from`` or, without it, from
the first known request. Once all of them are judged, every metric that compares with them keeps a summary per segment.
A later window is compared with that summary, so it reads no row of the reference: a check costs what the window costs,
and the reference may have been erased or be past its retention. A reference window is compared with the others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, cast

from sqlalchemy import Connection

from llmmon.audit.event import body
from llmmon.config import Config, DeploymentConfig
from llmmon.errors import DATA_ERRORS
from llmmon.metrics.base import ReferenceMetric, Summary, WindowData
from llmmon.model import Segment, Window
from llmmon.model.json import digest_of
from llmmon.pipeline.monitors import Monitor
from llmmon.pipeline.segments import segments_of, select
from llmmon.registry import parameters_of
from llmmon.store import audit
from llmmon.store.coverage import GRID
from llmmon.store.frames import Frames, load_frames
from llmmon.store.measurement import first_request_at, reference_state
from llmmon.store.reference_summary import SummaryKey, find_summary, keep_summary

log = logging.getLogger(__name__)

MAX_SEGMENTS: Final = 200
"""Values of one dimension whose reference is kept; a window measures fewer, but not always the same ones."""
FAILED: Final = "failed"
"""Key of a summary that could not be made: the reason."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The reference windows of a deployment while one of its windows is measured.

    Parameters
    ----------
    windows : tuple of Window
        Oldest first; none when nothing compares with them.
    waiting : str or None
        While they are not all judged, the reason for a provisional absence.
    judged_at : datetime or None
        When the last of them was judged.
    """

    connection: Connection
    config_digest: str
    settings: DeploymentConfig
    deployment: str
    windows: tuple[Window, ...]
    waiting: str | None
    judged_at: datetime | None

    @cached_property
    def frames(self) -> Frames:
        """Every row of the reference windows, read when first asked for."""
        span = Window(start=self.windows[0].start, end=self.windows[-1].end)
        return load_window(self.connection, self.settings, self.deployment, span)

    def keep_summaries(self, monitors: Sequence[Monitor]) -> None:
        """Make the summaries that are missing, or were made before a reference window was last judged."""
        if self.waiting or not self.windows:
            return
        for monitor in monitors:
            if monitor.metric.needs_reference and self.stored(monitor, Segment()) is None:
                self._make(monitor)

    def stored(self, monitor: Monitor, segment: Segment) -> tuple[Summary, int] | None:
        """Return the summary of a segment's reference and its number; None where the reference has no such row."""
        found = find_summary(self.connection, self._key(monitor), str(segment))
        return None if found is None else (dict(found[1]), found[0])

    def _make(self, monitor: Monitor) -> None:
        segments = segments_of(self.frames, self.windows, monitor.settings.segments, most=MAX_SEGMENTS)
        for segment in segments:
            rows = select(self.frames, self.windows, segment)
            keep_summary(
                self.connection,
                self._key(monitor),
                str(segment),
                summarised(monitor, rows),
                windows=self.windows,
                n_requests=len(rows.requests),
                provenance_id=monitor.provenance_id,
            )
        detail = {"metric": monitor.metric.plugin_name, "n_windows": len(self.windows), "n_segments": len(segments)}
        subject = f"deployment {self.deployment} monitor {monitor.name}"
        audit.append(self.connection, body("reference.summarised", subject, detail, config_digest=self.config_digest))
        log.info("%s: kept the reference of %s in %d segments", self.deployment, monitor.name, len(segments))

    def _key(self, monitor: Monitor) -> SummaryKey:
        metric = _metric(monitor)
        windows = [window.key for window in self.windows]
        made_of = [metric.plugin_name, parameters_of(metric), metric.summary_version, list(monitor.settings.segments)]
        return SummaryKey(
            deployment=self.deployment,
            monitor=monitor.name,
            basis=digest_of([*made_of, windows]),
            judged_at=self.judged_at,
        )


def reference_of(connection: Connection, config: Config, deployment: str, monitors: Sequence[Monitor]) -> Reference:
    """Return the reference of `deployment`: without windows when none of `monitors` compares with one."""
    settings = config.deployments[deployment]
    windows: list[Window] = []
    waiting, judged_at = None, None
    if any(monitor.metric.needs_reference for monitor in monitors):
        windows = reference_windows(connection, config, deployment)
        n_ready, judged_at = reference_state(connection, deployment, windows, config.window_length)
        if not windows or n_ready < len(windows):
            n_missing = len(windows) - n_ready
            waiting = f"reference not complete: {n_ready} of {len(windows)} reference windows are judged"
            waiting += f", needs {n_missing} more" if n_missing else ""
    return Reference(
        connection=connection,
        config_digest=config.digest,
        settings=settings,
        deployment=deployment,
        windows=tuple(windows),
        waiting=waiting,
        judged_at=judged_at,
    )


def reference_windows(connection: Connection, config: Config, deployment: str) -> list[Window]:
    """Return the reference windows of `deployment`, oldest first; none while it has no request and no start."""
    settings = config.deployments[deployment]
    first = settings.active_from or first_request_at(connection, deployment)
    if first is None:
        return []
    start = first - (first - GRID) % config.window_length
    whole = Window(start=start, end=start + settings.reference_windows * config.window_length)
    return [window for window in whole.split(config.window_length) if settings.is_active(window)]


def load_window(
    connection: Connection,
    settings: DeploymentConfig,
    deployment: str,
    span: Window,
    *,
    reviewed_until: datetime | None = None,
) -> Frames:
    """Read what metrics may look at in `span`; what people said after `reviewed_until` is left out."""
    sampled = {name for name, scorer in settings.scorers.items() if scorer.scope == "sample"}
    return load_frames(connection, deployment, span, sampled_scorers=sampled, reviewed_until=reviewed_until)


def summarised(monitor: Monitor, rows: WindowData) -> Summary:
    """Return what the metric of `monitor` keeps of `rows`, or under `FAILED` why it could not."""
    try:
        summary = _metric(monitor).summarise(rows)
        json.dumps(summary, allow_nan=False)
    except DATA_ERRORS as error:
        log.warning("monitor %s, segment %s: %s: %s", monitor.name, rows.segment, type(error).__name__, error)
        return {FAILED: f"the metric failed over the reference: {type(error).__name__}: {str(error)[:200]}"}
    return summary


def _metric(monitor: Monitor) -> ReferenceMetric:
    return cast("ReferenceMetric", monitor.metric)
