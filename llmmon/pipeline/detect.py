"""Detect: advance every stream of a deployment over the finished windows, spend the error budget, open alerts.

Everything is computed again from the first window on, as a pure function of the latest measurements and of which
alerts people resolved. So the final tables do not depend on the order in which windows finished, on how often this
ran, or on who ran it at the same time.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.config import Config, DeploymentConfig, MonitorConfig
from llmmon.detectors.base import Detector, detectors, fold
from llmmon.detectors.e_benjamini_hochberg import reject
from llmmon.model import Direction, Evidence, Measurement, Provenance, Window
from llmmon.pipeline.monitors import unit_and_direction
from llmmon.pipeline.open_alert import Alarm, number_of, open_alert
from llmmon.registry import parameters_of
from llmmon.store import alert as alerts
from llmmon.store import audit
from llmmon.store.coverage import StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.evidence import (
    FinishedWindow,
    StreamEvidence,
    frontier,
    keep_budget,
    keep_evidence,
    keep_stream_state,
)
from llmmon.store.measurement import latest_measurements
from llmmon.store.provenance import remember

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DetectResult:
    """What one run of detection saw and did.

    Parameters
    ----------
    n_windows, n_new_windows : int
        Finished windows without a gap, and how many of them were accounted for now.
    n_streams, n_changed : int
        Streams judged, and rows of evidence that are new or different.
    n_alerts : int
        Alerts opened now.
    """

    n_windows: int
    n_new_windows: int
    n_streams: int
    n_changed: int
    n_alerts: int


@dataclass(frozen=True, slots=True)
class _Watch:
    """A monitor, ready to judge its streams."""

    name: str
    settings: MonitorConfig
    detector: Detector
    direction: Direction
    provenance_id: int


@dataclass(frozen=True, slots=True)
class _Point:
    """One window of one stream."""

    measurement: Measurement
    evidence: Evidence
    episode: int


Streams = dict[tuple[str, str], list[_Point]]


def detect(database: Database, config: Config, deployment: str) -> DetectResult:
    """Judge every stream of `deployment` over its finished windows and open the alerts that follow.

    Parameters
    ----------
    database : Database
        Where measurements are read, and evidence, budget, alerts and deliveries are written: in one transaction.
    config : Config
        Whole configuration.
    deployment : str
        Name of a deployment in `config`.

    Raises
    ------
    ConfigError
        When a detector refuses its parameters.
    """
    started = time.monotonic()
    settings = config.deployments[deployment]
    with database.transaction() as connection:
        # one detection at a time, and no row comes late between reading measurements and closing the account
        lock_accounts(connection, [deployment], shared=False)
        windows = frontier(
            connection,
            deployment,
            length=config.window_length,
            active_from=settings.active_from,
            active_until=settings.active_until,
        )
        watches = {watch.name: watch for watch in _watches(connection, config, deployment)}
        decided = alerts.episodes(connection, deployment)
        streams = _streams(latest_measurements(connection, deployment), windows, watches, decided)
        evidence = [
            StreamEvidence(
                monitor=monitor,
                segment=segment,
                detector=watches[monitor].settings.detector.type,
                evidence=point.evidence,
                measurement_id=number_of(point.measurement),
                provenance_id=watches[monitor].provenance_id,
            )
            for (monitor, segment), points in streams.items()
            for point in points
        ]
        n_changed = keep_evidence(connection, deployment, evidence)
        alarmed = set(decided.dedupe_keys)
        n_alerts = 0
        for finished, here, n_known in _by_window(windows, streams):
            spending, rejected = _spend(connection, config, deployment, finished.window, here, n_known)
            for key in rejected:
                point = here[key]
                dedupe_key = alerts.episode_key(deployment, *key, point.episode)
                if point.evidence.relevant and dedupe_key not in alarmed:
                    alarmed.add(dedupe_key)
                    watch = watches[key[0]]
                    alarm = Alarm(dedupe_key, point.measurement, point.evidence, watch.settings, watch.provenance_id)
                    open_alert(connection, config, alarm, spending)
                    n_alerts += 1
        for key, points in streams.items():
            state = _state(points, alerts.episode_key(deployment, *key, points[-1].episode) in alarmed)
            keep_stream_state(connection, deployment, *key, state=state, last=points[-1].evidence)
        new = [finished for finished in windows if not finished.is_closed]
        for finished in new:
            _close(connection, deployment, finished)
        result = DetectResult(
            n_windows=len(windows),
            n_new_windows=len(new),
            n_streams=len(streams),
            n_changed=n_changed,
            n_alerts=n_alerts,
        )
        if new or n_changed or n_alerts:
            detail = {**asdict(result), "until": windows[-1].window.key if windows else None}
            fact = body("streams.judged", f"deployment {deployment}", detail, config_digest=config.digest)
            audit.append(connection, fact)
    log.info(
        "%s: %d streams over %d windows (%d new), %d rows of evidence changed, %d alerts, in %.1f s",
        deployment,
        result.n_streams,
        result.n_windows,
        result.n_new_windows,
        result.n_changed,
        result.n_alerts,
        time.monotonic() - started,
    )
    return result


def detector_of(settings: DeploymentConfig, monitor: MonitorConfig, *, where: str) -> Detector:
    """Build a monitor's detector; one that learns first does so over the deployment's reference windows."""
    name, parameters = monitor.detector.type, dict(monitor.detector.parameters)
    if name in detectors.names():  # a name that is none is told by create, with its place
        cls: Any = detectors.get(name)
        if "burn_in" in {field.name for field in dataclasses.fields(cls)}:
            parameters.setdefault("burn_in", settings.reference_windows)
    return detectors.create(name, parameters, where=f"{where}.detector")


def _watches(connection: Connection, config: Config, deployment: str) -> list[_Watch]:
    settings = config.deployments[deployment]
    found = []
    for name, monitor in settings.monitors.items():
        where = f"deployments.{deployment}.monitors.{name}"
        detector = detector_of(settings, monitor, where=where)
        _, direction = unit_and_direction(settings, monitor, where=where)
        provenance = Provenance(
            kind="detectors",
            plugin=monitor.detector.type,
            parameters={**parameters_of(detector), "min_effect": monitor.min_effect, "direction": direction},
            code_version=llmmon.__version__,
            config_digest=config.digest,
        )
        found.append(_Watch(name, monitor, detector, direction, remember(connection, provenance)))
    return found


def _streams(
    measurements: Sequence[Measurement],
    windows: Sequence[FinishedWindow],
    watches: dict[str, _Watch],
    decided: alerts.Episodes,
) -> Streams:
    """Return every stream's points in window order; a stream learns anew after each resolved alert."""
    seen = {finished.window for finished in windows if finished.expired_because is None}
    series: dict[tuple[str, str], list[Measurement]] = {}
    for item in measurements:
        if item.window in seen and item.monitor in watches:
            series.setdefault((item.monitor, item.segment), []).append(item)
    streams: Streams = {}
    for key, items in sorted(series.items()):
        watch = watches[key[0]]
        restarts = decided.learn_again_after.get(key, ())
        episodes: dict[int, list[Measurement]] = {}
        for item in items:
            episodes.setdefault(bisect_left(restarts, item.window.start), []).append(item)
        streams[key] = [
            _Point(measurement, evidence, episode)
            for episode, part in episodes.items()
            for measurement, evidence in zip(
                part,
                fold(watch.detector, part, min_effect=watch.settings.min_effect, direction=watch.direction),
                strict=True,
            )
        ]
    return streams


