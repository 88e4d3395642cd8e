"""Loaders that break the contract on purpose, to see that the accounts notice; the product has no such switch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from llmmon.audit.event import body
from llmmon.pipeline import ingest
from llmmon.store import audit
from llmmon.store.batch import Batch, Loaded
from llmmon.store.database import Database
from llmmon.store.ingest import load
from llmmon.store.source_cursor import lock_cursor, move_cursor


def cursor_before_rows(database: Database, batch: Batch) -> Loaded | None:
    """Move the cursor in a transaction of its own before the rows: killed in between, rows are lost."""
    _move(database, batch)
    return load(database, dataclasses.replace(batch, from_position=batch.to_position))


def cursor_after_rows(database: Database, batch: Batch) -> Loaded | None:
    """Move the cursor in a transaction of its own after the rows: killed in between, rows are counted twice."""
    loaded = load(database, dataclasses.replace(batch, to_position=batch.from_position))
    _move(database, batch)
    return loaded


def audit_before_rows(database: Database, batch: Batch) -> Loaded | None:
    """Write a further audit event in a transaction of its own: it tells of a batch that there is not."""
    with database.transaction() as connection:
        told = {"batch_id": 0, "n_in": batch.n_in}
        audit.append(connection, body("batch.loaded", "source logs", told, config_digest=batch.config_digest))
    return load(database, batch)


def _move(database: Database, batch: Batch) -> None:
    with database.transaction() as connection:
        lock_cursor(connection, batch.source)
        move_cursor(connection, batch.source, batch.to_position)


_BROKEN: dict[str, Callable[[Database, Batch], Loaded | None]] = {
    way.__name__: way for way in (cursor_before_rows, cursor_after_rows, audit_before_rows)
}


def apply(name: str) -> None:
    """Break the loader of this process."""
    ingest.load = _BROKEN[name]
