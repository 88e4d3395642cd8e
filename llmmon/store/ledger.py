"""The sealed ledger: the tree over the audit trail, its heads, and what proves them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row

from llmmon.store.database import Database, execute, fetch

_CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed event.

    Parameters
    ----------
    hash : bytes
        Leaf hash as the database tells it.
    body : str or None
        Exact text; None when the event is gone.
    """

    seq: int
    event_id: int
    hash: bytes
    recorded_us: int | None
    body: str | None

    @property
    def bytes(self) -> bytes:
        """What is hashed: microseconds since 1970 as eight bytes, then the text in UTF-8."""
        return entry_bytes(self.recorded_us or 0, self.body or "")


def entry_bytes(recorded_us: int, body: str) -> bytes:
    """Return the bytes of an event that are hashed."""
    return recorded_us.to_bytes(8, "big", signed=True) + body.encode()


def seal(connection: Connection, max_events: int = 20_000) -> int | None:
    """Seal waiting events and return how many; None when another sealer is at work."""
    n = fetch(connection, "ledger/seal", {"max_events": max_events})[0].n
    return None if n is None else int(n)


def last_seal(connection: Connection) -> tuple[int, bytes]:
    """Return size and root of the newest head that the database tells."""
    rows = fetch(connection, "ledger/last_seal")
    return (int(rows[0].size), bytes(rows[0].root)) if rows else (0, b"")


def seals(connection: Connection) -> dict[int, bytes]:
    """Return the root of every head that the database tells, by size."""
    return {int(row.size): bytes(row.root) for row in fetch(connection, "ledger/seals")}


def entries(database: Database, first: int = 0, end: int | None = None) -> Iterator[Entry]:
    """Yield the sealed events from place `first` to before `end` in turn, in short transactions."""
    while end is None or first < end:
        until = first + _CHUNK if end is None else min(first + _CHUNK, end)
        with database.transaction() as connection:
            rows = fetch(connection, "ledger/entries", {"first": first, "end": until})
        for row in rows:
            yield Entry(int(row.seq), int(row.event_id), bytes(row.hash), row.recorded_us, row.body)
        if not rows:
            return
        first = until


def silence(connection: Connection) -> tuple[float, float]:
    """Return for how many seconds nothing was recorded, and since when the oldest waiting event has been waiting."""
    row = fetch(connection, "ledger/silence")[0]
    return float(row.silent_s or 0), float(row.waiting_s or 0)


def doubts(connection: Connection) -> list[str]:
    """Return where the ledger's tables contradict each other, at most twenty places."""
    return [row.doubt for row in fetch(connection, "ledger/doubts")]


def keep_anchor(connection: Connection, *, size: int, channel: str, checkpoint: str, receipt: str) -> None:
    """Note that a channel took a signed head."""
    noted = {"size": size, "channel": channel, "checkpoint": checkpoint, "receipt": receipt}
    execute(connection, "ledger/keep_anchor", noted)


def anchors(connection: Connection) -> list[tuple[int, str]]:
    """Return size and text of the newest twenty signed heads that the anchorer noted, newest first."""
    return [(int(row.size), row.checkpoint) for row in fetch(connection, "ledger/anchors")]


def inclusion_proof(connection: Connection, event_id: int, size: int) -> Row[Any] | None:
    """Return an event's place, bytes and path in the tree of the first `size` events.

    The path is None when the event came later; the whole is None when the event is not sealed or not there.
    """
    rows = fetch(connection, "ledger/inclusion_proof", {"event_id": event_id, "size": size})
    return rows[0] if rows else None


def event_of_batch(connection: Connection, batch_id: int) -> int | None:
    """Return the event that tells how a batch was loaded."""
    rows = fetch(connection, "ledger/event_of_batch", {"batch_id": batch_id})
    return int(rows[0].event_id) if rows else None


def batches_of_request(connection: Connection, request_id: str, source: str | None) -> list[int]:
    """Return the batches that brought a request of this id, one for each source that has one."""
    found = fetch(connection, "ledger/batch_of_request", {"request_id": request_id, "source": source})
    return [int(row.batch_id) for row in found]


def batch(connection: Connection, batch_id: int) -> Row[Any] | None:
    """Return a batch as its row tells it."""
    rows = fetch(connection, "ledger/batch", {"batch_id": batch_id})
    return rows[0] if rows else None


def batch_digests(connection: Connection, batch_id: int, row: Row[Any]) -> list[bytes]:
    """Return the stored digests of a batch's requests in the order of its tree."""
    return [bytes(found.digest) for found in fetch(connection, "ledger/batch_digests", _span(batch_id, row))]


def batch_requests(connection: Connection, batch_id: int, row: Row[Any]) -> Sequence[Row[Any]]:
    """Return a batch's requests whole, in the order of its tree; for a login that may read payload."""
    return fetch(connection, "ledger/batch_requests", _span(batch_id, row))


def _span(batch_id: int, row: Row[Any]) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "first_occurred_at": row.first_occurred_at,
        "last_occurred_at": row.last_occurred_at,
    }
