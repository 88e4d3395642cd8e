"""Measure one window: every monitor over every segment, against the reference windows.

The reference windows of a deployment are fixed by time: the first `reference_windows` windows from ``active_from`` or,
without it, from the first known request. While one of them is not yet judged, a metric that needs the reference gives
a provisional absence; whoever measures a window once they all are measures the provisional windows too. A reference
window that is judged again later marks what was measured against it as dirty. So the final tables do not depend on the
order in which windows were processed.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Final

from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.config import Config, DeploymentConfig, MonitorConfig
from llmmon.metrics.base import Metric, WindowData, metrics
from llmmon.model import Direction, Estimate, Measurement, Provenance, Segment, Window
from llmmon.pipeline.segments import check_dimension, segment_values, select
from llmmon.registry import parameters_of
from llmmon.scorers.base import scorers
from llmmon.store import audit
from llmmon.store.coverage import GRID, StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.frames import Frames, load_frames
from llmmon.store.measurement import (
    PROVISIONAL,
    first_request_at,
    keep_measurement,
    mark_dependents_dirty,
    provisional_windows,
    windows_not_ready,
)
from llmmon.store.provenance import remember

log = logging.getLogger(__name__)

MAX_SEGMENTS: Final = 50
"""Values of one dimension that get streams of their own; values come from logs, which may hold anything."""
_DATA_ERRORS: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a metric may raise over strange data; anything else is a bug and ends the stage."""


@dataclass(frozen=True, kw_only=True)
class MeasureResult:
    """What measuring a window gave.

    Parameters
    ----------
    n_requests : int
        Requests of the window.
    n_measurements, n_absent, n_changed : int
        Measurements made, those without a value, and those that are new or different.
    n_provisional : int
        Absent ones that wait for reference windows.
    n_caught_up : int
        Other windows that were measured again because their reference became complete.
    n_dirty : int
        Other windows that were marked to be measured again, because this reference window was judged after they were
        measured.
    """

    n_requests: int
    n_measurements: int
    n_absent: int
    n_changed: int
    n_provisional: int
    n_caught_up: int
    n_dirty: int


@dataclass(frozen=True, slots=True)
class _Monitor:
    name: str
    metric: Metric
    settings: MonitorConfig
    unit: str
    value_range: tuple[float, float]
    provenance_id: int


def measure(database: Database, config: Config, deployment: str, window: Window) -> MeasureResult:
    """Measure `window`, and the windows that waited for their reference if it is now complete.

    Parameters
    ----------
    database : Database
        Where requests and scores are read and measurements are written.
    config : Config
        Whole configuration.
    deployment : str
        Name of a deployment in `config`.
    window : Window
        What to measure. Measured again, an equal result adds nothing and another one the next version.

    Raises
    ------
    ConfigError
        When a metric refuses its parameters, or a segment names no field.
    """
    started = time.monotonic()
    settings = config.deployments[deployment]
    with database.transaction() as connection:
        # measurements of one deployment are made one after the other: the last to come sees the whole reference
        lock_accounts(connection, [deployment], shared=False)
        monitors = _monitors(connection, config, deployment)
        reference, waiting = _reference(connection, config, deployment, monitors)
        n_dirty = mark_dependents_dirty(connection, deployment, window) if window in reference and not waiting else 0
        others = [] if waiting else [item for item in provisional_windows(connection, deployment) if item != window]
        frames = None
        if reference and not waiting and any(monitor.metric.needs_reference for monitor in monitors):
            frames = _load(connection, settings, deployment, Window(start=reference[0].start, end=reference[-1].end))
        made: list[tuple[Estimate, int]] = []
        n_requests = 0
        for each in (window, *others):
            if each in reference and frames is not None:
                current = frames
            else:
                current = _load(connection, settings, deployment, each)
            found = list(_estimates(monitors, current, frames, each, reference, waiting))
            n = len(select(current, [each], Segment()).requests)
            for monitor, segment, estimate in found:
                record = Measurement(
                    deployment=deployment,
                    monitor=monitor.name,
                    segment=str(segment),
                    window=each,
                    estimate=estimate,
                    unit=monitor.unit,
                )
                made.append((estimate, keep_measurement(connection, record, monitor.provenance_id)))
            close_stage(connection, deployment, each, "measure", [StageCount("done", n)] if n else [])
            n_requests = n if each == window else n_requests
        result = MeasureResult(
            n_requests=n_requests,
            n_measurements=len(made),
            n_absent=sum(estimate.value is None for estimate, _ in made),
            n_changed=sum(changed for _, changed in made),
            n_provisional=sum(PROVISIONAL in estimate.detail for estimate, _ in made),
            n_caught_up=len(others),
            n_dirty=n_dirty,
        )
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("window.measured", subject, asdict(result), config_digest=config.digest))
    log.info(
        "%s %s: %d measurements (%d absent, %d changed) in %.1f s; %d earlier windows caught up",
        deployment,
        window.key,
        result.n_measurements,
        result.n_absent,
        result.n_changed,
        time.monotonic() - started,
        result.n_caught_up,
    )
    return result


