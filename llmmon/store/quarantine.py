"""Rows that could not become request logs, byte for byte, until they are read again or retired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from llmmon.errors import UnknownRowError
from llmmon.model import Json
from llmmon.privacy.keys import opened_quarantine
from llmmon.store.database import fetch


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row that is still in quarantine."""

    quarantine_id: int
    file: str
    offset: int
    raw: bytes


def quarantine_summary(connection: Connection, source: str | None) -> Sequence[Row[Any]]:
    """Return how many rows wait and how many were loaded later, by source and code."""
    return fetch(connection, "quarantine/summary", {"source": source})


def quarantined_row(connection: Connection, quarantine_id: int) -> tuple[Row[Any], bytes]:
    """Return one row and its bytes as they were read.

    Raises
    ------
    UnknownRowError
        When there is none of this number.
    SealError
        When it is sealed and ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    rows = fetch(connection, "quarantine/show", {"quarantine_id": quarantine_id})
    if not rows:
        raise UnknownRowError(
            f"no row {quarantine_id} in quarantine; `llmmon quarantine list` shows the first of each kind"
        )
    return rows[0], _raw(rows[0])


def rows_of_subject(connection: Connection, user_ref: str) -> list[Json]:
    """Return the rows that are known to be a subject's, with their bytes as text; raises `SealError`."""
    rows = fetch(connection, "quarantine/of_subject", {"user_ref": user_ref})
    return [
        {
            **{name: value for name, value in row._mapping.items() if name != "sealed"},
            "raw": _raw(row).decode("utf-8", "backslashreplace"),
        }
        for row in rows
    ]


def waiting_rows(connection: Connection, source: str, *, after: int, limit: int) -> list[WaitingRow]:
    """Return up to `limit` rows of `source` that wait, behind the row numbered `after`."""
    rows = fetch(connection, "quarantine/waiting", {"source": source, "after": after, "limit": limit})
    return [WaitingRow(row.quarantine_id, row.file, row.byte_offset, _raw(row)) for row in rows]


def _raw(row: Row[Any]) -> bytes:
    return opened_quarantine(bytes(row.raw), sealed=row.sealed)
