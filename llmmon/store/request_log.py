"""Request logs as they are read back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from llmmon.model import Document, Message, RequestLog, Window
from llmmon.store.database import fetch


def window_requests(connection: Connection, deployment: str, window: Window) -> list[tuple[int, RequestLog]]:
    """Return the requests of `deployment` in `window` with their keys, ordered by time and key."""
    rows = fetch(connection, "request_log/window", {"deployment": deployment, "start": window.start, "end": window.end})
    return [(row.request_key, request_log(row)) for row in rows]


def count_requests(connection: Connection, deployment: str, window: Window) -> int:
    """Return how many requests `deployment` had in `window`."""
    return int(
        fetch(connection, "request_log/count", {"deployment": deployment, "start": window.start, "end": window.end})[
            0
        ].n
    )


def request_log(row: Row[Any]) -> RequestLog:
    """Return the record of one row that holds every column of it; further columns are passed over."""
    fields = {name: getattr(row, name) for name in RequestLog.__dataclass_fields__}
    return RequestLog(
        **{
            **fields,
            "messages": tuple(Message(role=turn["role"], content=turn["content"]) for turn in row.messages),
            "documents": tuple(
                Document(content=item["content"], document_id=item.get("document_id")) for item in row.documents
            ),
            "cleaned": tuple(row.cleaned),
            "digest": bytes(row.digest),
        }
    )
