"""How far a deployment is judged, and where its streams stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from llmmon.model import Json, Window
from llmmon.store.coverage import GRID
from llmmon.store.database import execute, fetch

StreamKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How far a deployment is judged.

    Parameters
    ----------
    first_start, judged_until : datetime
        Start of its first window and end of the last that was judged.
    measurement_change_id, stage_change_id : int
        Newest change of a measurement and of a window's measure stage that was seen.
    rules : mapping
        What the streams and the budget were judged by.
    """

    first_start: datetime
    judged_until: datetime
    measurement_change_id: int
    stage_change_id: int
    rules: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstWindow:
    """Where a deployment's windows begin.

    Parameters
    ----------
    start : datetime
        Of the first window.
    unfinished_start : datetime or None
        Of the first window that was measured before and has to be again.
    measurement_change_id, stage_change_id : int
        Newest change of a measurement and of a window's measure stage.
    """

    start: datetime
    unfinished_start: datetime | None
    measurement_change_id: int
    stage_change_id: int


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
class StoredStream:
    """Where a stream stands, as it is stored.

    Parameters
    ----------
    state : str
        learning, watching or alarmed.
    first_window_start : datetime or None
        Of its first window; None where it was judged before streams remembered anything.
    restarts : tuple of datetime
        Windows after which it learns anew.
    memory : sequence of mapping
        Where it stood after a few windows, newest last, as JSON.
    """

    state: str
    first_window_start: datetime | None
    restarts: tuple[datetime, ...]
    memory: Sequence[Json]


def mark_of(connection: Connection, deployment: str) -> Mark | None:
    """Return how far `deployment` is judged; None before its first detection."""
    rows = fetch(connection, "detection/mark", {"deployment": deployment})
    return Mark(**rows[0]._mapping) if rows else None


def keep_mark(connection: Connection, deployment: str, mark: Mark) -> None:
    """Write how far `deployment` is judged."""
    given = {
        "deployment": deployment,
        "first_start": mark.first_start,
        "judged_until": mark.judged_until,
        "measurement_change_id": mark.measurement_change_id,
        "stage_change_id": mark.stage_change_id,
        "rules": json.dumps(dict(mark.rules), allow_nan=False),
    }
    execute(connection, "detection/keep_mark", given)


def first_window(
    connection: Connection, deployment: str, *, length: timedelta, active_from: datetime | None
) -> FirstWindow | None:
    """Return where the windows of `deployment` begin; None while nothing is known of it."""
    given = {
        "deployment": deployment,
        "length": length,
        "grid": GRID,
        "active_from": active_from or datetime(1, 1, 1, tzinfo=UTC),
    }
    rows = fetch(connection, "detection/first_window", given)
    if not rows:
        return None
    row = rows[0]
    return FirstWindow(
        start=row.first_start,
        unfinished_start=row.unfinished_start,
        measurement_change_id=row.measurement_change_id,
        stage_change_id=row.stage_change_id,
    )


def finished_windows(
    connection: Connection, deployment: str, mark: Mark, *, length: timedelta, active_until: datetime | None
) -> list[FinishedWindow]:
    """Return the windows finished without a gap from where `mark` ends, and earlier ones finished again since."""
    given = {
        "deployment": deployment,
        "first_start": mark.first_start,
        "judged_until": mark.judged_until,
        "stage_change_id": mark.stage_change_id,
        "length": length,
        "active_until": active_until,
    }
    return [
        FinishedWindow(
            window=Window(start=row.window_start, end=row.window_end),
            n_requests=row.n_requests,
            expired_because=(row.reason or "given up") if row.state == "expired" else None,
            is_closed=row.is_closed,
        )
        for row in fetch(connection, "detection/finished", given)
    ]


def outdated_streams(connection: Connection, deployment: str, mark: Mark) -> dict[StreamKey, datetime]:
    """Return the streams whose past changed since `mark` was set, and the first window of each that did."""
    given = {
        "deployment": deployment,
        "first_start": mark.first_start,
        "judged_until": mark.judged_until,
        "measurement_change_id": mark.measurement_change_id,
        "stage_change_id": mark.stage_change_id,
    }
    rows = fetch(connection, "evidence/outdated", given)
    return {(row.monitor, row.segment): row.window_start for row in rows}


def stored_streams(connection: Connection, deployment: str) -> dict[StreamKey, StoredStream]:
    """Return where every stream of `deployment` stands."""
    return {
        (row.monitor, row.segment): StoredStream(
            state=row.state,
            first_window_start=row.first_window_start,
            restarts=tuple(row.restarts),
            memory=row.memory,
        )
        for row in fetch(connection, "stream_state/stored", {"deployment": deployment})
    }


def keep_streams(connection: Connection, deployment: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write where streams stand: the columns of ``stream_state``, times as ISO."""
    if rows:
        given = {"deployment": deployment, "rows": json.dumps(rows, allow_nan=False)}
        execute(connection, "stream_state/keep", given)


def forget_streams(connection: Connection, deployment: str, keys: Iterable[StreamKey]) -> None:
    """Remove streams that have no window any more."""
    given = list(keys)
    if given:
        names = {"monitors": [monitor for monitor, _ in given], "segments": [segment for _, segment in given]}
        execute(connection, "stream_state/forget", {"deployment": deployment, **names})
