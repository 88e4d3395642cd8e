"""What the two halves of the seed share: names, windows, hostile text and plain inserts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

START = datetime(2023, 6, 27, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOWS = [START + HOUR * i for i in range(14)]
BURN_IN = 5
HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)> \u202eevil\u202c مرحبا"
LONG = "A very long answer. " * 400
ASSISTANT, SURVEY, HOSTILE_NAME = "assistant-gpt4", "survey-gpt35", "a/b <script>alert(2)</script>"


def insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert dicts as rows; dicts and lists of dicts become jsonb."""
    if not rows:
        return
    names = list(rows[0])
    ready = [
        {
            k: json.dumps(v) if isinstance(v, dict) or (isinstance(v, list) and k != "request_keys") else v
            for k, v in row.items()
        }
        for row in rows
    ]
    values = ", ".join(f"%({name})s" for name in names)
    connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", ready)
