"""Sketches of latencies, window by window and day by day, and the objectives that are read off them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from llmmon.model import Window
from llmmon.store.database import execute, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencySketch:
    """The sketch of one field of one segment of one window.

    Parameters
    ----------
    n_requests, n_failed, n_missing, n : int
        All requests; those that failed, that succeeded without a value, and that are in the buckets.
    buckets, counts : list of int
        Of `llmmon.metrics.sketch.Sketch`.
    """

    segment: str
    field: str
    n_requests: int
    n_failed: int
    n_missing: int
    n: int
    buckets: Sequence[int]
    counts: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class RolledUpDay:
    """What the roll-up of one field of one day says of the whole deployment."""

    field: str
    n_windows: int
    n_windows_expected: int
    n_requests: int
    n_failed: int
    n: int
    p50: float | None
    p95: float | None


def keep_sketches(
    connection: Connection, deployment: str, window: Window, sketches: Sequence[Mapping[str, Any]]
) -> None:
    """Write the sketches of `window` in place of those that were there."""
    place = {"deployment": deployment, "start": window.start, "end": window.end}
    execute(connection, "latency_sketch/forget_window", place)
    execute(connection, "latency_sketch/keep", {**place, "sketches": json.dumps(sketches)})


def keep_slos(connection: Connection, deployment: str, slos: Sequence[Mapping[str, Any]], config_digest: str) -> None:
    """Write the objectives of `deployment` in place of those that were in force."""
    parameters = {"deployment": deployment, "slos": json.dumps(slos), "config_digest": config_digest}
    execute(connection, "slo/keep", parameters)


def stale_days(connection: Connection, now: datetime) -> list[tuple[str, date]]:
    """Return the deployments and days, over by `now`, that are to be rolled up, or again after late rows."""
    return [(row.deployment, row.day) for row in fetch(connection, "latency_day/stale", {"now": now})]


def roll_up_day(connection: Connection, deployment: str, day: date) -> list[RolledUpDay]:
    """Merge the sketches of one day in place of an earlier roll-up, and return what each field covers."""
    place = {"deployment": deployment, "day": day}
    execute(connection, "latency_day/forget", place)
    return [RolledUpDay(**row._mapping) for row in fetch(connection, "latency_day/roll_up", place)]
