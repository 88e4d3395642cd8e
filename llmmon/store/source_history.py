"""What earlier batches of a source were like: requests by hour, fields that were filled in, stretches kept back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from llmmon.store.database import execute, fetch


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour that `moment`, in UTC, falls in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def add_hours(connection: Connection, source: str, moments: Iterable[datetime]) -> None:
    """Count new requests at the hours that they are of."""
    counts = Counter(map(hour_of, moments))
    if counts:
        hours = sorted(counts)
        given = {"source": source, "hours": hours, "counts": [counts[hour] for hour in hours]}
        execute(connection, "source_hour/add", given)


def requests_by_hour(connection: Connection, source: str, first: datetime, last: datetime) -> dict[datetime, int]:
    """Return the requests of each hour from `first` to `last` that had any."""
    rows = fetch(connection, "source_hour/between", {"source": source, "first": first, "last": last})
    return {row.hour: row.n_requests for row in rows}


def known_by_hour(connection: Connection, source: str, request_ids: Sequence[str]) -> dict[datetime, int]:
    """Return how many of these requests are in the store already, by hour."""
    rows = fetch(connection, "source_hour/known", {"source": source, "request_ids": list(request_ids)})
    return {row.hour: row.n for row in rows}


def kept_back(connection: Connection, source: str, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """Return the stretches of time of the batches that are held or were discarded and touch the given one."""
    rows = fetch(connection, "held_batch/spans", {"source": source, "first": first, "last": last})
    return [(row.first, row.last) for row in rows]


def filled_before(connection: Connection, source: str, *, n_batches: int) -> Mapping[str, tuple[int, int]]:
    """Return for each field in how many of how many requests of the newest batches it was filled in."""
    rows = fetch(connection, "ingest_batch/filled", {"source": source, "n_batches": n_batches})
    return {row.name: (row.n_filled, row.n_requests) for row in rows}


def names_before(connection: Connection, source: str, *, n_batches: int) -> set[str]:
    """Return the field names that rows of the newest batches had."""
    return {
        row.name for row in fetch(connection, "ingest_batch/field_names", {"source": source, "n_batches": n_batches})
    }
