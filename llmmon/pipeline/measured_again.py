"""A stored measurement computed again from the rows of its window, and what may have changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

import llmmon
from llmmon.config import Config
from llmmon.errors import LlmmonError
from llmmon.metrics.base import Metric, Summary, WindowData, metrics
from llmmon.model import Segment, Window
from llmmon.pipeline.known_settings import KnownSettings, settings_of
from llmmon.pipeline.measure import estimate_of
from llmmon.pipeline.monitors import Monitor, is_uncalibrated, value_range_of
from llmmon.pipeline.reference import load_window, reference_windows, summarised
from llmmon.pipeline.segments import select
from llmmon.store.frames import Frames
from llmmon.store.measurement import as_stored
from llmmon.store.reproduction import late_rows, what_is_left

_NUMBERS: Final = ("value", "low", "high", "n", "reason", "detail")
Again = dict[str, Any]
"""Fields of a check: name, stored, computed, reasons."""


def measured_again(connection: Connection, config: Config, alert: Any, window: Window) -> Iterator[Again]:
    """Yield the checks of an alert's measurement: of its reference summary, where it has one, and of itself.

    Parameters
    ----------
    config : Config
        The configuration at hand.
    alert : Row
        Of `alert_to_reproduce`.
    window : Window
        The alert's.
    """
    stored = {name: getattr(alert, name) for name in _NUMBERS}
    known = settings_of(connection, config, alert.config_digest, alert.deployment)
    reasons = list(reasons_of(alert.code_version))
    if known is None or alert.monitor not in known.deployment.monitors:
        missing = f"what configuration {alert.config_digest[:12]} said of {alert.deployment} was not written down"
        yield {"name": "measurement", "stored": stored, "computed": None, "reasons": (missing, *reasons)}
        return
    try:
        metric = metrics.create(alert.metric, alert.metric_parameters, where=f"alert {alert.alert_id}: metric")
    except LlmmonError as error:
        yield {"name": "measurement", "stored": stored, "computed": None, "reasons": (str(error), *reasons)}
        return
    monitor = _monitor(alert, metric, known)
    summary: Summary | None = None
    if alert.reference_summary_id is not None:
        summary = dict(alert.summary)
        span = Window(start=alert.reference_start, end=alert.reference_end)
        yield _summary(connection, alert, monitor, known, span, tuple(reasons))
    frames = load_window(connection, known.deployment, alert.deployment, window, reviewed_until=alert.measured_at)
    if metric.needs_reference and summary is None:
        summary = _of_the_others(connection, config, alert, monitor, known, window)
    reasons += _what_changed(connection, alert.deployment, window, alert.measured_at, alert.n)
    computed = as_stored(estimate_of(monitor, _cut(frames, [window], alert.segment), summary))
    late = late_rows(connection, alert.deployment, window, alert.measured_at)
    if computed != stored and late:
        before = _without(frames, late)
        again = as_stored(estimate_of(monitor, _cut(before, [window], alert.segment), summary))
        computed = again if again == stored else computed
    yield {"name": "measurement", "stored": stored, "computed": computed, "reasons": tuple(reasons)}


def reasons_of(code_version: str) -> tuple[str, ...]:
    """Return what the provenance says may differ."""
    if code_version == llmmon.__version__:
        return ()
    return (f"it was computed by llmmon {code_version}, this is {llmmon.__version__}",)


def _monitor(alert: Any, metric: Metric, known: KnownSettings) -> Monitor:
    settings = known.deployment.monitors[alert.monitor]
    limits = value_range_of(known.deployment, settings, metric)
    uncalibrated = is_uncalibrated(known.deployment, settings, metric)
    return Monitor(alert.monitor, metric, settings, alert.unit, limits, 0, uncalibrated)


def _summary(
    connection: Connection, alert: Any, monitor: Monitor, known: KnownSettings, span: Window, reasons: tuple[str, ...]
) -> Again:
    frames = load_window(connection, known.deployment, alert.deployment, span)
    windows = [item for item in span.split(timedelta(hours=known.window_hours)) if known.deployment.is_active(item)]
    changed = _what_changed(connection, alert.deployment, span, alert.summarised_at, None)
    computed = json.loads(json.dumps(summarised(monitor, _cut(frames, windows, alert.segment)), allow_nan=False))
    if computed != alert.summary:
        late = late_rows(connection, alert.deployment, span, alert.summarised_at)
        before = summarised(monitor, _cut(_without(frames, late), windows, alert.segment)) if late else computed
        computed = json.loads(json.dumps(before, allow_nan=False)) if late else computed
    return {
        "name": "reference",
        "stored": dict(alert.summary),
        "computed": computed,
        "reasons": (*changed, *reasons),
    }


def _of_the_others(
    connection: Connection, config: Config, alert: Any, monitor: Monitor, known: KnownSettings, window: Window
) -> Summary:
    """Return the summary of the reference windows other than `window`, which is one of them, or of none."""
    as_then = config.model_copy(
        update={"window_hours": known.window_hours, "deployments": {alert.deployment: known.deployment}}
    )
    reference = reference_windows(connection, as_then, alert.deployment)
    others = [item for item in reference if item != window] if window in reference else []
    span = Window(start=others[0].start, end=others[-1].end) if others else window
    frames = load_window(connection, known.deployment, alert.deployment, span)
    return summarised(monitor, _cut(frames, others, alert.segment))


def _what_changed(connection: Connection, deployment: str, span: Window, since: Any, n: int | None) -> Iterator[str]:
    found = what_is_left(connection, deployment, span, since)
    where = f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}"
    if not found.n_requests and n != 0:
        yield f"no request of {where} is stored any more: past retention"
    n_late = len(late_rows(connection, deployment, span, since))
    for count, what in (
        (n_late, "requests of {where} were loaded later"),
        (found.n_erased, "requests of {where} have lost their texts: their subjects were erased"),
        (found.n_without_texts, "requests of {where} have no texts any more"),
        (found.n_judged_later, "scores of {where} were given or changed later"),
        (found.n_replayed_later, "replays of {where} were made later"),
    ):
        if count:
            yield f"{count:,} {what.format(where=where)}"


def _cut(frames: Frames, windows: Sequence[Window], segment: str) -> WindowData:
    dimension, equals, value = segment.partition("=")
    return select(frames, windows, Segment(dimension=dimension, value=value) if equals else Segment())


def _without(frames: Frames, keys: Sequence[int]) -> Frames:
    return Frames(
        requests=frames.requests[~frames.requests["request_key"].isin(keys)],
        scores=frames.scores[~frames.scores["request_key"].isin(keys)],
        responses=frames.responses[~frames.responses["request_key"].isin(keys)],
        probes=frames.probes,
        reviews=frames.reviews,
        anchors=frames.anchors,
    )
