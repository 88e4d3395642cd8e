"""New rows of a source into the store: parsed, gated, loaded once, accounted for."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import SourceUnavailableError
from llmmon.model import Window
from llmmon.pipeline import compare_batch, gate
from llmmon.pipeline.hold_batch import hold_batch, require_readable
from llmmon.pipeline.row_reader import RowReader
from llmmon.sources.base import RawBatch, RawRow
from llmmon.store import audit
from llmmon.store.batch import Batch, Loaded
from llmmon.store.coverage import StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.held_batch import standing
from llmmon.store.ingest import load
from llmmon.store.request_log import count_requests
from llmmon.store.source_cursor import position

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IngestResult:
    """What one ingest did; ``n_in = n_new + n_dup + n_bad + n_held``.

    Parameters
    ----------
    n_held : int
        Rows of batches that failed their gate; they wait for a person.
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
    n_held: int = 0
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
    """Load everything of `source` that was not read before, batch by batch; a batch that fails its gate is held.

    Loaders of one source may run at the same time: one of them loads a batch, the others notice and go on behind it.

    Raises
    ------
    ConfigError
        When llmmon.toml has no such source.
    SourceUnavailableError
        When the source cannot be read to its end; the batches before that are loaded.
    GateError
        When so many batches of it are held that it is not read any further.
    """
    reader = RowReader.of(config, source)
    with database.transaction() as connection:
        require_readable(config, source, standing(connection, source))
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
    if result.n_held:
        _log.warning("%s: %d of %d rows are held; `llmmon batch list` shows why", source, result.n_held, result.n_in)
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

    def judge(self, batch: Batch, rows: Sequence[RawRow], parts: Mapping[str, Any], *, is_last: bool) -> Batch:
        """Return the batch with what its gate says of it, earlier ones, which are loaded by now, considered."""
        limits = self.config.sources[self.source].gate
        with self.database.transaction() as connection:
            compared = compare_batch.compare(connection, batch, rows, limits, is_last=is_last)
        result = gate.gate_result({**parts, **compared})
        for warning in gate.failures_of(result, severity="warning"):
            _log.warning("%s: %s", self.source, warning)
        return replace(batch, gate=result)

    def hold(self, batch: Batch, rows: Sequence[RawRow], failures: Sequence[str]) -> bool:
        """Hold a batch back and count it; False when another loader was faster."""
        held = hold_batch(self.database, self.config, batch, rows, failures)
        if held is None:
            return False
        self.result = replace(
            self.result,
            n_batches=self.result.n_batches + 1,
            n_in=self.result.n_in + batch.n_in,
            n_held=self.result.n_held + batch.n_in,
            passed_over=dict(Counter(self.result.passed_over) + Counter(batch.n_passed_over)),
        )
        require_readable(self.config, self.source, held)
        return True

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
            passed_over=dict(Counter(total.passed_over) + Counter(batch.n_passed_over)),
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
    limits, where = work.config.sources[work.source].gate, f"sources.{work.source}.gate"
    loading: tuple[Batch, Future[Loaded | None]] | None = None
    try:
        for raw, is_last in _marked(reader.source.read(begin, max_rows=max_rows)):
            batch = reader.batch(raw.rows, from_position=begin, to_position=raw.position)
            checked = gate.check(batch, limits, where=where) if batch.n_in else None  # none: all were passed over
            if loading is not None and not work.settle(*loading):
                loading = None
                return False
            loading = None
            if checked is not None:
                batch = work.judge(batch, raw.rows, checked, is_last=is_last)
            failures = gate.failures_of(batch.gate or {})
            if failures:
                if not work.hold(batch, raw.rows, failures):
                    return False
            else:
                loading = (batch, pool.submit(load, work.database, batch))
            begin = raw.position
    finally:
        # what was handed to Postgres is counted also when the source breaks behind it
        settled = loading is None or work.settle(*loading)
    return settled


def _marked(batches: Iterator[RawBatch]) -> Iterator[tuple[RawBatch, bool]]:
    """Yield each batch with whether it is the last one; what breaks behind a batch is raised after it."""
    current = next(batches, None)
    while current is not None:
        broken: SourceUnavailableError | None = None
        following: RawBatch | None = None
        try:
            following = next(batches, None)
        except SourceUnavailableError as error:
            broken = error
        yield current, following is None and broken is None
        if broken is not None:
            raise broken
        current = following
