"""One batch of a source into Postgres, all of it or nothing.

The transaction locks the source's cursor, copies the rows to a staging table, inserts the identities that are new and
their content, quarantines what could not be read, records the batch and the audit event, and moves the cursor.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.model import Json, RequestLog
from llmmon.store import audit
from llmmon.store.coverage import lock_accounts
from llmmon.store.database import Database, execute, fetch
from llmmon.store.statements import statement

_ROWS_PER_WRITE: Final = 64
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not become a request log: its bytes, where it stands, and why."""

    raw: bytes
    file: str
    offset: int
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What was made of a bounded number of rows of one source.

    Parameters
    ----------
    from_position, to_position : mapping or None
        Where the source was read from and to; None is its beginning.
    requests : sequence of RequestLog
        Readable rows, each request id once.
    n_in, n_dup : int
        Rows read, and rows that repeat an id of this batch.
    bad : sequence of BadRow
        Unreadable rows; ``n_in = len(requests) + n_dup + len(bad)``.
    raw_digest : bytes
        SHA-256 over the SHA-256 of each row in turn.
    gate : mapping or None
        What Great Expectations said.
    """

    source: str
    from_position: Json | None
    to_position: Json
    requests: Sequence[RequestLog]
    n_in: int
    n_dup: int
    bad: Sequence[BadRow]
    raw_digest: bytes
    gate: Json | None
    config_digest: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one batch."""

    batch_id: int
    n_new: int
    n_dup: int
    n_dirty_windows: int


def position(database: Database, source: str) -> Json | None:
    """Return where reading of `source` stopped, None when it has not begun."""
    with database.transaction() as connection:
        rows = fetch(connection, "source_cursor/position", {"source": source})
    return rows[0].position if rows else None


def load(database: Database, batch: Batch) -> Loaded | None:
    """Load `batch`; return None, with nothing changed, when another loader has moved the cursor meanwhile."""
    _ensure_partitions(database, {request.occurred_at.date() for request in batch.requests})
    with database.transaction() as connection:
        execute(connection, "source_cursor/begin", {"source": batch.source})
        found = fetch(connection, "source_cursor/lock", {"source": batch.source})[0].position
        if found != batch.from_position:
            return None
        batch_id = int(fetch(connection, "ingest_batch/reserve")[0].batch_id)
        execute(connection, "staging/create")
        _copy(connection, "staging/copy", _request_lines(batch.requests))
        lock_accounts(connection, (request.deployment for request in batch.requests), shared=True)
        moved = fetch(connection, "staging/load", {"batch_id": batch_id})[0]
        n_new, n_dirty = int(moved.n_new), int(moved.n_dirty)
        n_known = len(batch.requests) - n_new
        n_changed = fetch(connection, "staging/changed")[0].n if n_known else 0
        loaded = Loaded(batch_id, n_new, batch.n_dup + n_known, n_dirty)
        execute(connection, "ingest_batch/release", {"source": batch.source})
        _record(connection, batch, batch_id, "loaded", n_new=n_new, n_dup=loaded.n_dup)
        _copy(connection, "quarantine/copy", _bad_lines(batch, batch_id))
        detail = {**_counts(batch, n_new, loaded.n_dup), "n_changed": n_changed, "n_dirty_windows": n_dirty}
        _tell(connection, batch, "batch.loaded", batch_id, detail)
        execute(connection, "source_cursor/move", {"source": batch.source, "position": _json(batch.to_position)})
    return loaded


def hold(database: Database, batch: Batch, failures: Sequence[str]) -> int:
    """Record that `batch` was held back by its gate, and why; none of its rows is loaded and the cursor stays.

    Its counts are those of the batch alone: rows that the store may know already count as new. A batch that is held
    again, with the same rows and configuration, is not recorded again.

    Returns
    -------
    int
        Number of the batch.
    """
    with database.transaction() as connection:
        execute(connection, "source_cursor/begin", {"source": batch.source})
        fetch(connection, "source_cursor/lock", {"source": batch.source})
        same = {"source": batch.source, "raw_digest": batch.raw_digest, "config_digest": batch.config_digest}
        known = fetch(connection, "ingest_batch/find_held", same)
        if known:
            return int(known[0].batch_id)
        batch_id = int(fetch(connection, "ingest_batch/reserve")[0].batch_id)
        n_new = len(batch.requests)
        _record(connection, batch, batch_id, "held", n_new=n_new, n_dup=batch.n_dup)
        detail = {**_counts(batch, n_new, batch.n_dup), "failures": list(failures)}
        _tell(connection, batch, "batch.held", batch_id, detail)
    return batch_id


