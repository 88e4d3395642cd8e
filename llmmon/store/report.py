"""Reports that people read: gzipped snapshots, rendered when asked for."""

from __future__ import annotations

import gzip
import json
from typing import Final

from sqlalchemy import Connection

from llmmon.model import Json, Window
from llmmon.store.database import execute, fetch

RENDERER: Final = "evidently"


def keep_report(connection: Connection, deployment: str, window: Window, *, summary: Json, snapshot: str) -> None:
    """Keep the report of `window`; `snapshot` is the renderer's own JSON."""
    parameters = {
        **_place(deployment, window),
        "end": window.end,
        "summary": json.dumps(dict(summary), allow_nan=False),
        "snapshot": gzip.compress(snapshot.encode(), mtime=0),
    }
    execute(connection, "report/keep", parameters)


def read_report(connection: Connection, deployment: str, window: Window) -> str | None:
    """Return the renderer's JSON of the report of `window`, or None where there is no report."""
    rows = fetch(connection, "report/snapshot", _place(deployment, window))
    return gzip.decompress(bytes(rows[0].snapshot)).decode() if rows else None


def windows_without_report(connection: Connection, deployment: str) -> list[Window]:
    """Return the measured windows that have no report, or were measured again since, oldest first."""
    rows = fetch(connection, "report/missing", {"deployment": deployment, "renderer": RENDERER})
    return [Window(start=row.window_start, end=row.window_end) for row in rows]


def _place(deployment: str, window: Window) -> dict[str, object]:
    return {"deployment": deployment, "start": window.start, "renderer": RENDERER}
