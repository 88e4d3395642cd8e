"""The outbox: what is still to be told, to whom, and what became of every attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import Connection

from llmmon.model import Alert, Window
from llmmon.store.database import execute, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One alert for one channel, taken for the length of a lease.

    Parameters
    ----------
    n_attempts : int
        Including the one it was taken for.
    """

    delivery_id: int
    channel: str
    dedupe_key: str
    n_attempts: int
    alert: Alert


def claim(connection: Connection, *, lease: timedelta) -> Delivery | None:
    """Take the delivery that waits longest; None when none is due."""
    rows = fetch(connection, "delivery/claim", {"lease": lease})
    if not rows:
        return None
    row = rows[0]
    return Delivery(
        delivery_id=row.delivery_id,
        channel=row.channel,
        dedupe_key=row.dedupe_key,
        n_attempts=row.n_attempts,
        alert=Alert(
            alert_id=row.alert_id,
            source=row.source,
            deployment=row.deployment,
            monitor=row.monitor,
            segment=row.segment,
            window=Window(start=row.window_start, end=row.window_end),
            severity=row.severity,
            title=row.title,
            sentence=row.sentence,
            opened_at=row.opened_at,
            detail=row.detail,
        ),
    )


def record_attempt(
    connection: Connection,
    delivery: Delivery,
    *,
    state: Literal["pending", "sent", "dead"],
    answer: str,
    wait: timedelta = timedelta(0),
) -> None:
    """Record an attempt's answer and the delivery's new state; a pending one is due again after `wait`."""
    parameters = {"delivery_id": delivery.delivery_id, "state": state, "answer": answer, "wait": wait}
    execute(connection, "delivery/attempted", parameters)


def count_waiting(connection: Connection) -> tuple[int, int]:
    """Return how many deliveries wait for another attempt and how many were given up."""
    row = fetch(connection, "delivery/waiting")[0]
    return int(row.n_pending), int(row.n_dead)