def _ensure_partitions(database: Database, days: set[date]) -> None:
    # in a transaction of its own, because making a partition locks the whole table
    with database.transaction() as connection:
        for day in sorted(days):
            fetch(connection, "request_log/ensure_partition", {"day": day})


def _record(connection: Connection, batch: Batch, batch_id: int, state: str, *, n_new: int, n_dup: int) -> None:
    times = [request.occurred_at for request in batch.requests]
    execute(
        connection,
        "ingest_batch/keep",
        {
            "batch_id": batch_id,
            "source": batch.source,
            "state": state,
            "from_position": None if batch.from_position is None else _json(batch.from_position),
            "to_position": _json(batch.to_position),
            "n_in": batch.n_in,
            "n_new": n_new,
            "n_dup": n_dup,
            "n_bad": len(batch.bad),
            "first_occurred_at": min(times, default=None),
            "last_occurred_at": max(times, default=None),
            "raw_digest": batch.raw_digest,
            "gate": None if batch.gate is None else _json(batch.gate),
            "code_version": llmmon.__version__,
            "config_digest": batch.config_digest,
        },
    )


def _counts(batch: Batch, n_new: int, n_dup: int) -> dict[str, Any]:
    return {"n_in": batch.n_in, "n_new": n_new, "n_dup": n_dup, "n_bad": len(batch.bad)}


def _tell(connection: Connection, batch: Batch, event: str, batch_id: int, detail: Json) -> None:
    told = {"batch_id": batch_id, "raw_digest": batch.raw_digest.hex(), **detail}
    audit.append(connection, body(event, f"source {batch.source}", told, config_digest=batch.config_digest))


class _Lines:
    """A file for COPY that is written while it is read, so that client and server work at the same time."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def read(self, size: int) -> bytes:  # noqa: ARG002  a chunk may be longer than what psycopg2 asks for
        return "".join(itertools.islice(self._lines, _ROWS_PER_WRITE)).encode()


def _copy(connection: Connection, name: str, lines: Iterator[str]) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.copy_expert(statement(name), _Lines(lines))
    finally:
        cursor.close()


def _request_lines(requests: Sequence[RequestLog]) -> Iterator[str]:
    for ordinal, request in enumerate(requests):
        yield "\t".join(
            (
                str(ordinal),
                _text(request.source),
                _text(request.request_id),
                request.occurred_at.isoformat(),
                _text(request.deployment),
                _text(request.model),
                _text(request.model_version),
                _text(request.route),
                _text(request.tenant),
                _text(request.language),
                _text(request.user_ref),
                _text(request.conversation_id),
                request.status,
                _text(request.error_type),
                _text(request.finish_reason),
                _jsonb(request.messages),
                _jsonb(request.documents),
                _jsonb(request.parameters),
                _text(request.response_text),
                _text(request.reference_answer),
                _number(request.n_input_tokens),
                _number(request.n_output_tokens),
                _number(request.ttft_ms),
                _number(request.latency_ms),
                _number(request.cost_usd),
                _number(request.feedback),
                _jsonb(request.groups),
                _jsonb(request.tags),
                _array(request.cleaned),
                f"\\\\x{request.digest.hex()}\n",
            )
        )


def _bad_lines(batch: Batch, batch_id: int) -> Iterator[str]:
    for row in batch.bad:
        digest = hashlib.sha256(row.raw).hexdigest()
        columns = (str(batch_id), _text(batch.source), _text(row.file), str(row.offset), row.code, _text(row.reason))
        yield "\t".join((*columns, f"\\\\x{row.raw.hex()}", f"\\\\x{digest}\n"))


def _text(value: str | None) -> str:
    if value is None:
        return "\\N"
    if value.isalnum():
        return value
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _number(value: float | None) -> str:
    return "\\N" if value is None else repr(value)


def _jsonb(value: Sequence[object] | Mapping[str, object]) -> str:
    if not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    return _encode(value).decode().replace("\\", "\\\\")


def _array(values: Sequence[str]) -> str:
    if not values:
        return "{}"
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return _text("{" + ",".join(f'"{value}"' for value in quoted) + "}")


def _json(value: Json) -> str:
    return _encode(value).decode()
