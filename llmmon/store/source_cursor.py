"""Where reading of each source stopped; its row lock puts the loaders of a source in line."""

from __future__ import annotations

from sqlalchemy import Connection

from llmmon.model import Json
from llmmon.store.copy_text import json_text
from llmmon.store.database import Database, execute, fetch


def position(database: Database, source: str) -> Json | None:
    """Return where reading of `source` stopped, None when it has not begun."""
    with database.transaction() as connection:
        rows = fetch(connection, "source_cursor/position", {"source": source})
    return rows[0].position if rows else None


def lock_cursor(connection: Connection, source: str) -> Json | None:
    """Return where reading of `source` stopped; no other loader of it goes on until the transaction ends."""
    execute(connection, "source_cursor/begin", {"source": source})
    found: Json | None = fetch(connection, "source_cursor/lock", {"source": source})[0].position
    return found


def move_cursor(connection: Connection, source: str, to: Json) -> None:
    """Let reading of `source` go on behind `to`."""
    execute(connection, "source_cursor/move", {"source": source, "position": json_text(to)})
