"""What an alert's change comes from: what explaining reads, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from llmmon.model import Json, Window
from llmmon.store.alert import of_a_stream
from llmmon.store.database import fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """A replay lane as it was run in some windows.

    Parameters
    ----------
    backend : str
        Name of the backend's plug-in.
    is_pinned : bool
        Whether one model of one stated revision gave all its answers.
    """

    name: str
    backend: str
    is_pinned: bool
    n: int


def alert_to_explain(connection: Connection, alert_id: int) -> Row[Any]:
    """Return an alert of a stream with its measurement and how that was made.

    Raises
    ------
    UnknownAlertError
        When there is no such alert, or it is about a source.
    """
    return of_a_stream(fetch(connection, "explanation/alert", {"alert_id": alert_id}), alert_id, to="explain")


def lanes_of(connection: Connection, deployment: str, windows: Sequence[Window]) -> list[Lane]:
    """Return the replay lanes that have answers in `windows`."""
    rows = fetch(connection, "explanation/lanes", _place(deployment, windows))
    return [Lane(name=row.lane, backend=row.backend, is_pinned=row.is_pinned, n=row.n) for row in rows]


def measured_since(
    connection: Connection, deployment: str, monitor: str, segment: str, start: datetime
) -> list[tuple[Window, float | None]]:
    """Return the measured windows of a stream from `start` on with their values."""
    stream = {"deployment": deployment, "monitor": monitor, "segment": segment, "start": start}
    return [
        (Window(start=row.window_start, end=row.window_end), row.value)
        for row in fetch(connection, "explanation/measured", stream)
    ]


def coverage_of(connection: Connection, deployment: str, windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Return what became of the requests of `windows`: ``stage, state, reason, n``."""
    return [dict(row._mapping) for row in fetch(connection, "explanation/coverage", _place(deployment, windows))]


def request_ids(connection: Connection, request_keys: Sequence[int]) -> list[dict[str, Any]]:
    """Return source, id and time of some requests, in the given order."""
    rows = fetch(connection, "explanation/requests", {"request_keys": list(request_keys)})
    return [{**row._mapping, "occurred_at": row.occurred_at.isoformat()} for row in rows]


def keep_explanation(
    connection: Connection,
    alert_id: int,
    *,
    cause: str | None,
    statement: str,
    n_more: int | None,
    request_keys: Sequence[int],
    detail: Json,
    provenance_id: int,
) -> int | None:
    """Write an explanation and return its number, None when the newest one says the same."""
    row = {
        "alert_id": alert_id,
        "cause": cause,
        "statement": statement,
        "n_more": n_more,
        "request_keys": list(request_keys),
        "detail": json.dumps(dict(detail), allow_nan=False),
        "provenance_id": provenance_id,
    }
    rows = fetch(connection, "explanation/keep", row)
    return int(rows[0].explanation_id) if rows else None


def alerts_to_explain(connection: Connection, deployments: Sequence[str], *, most: int) -> list[int]:
    """Return unresolved alerts without an explanation, or with one that more windows may now complete.

    Parameters
    ----------
    most : int
        Windows from an alert's on that an explanation looks at.
    """
    rows = fetch(connection, "explanation/waiting", {"deployments": list(deployments), "most": most})
    return [int(row.alert_id) for row in rows]


def _place(deployment: str, windows: Sequence[Window]) -> dict[str, Any]:
    return {"deployment": deployment, "starts": [window.start for window in windows]}
