"""Request logs as they are read back."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row

from llmmon.model import RequestLog, Window
from llmmon.store.database import fetch
from llmmon.store.payload import Payload, payload_of


def window_requests(connection: Connection, deployment: str, window: Window) -> list[tuple[int, RequestLog]]:
    """Return the requests of `deployment` in `window` with their keys, ordered by time and key."""
    rows = fetch(connection, "request_log/window", {"deployment": deployment, "start": window.start, "end": window.end})
    return [(row.request_key, request_log(row, payload_of(row))) for row in rows]


def count_requests(connection: Connection, deployment: str, window: Window) -> int:
    """Return how many requests `deployment` had in `window`."""
    return int(
        fetch(connection, "request_log/count", {"deployment": deployment, "start": window.start, "end": window.end})[
            0
        ].n
    )


def request_log(row: Row[Any], payload: Payload) -> RequestLog:
    """Return the record of one row that holds every fact of it, with its texts; further columns are passed over."""
    facts = {name: getattr(row, name) for name in _FACTS}
    texts = msgspec.structs.asdict(payload)
    return RequestLog(**{**facts, **texts, "cleaned": tuple(row.cleaned)})


_FACTS: Final = sorted({*RequestLog.__struct_fields__} - {*Payload.__struct_fields__, "user"})
