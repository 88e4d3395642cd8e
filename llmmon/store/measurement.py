"""What the windows measured."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row

from llmmon.model import Estimate, Measurement, Window
from llmmon.store.database import execute, fetch

PROVISIONAL: Final = "provisional"
"""Key in the detail of an absent measurement that waits for its reference windows."""
_DIGITS: Final = 12


def keep_measurement(
    connection: Connection, measurement: Measurement, provenance_id: int, *, reference_summary_id: int | None = None
) -> int:
    """Write one measurement and return 1, or 0 when the newest version says the same.

    Another result than before becomes the next version; only a provisional one, which says nothing yet, is replaced in
    place, so that versions do not depend on the order in which windows were measured. A provisional one never follows
    a result. Numbers are kept to 12 significant digits: the last ones differ between machines.
    """
    estimate = measurement.estimate
    parameters = {
        **_place(measurement.deployment, measurement.window),
        "monitor": measurement.monitor,
        "segment": measurement.segment,
        "value": _plain(estimate.value),
        "low": _plain(estimate.low),
        "high": _plain(estimate.high),
        "n": int(estimate.n),
        "unit": measurement.unit,
        "reason": estimate.reason,
        "detail": json.dumps(_plain(estimate.detail), allow_nan=False),
        "provenance_id": provenance_id,
        "reference_summary_id": reference_summary_id,
    }
    row = fetch(connection, "measurement/keep", parameters)[0]
    return int(row.n_added) + int(row.n_completed)


def latest_measurements(connection: Connection, deployment: str) -> list[Measurement]:
    """Return the newest version of every measurement, ordered by monitor, segment and window."""
    return [
        measurement_of_row(deployment, row)
        for row in fetch(connection, "measurement/latest", {"deployment": deployment})
    ]


def measurements_of_streams(
    connection: Connection, deployment: str, since: Mapping[tuple[str, str], datetime], until: datetime
) -> dict[tuple[str, str], list[Measurement]]:
    """Return the newest version of every measurement of some streams in the order of time.

    Parameters
    ----------
    since : mapping of (monitor, segment) to datetime
        Start of the first window that is wanted of each; windows that were given up are left out.
    until : datetime
        Windows from here on are left out.
    """
    given = {
        "deployment": deployment,
        "monitors": [monitor for monitor, _ in since],
        "segments": [segment for _, segment in since],
        "since": list(since.values()),
        "until": until,
    }
    found: dict[tuple[str, str], list[Measurement]] = {}
    for row in fetch(connection, "measurement/of_streams", given):
        found.setdefault((row.monitor, row.segment), []).append(measurement_of_row(deployment, row))
    return found


def streams_measured(
    connection: Connection, deployment: str, monitors: Sequence[str], *, since: datetime, until: datetime
) -> list[tuple[str, str]]:
    """Return the streams of some monitors that have a measurement in a stretch of time."""
    if not monitors or since >= until:
        return []
    given = {"deployment": deployment, "monitors": list(monitors), "since": since, "until": until}
    return [(row.monitor, row.segment) for row in fetch(connection, "measurement/streams", given)]


def measurement_of(connection: Connection, deployment: str, measurement_id: int) -> Measurement:
    """Return one measurement by its number."""
    (row,) = fetch(connection, "measurement/of_id", {"measurement_id": measurement_id})
    return measurement_of_row(deployment, row)


def provisional_windows(connection: Connection, deployment: str) -> list[Window]:
    """Return the windows that were measured before their reference was complete."""
    rows = fetch(connection, "measurement/provisional_windows", {"deployment": deployment})
    return [Window(start=row.window_start, end=row.window_end) for row in rows]


def first_request_at(connection: Connection, deployment: str) -> datetime | None:
    """Return when the first known request of `deployment` happened."""
    rows = fetch(connection, "measurement/first_request", {"deployment": deployment})
    return rows[0].occurred_at if rows else None


def reference_state(
    connection: Connection, deployment: str, windows: Sequence[Window], length: timedelta
) -> tuple[int, datetime | None]:
    """Return how many of `windows` have all their requests judged, and when the last of them was judged."""
    if not windows:
        return 0, None
    parameters = {"deployment": deployment, "starts": [window.start for window in windows], "length": length}
    rows = fetch(connection, "measurement/reference_state", parameters)
    return sum(row.is_ready for row in rows), max((row.judged_at for row in rows if row.judged_at), default=None)


def mark_dependents_dirty(connection: Connection, deployment: str, window: Window) -> int:
    """Mark windows measured against `window` before it was last judged as dirty, and return how many."""
    return execute(connection, "measurement/dirty_dependents", _place(deployment, window))


def measurement_of_row(deployment: str, row: Row[Any]) -> Measurement:
    """Return the measurement of `deployment` that a row holds."""
    estimate = Estimate(value=row.value, n=row.n, low=row.low, high=row.high, reason=row.reason, detail=row.detail)
    return Measurement(
        deployment=deployment,
        monitor=row.monitor,
        segment=row.segment,
        window=Window(start=row.window_start, end=row.window_end),
        estimate=estimate,
        unit=row.unit,
        measurement_id=row.measurement_id,
    )


def as_stored(estimate: Estimate) -> dict[str, Any]:
    """Return `estimate` as it comes back from the store: value, low, high, n, reason and detail."""
    numbers = {name: _plain(getattr(estimate, name)) for name in ("value", "low", "high")}
    detail = json.loads(json.dumps(_plain(estimate.detail), allow_nan=False))
    return {**numbers, "n": int(estimate.n), "reason": estimate.reason, "detail": detail}


def _place(deployment: str, window: Window) -> dict[str, Any]:
    return {"deployment": deployment, "start": window.start, "end": window.end}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
