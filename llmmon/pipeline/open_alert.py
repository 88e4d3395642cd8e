"""Open one alert: the finding, the requests that show it, its deliveries and its audit event."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from llmmon.audit.event import actor, body
from llmmon.config import Config, MonitorConfig
from llmmon.model import Evidence, Measurement, Segment
from llmmon.pipeline.alert_sentence import sentence_of, title_of
from llmmon.pipeline.judge import Spending
from llmmon.pipeline.known_settings import remember_settings
from llmmon.pipeline.moved_anchors import moved_anchors
from llmmon.store import alert as alerts
from llmmon.store import audit

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """A stream that changed, at the window where that was decided.

    Parameters
    ----------
    dedupe_key : str
        Of the stream's episode.
    detector_name : str
        As it is registered.
    provenance_id : int
        Of the detector.
    """

    dedupe_key: str
    measurement: Measurement
    evidence: Evidence
    monitor: MonitorConfig
    detector_name: str
    provenance_id: int


def open_alert(connection: Connection, config: Config, alarm: Alarm, spending: Spending) -> None:
    """Open the alert of `alarm` in the caller's transaction, with outbox and audit; `spending` is the budget's line."""
    measurement, evidence, monitor = alarm.measurement, alarm.evidence, alarm.monitor
    if evidence.value is None or evidence.e_value is None:
        raise AssertionError("a stream without value or evidence was rejected")
    remember_settings(connection, config, measurement.deployment)
    estimate = measurement.estimate
    dimension, equals, value = measurement.segment.partition("=")
    settings = config.deployments[measurement.deployment]
    judge_told = moved_anchors(connection, settings, measurement.deployment, measurement.monitor, measurement.window)
    alert = alerts.NewAlert(
        dedupe_key=alarm.dedupe_key,
        deployment=measurement.deployment,
        monitor=measurement.monitor,
        segment=measurement.segment,
        detector=alarm.detector_name,
        window=measurement.window,
        severity=monitor.severity,
        title=title_of(measurement, evidence),
        sentence=" ".join(filter(None, (sentence_of(measurement, evidence), judge_told))),
        value=evidence.value,
        reference_value=evidence.reference_value,
        e_value=evidence.e_value,
        measurement_id=number_of(measurement),
        provenance_id=alarm.provenance_id,
        request_keys=alerts.telling_requests(
            connection,
            measurement.deployment,
            measurement.window,
            Segment(dimension=dimension, value=value) if equals else Segment(),
            metric=monitor.metric.type,
            parameters=monitor.metric.parameters,
            rose=evidence.reference_value is None or evidence.value >= evidence.reference_value,
        ),
        detail={
            **evidence.detail,
            "effect": evidence.effect,
            "min_effect": monitor.min_effect,
            "unit": measurement.unit,
            "low": estimate.low,
            "high": estimate.high,
            "n": estimate.n,
            "alpha": spending.alpha,
            "threshold_e": spending.threshold_e,
        },
    )
    names = monitor.channels if monitor.channels is not None else tuple(config.channels)
    alert_id = alerts.open_alert(connection, alert, actor=actor(), channels=names)
    detail = {
        "dedupe_key": alert.dedupe_key,
        "deployment": alert.deployment,
        "monitor": alert.monitor,
        "window": alert.window.key,
        "severity": alert.severity,
        "e_value": alert.e_value,
        "measurement_id": alert.measurement_id,
        "channels": list(names),
    }
    audit.append(connection, body("alert.opened", f"alert {alert_id}", detail, config_digest=config.digest))
    log.warning("alert %s: %s", alert_id, alert.sentence)


def number_of(measurement: Measurement) -> int:
    """Return the number of a stored measurement."""
    if measurement.measurement_id is None:
        raise AssertionError("a stored measurement has a number")
    return measurement.measurement_id
