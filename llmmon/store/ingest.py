"""One batch of a source into Postgres, all of it or nothing.

The transaction locks the source's cursor, numbers the identities that are new, copies their facts and payloads straight
to where they stay, quarantines what could not be read, records the batch with the tree hash over its rows and the audit
event, and moves the cursor.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.audit.tree import root_of
from llmmon.model import Json, RequestLog
from llmmon.privacy.keys import master_key
from llmmon.store import audit
from llmmon.store.copy_text import binary, copy_binary, copy_lines, text
from llmmon.store.coverage import lock_accounts
from llmmon.store.database import Database, execute, fetch, in_one_transaction
from llmmon.store.payload import subject_keys
from llmmon.store.stored_request import StoredRequest, fact_lines, payload_tuples, stored
from llmmon.store.subject import sealing_keys


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not become a request log: its bytes, where it stands, why, and whose it is where known."""

    raw: bytes
    file: str
    offset: int
    code: str
    reason: str
    user_ref: str | None = None


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
    passed_over : mapping of str to int
        Rows that record something else than a request, by kind; they do not count as rows read.
    raw_digest : bytes
        SHA-256 over the rows in turn, each followed by a line feed; those passed over too.
    gate : mapping or None
        What Great Expectations said.
    resolves : mapping of int to str or None
        Quarantined rows that these requests were read from, and whose they are.
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
    resolves: Mapping[int, str | None] = field(default_factory=dict)
    passed_over: Mapping[str, int] = field(default_factory=dict)


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
    """Load `batch`; return None, with nothing changed, when another loader has moved the cursor meanwhile.

    What passes (a deadlock, a lost connection) is tried again. When the answer to a COMMIT was lost, the second attempt
    finds the cursor moved and changes nothing.
    """
    return in_one_transaction(lambda: _load(database, batch))


def _load(database: Database, batch: Batch) -> Loaded | None:
    _ensure_partitions(database, {request.occurred_at.date() for request in batch.requests})
    with database.transaction() as connection:
        execute(connection, "source_cursor/begin", {"source": batch.source})
        found = fetch(connection, "source_cursor/lock", {"source": batch.source})[0].position
        if found != batch.from_position:
            return None
        batch_id = int(fetch(connection, "ingest_batch/reserve")[0].batch_id)
        lock_accounts(connection, {request.deployment for request in batch.requests}, shared=True)
        rows, known = _store(connection, batch, batch_id)
        n_dirty = _mark_dirty(connection, rows)
        loaded = Loaded(batch_id, len(rows), batch.n_dup + len(known), n_dirty)
        execute(connection, "ingest_batch/release", {"source": batch.source})
        root = root_of([row.digest for row in rows])
        _record(connection, batch, batch_id, "loaded", n_new=loaded.n_new, n_dup=loaded.n_dup, root=root)
        copy_lines(connection, "quarantine/copy", _bad_lines(batch, batch_id))
        detail = {
            **_counts(batch, loaded.n_new, loaded.n_dup),
            "n_changed": _count_changed(connection, batch.source, known),
            "n_dirty_windows": n_dirty,
            "n_from_quarantine": _resolve(connection, batch, batch_id),
            "redacted": _redacted(rows),
            "n_of_erased": sum(not row.content for row in rows),
            "root": None if root is None else root.hex(),
        }
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
        fetch(connection, "request_log/ensure_partitions", {"days": sorted(days)})


def _store(connection: Connection, batch: Batch, batch_id: int) -> tuple[list[StoredRequest], list[RequestLog]]:
    """Write the requests that are not known yet; return them in order of their keys, and the known ones."""
    execute(connection, "staging/create")
    lines = (f"{text(request.request_id)}\t{request.occurred_at.isoformat()}\n" for request in batch.requests)
    copy_lines(connection, "staging/copy", lines)
    numbered = fetch(connection, "staging/identify", {"source": batch.source})
    keys = {row.request_id: int(row.request_key) for row in numbered}
    new = sorted((item for item in batch.requests if item.request_id in keys), key=lambda item: keys[item.request_id])
    subjects = sealing_keys(connection, new)
    rows = [stored(keys[item.request_id], item, subject) for item, subject in zip(new, subjects, strict=True)]
    copy_lines(connection, "request_log/copy", fact_lines(rows, batch_id))
    copy_binary(connection, "request_payload/copy", payload_tuples(rows))
    return rows, [item for item in batch.requests if item.request_id not in keys]


