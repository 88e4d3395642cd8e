"""What metrics keep of the reference windows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from llmmon.model import Json, Window
from llmmon.store.database import execute, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryKey:
    """Whose reference a summary is of, and what it was made from.

    Parameters
    ----------
    basis : bytes
        SHA-256 over the metric, its parameters, how it is segmented, and the reference windows.
    judged_at : datetime or None
        When the last of the reference windows was judged; None when none of them had a request.
    """

    deployment: str
    monitor: str
    basis: bytes
    judged_at: datetime | None


def find_summary(connection: Connection, key: SummaryKey, segment: str) -> tuple[int, Json] | None:
    """Return the number and content of the summary of one segment's reference, None when there is none that holds."""
    rows = fetch(connection, "reference_summary/find", {**_place(key), "segment": segment})
    return (int(rows[0].reference_summary_id), rows[0].summary) if rows else None


def keep_summary(
    connection: Connection,
    key: SummaryKey,
    segment: str,
    summary: Json,
    *,
    windows: Sequence[Window],
    n_requests: int,
    provenance_id: int,
) -> None:
    """Write the summary of one segment's reference; one that says the same as before is confirmed, else it is the next.

    Parameters
    ----------
    windows : sequence of Window
        The reference windows, oldest first.
    n_requests : int
        Requests of the segment in them.
    """
    parameters = {
        **_place(key),
        "segment": segment,
        "summary": json.dumps(summary, allow_nan=False),
        "start": windows[0].start,
        "end": windows[-1].end,
        "n_windows": len(windows),
        "n_requests": n_requests,
        "provenance_id": provenance_id,
    }
    execute(connection, "reference_summary/keep", parameters)


def _place(key: SummaryKey) -> dict[str, Any]:
    return {
        "deployment": key.deployment,
        "monitor": key.monitor,
        "basis": key.basis,
        "judged_at": key.judged_at,
    }
