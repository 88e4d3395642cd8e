"""What a person decides of a held batch: to load it after all, or to throw it away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from llmmon.audit.event import actor, body
from llmmon.config import Config
from llmmon.errors import BatchStateError, ConfigError
from llmmon.pipeline.row_reader import RowReader
from llmmon.pipeline.source_alert import tell_decided
from llmmon.sources.base import RawRow
from llmmon.store import audit
from llmmon.store.batch import Batch, Loaded
from llmmon.store.database import Database, in_one_transaction
from llmmon.store.held_batch import Decision, batch_of, decide, held_rows, lock_batch
from llmmon.store.ingest import make_days, put_aside, take_in
from llmmon.store.source_cursor import lock_cursor


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchDecision:
    """What became of a held batch; ``n_in = n_new + n_dup + n_bad + n_discarded``.

    Parameters
    ----------
    n_dirty_windows : int
        Finished windows that its requests came late for; they are to be done again.
    """

    batch_id: int
    source: str
    state: Decision
    n_in: int
    n_new: int
    n_dup: int
    n_bad: int
    n_discarded: int
    n_dirty_windows: int


def release_batch(database: Database, config: Config, batch_id: int, *, because: str, by: str | None) -> BatchDecision:
    """Load a held batch with the present code and configuration, whatever its gate said.

    Parameters
    ----------
    because : str
        The person's reason; it is kept with the batch and in the audit trail.
    by : str or None
        The person; who is logged in to this machine when not given.

    Raises
    ------
    UnknownBatchError
        When there is no such batch.
    BatchStateError
        When it is not held, as when somebody else was faster.
    ConfigError
        When llmmon.toml has its source no longer.
    SealError
        When its rows are sealed under another ``LLMMON_PRIVACY_KEY``.
    """
    with database.transaction() as connection:
        rows = [RawRow(*row) for row in held_rows(connection, batch_id)]
        found = batch_of(connection, batch_id)  # behind its rows: a decision of somebody else takes them away
        _require_held(found)
    reader = RowReader.of(config, found.source)
    batch = reader.batch(rows, from_position=found.from_position, to_position=found.to_position)
    if batch.raw_digest.hex() != found.raw_sha256:
        raise BatchStateError(
            f"batch {batch_id}: its rows in llmmon.held_row are not those that were held; restore them"
        )
    make_days(database, batch)
    return _decide(database, config, found, batch, because=because, by=by)


def discard_batch(database: Database, config: Config, batch_id: int, *, because: str, by: str | None) -> BatchDecision:
    """Throw the rows of a held batch away; its counts stay. Parameters and errors are those of `release_batch`."""
    with database.transaction() as connection:
        found = batch_of(connection, batch_id)
        _require_held(found)
    return _decide(database, config, found, None, because=because, by=by)


def _decide(
    database: Database, config: Config, found: Row[Any], batch: Batch | None, *, because: str, by: str | None
) -> BatchDecision:
    """Decide on a batch, with its alert and its audit event, in one transaction: load `batch`, or discard its rows."""
    state: Decision = "discarded" if batch is None else "released"
    n_in = found.n_in if batch is None else batch.n_in
    person = by or actor()
    if not because.strip():
        raise ConfigError("because: expected the reason in some words; it is kept with the batch")

    def work() -> Loaded:
        with database.transaction() as connection:
            lock_cursor(connection, found.source)
            locked = lock_batch(connection, found.batch_id)
            _require_held(locked)
            loaded = Loaded(batch_id=found.batch_id)
            if batch is not None:
                loaded = take_in(connection, batch, found.batch_id)
                put_aside(connection, batch, found.batch_id)
            decide(connection, state, loaded, batch, by=person, because=because)
            detail = {
                "batch_id": found.batch_id,
                "raw_digest": found.raw_sha256,
                "n_in": n_in,
                **({"n_discarded": n_in} if batch is None else {**loaded.detail, "passed_over": batch.n_passed_over}),
                "because": because,
                "login": actor(),
                "database_login": locked.database_login,
            }
            fact = body(f"batch.{state}", f"source {found.source}", detail, config_digest=config.digest, by=person)
            audit.append(connection, fact)
            tell_decided(connection, config, found.source, by=person, because=because)
        return loaded

    loaded = in_one_transaction(work)
    return BatchDecision(
        batch_id=found.batch_id,
        source=found.source,
        state=state,
        n_in=n_in,
        n_new=loaded.n_new,
        n_dup=loaded.n_dup,
        n_bad=loaded.n_bad,
        n_discarded=n_in if batch is None else 0,
        n_dirty_windows=loaded.n_dirty_windows,
    )


def _require_held(batch: Row[Any]) -> None:
    if batch.state != "held":
        raise BatchStateError(
            f"batch {batch.batch_id} is {batch.state}, not held; `llmmon batch show {batch.batch_id}` tells more"
        )
