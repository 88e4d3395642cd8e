"""The append-only audit trail."""

from __future__ import annotations

from sqlalchemy import Connection

from llmmon.store.database import execute


def append(connection: Connection, body: str) -> None:
    """Append one fact in the caller's transaction: it is recorded if and only if its effect is.

    Parameters
    ----------
    connection : Connection
        Inside the transaction that makes the fact true.
    body : str
        Exact text, from `llmmon.audit.event.body`; kept byte for byte.
    """
    execute(connection, "audit_event/append", {"body": body})
