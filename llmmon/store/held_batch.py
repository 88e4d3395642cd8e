"""Batches that failed their gate: kept whole, row by row, until a person releases or discards them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row

from llmmon.errors import UnknownBatchError
from llmmon.privacy.keys import master_key, opened_quarantine
from llmmon.store.batch import Batch, Loaded
from llmmon.store.copy_text import binary, copy_lines, text
from llmmon.store.database import execute, fetch
from llmmon.store.ingest import record, reserve_batch
from llmmon.store.source_cursor import lock_cursor, move_cursor

Decision = Literal["released", "discarded"]


class HeldRow(NamedTuple):
    """A row of a held batch, byte for byte, with its place in the log; see `llmmon.sources.base.RawRow`."""

    raw: bytes
    file: str
    offset: int
    cut: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a source is held at the moment.

    Parameters
    ----------
    since : datetime or None
        When the first batch of those was held.
    first_occurred_at, last_occurred_at : datetime or None
        Time that their readable rows are of; None when no row can be read.
    """

    n_batches: int
    n_rows: int
    since: datetime | None
    first_occurred_at: datetime | None
    last_occurred_at: datetime | None
    batch_ids: Sequence[int]


def standing(connection: Connection, source: str) -> Standing:
    """Return what of `source` is held."""
    (row,) = fetch(connection, "held_batch/standing", {"source": source})
    return Standing(**row._mapping)


def hold(connection: Connection, batch: Batch, rows: Sequence[HeldRow]) -> int | None:
    """Keep `batch` with its rows and let the source go on behind it; None when another loader moved the cursor.

    Returns
    -------
    int or None
        Number of the batch.
    """
    if lock_cursor(connection, batch.source) != batch.from_position:
        return None
    batch_id = reserve_batch(connection)
    record(connection, batch, "held", Loaded(batch_id=batch_id))
    copy_lines(connection, "held_batch/copy_rows", _lines(batch_id, rows, batch.passed_over))
    move_cursor(connection, batch.source, batch.to_position)
    return batch_id


def held_rows(connection: Connection, batch_id: int) -> list[HeldRow]:
    """Return the rows of a held batch in their order.

    Raises
    ------
    SealError
        When they are sealed and ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    return [
        HeldRow(opened_quarantine(bytes(row.raw), sealed=row.sealed), row.file, row.byte_offset, row.cut)
        for row in fetch(connection, "held_batch/rows", {"batch_id": batch_id})
    ]


def batch_of(connection: Connection, batch_id: int) -> Row[Any]:
    """Return one batch, whatever became of it.

    Raises
    ------
    UnknownBatchError
        When there is none of this number.
    """
    rows = fetch(connection, "held_batch/show", {"batch_id": batch_id})
    if not rows:
        raise UnknownBatchError(f"there is no batch {batch_id}; `llmmon batch list` shows those that were held")
    return rows[0]


def held_batches(connection: Connection, *, source: str | None, state: str | None, limit: int) -> Sequence[Row[Any]]:
    """Return batches that were held, newest first."""
    return fetch(connection, "held_batch/list", {"source": source, "state": state, "limit": limit})


def held_before(connection: Connection, before: datetime) -> list[int]:
    """Return the numbers of the batches that were held before `before` and still wait."""
    return [row.batch_id for row in fetch(connection, "held_batch/older", {"before": before})]


def lock_batch(connection: Connection, batch_id: int) -> Row[Any]:
    """Return state and database login of whoever asks; nobody else decides on the batch until the transaction ends."""
    return fetch(connection, "held_batch/lock", {"batch_id": batch_id})[0]


def decide(
    connection: Connection, state: Decision, loaded: Loaded, batch: Batch | None, *, by: str, because: str
) -> None:
    """Record the decision on a held batch and what became of its rows, which go: they are loaded or thrown away.

    Parameters
    ----------
    batch : Batch or None
        The rows as they were read for a release: other ones may be readable or passed over than when they were held.
    """
    first, last = (None, None) if batch is None else batch.span
    n_in = None if batch is None else batch.n_in
    counts = {"n_in": n_in, "n_new": loaded.n_new, "n_dup": loaded.n_dup, "n_bad": loaded.n_bad, "root": loaded.root}
    decision = {"batch_id": loaded.batch_id, "state": state, "by": by, "because": because}
    execute(connection, "held_batch/decide", {**decision, **counts, "first": first, "last": last})
    execute(connection, "held_batch/forget_rows", {"batch_id": loaded.batch_id})


def _lines(batch_id: int, rows: Sequence[HeldRow], passed_over: Container[int]) -> Iterator[str]:
    master = master_key()
    for place, row in enumerate(rows):
        raw = row.raw if master is None else master.seal_quarantine(row.raw)
        is_request = "f" if place in passed_over else "t"
        columns = (str(batch_id), str(place), text(row.file), str(row.offset), text(row.cut), is_request, binary(raw))
        yield "\t".join((*columns, "f\n" if master is None else "t\n"))
