"""A batch that failed its gate: kept whole, told once, and the source read on behind it, up to a limit."""

from __future__ import annotations

from collections.abc import Sequence

from llmmon.config import Config
from llmmon.errors import GateError
from llmmon.pipeline.source_alert import may_read, tell_held
from llmmon.sources.base import RawRow
from llmmon.store.batch import Batch
from llmmon.store.database import Database, in_one_transaction
from llmmon.store.held_batch import HeldRow, Standing, hold
from llmmon.store.ingest import tell


def hold_batch(
    database: Database, config: Config, batch: Batch, rows: Sequence[RawRow], failures: Sequence[str]
) -> Standing | None:
    """Keep `batch` with its raw rows, move the cursor behind it, and tell the channels of its source.

    Returns
    -------
    Standing or None
        What of the source is held now; None, with nothing changed, when another loader moved the cursor meanwhile.
    """

    def work() -> Standing | None:
        with database.transaction() as connection:
            batch_id = hold(connection, batch, [HeldRow(*row) for row in rows])
            if batch_id is None:
                return None
            n_readable = len(batch.requests)
            counts = {"n_in": batch.n_in, "n_readable": n_readable, "n_dup": batch.n_dup, "n_bad": len(batch.bad)}
            tell(connection, batch, "batch.held", batch_id, {**counts, "failures": list(failures)})
            return tell_held(connection, config, batch.source, failures)

    return in_one_transaction(work)


def require_readable(config: Config, source: str, held: Standing) -> None:
    """Raise `GateError` when so many batches of `source` wait for a person that it is not read any further."""
    if not may_read(config, source, held):
        raise GateError(
            f"source {source}: {held.n_batches} batches of {held.n_rows:,} rows are held back by their gate, and no "
            f"more is read (sources.{source}.gate.max_held_batches). `llmmon batch list --source {source}` shows them; "
            "release or discard each, mend the log or the gate, then ingest again"
        )