def _by_window(
    windows: Sequence[FinishedWindow], streams: Streams
) -> Iterator[tuple[FinishedWindow, dict[tuple[str, str], _Point], int]]:
    """Yield each window with its point of every stream and the number of streams known by then."""
    points: dict[Window, dict[tuple[str, str], _Point]] = {}
    for key, items in streams.items():
        for point in items:
            points.setdefault(point.measurement.window, {})[key] = point
    known: set[tuple[str, str]] = set()
    for finished in windows:
        here = points.get(finished.window, {})
        known |= here.keys()
        yield finished, here, len(known)


def _spend(
    connection: Connection,
    config: Config,
    deployment: str,
    window: Window,
    here: Mapping[tuple[str, str], _Point],
    n_known: int,
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Spend the budget at `window`: write its line of the ledger; return it and the streams that changed."""
    own = config.deployments[deployment].alpha
    alpha = config.alpha if own is None else own
    e_values = {key: point.evidence.e_value for key, point in here.items() if point.evidence.e_value is not None}
    rejection = reject(e_values, alpha=alpha, n_streams=n_known)
    spending = {
        "alpha": alpha,
        "n_streams": n_known,
        "n_learning": n_known - len(e_values),
        "n_alarmed": len(rejection.rejected),
        "largest_e": max(e_values.values(), default=None),
        "threshold_e": rejection.threshold,
    }
    keep_budget(connection, deployment, window, spending)
    return spending, sorted(rejection.rejected)


def _close(connection: Connection, deployment: str, finished: FinishedWindow) -> None:
    n, reason = finished.n_requests, finished.expired_because
    if reason is None:
        close_stage(connection, deployment, finished.window, "detect", [StageCount("done", n)] if n else [])
        return
    counts = [StageCount("expired", n, reason)] if n else []
    close_stage(connection, deployment, finished.window, "detect", counts, state="expired", reason=reason)


def _state(points: Sequence[_Point], is_alarmed: bool) -> str:
    if is_alarmed:
        return "alarmed"
    episode = points[-1].episode
    tested = any(point.evidence.e_value is not None for point in points if point.episode == episode)
    return "watching" if tested else "learning"
