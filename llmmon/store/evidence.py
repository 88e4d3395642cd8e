"""Evidence, where streams stand, and how the error budget was spent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from llmmon.model import Evidence, Window
from llmmon.store.coverage import GRID
from llmmon.store.database import execute, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedWindow:
    """A window that is measured or given up, as all before it are.

    Parameters
    ----------
    expired_because : str or None
        Why it was given up; None when it was measured.
    is_closed : bool
        Whether the detect stage has accounted for it since.
    """

    window: Window
    n_requests: int
    expired_because: str | None
    is_closed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamEvidence:
    """Evidence of one window of one stream and what it rests on."""

    monitor: str
    segment: str
    detector: str
    evidence: Evidence
    measurement_id: int
    provenance_id: int


def frontier(
    connection: Connection,
    deployment: str,
    *,
    length: timedelta,
    active_from: datetime | None,
    active_until: datetime | None,
) -> list[FinishedWindow]:
    """Return the deployment's windows from its first on, as far as they are finished without a gap."""
    parameters = {
        "deployment": deployment,
        "length": length,
        "grid": GRID,
        "active_from": active_from or datetime(1, 1, 1, tzinfo=UTC),
        "active_until": active_until,
    }
    return [
        FinishedWindow(
            window=Window(start=row.window_start, end=row.window_end),
            n_requests=row.n_requests,
            expired_because=(row.reason or "given up") if row.state == "expired" else None,
            is_closed=row.is_closed,
        )
        for row in fetch(connection, "evidence/frontier", parameters)
    ]


def keep_evidence(connection: Connection, deployment: str, items: list[StreamEvidence]) -> int:
    """Write what differs from the stored evidence and return how many rows that were.

    An unchanged row keeps its provenance: the code and configuration that first gave it.
    """
    stored = {
        (row.monitor, row.segment, row.window_start): tuple(row)[3:]
        for row in fetch(connection, "evidence/stored", {"deployment": deployment})
    }
    changed = []
    for item in items:
        found = item.evidence
        key = (item.monitor, item.segment, found.window.start)
        says = (item.detector, found.e_value, found.relevant, found.value, found.reference_value, found.effect)
        if stored.get(key) == (*says, found.reason, dict(found.detail), item.measurement_id):
            continue
        changed.append(
            {
                "deployment": deployment,
                "monitor": item.monitor,
                "segment": item.segment,
                "start": found.window.start,
                "end": found.window.end,
                "detector": item.detector,
                "e_value": found.e_value,
                "relevant": found.relevant,
                "value": found.value,
                "reference_value": found.reference_value,
                "effect": found.effect,
                "reason": found.reason,
                "detail": json.dumps(dict(found.detail), allow_nan=False),
                "measurement_id": item.measurement_id,
                "provenance_id": item.provenance_id,
            }
        )
    execute(connection, "evidence/keep", changed)
    return len(changed)


def keep_stream_state(
    connection: Connection, deployment: str, monitor: str, segment: str, *, state: str, last: Evidence
) -> None:
    """Write where a stream stands after its last window: learning, watching or alarmed."""
    row = {"deployment": deployment, "monitor": monitor, "segment": segment, "state": state}
    seen = {"start": last.window.start, "e_value": last.e_value, "reason": last.reason}
    execute(connection, "stream_state/keep", {**row, **seen})


def keep_budget(connection: Connection, deployment: str, window: Window, spending: Mapping[str, Any]) -> None:
    """Write how the error budget stood at `window`: alpha, n_streams, n_learning, n_alarmed, largest_e, threshold_e."""
    execute(connection, "alarm_budget/keep", {"deployment": deployment, "start": window.start, **spending})