def reference_windows(connection: Connection, config: Config, deployment: str) -> list[Window]:
    """Return the reference windows of `deployment`, oldest first; none while it has no request and no start."""
    settings = config.deployments[deployment]
    first = settings.active_from or first_request_at(connection, deployment)
    if first is None:
        return []
    start = first - (first - GRID) % config.window_length
    whole = Window(start=start, end=start + settings.reference_windows * config.window_length)
    return [window for window in whole.split(config.window_length) if settings.is_active(window)]


def unit_and_direction(settings: DeploymentConfig, monitor: MonitorConfig, *, where: str) -> tuple[str, Direction]:
    """Return the unit of a monitor's measurements and which way is better; a metric over scores has its scorer's."""
    metric = monitor.metric.create(metrics, where=f"{where}.metric")
    name = monitor.metric.parameters.get("scorer")
    if metric.direction == "neither" and name is not None:
        scorer = scorers.get(settings.scorers[name].judge.type)
        return (scorer.unit if metric.unit == "score" else metric.unit), scorer.direction
    return metric.unit, metric.direction


def _monitors(connection: Connection, config: Config, deployment: str) -> list[_Monitor]:
    settings = config.deployments[deployment]
    found = []
    for name, item in settings.monitors.items():
        where = f"deployments.{deployment}.monitors.{name}"
        metric = item.metric.create(metrics, where=f"{where}.metric")
        for dimension in item.segments:
            check_dimension(dimension, where=f"{where}.segments")
        provenance = Provenance(
            kind="metrics",
            plugin=metric.plugin_name,
            parameters=parameters_of(metric),
            code_version=llmmon.__version__,
            config_digest=config.digest,
            seed=getattr(metric, "seed", None),
        )
        unit, _ = unit_and_direction(settings, item, where=where)
        limits = (-math.inf, math.inf)
        if metric.unit == "score":  # a summary of scores, in their scorer's unit
            limits = scorers.get(settings.scorers[item.metric.parameters["scorer"]].judge.type).value_range
        found.append(_Monitor(name, metric, item, unit, limits, remember(connection, provenance)))
    return found


def _reference(
    connection: Connection, config: Config, deployment: str, monitors: Sequence[_Monitor]
) -> tuple[list[Window], str | None]:
    """Return the reference windows and, while they are incomplete, the reason for a provisional absence."""
    if not any(monitor.metric.needs_reference for monitor in monitors):
        return [], None
    windows = reference_windows(connection, config, deployment)
    missing = windows_not_ready(connection, deployment, windows, config.window_length)
    if windows and not missing:
        return windows, None
    ready = len(windows) - len(missing)
    return windows, f"reference not complete: {ready} of {len(windows)} reference windows are judged"


def _load(connection: Connection, settings: DeploymentConfig, deployment: str, span: Window) -> Frames:
    sampled = {name for name, scorer in settings.scorers.items() if scorer.scope == "sample"}
    return load_frames(connection, deployment, span, sampled_scorers=sampled)


def _estimates(
    monitors: Sequence[_Monitor],
    current: Frames,
    frames: Frames | None,
    window: Window,
    reference: Sequence[Window],
    waiting: str | None,
) -> Iterator[tuple[_Monitor, Segment, Estimate]]:
    # a reference window is compared with the others, never with itself
    others = [item for item in reference if item != window]

    @cache
    def cut(side: str, segment: Segment) -> WindowData:
        if side == "current":
            return select(current, [window], segment)
        return select(frames or current, others, segment)

    for monitor in monitors:
        for segment in _segments(current, window, monitor.settings.segments):
            if monitor.metric.needs_reference and waiting:
                yield monitor, segment, Estimate.absent(waiting, detail={PROVISIONAL: True})
                continue
            compared = cut("reference", segment) if monitor.metric.needs_reference and frames else None
            estimate = _compute(monitor, cut("current", segment), compared)
            yield monitor, segment, _within(estimate, monitor.value_range)


def _segments(frames: Frames, window: Window, dimensions: Sequence[str]) -> Iterator[Segment]:
    yield Segment()
    for dimension in dimensions:
        values = segment_values(frames, window, dimension)
        if len(values) > MAX_SEGMENTS:
            log.warning(
                "%s: %d values of %s; only the %d most frequent are measured on their own",
                window.key,
                len(values),
                dimension,
                MAX_SEGMENTS,
            )
        for value in values[:MAX_SEGMENTS]:
            yield Segment(dimension=dimension, value=value)


def _within(estimate: Estimate, value_range: tuple[float, float]) -> Estimate:
    """Cut an interval off where no value can be; Student's interval of a few bounded values reaches beyond."""
    least, largest = value_range
    return replace(
        estimate,
        low=None if estimate.low is None else max(estimate.low, least),
        high=None if estimate.high is None else min(estimate.high, largest),
    )


def _compute(monitor: _Monitor, current: WindowData, reference: WindowData | None) -> Estimate:
    try:
        return monitor.metric.compute(current, reference)
    except _DATA_ERRORS as error:
        log.warning("monitor %s, segment %s: %s: %s", monitor.name, current.segment, type(error).__name__, error)
        n = len(current.requests)
        return Estimate.absent(f"the metric failed: {type(error).__name__}: {str(error)[:200]}", n=n)
