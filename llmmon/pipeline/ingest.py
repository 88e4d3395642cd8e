"""New rows of a source into the store: parsed, gated, loaded once, accounted for."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import BadRowError, GateError, NotARequestError
from llmmon.model import Json, RequestLog, Window
from llmmon.pipeline import gate
from llmmon.pipeline.row_reader import RowReader
from llmmon.sources.base import RawBatch
from llmmon.store import audit
from llmmon.store.coverage import StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.ingest import BadRow, Batch, Loaded, hold, load, position
from llmmon.store.request_log import count_requests

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IngestResult:
    """What one ingest did; ``n_in = n_new + n_dup + n_bad``.

    Parameters
    ----------
    n_dirty_windows : int
        Finished windows that requests came late for; they are to be done again.
    passed_over : mapping of str to int
        Rows that record something else than a request to a model, by kind; they are not part of `n_in`.
    unwatched : mapping of str to int
        Requests of deployments that llmmon.toml does not name: stored, and not looked at.
    """

    source: str
    n_batches: int = 0
    n_in: int = 0
    n_new: int = 0
    n_dup: int = 0
    n_bad: int = 0
    n_dirty_windows: int = 0
    passed_over: dict[str, int] = field(default_factory=dict)
    unwatched: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IngestAccount:
    """The closed ingest account of one window."""

    deployment: str
    window: str
    n_requests: int


def ingest_source(database: Database, config: Config, source: str) -> IngestResult:
    """Load everything of `source` that was not loaded before, batch by batch.

    Loaders of one source may run at the same time: one of them loads a batch, the others notice and go on behind it.

    Raises
    ------
    ConfigError
        When llmmon.toml has no such source.
    SourceUnavailableError
        When the source cannot be read to its end; the batches before that are loaded.
    GateError
        When a batch fails its gate; it is recorded as held, nothing of it is loaded and the cursor stays.
    """
    reader = RowReader.of(config, source)
    work = _Work(database=database, config=config, source=source)
    # parsing and loading take turns on two batches: while Postgres takes one, the next is read
    with ThreadPoolExecutor(1, thread_name_prefix="llmmon-load") as pool:
        while not _read_to_end(work, reader, config.sources[source].max_rows_per_batch, pool):
            _log.info("%s: another loader was faster; going on behind it", source)
    result = work.result
    if result.unwatched:
        told = ", ".join(f"{name} {n}" for name, n in sorted(result.unwatched.items())[:10])
        _log.warning("%s: stored but not watched, because llmmon.toml names no such deployment: %s", source, told)
    if result.passed_over:
        told = ", ".join(f"{kind} {n}" for kind, n in sorted(result.passed_over.items()))
        _log.info("%s: passed over, because they are no requests: %s", source, told)
    if result.n_bad:
        _log.warning("%s: %d of %d rows are in llmmon.quarantine with the reason", source, result.n_bad, result.n_in)
    return result


def finish_ingest(database: Database, config: Config, deployment: str, window: Window) -> IngestAccount:
    """Close the ingest account of one window: every request that is known for it has been taken in."""
    with database.transaction() as connection:
        lock_accounts(connection, [deployment], shared=False)
        n = count_requests(connection, deployment, window)
        close_stage(connection, deployment, window, "ingest", [StageCount("done", n)])
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("ingest.finished", subject, {"n_requests": n}, config_digest=config.digest))
    return IngestAccount(deployment=deployment, window=str(window), n_requests=n)


@dataclass(kw_only=True, slots=True)
class _Work:
    """One ingest on its way."""

    database: Database
    config: Config
    source: str
    result: IngestResult = field(init=False)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.result = IngestResult(source=self.source)

    def settle(self, batch: Batch, loading: Future[Loaded | None]) -> bool:
        """Wait for a batch and count it; False when another loader was faster."""
        loaded = loading.result()
        if loaded is None:
            return False
        deployments = self.config.deployments
        watched = {name for name, deployment in deployments.items() if deployment.source == self.source}
        total = self.result
        self.result = replace(
            total,
            n_batches=total.n_batches + 1,
            n_in=total.n_in + batch.n_in,
            n_new=total.n_new + loaded.n_new,
            n_dup=total.n_dup + loaded.n_dup,
            n_bad=total.n_bad + len(batch.bad),
            n_dirty_windows=total.n_dirty_windows + loaded.n_dirty_windows,
            passed_over=dict(Counter(total.passed_over) + Counter(batch.passed_over)),
            unwatched=dict(
                Counter(total.unwatched)
                + Counter(request.deployment for request in batch.requests if request.deployment not in watched)
            ),
        )
        rate = self.result.n_in / max(time.monotonic() - self.started, 1e-9)
        _log.info("%s: %d rows in, %d new, %.0f rows/s", self.source, self.result.n_in, self.result.n_new, rate)
        return True


def _read_to_end(work: _Work, reader: RowReader, max_rows: int, pool: ThreadPoolExecutor) -> bool:
    """Load what comes after the cursor; False when another loader moved it meanwhile."""
    begin = position(work.database, work.source)
    loading: tuple[Batch, Future[Loaded | None]] | None = None
    try:
        for raw in reader.source.read(begin, max_rows=max_rows):
            batch, checked = _prepare(work, reader, raw, begin)
            if loading is not None and not work.settle(*loading):
                loading = None
                return False
            loading = None
            if checked.failures:
                raise _held(work, batch, checked)
            loading = (batch, pool.submit(load, work.database, batch))
            begin = raw.position
    finally:
        # what was handed to Postgres is counted also when the source breaks behind it
        settled = loading is None or work.settle(*loading)
    return settled


def _prepare(work: _Work, reader: RowReader, raw: RawBatch, begin: Json | None) -> tuple[Batch, gate.GateResult]:
    batch = _parse(work, reader, raw, begin)
    if not batch.n_in:  # every row was passed over
        return batch, gate.GateResult((), (), {})
    limits = work.config.sources[work.source].gate
    checked = gate.check(batch.requests, len(batch.bad), limits, where=f"sources.{work.source}.gate")
    for warning in checked.warnings:
        _log.warning("%s: %s", work.source, warning)
    return replace(batch, gate=checked.result), checked


def _held(work: _Work, batch: Batch, checked: gate.GateResult) -> GateError:
    batch_id = hold(work.database, batch, checked.failures)
    return GateError(
        f"source {work.source}: a batch of {batch.n_in} rows was held back (llmmon.ingest_batch {batch_id}): "
        f"{'; '.join(checked.failures)}. Nothing of it is loaded. Repair the log or change "
        f"sources.{work.source}.gate in llmmon.toml, then ingest again"
    )


def _parse(work: _Work, reader: RowReader, raw: RawBatch, begin: Json | None) -> Batch:
    requests: dict[str, RequestLog] = {}
    bad: list[BadRow] = []
    passed_over: Counter[str] = Counter()
    n_dup = 0
    digest = hashlib.sha256()
    for row in raw.rows:
        digest.update(row.raw + b"\n")
        try:
            request = reader.parse(row)
        except NotARequestError as error:
            passed_over[error.reason] += 1
            continue
        except BadRowError as error:
            reason = f"{error.reason}; {row.cut}" if row.cut else error.reason
            bad.append(BadRow(row.raw, row.file, row.offset, error.code, reason, error.user_ref))
            continue
        if requests.setdefault(request.request_id, request) is not request:
            n_dup += 1
    return Batch(
        source=work.source,
        from_position=begin,
        to_position=raw.position,
        requests=list(requests.values()),
        n_in=len(raw.rows) - passed_over.total(),
        n_dup=n_dup,
        bad=bad,
        raw_digest=digest.digest(),
        gate=None,
        config_digest=work.config.digest,
        passed_over=passed_over,
    )
