"""Day partitions ahead, and what retention removes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from llmmon.store.database import execute, fetch

_CONTENT: Final = {
    "scores": "maintenance/forget_scores",
    "responses": "maintenance/forget_responses",
    "probes": "maintenance/forget_probes",
}


def make_partitions(connection: Connection, first: date, n_days: int) -> None:
    """Make the day partitions of `n_days` days from `first` on that are not there."""
    days = [first + timedelta(days=offset) for offset in range(n_days)]
    fetch(connection, "request_log/ensure_partitions", {"days": days})


def partitions_before(connection: Connection, before: date) -> list[date]:
    """Return the days before `before` that have a partition, oldest first."""
    return [row.day for row in fetch(connection, "maintenance/day_partitions", {"before": before})]


def drop_partition(connection: Connection, day: date) -> int:
    """Drop the partition of `day` and return how many requests went; what identifies them stays, so none comes back."""
    return int(fetch(connection, "maintenance/drop_partition", {"day": day})[0].n_requests or 0)


def forget_content(connection: Connection, before: datetime) -> dict[str, int]:
    """Remove replays, scores and probes of windows before `before`; two quote the requests. Measurements stay."""
    return {name: execute(connection, query, {"before": before}) for name, query in _CONTENT.items()}


def forget_quarantine(connection: Connection, before: datetime) -> int:
    """Remove quarantined rows received before `before`; their batch still counts them."""
    return execute(connection, "maintenance/forget_quarantine", {"before": before})


def forget_reports(connection: Connection, before: datetime) -> int:
    """Remove reports rendered before `before`."""
    return execute(connection, "maintenance/forget_reports", {"before": before})


def forget_sketches(connection: Connection, before: datetime) -> int:
    """Remove latency sketches of windows before `before` whose day is rolled up; the day's sketch stays."""
    return execute(connection, "maintenance/forget_sketches", {"before": before})
