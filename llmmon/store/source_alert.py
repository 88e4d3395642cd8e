"""The alert of a source whose batches are held: one at a time, told when it opens and when reading stops."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from llmmon.model import Severity, Window, digest_of
from llmmon.store.database import execute, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceAlert:
    """What is written of the alert of a source."""

    source: str
    window: Window
    severity: Severity
    title: str
    sentence: str
    detail: Mapping[str, Any]


def unresolved(connection: Connection, source: str) -> Row[Any] | None:
    """Return the alert of `source` that nobody resolved yet, to be changed in this transaction; None without one."""
    rows = fetch(connection, "source_alert/find", {"source": source})
    return rows[0] if rows else None


def open_source_alert(
    connection: Connection, alert: SourceAlert, *, batch_id: int, actor: str, channels: Sequence[str]
) -> int:
    """Open the alert because of a held batch, with a delivery for each channel, and return its number."""
    key = digest_of([alert.source, batch_id]).hex()[:24]
    given = {**_parameters(alert), "dedupe_key": key, "actor": actor, "channels": list(channels)}
    return int(fetch(connection, "source_alert/open", given)[0].alert_id)


def update_source_alert(
    connection: Connection, known: Row[Any], alert: SourceAlert, *, tell_again: Sequence[str] = ()
) -> None:
    """Bring a known alert up to date; channels named in `tell_again` get it a second time."""
    given = {**_parameters(alert), "alert_id": known.alert_id, "dedupe_key": known.dedupe_key}
    execute(connection, "source_alert/update", {**given, "channels": list(tell_again)})


def _parameters(alert: SourceAlert) -> dict[str, Any]:
    found = {name: getattr(alert, name) for name in ("source", "severity", "title", "sentence")}
    detail = json.dumps(dict(alert.detail), allow_nan=False)
    return {**found, "start": alert.window.start, "end": alert.window.end, "detail": detail}
