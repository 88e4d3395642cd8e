"""One batch of a source into Postgres, all of it or nothing.

The transaction locks the source's cursor, numbers the identities that are new, copies their facts and payloads straight
to where they stay, quarantines what could not be read, records the batch with the tree hash over its rows and the audit
event, and moves the cursor. `take_in` and `put_aside` are the part of it that a released batch goes through too.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.audit.tree import root_of
from llmmon.model import Json, RequestLog
from llmmon.privacy.keys import master_key
from llmmon.store import audit
from llmmon.store.batch import Batch, Loaded
from llmmon.store.copy_text import binary, copy_binary, copy_lines, json_text, text
from llmmon.store.coverage import lock_accounts
from llmmon.store.database import Database, execute, fetch, in_one_transaction
from llmmon.store.payload import subject_keys
from llmmon.store.source_cursor import lock_cursor, move_cursor
from llmmon.store.source_history import add_hours
from llmmon.store.stored_request import StoredRequest, fact_lines, payload_tuples, stored
from llmmon.store.subject import sealing_keys


def load(database: Database, batch: Batch) -> Loaded | None:
    """Load `batch`; return None, with nothing changed, when another loader has moved the cursor meanwhile.

    What passes (a deadlock, a lost connection) is tried again. When the answer to a COMMIT was lost, the second attempt
    finds the cursor moved and changes nothing.
    """
    return in_one_transaction(lambda: _load(database, batch))


def _load(database: Database, batch: Batch) -> Loaded | None:
    make_days(database, batch)
    with database.transaction() as connection:
        if lock_cursor(connection, batch.source) != batch.from_position:
            return None
        loaded = take_in(connection, batch, reserve_batch(connection))
        record(connection, batch, "loaded", loaded)
        put_aside(connection, batch, loaded.batch_id)
        detail = {
            **loaded.detail,
            "n_in": batch.n_in,
            "n_from_quarantine": _resolve(connection, batch, loaded.batch_id),
            "passed_over": batch.n_passed_over,
        }
        tell(connection, batch, "batch.loaded", loaded.batch_id, detail)
        move_cursor(connection, batch.source, batch.to_position)
    return loaded


def make_days(database: Database, batch: Batch) -> None:
    """Make the day partitions that `batch` needs, in a transaction of its own: that locks the whole table."""
    days: set[date] = {request.occurred_at.date() for request in batch.requests}
    with database.transaction() as connection:
        fetch(connection, "request_log/ensure_partitions", {"days": sorted(days)})


def reserve_batch(connection: Connection) -> int:
    """Return the number of the next batch."""
    return int(fetch(connection, "ingest_batch/reserve")[0].batch_id)


def take_in(connection: Connection, batch: Batch, batch_id: int) -> Loaded:
    """Store the requests of `batch` that are not known yet and mark the windows that they came late for."""
    lock_accounts(connection, {request.deployment for request in batch.requests}, shared=True)
    rows, known = _store(connection, batch, batch_id)
    add_hours(connection, batch.source, (row.request.occurred_at for row in rows))
    return Loaded(
        batch_id=batch_id,
        n_new=len(rows),
        n_dup=batch.n_dup + len(known),
        n_bad=len(batch.bad),
        n_dirty_windows=_mark_dirty(connection, rows),
        n_changed=_count_changed(connection, batch.source, known),
        n_of_erased=sum(not row.content for row in rows),
        redacted=_redacted(rows),
        root=root_of([row.digest for row in rows]),
    )


def put_aside(connection: Connection, batch: Batch, batch_id: int) -> None:
    """Quarantine the rows of `batch`, which must be recorded, that could not be read."""
    copy_lines(connection, "quarantine/copy", _bad_lines(batch, batch_id))


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


def record(connection: Connection, batch: Batch, state: str, loaded: Loaded) -> None:
    """Record what became of every row of `batch`; what `loaded` does not count is held."""
    first, last = batch.span
    execute(
        connection,
        "ingest_batch/keep",
        {
            "batch_id": loaded.batch_id,
            "source": batch.source,
            "state": state,
            "from_position": None if batch.from_position is None else json_text(batch.from_position),
            "to_position": json_text(batch.to_position),
            "n_in": batch.n_in,
            "n_new": loaded.n_new,
            "n_dup": loaded.n_dup,
            "n_bad": loaded.n_bad,
            "n_held": batch.n_in - loaded.n_new - loaded.n_dup - loaded.n_bad,
            "n_from_quarantine": len(batch.resolves),
            "first_occurred_at": first,
            "last_occurred_at": last,
            "raw_digest": batch.raw_digest,
            "root": loaded.root,
            "gate": None if batch.gate is None else json_text(batch.gate),
            "code_version": llmmon.__version__,
            "config_digest": batch.config_digest,
        },
    )


def tell(connection: Connection, batch: Batch, event: str, batch_id: int, detail: Json) -> None:
    """Append the audit event of a batch that was read."""
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
