"""How a page reads: one bounded read-only transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from llmmon.store.database import fetch
from llmmon_airflow.settings import database

TIMEOUT_MS = 10_000


@contextmanager
def reading() -> Iterator[Connection]:
    """Open a transaction that cannot write and in which no statement runs longer than ten seconds."""
    with database().transaction() as connection:
        fetch(connection, "ui/read_only", {"timeout_ms": str(TIMEOUT_MS)})
        yield connection
