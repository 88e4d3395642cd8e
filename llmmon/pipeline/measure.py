"""Measure one window: every monitor over every segment, against what is kept of the reference windows.

While a reference window is not yet judged, a metric that needs the reference gives a provisional absence; whoever
measures a window once they all are measures the provisional windows too. A reference window that is judged again later
marks what was measured against it as dirty. So the final tables do not depend on the order in which windows were
processed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Final

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import DATA_ERRORS
from llmmon.metrics.base import Summary, WindowData
from llmmon.model import Estimate, Measurement, Segment, Window
from llmmon.pipeline.monitors import Monitor, monitors_of
from llmmon.pipeline.reference import FAILED, Reference, load_window, reference_of, summarised
from llmmon.pipeline.segments import segments_of, select
from llmmon.pipeline.sketch_latency import sketch_latency
from llmmon.store import audit
from llmmon.store.coverage import StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.frames import Frames
from llmmon.store.measurement import PROVISIONAL, keep_measurement, mark_dependents_dirty, provisional_windows

log = logging.getLogger(__name__)

MAX_SEGMENTS: Final = 50
"""Values of one dimension that get streams of their own; values come from logs, which may hold anything."""


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
        monitors = monitors_of(connection, config, deployment)
        reference = reference_of(connection, config, deployment, monitors)
        reference.keep_summaries(monitors)
        n_dirty, others = 0, []
        if not reference.waiting:
            n_dirty = mark_dependents_dirty(connection, deployment, window) if window in reference.windows else 0
            others = [item for item in provisional_windows(connection, deployment) if item != window]
        made: list[tuple[Estimate, int]] = []
        n_requests = 0
        for each in (window, *others):
            if each in reference.windows and not reference.waiting:
                current = reference.frames
            else:
                current = load_window(connection, settings, deployment, each)
            found = list(estimates(monitors, current, each, reference))
            n = len(select(current, [each], Segment()).requests)
            for monitor, segment, estimate, summary_id in found:
                record = Measurement(
                    deployment=deployment,
                    monitor=monitor.name,
                    segment=str(segment),
                    window=each,
                    estimate=estimate,
                    unit=monitor.unit,
                )
                n_written = keep_measurement(connection, record, monitor.provenance_id, reference_summary_id=summary_id)
                made.append((estimate, n_written))
            sketch_latency(connection, config, deployment, each, current)
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


def estimates(
    monitors: Sequence[Monitor], current: Frames, window: Window, reference: Reference
) -> Iterator[tuple[Monitor, Segment, Estimate, int | None]]:
    """Yield the estimate of every monitor and segment, and the number of the stored summary it was compared with."""
    is_reference = window in reference.windows
    # a reference window is compared with the others, never with itself; after the reference, `rest` is empty: a segment
    # without a stored summary has no row there
    others = [each for each in reference.windows if each != window] if is_reference else []

    @cache
    def cut(segment: Segment) -> WindowData:
        return select(current, [window], segment)

    @cache
    def rest(segment: Segment) -> WindowData:
        return select(reference.frames if is_reference else current, others, segment)

    for monitor in monitors:
        for segment in segments_of(current, [window], monitor.settings.segments, most=MAX_SEGMENTS):
            summary, number = None, None
            if monitor.metric.needs_reference:
                if reference.waiting:
                    yield monitor, segment, Estimate.absent(reference.waiting, detail={PROVISIONAL: True}), None
                    continue
                stored = None if is_reference else reference.stored(monitor, segment)
                summary, number = stored or (summarised(monitor, rest(segment)), None)
            yield monitor, segment, estimate_of(monitor, cut(segment), summary), number


def estimate_of(monitor: Monitor, current: WindowData, summary: Summary | None) -> Estimate:
    """Return what `monitor` measures of one segment of one window, against the summary of its reference."""
    found = _within(_compute(monitor, current, summary), monitor.value_range)
    return replace(found, detail={**found.detail, "uncalibrated": True}) if monitor.is_uncalibrated else found


def _within(estimate: Estimate, value_range: tuple[float, float]) -> Estimate:
    """Cut an interval off where no value can be; Student's interval of a few bounded values reaches beyond."""
    least, largest = value_range
    return replace(
        estimate,
        low=None if estimate.low is None else max(estimate.low, least),
        high=None if estimate.high is None else min(estimate.high, largest),
    )


def _compute(monitor: Monitor, current: WindowData, reference: Summary | None) -> Estimate:
    n = len(current.requests)
    if reference and FAILED in reference:
        return Estimate.absent(reference[FAILED], n=n)
    try:
        return monitor.metric.compute(current, reference)
    except DATA_ERRORS as error:
        log.warning("monitor %s, segment %s: %s: %s", monitor.name, current.segment, type(error).__name__, error)
        return Estimate.absent(f"the metric failed: {type(error).__name__}: {str(error)[:200]}", n=n)
