"""Explain an alert: which segments carry the change, what it comes from, and which requests show it best.

Compared are the windows that the stream had learnt as normal with the windows from the change on: the one where it is
likeliest to have begun, the alert's, and those measured since, at most as many as the reference has. So an explanation
that could not tell the cause can tell it later, when more has been replayed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.config import Config, DeploymentConfig
from llmmon.errors import ConfigError
from llmmon.metrics.base import Metric, WindowData, metrics
from llmmon.model import Provenance, Segment, Window
from llmmon.pipeline.attribute_change import Told, tell
from llmmon.pipeline.explanation import Explanation, keys_of, statement_of, steps_of
from llmmon.pipeline.judge_again import judge_again, with_scores
from llmmon.pipeline.judging import asks_for_money, judge_of
from llmmon.pipeline.moved_anchors import moved_anchors
from llmmon.pipeline.reference import reference_windows
from llmmon.pipeline.request_values import NoReading, Reading, reading_of
from llmmon.pipeline.segments import select
from llmmon.pipeline.show_change import fields_of, searched, telling
from llmmon.store import alert as alerts
from llmmon.store import audit
from llmmon.store import explanation as store
from llmmon.store.database import Database
from llmmon.store.frames import load_frames
from llmmon.store.provenance import remember

log = logging.getLogger(__name__)

_REFERENCE_LANE, _SERVING_LANE, _ENDPOINT = "reference", "serving", "openai_compatible"


def explain(database: Database, config: Config, alert_id: int) -> Explanation:
    """Explain an alert from what is stored now, and keep the explanation when it says something new.

    Parameters
    ----------
    database : Database
        Where windows, replays and scores are read and the explanation is written.
    config : Config
        Whole configuration; it still has the alert's deployment.
    alert_id : int
        Of an alert about a stream.

    Raises
    ------
    UnknownAlertError
        When there is no such alert, or it is about a source.
    ConfigError
        When the configuration no longer has the deployment.
    """
    with database.transaction() as connection:
        alert = store.alert_to_explain(connection, alert_id)
        settings = config.deployments.get(alert.deployment)
        if settings is None:
            raise ConfigError(
                f"alert {alert_id} is about deployment {alert.deployment!r}, which this configuration does not have; "
                "name the one it was opened under with --config"
            )
        made = _explained(connection, config, settings, alert)
        return _keep(connection, config, made, [item["request_key"] for item in made.requests])


def explain_waiting(database: Database, config: Config, deployment: str) -> list[int]:
    """Explain the unresolved alerts of `deployment` that lack an explanation or may get a better one; return which."""
    most = config.deployments[deployment].reference_windows
    with database.transaction() as connection:
        found = store.alerts_to_explain(connection, [deployment], most=most)
    for alert_id in found:
        made = explain(database, config, alert_id)
        log.info("alert %d: %s", alert_id, made.statement)
    return found


def _explained(connection: Connection, config: Config, settings: DeploymentConfig, alert: Any) -> Explanation:
    metric = metrics.create(alert.metric, alert.parameters, where=f"alert {alert.alert_id}: metric {alert.metric}")
    sides = _windows(connection, config, settings, alert)
    before, now = (_data(connection, settings, alert, side) for side in sides)
    reading = reading_of(metric, alert.unit, before, now)
    told = _told(connection, config, settings, alert, sides, (before, now), reading)
    search = None if isinstance(reading, NoReading) else searched(reading, before, now, fields_of(before, now))
    rose = alert.reference_value is None or alert.value >= alert.reference_value
    shown = telling(metric, reading, search, before, now, rose=rose) or list(alert.request_keys)
    windows = {"reference": keys_of(sides[0]), "current": keys_of(sides[1])}
    unit = "" if isinstance(reading, NoReading) else reading.unit
    return Explanation(
        alert_id=alert.alert_id,
        deployment=alert.deployment,
        monitor=alert.monitor,
        segment=alert.segment,
        sentence=alert.sentence,
        state=alert.state,
        unit=alert.unit,
        statement=statement_of(told, unit),
        before=_before(metric, before, alert),
        now={"value": alert.value, "low": alert.low, "high": alert.high, "n": alert.n},
        window=Window(start=alert.window_start, end=alert.window_end).key,
        windows=windows,
        reading=None if isinstance(reading, NoReading) else reading.name,
        reading_unit=unit,
        search=search,
        told=told,
        requests=store.request_ids(connection, shown),
        coverage={
            name: store.coverage_of(connection, alert.deployment, side)
            for name, side in zip(windows, sides, strict=True)
        },
        next_steps=steps_of(told, alert.alert_id, windows, settings.sample.per_window),
    )


def _windows(
    connection: Connection, config: Config, settings: DeploymentConfig, alert: Any
) -> tuple[list[Window], list[Window]]:
    """Return the reference windows and the current ones."""
    alerted = Window(start=alert.window_start, end=alert.window_end)
    first = alerted.start
    likeliest = alert.detail.get("likeliest_start")
    if likeliest is not None:
        first = min(first, Window.parse(likeliest, hours=config.window_hours).start)
    stream = (alert.deployment, alert.monitor, alert.segment)
    current = [item for item, _ in store.measured_since(connection, *stream, first)]
    current = current[: max(settings.reference_windows, 1 + sum(item.start < alerted.start for item in current))]
    restarts = alerts.episodes(connection, alert.deployment).learn_again_after.get((alert.monitor, alert.segment), ())
    earlier = [moment for moment in restarts if moment < alerted.start]
    if earlier:  # the stream learnt anew after an alert was resolved
        known = [item for item, value in store.measured_since(connection, *stream, earlier[-1]) if value is not None]
        reference = [item for item in known if item.start > earlier[-1]][: settings.reference_windows]
    else:
        reference = reference_windows(connection, config, alert.deployment)
    return [item for item in reference if item not in current], current


def _data(connection: Connection, settings: DeploymentConfig, alert: Any, windows: Sequence[Window]) -> WindowData:
    dimension, equals, value = alert.segment.partition("=")
    segment = Segment(dimension=dimension, value=value) if equals else Segment()
    sampled = {name for name, scorer in settings.scorers.items() if scorer.scope == "sample"}
    nothing = Window(start=alert.window_start, end=alert.window_end)
    span = Window(start=windows[0].start, end=windows[-1].end) if windows else nothing
    return select(load_frames(connection, alert.deployment, span, sampled_scorers=sampled), windows, segment)


def _told(
    connection: Connection,
    config: Config,
    settings: DeploymentConfig,
    alert: Any,
    sides: tuple[list[Window], list[Window]],
    data: tuple[WindowData, WindowData],
    reading: Reading | NoReading,
) -> Told:
    again = None
    notes: tuple[str, ...] = ()
    if isinstance(reading, Reading) and reading.scorer is not None:
        judge = settings.scorers.get(reading.scorer)
        if judge is None:
            notes = (f"scorer {reading.scorer!r} is no longer configured: no answer was judged again",)
        elif asks_for_money(judge):
            notes = (f"scorer {reading.scorer!r} asks an endpoint that is paid: no answer was judged again",)
        else:
            ready = judge_of(config, alert.deployment, reading.scorer, judge, lambda: nullcontext(connection))
            first, last = (
                with_scores(
                    side, judge_again(connection, alert.deployment, windows, ready, lanes=tuple(settings.lanes))
                )
                for side, windows in zip(data, sides, strict=True)
            )
            again = (first, last)
    alerted = Window(start=alert.window_start, end=alert.window_end)
    moved = moved_anchors(connection, settings, alert.deployment, alert.monitor, alerted)
    serving, reference = _lanes(store.lanes_of(connection, alert.deployment, [*sides[0], *sides[1]]))
    told = tell(
        *data,
        reading,
        judged_again=again,
        serving=serving,
        reference=reference,
        strata=settings.sample.strata,
    )
    return replace(told, notes=(*notes, *told.notes, *([] if moved is None else [moved])))


def _lanes(lanes: Sequence[store.Lane]) -> tuple[str | None, str | None]:
    """Return the lane that asks what serves now, and the lane of a model that was the same all the time.

    A lane is pinned when one model of one stated revision gave all its answers and it is no endpoint, which may change
    behind its name, unless the configuration calls it the reference.
    """
    pinned = [
        lane.name
        for lane in sorted(lanes, key=lambda item: (item.name != _REFERENCE_LANE, item.name))
        if lane.is_pinned and (lane.backend != _ENDPOINT or lane.name == _REFERENCE_LANE)
    ]
    asked = [
        lane.name
        for lane in sorted(lanes, key=lambda item: (item.name != _SERVING_LANE, item.name))
        if lane.name not in pinned and (lane.backend == _ENDPOINT or lane.name == _SERVING_LANE)
    ]
    return (asked[0] if asked else None), (pinned[0] if pinned else None)


def _before(metric: Metric, before: WindowData, alert: Any) -> dict[str, Any]:
    """Return the value over the reference windows together, where the metric needs no reference of its own."""
    found = None if metric.needs_reference else metric.compute(before, None)
    if found is None or found.value is None:
        return {"value": alert.reference_value, "low": None, "high": None, "n": None}
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def _keep(connection: Connection, config: Config, made: Explanation, request_keys: Sequence[int]) -> Explanation:
    provenance = Provenance(
        kind="explanations",
        plugin="three_lanes",
        parameters={"lanes": made.told.lanes, "reading": made.reading},
        code_version=llmmon.__version__,
        config_digest=config.digest,
    )
    detail = asdict(replace(made, explanation_id=None))
    detail["attribution"], detail["segments"] = detail["told"].pop("attribution"), detail.pop("search")
    # the last digits differ between machines, as in measurements
    rounded = json.loads(json.dumps(detail, allow_nan=False), parse_float=lambda text: float(f"{float(text):.12g}"))
    number = store.keep_explanation(
        connection,
        made.alert_id,
        cause=made.cause,
        statement=made.statement,
        n_more=made.n_more,
        request_keys=request_keys,
        detail=rounded,
        provenance_id=remember(connection, provenance),
    )
    if number is not None:
        fact = {"explanation_id": number, "cause": made.cause, "deployment": made.deployment}
        audit.append(connection, body("alert.explained", f"alert {made.alert_id}", fact, config_digest=config.digest))
    return replace(made, explanation_id=number)
