"""Alerts: opened once per episode, with their event and their deliveries in one statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row

from llmmon.errors import UnknownAlertError
from llmmon.model import LOGGED, Json, Segment, Severity, Window, digest_of
from llmmon.store.database import fetch

_FIELD_OF_METRIC: Final = {"latency_quantile": "latency_ms", "cost": "cost_usd", "error_rate": "status"}
_SHARES_BEYOND: Final = frozenset({"score_rate", "calibrated_rate"})
_OF_ANCHORS: Final = "anchor_shift"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAlert:
    """What is written of an alert when it opens."""

    dedupe_key: str
    deployment: str
    monitor: str
    segment: str
    detector: str
    window: Window
    severity: Severity
    title: str
    sentence: str
    value: float
    reference_value: float | None
    e_value: float
    measurement_id: int
    provenance_id: int
    request_keys: Sequence[int] = ()
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Episodes:
    """What people decided about a deployment's earlier alerts.

    Parameters
    ----------
    dedupe_keys : frozenset of str
        Episodes that have an alert.
    learn_again_after : mapping of (monitor, segment) to sorted tuple of datetime
        Starts of the windows after which a stream learns anew, because its alert was resolved.
    """

    dedupe_keys: frozenset[str]
    learn_again_after: dict[tuple[str, str], tuple[datetime, ...]]


def episode_key(deployment: str, monitor: str, segment: str, episode: int) -> str:
    """Return the key under which the alert of a stream's episode is opened and delivered once."""
    return digest_of([deployment, monitor, segment, episode]).hex()[:24]


def episodes(connection: Connection, deployment: str) -> Episodes:
    """Return which episodes have an alert and where streams learn again."""
    rows = fetch(connection, "alert/episodes", {"deployment": deployment})
    restarts: dict[tuple[str, str], set[datetime]] = {}
    for row in rows:
        if row.learn_again_after is not None:
            restarts.setdefault((row.monitor, row.segment), set()).add(row.learn_again_after)
    return Episodes(
        frozenset(row.dedupe_key for row in rows), {key: tuple(sorted(found)) for key, found in restarts.items()}
    )


def open_alert(connection: Connection, alert: NewAlert, *, actor: str, channels: Sequence[str]) -> int | None:
    """Open `alert` with its first event and one delivery per channel; None when its episode has one already."""
    rows = fetch(
        connection,
        "alert/open",
        {
            "dedupe_key": alert.dedupe_key,
            "deployment": alert.deployment,
            "monitor": alert.monitor,
            "segment": alert.segment,
            "detector": alert.detector,
            "start": alert.window.start,
            "end": alert.window.end,
            "severity": alert.severity,
            "title": alert.title,
            "sentence": alert.sentence,
            "value": alert.value,
            "reference_value": alert.reference_value,
            "e_value": alert.e_value,
            "request_keys": list(alert.request_keys),
            "detail": json.dumps(dict(alert.detail), allow_nan=False),
            "measurement_id": alert.measurement_id,
            "provenance_id": alert.provenance_id,
            "actor": actor,
            "channels": list(channels),
        },
    )
    return int(rows[0].alert_id) if rows else None


def telling_requests(
    connection: Connection,
    deployment: str,
    window: Window,
    segment: Segment,
    *,
    metric: str,
    parameters: Json,
    rose: bool,
) -> list[int]:
    """Return up to five requests that show a change best: the most extreme in its direction.

    A metric over scores shows scored requests, one over a logged number those with that number; a metric over whole
    distributions singles out none.
    """
    place: dict[str, Any] = {
        "deployment": deployment,
        "start": window.start,
        "end": window.end,
        "dimension": segment.dimension,
        "value": segment.value,
        "sign": 1 if rose else -1,
    }
    scorer = parameters.get("scorer")
    if metric == _OF_ANCHORS:
        return []
    if scorer is not None:
        if metric in _SHARES_BEYOND and parameters.get("side", "below") == "below":
            place["sign"] = -place["sign"]  # a share of low scores that rises is shown by low scores
        chosen = {"scorer": scorer, "lane": parameters.get("lane", LOGGED)}
        return [row.request_key for row in fetch(connection, "alert/requests_by_score", {**place, **chosen})]
    name = parameters.get("field", _FIELD_OF_METRIC.get(metric))
    if name is None or parameters.get("lane", LOGGED) != LOGGED:
        return []
    return [row.request_key for row in fetch(connection, "alert/requests_by_field", {**place, "field": name})]


def of_a_stream(found: Sequence[Row[Any]], alert_id: int, *, to: str) -> Row[Any]:
    """Return the row of an alert about a stream, out of what was found; `to` says what its number is wanted for.

    Raises
    ------
    UnknownAlertError
        When there is no such alert, or it is about a source.
    """
    if not found:
        raise UnknownAlertError(f"there is no alert {alert_id}; `llmmon query alert_lifecycle` lists them")
    if found[0].source is not None:
        raise UnknownAlertError(
            f"alert {alert_id} says that batches of source {found[0].source} are held, it has no number to {to}; "
            "`llmmon batch list` shows them"
        )
    return found[0]
