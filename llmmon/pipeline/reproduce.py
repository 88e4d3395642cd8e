"""Compute an alert's numbers again: its measurement from the rows of the window, its evidence, and what it needed.

Three steps, each from what the step before has stored, as it was when the alert opened: the metric over the rows of
the window (and its summary of the reference over theirs); the detector folded over the stored measurements up to the
window; e-BH over the evidence of every stream there. Plug-ins, parameters and seed come from provenance, windows and
scopes from the settings written down under the digest that provenance names. Equal means equal to the last stored bit.

Rows of the past may be gone or have come since. That is looked up and named; a difference without such a cause is none
that may be, and the verb fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.config import Config
from llmmon.detectors.base import detectors
from llmmon.errors import LlmmonError
from llmmon.model import Evidence, Measurement, Window
from llmmon.pipeline.judge import Rule, StreamKey, advance, spend
from llmmon.pipeline.measured_again import measured_again, reasons_of
from llmmon.store import alert as alerts
from llmmon.store.database import Database
from llmmon.store.reproduction import Streams, alert_to_reproduce, detectors_at, streams_as_known

_OF_MONITOR: Final = ("min_effect", "direction")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One step computed again.

    Parameters
    ----------
    name : str
        ``reference``, ``measurement``, ``evidence`` or ``threshold``.
    stored, computed : mapping
        Its numbers; nothing computed when it could not be.
    reasons : tuple of str
        What may make them differ, or why nothing was computed.
    """

    name: str
    stored: Mapping[str, Any]
    computed: Mapping[str, Any] | None
    reasons: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether every number is the same, bit by bit."""
        return self.computed is not None and dict(self.computed) == dict(self.stored)

    @property
    def differs(self) -> tuple[str, ...]:
        """Names of the numbers that differ."""
        return () if self.computed is None else tuple(k for k, v in self.stored.items() if self.computed.get(k) != v)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """An alert computed again, step by step."""

    alert_id: int
    sentence: str
    checks: tuple[Check, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every step gave the stored numbers."""
        return all(check.is_equal for check in self.checks)

    @property
    def is_accounted_for(self) -> bool:
        """Whether every step that did not has a stated reason."""
        return all(check.is_equal or check.reasons for check in self.checks)


def reproduce(database: Database, config: Config, alert_id: int) -> Reproduction:
    """Compute the numbers of an alert again; nothing is written.

    Parameters
    ----------
    database : Database
        Where the windows are.
    config : Config
        Used only where the settings of the alert's own configuration were not written down and it is the same one.
    alert_id : int
        Of an alert about a stream.

    Raises
    ------
    UnknownAlertError
        When there is no such alert, or it is about a source.
    """
    with database.transaction() as connection:
        alert = alert_to_reproduce(connection, alert_id)
        window = Window(start=alert.window_start, end=alert.window_end)
        streams = streams_as_known(connection, alert.deployment, window, alert.opened_at)
        checks = (
            *(Check(**again) for again in measured_again(connection, config, alert, window)),
            _evidence(connection, alert, window, streams),
            _threshold(connection, alert, window, streams),
        )
    return Reproduction(alert_id=alert_id, sentence=alert.sentence, checks=checks)


def _evidence(connection: Connection, alert: Any, window: Window, streams: Streams) -> Check:
    stored = {
        "e_value": alert.e_value,
        "value": alert.alert_value,
        "reference_value": alert.reference_value,
        "effect": alert.alert_detail["effect"],
    }
    reasons = reasons_of(alert.detector_code_version)
    key, by = (alert.monitor, alert.segment), (alert.detector, alert.detector_parameters)
    found = _last(connection, alert, window, key, streams.get(key, []), by)
    if isinstance(found, str):
        return Check(name="evidence", stored=stored, computed=None, reasons=(found, *reasons))
    computed = {
        "e_value": found.e_value,
        "value": found.value,
        "reference_value": found.reference_value,
        "effect": found.effect,
    }
    return Check(name="evidence", stored=stored, computed=computed, reasons=reasons)


def _threshold(connection: Connection, alert: Any, window: Window, streams: Streams) -> Check:
    stored = {"threshold_e": alert.alert_detail["threshold_e"], "is_rejected": True}
    reasons = list(reasons_of(alert.detector_code_version))
    how = detectors_at(connection, alert.deployment, window)
    watched = {monitor for monitor, _ in how}
    e_values: dict[StreamKey, float | None] = {}
    for key, by in how.items():
        found = _last(connection, alert, window, key, streams.get(key, []), by)
        if isinstance(found, str):
            reasons.append(f"stream {key[0]}, {key[1]}: {found}")
        else:
            e_values[key] = found.e_value
    n_known = sum(monitor in watched for monitor, _ in streams)
    spent = spend(window.start, e_values, alpha=alert.alert_detail["alpha"], n_known=n_known)
    computed = {
        "threshold_e": spent.threshold_e,
        "is_rejected": (alert.monitor, alert.segment) in spent.rejected,
    }
    return Check(name="threshold", stored=stored, computed=computed, reasons=tuple(reasons))


def _last(
    connection: Connection,
    alert: Any,
    window: Window,
    key: StreamKey,
    stream: list[Measurement],
    by: tuple[str, Mapping[str, Any]],
) -> Evidence | str:
    """Return the evidence of a stream at `window`, or why there is none."""
    if not stream or stream[-1].window != window:
        return "its measurement of this window is not as old as the alert: the window was measured again"
    restarts = alerts.episodes(connection, alert.deployment).learn_again_after.get(key, ())
    plugin, parameters = by
    given = {name: value for name, value in parameters.items() if name not in _OF_MONITOR}
    try:
        detector = detectors.create(plugin, given, where=f"alert {alert.alert_id}: detector {plugin}")
    except LlmmonError as error:
        return str(error)
    rule = Rule(detector=detector, min_effect=parameters["min_effect"], direction=parameters["direction"])
    *_, (point, _) = advance(rule, stream, restarts)
    return point.evidence
