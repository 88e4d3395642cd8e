"""Evidence, and how the error budget was spent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.model import Evidence, Window
from llmmon.store.database import execute, fetch

StreamKey = tuple[str, str]
_ROWS_AT_ONCE: Final = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamEvidence:
    """Evidence of one window of one stream and what it rests on."""

    monitor: str
    segment: str
    detector: str
    evidence: Evidence
    measurement_id: int
    provenance_id: int


def keep_evidence(
    connection: Connection,
    deployment: str,
    items: Iterable[StreamEvidence],
    since: Mapping[StreamKey, datetime],
    until: datetime,
) -> list[datetime]:
    """Make the evidence of some streams what `items` says; return the window of each row that is new, other or gone.

    An unchanged row keeps its provenance: the code and configuration that first gave it.

    Parameters
    ----------
    items : iterable of StreamEvidence
        All there is of these streams from the windows in `since` on and before `until`.
    since : mapping of (monitor, segment) to datetime
        From where each stream was judged.
    """
    place = {**_streams(since), "since": list(since.values()), "deployment": deployment, "until": until}
    stored = {
        (row.monitor, row.segment, row.window_start): row for row in fetch(connection, "evidence/of_streams", place)
    }
    changed = []
    for item in items:
        found = item.evidence
        row = stored.pop((item.monitor, item.segment, found.window.start), None)
        says = (item.detector, found.e_value, found.relevant, found.value, found.reference_value, found.effect)
        if row is None or tuple(row)[3:] != (*says, found.reason, dict(found.detail), item.measurement_id):
            changed.append(item)
    for batch in _batches(changed):
        execute(connection, "evidence/keep", {"deployment": deployment, "rows": json.dumps(batch, allow_nan=False)})
    gone = {"deployment": deployment, **_streams(stored), "starts": [start for _, _, start in stored]}
    if stored:
        execute(connection, "evidence/forget", gone)
    return [*(item.evidence.window.start for item in changed), *(start for _, _, start in stored)]


def evidence_of_windows(
    connection: Connection, deployment: str, starts: Sequence[datetime], monitors: Sequence[str]
) -> dict[datetime, dict[StreamKey, StreamEvidence]]:
    """Return the stored evidence of some windows by window and stream, as far as it comes from `monitors`."""
    given = {"deployment": deployment, "starts": list(starts), "monitors": list(monitors)}
    found: dict[datetime, dict[StreamKey, StreamEvidence]] = {start: {} for start in starts}
    for row in fetch(connection, "evidence/of_windows", given):
        found[row.window_start][row.monitor, row.segment] = StreamEvidence(
            monitor=row.monitor,
            segment=row.segment,
            detector=row.detector,
            evidence=Evidence(
                window=Window(start=row.window_start, end=row.window_end),
                e_value=row.e_value,
                relevant=row.relevant,
                value=row.value,
                reference_value=row.reference_value,
                effect=row.effect,
                reason=row.reason,
                detail=row.detail,
            ),
            measurement_id=row.measurement_id,
            provenance_id=row.provenance_id,
        )
    return found


def keep_budget(connection: Connection, deployment: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write how the error budget stood at some windows.

    Parameters
    ----------
    lines : sequence of mapping
        window_start (ISO), alpha, n_streams, n_learning, n_alarmed, largest_e, threshold_e.
    """
    execute(connection, "alarm_budget/keep", {"deployment": deployment, "rows": json.dumps(lines, allow_nan=False)})


def _streams(keys: Iterable[tuple[Any, ...]]) -> dict[str, list[str]]:
    keys = list(keys)
    return {"monitors": [key[0] for key in keys], "segments": [key[1] for key in keys]}


def _batches(items: Iterable[StreamEvidence]) -> Iterable[list[dict[str, Any]]]:
    rows = map(_row, items)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        yield batch


def _row(item: StreamEvidence) -> dict[str, Any]:
    found = item.evidence
    return {
        "monitor": item.monitor,
        "segment": item.segment,
        "window_start": found.window.start.isoformat(),
        "window_end": found.window.end.isoformat(),
        "detector": item.detector,
        "e_value": found.e_value,
        "relevant": found.relevant,
        "value": found.value,
        "reference_value": found.reference_value,
        "effect": found.effect,
        "reason": found.reason,
        "detail": dict(found.detail),
        "measurement_id": item.measurement_id,
        "provenance_id": item.provenance_id,
    }
