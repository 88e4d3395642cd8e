"""Roll days up: merge the sketches of their windows, and say how much of each day was measured."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.store import audit
from llmmon.store.coverage import lock_accounts
from llmmon.store.database import Database
from llmmon.store.latency_sketch import RolledUpDay, roll_up_day, stale_days

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RollUpResult:
    """What one round of roll-ups did.

    Parameters
    ----------
    n_days : int
        Days of deployments that were rolled up, or again after late rows.
    n_incomplete : int
        Those of which some window was not measured.
    """

    n_days: int
    n_incomplete: int


def roll_up(database: Database, config: Config, *, now: datetime | None = None) -> RollUpResult:
    """Roll up every day that is over and that is new, or whose windows were measured again since.

    Parameters
    ----------
    now : datetime or None
        Moment by which a day is over; the clock's, unless given.
    """
    now = now or datetime.now(UTC)
    with database.transaction() as connection:
        days = stale_days(connection, now)
    n_incomplete = 0
    for deployment, day in days:
        # a transaction for each day: what was done stays done
        with database.transaction() as connection:
            lock_accounts(connection, [deployment], shared=False)  # no window is sketched meanwhile
            fields = roll_up_day(connection, deployment, day)
            subject = f"deployment {deployment} day {day}"
            detail = {"fields": [asdict(field) for field in fields]}
            audit.append(connection, body("day.rolled_up", subject, detail, config_digest=config.digest))
        n_incomplete += any(field.n_windows < field.n_windows_expected for field in fields)
        for field in fields:
            log.info("%s %s %s", deployment, day, _told(field))
    return RollUpResult(n_days=len(days), n_incomplete=n_incomplete)


def _told(day: RolledUpDay) -> str:
    numbers = "no value" if day.p50 is None else f"p50 {day.p50:,.0f} ms, p95 {day.p95:,.0f} ms"
    return (
        f"{day.field}: {numbers} over {day.n:,} of {day.n_requests:,} requests, {day.n_failed:,} failed; "
        f"{day.n_windows} of {day.n_windows_expected} windows"
    )
