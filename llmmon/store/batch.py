"""What is loaded at once, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llmmon.model import Json, RequestLog


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
    passed_over : mapping of int to str
        Places of the rows that record something else than a request, and what; they do not count as rows read.
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
    passed_over: Mapping[int, str] = field(default_factory=dict)

    @property
    def n_passed_over(self) -> dict[str, int]:
        """How many rows of each kind were passed over."""
        return dict(sorted(Counter(self.passed_over.values()).items()))

    @property
    def span(self) -> tuple[datetime, datetime] | tuple[None, None]:
        """Time of the first and the last readable request."""
        times = [request.occurred_at for request in self.requests]
        return (min(times), max(times)) if times else (None, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What became of one batch.

    Parameters
    ----------
    n_changed : int
        Known requests whose content differs from what was logged first, which stays.
    n_of_erased : int
        New requests that were logged before their subject was erased: their texts are not stored.
    redacted : mapping of str to int
        Pieces of personal data that were replaced in the new requests, by type.
    root : bytes or None
        Tree hash over the new rows; None when there are none.
    """

    batch_id: int
    n_new: int = 0
    n_dup: int = 0
    n_bad: int = 0
    n_dirty_windows: int = 0
    n_changed: int = 0
    n_of_erased: int = 0
    redacted: dict[str, int] = field(default_factory=dict)
    root: bytes | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """What an audit event says of it."""
        counts = ("n_new", "n_dup", "n_bad", "n_dirty_windows", "n_changed", "n_of_erased")
        found = {name: getattr(self, name) for name in counts}
        return {**found, "redacted": self.redacted, "root": None if self.root is None else self.root.hex()}
