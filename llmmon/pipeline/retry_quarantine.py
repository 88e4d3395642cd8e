"""Quarantined rows of a source, read again with the present code and configuration."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from llmmon.config import Config
from llmmon.errors import BadRowError
from llmmon.model import RequestLog
from llmmon.pipeline.row_reader import RowReader
from llmmon.sources.base import RawRow
from llmmon.store.batch import Batch
from llmmon.store.database import Database
from llmmon.store.ingest import load
from llmmon.store.quarantine import WaitingRow, waiting_rows
from llmmon.store.source_cursor import position

_log = logging.getLogger(__name__)
_ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryResult:
    """What became of the rows that waited; ``n_tried = n_new + n_dup + n_bad``.

    Parameters
    ----------
    n_bad : int
        Rows that still cannot be read; they stay as they were.
    """

    source: str
    n_tried: int
    n_new: int
    n_dup: int
    n_bad: int


def retry_quarantine(database: Database, config: Config, source: str) -> RetryResult:
    """Load what can be read of the quarantine of `source` by now; running it again loads nothing twice.

    A row that is loaded stays in quarantine and names the batch that took it. The cursor of the source does not move.

    Raises
    ------
    ConfigError
        When llmmon.toml has no such source.
    SealError
        When the quarantine is sealed under another ``LLMMON_PRIVACY_KEY``.
    """
    reader = RowReader.of(config, source)
    n_tried = n_new = n_dup = after = 0
    while True:
        with database.transaction() as connection:
            waiting = waiting_rows(connection, source, after=after, limit=_ROWS_AT_A_TIME)
        if not waiting:
            break
        n_tried, after = n_tried + len(waiting), waiting[-1].quarantine_id
        new, dup = _load(database, reader, waiting, config.digest)
        n_new, n_dup = n_new + new, n_dup + dup
        _log.info("%s: %d quarantined rows tried, %d new", source, n_tried, n_new)
    return RetryResult(source=source, n_tried=n_tried, n_new=n_new, n_dup=n_dup, n_bad=n_tried - n_new - n_dup)


def _load(database: Database, reader: RowReader, waiting: list[WaitingRow], config_digest: str) -> tuple[int, int]:
    """Load the readable ones of some rows; return how many were new and how many known."""
    requests: dict[str, RequestLog] = {}
    readable: dict[int, str | None] = {}
    digest = hashlib.sha256()
    for row in waiting:
        try:
            request = reader.parse(RawRow(row.raw, row.file, row.offset))
        except BadRowError:
            continue
        readable[row.quarantine_id] = request.user_ref
        digest.update(row.raw + b"\n")
        requests.setdefault(request.request_id, request)
    if not readable:
        return 0, 0
    while True:
        here = position(database, reader.name)
        batch = Batch(
            source=reader.name,
            from_position=here,
            to_position=here or {},
            requests=list(requests.values()),
            n_in=len(readable),
            n_dup=len(readable) - len(requests),
            bad=(),
            raw_digest=digest.digest(),
            gate=None,
            config_digest=config_digest,
            resolves=readable,
        )
        loaded = load(database, batch)
        if loaded is not None:  # else a loader moved the cursor meanwhile
            return loaded.n_new, loaded.n_dup
