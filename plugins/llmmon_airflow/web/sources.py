"""What the page of sources shows: how far each is read, what waits, and the closed account of each day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from llmmon.config import SourceConfig
from llmmon.pipeline.gate import failures_of
from llmmon.store.database import fetch
from llmmon_airflow.settings import configuration
from llmmon_airflow.web.reading import reading

N_DAYS = 7
N_HELD = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBatch:
    """A batch that waits for a person, and why."""

    row: Any
    failures: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceAccount:
    """One source.

    Parameters
    ----------
    settings : SourceConfig or None
        None when llmmon.toml does not name it any more.
    lag : timedelta or None
        Age of the newest request that was loaded.
    days : sequence of Row
        The account of each day on which it was read, newest first.
    """

    row: Any
    settings: SourceConfig | None
    lag: timedelta | None
    days: Sequence[Any]
    held: Sequence[HeldBatch]

    @property
    def state(self) -> str:
        """``stopped``, ``held``, ``read`` or, before the first batch, ``empty``."""
        if self.settings is not None and self.row.n_held_batches >= self.settings.gate.max_held_batches:
            return "stopped"
        if self.row.n_held_batches:
            return "held"
        return "read" if self.row.batch_id is not None else "empty"

    @property
    def closes(self) -> bool:
        """Whether the account of every shown day closes."""
        return all(day.closes for day in self.days)


def held_sources() -> Sequence[Any]:
    """Read the sources of which batches wait for a person."""
    with reading() as connection:
        return fetch(connection, "ui/held_sources")


def source_accounts() -> list[SourceAccount]:
    """Read every source, those with held batches first."""
    configured = configuration().sources
    now = datetime.now(UTC)
    with reading() as connection:
        rows = fetch(connection, "ui/sources", {"configured": list(configured)})
        names = [row.source for row in rows]
        days = _by_source(fetch(connection, "ui/source_days", {"sources": names, "n_days": N_DAYS}))
        held = _by_source(fetch(connection, "ui/held_batches", {"n_rows": N_HELD}))
    return [
        SourceAccount(
            row=row,
            settings=configured.get(row.source),
            lag=None if row.last_occurred_at is None else now - row.last_occurred_at,
            days=days.get(row.source, []),
            held=[HeldBatch(row=batch, failures=failures_of(batch.gate or {})) for batch in held.get(row.source, [])],
        )
        for row in rows
    ]


def _by_source(rows: Sequence[Any]) -> Mapping[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.source, []).append(row)
    return grouped