def _mark_dirty(connection: Connection, rows: Sequence[StoredRequest]) -> int:
    """Mark the finished windows that `rows` fall in as to be done again, and return how many they are."""
    if not rows:
        return 0
    moments: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        moments[row.request.deployment].append(row.request.occurred_at)
    for found in moments.values():
        found.sort()
    span = {
        "deployments": sorted(moments),
        "first_at": min(found[0] for found in moments.values()),
        "last_at": max(found[-1] for found in moments.values()),
    }
    late = []
    for window in fetch(connection, "window_stage/finished", span):
        found = moments[window.deployment]
        first = bisect_left(found, window.window_start)
        if first < len(found) and found[first] < window.window_end:
            late.append({"deployment": window.deployment, "window_start": window.window_start})
    execute(connection, "window_stage/dirty", late)
    return len(late)


def _count_changed(connection: Connection, source: str, known: Sequence[RequestLog]) -> int:
    """Count the repeated requests whose content differs from what was logged first, which stays."""
    if not known:
        return 0
    wanted = {"source": source, "request_ids": [request.request_id for request in known]}
    before = {row.request_id: row for row in fetch(connection, "request_log/digests", wanted)}
    subjects = subject_keys(connection, {request.user_ref for request in known if request.user_ref})
    n_changed = 0
    for request in known:
        first = before.get(request.request_id)
        again = stored(0, request, subjects.get(request.user_ref or ""))
        # what was sealed under a key that is gone cannot be compared
        if first is not None and first.key_id in (None, again.key_id):
            n_changed += bytes(first.digest) != again.digest
    return n_changed


def _resolve(connection: Connection, batch: Batch, batch_id: int) -> int:
    rows = {"quarantine_ids": list(batch.resolves), "user_refs": list(batch.resolves.values())}
    return execute(connection, "quarantine/resolve", {"batch_id": batch_id, **rows}) if batch.resolves else 0


def _redacted(rows: Sequence[StoredRequest]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row.request.redacted)
    return dict(sorted(found.items()))


def _record(
    connection: Connection,
    batch: Batch,
    batch_id: int,
    state: str,
    *,
    n_new: int,
    n_dup: int,
    root: bytes | None = None,
) -> None:
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
            "root": root,
            "gate": None if batch.gate is None else _json(batch.gate),
            "code_version": llmmon.__version__,
            "config_digest": batch.config_digest,
        },
    )


def _counts(batch: Batch, n_new: int, n_dup: int) -> dict[str, Any]:
    counts = {"n_in": batch.n_in, "n_new": n_new, "n_dup": n_dup, "n_bad": len(batch.bad)}
    return {**counts, "passed_over": dict(sorted(batch.passed_over.items()))}


def _tell(connection: Connection, batch: Batch, event: str, batch_id: int, detail: Json) -> None:
    told = {"batch_id": batch_id, "raw_digest": batch.raw_digest.hex(), **detail}
    audit.append(connection, body(event, f"source {batch.source}", told, config_digest=batch.config_digest))


def _bad_lines(batch: Batch, batch_id: int) -> Iterator[str]:
    master = master_key()
    for row in batch.bad:
        raw = row.raw if master is None else master.seal_quarantine(row.raw)
        digest = hashlib.sha256(raw).digest()
        columns = (str(batch_id), text(batch.source), text(row.file), str(row.offset), row.code, text(row.reason))
        sealed = "f" if master is None else "t"
        yield "\t".join((*columns, binary(raw), binary(digest), sealed, f"{text(row.user_ref)}\n"))


def _json(value: Json) -> str:
    return msgspec.json.encode(value).decode()
