"""The closed account: at every stage each request of a window is in exactly one state.

Loading takes the account's lock shared and closing takes it alone, so a request is either in the account that is being
closed or marks its window dirty afterwards; none falls between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection

from llmmon.errors import AccountingError
from llmmon.model import Stage, Window
from llmmon.store.database import Database, execute, fetch
from llmmon.store.request_log import count_requests

RequestState = Literal["done", "sampled_out", "failed", "expired", "pending"]
StageState = Literal["done", "failed", "expired"]
GRID: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""A midnight from which windows are counted."""
TEXTS_GONE: Final = "its texts were erased"
"""Why a request that has no texts any more is expired."""


@dataclass(frozen=True, slots=True)
class StageCount:
    """So many requests of a window are in this state.

    Parameters
    ----------
    state : str
        One of done, sampled_out, failed, expired, pending.
    n : int
        Requests.
    reason : str
        Why, where the state needs one.
    probability : float or None
        Mean inclusion probability, where the state comes from sampling.
    """

    state: RequestState
    n: int
    reason: str = ""
    probability: float | None = None


def close_stage(
    connection: Connection,
    deployment: str,
    window: Window,
    stage: Stage,
    counts: Sequence[StageCount],
    state: StageState = "done",
    reason: str | None = None,
) -> int:
    """Write what became of every request of `window` at `stage`, in place of what was written before.

    Parameters
    ----------
    connection : Connection
        Inside the transaction that also writes the stage's results.
    counts : sequence of StageCount
        They sum to the requests of the window; a state and reason occur once.
    state, reason : str
        What the stage as a whole is; a state other than done needs a reason.

    Returns
    -------
    int
        The window's requests.

    Raises
    ------
    AccountingError
        When the counts do not sum up; running the stage again helps when rows were loaded meanwhile.
    """
    lock_accounts(connection, [deployment], shared=False)
    n_requests = count_requests(connection, deployment, window)
    counted = sum(count.n for count in counts)
    if counted != n_requests or any(count.n < 0 for count in counts):
        told = ", ".join(f"{count.state} {count.n}" for count in counts) or "nothing"
        raise AccountingError(
            f"{deployment} {window}: stage {stage} accounts for {counted} of {n_requests} requests ({told}); "
            "if rows were loaded meanwhile, run the stage again"
        )
    place = {"deployment": deployment, "start": window.start, "end": window.end, "stage": stage}
    execute(connection, "coverage/forget", place)
    for count in counts:
        line = {"state": count.state, "reason": count.reason, "n": count.n, "probability": count.probability}
        execute(connection, "coverage/keep", {**place, **line})
    execute(connection, "window_stage/keep", {**place, "state": state, "reason": reason, "n_requests": n_requests})
    return n_requests


def lock_accounts(connection: Connection, deployments: Iterable[str], *, shared: bool) -> None:
    """Take the account's lock of each deployment until the transaction ends."""
    for deployment in sorted(set(deployments)):
        fetch(connection, "coverage/lock_shared" if shared else "coverage/lock", {"deployment": deployment})


def is_done(connection: Connection, deployment: str, window: Window, stage: Stage) -> bool:
    """Return whether `stage` has finished `window` and no row came late since."""
    place = {"deployment": deployment, "start": window.start, "stage": stage}
    return bool(fetch(connection, "window_stage/is_done", place))


def event_windows(database: Database, deployment: str, length: timedelta) -> list[Window]:
    """Return the consecutive windows of `length` from the first to the last known request of `deployment`."""
    parameters = {"deployment": deployment, "length": length, "grid": GRID}
    with database.transaction() as connection:
        rows = fetch(connection, "request_log/event_windows", parameters)
    return [Window(start=row.window_start, end=row.window_end) for row in rows]


def unfinished_windows(
    connection: Connection,
    deployment: str,
    stage: Stage,
    *,
    length: timedelta,
    start: datetime | None = None,
    end: datetime | None = None,
    idle_since: datetime | None = None,
    limit: int = 1000,
) -> list[Window]:
    """Return the windows that `stage` has still to do, or to do again, oldest first.

    Parameters
    ----------
    length : timedelta
        Of one window; windows start on a grid from midnight UTC.
    start, end : datetime or None
        Bounds; without them the first and the last known request. A window that has not ended by `end` (else by now)
        is left out: rows may still come.
    idle_since : datetime or None
        Leaves out windows that some stage finished, or whose rows were loaded, at this moment or later.
    limit : int
        Windows at most.
    """
    parameters = {
        "deployment": deployment,
        "stage": stage,
        "length": length,
        "grid": GRID,
        "start": start or datetime(1, 1, 1, tzinfo=UTC),
        "end": end or datetime.now(UTC),
        "idle_since": idle_since or datetime.max.replace(tzinfo=UTC),
        "limit": limit,
    }
    rows = fetch(connection, "window_stage/unfinished", parameters)
    return [Window(start=row.window_start, end=row.window_end) for row in rows]


def expire_windows(connection: Connection, deployment: str, stage: Stage, *, before: datetime) -> list[Window]:
    """Give up the windows whose ingest was done before `before` and that `stage` has not finished since.

    A window is measured by when its requests became known, not by when they happened, so a backfill of old logs is not
    given up at once. A row that comes late revives the window.

    Returns
    -------
    list of Window
        Given up now.
    """
    rows = fetch(connection, "window_stage/overdue", {"deployment": deployment, "stage": stage, "before": before})
    windows = [Window(start=row.window_start, end=row.window_end) for row in rows]
    reason = f"not done within the time allowed, by {before:%Y-%m-%d %H:%M} UTC"
    for window in windows:
        n = count_requests(connection, deployment, window)
        close_stage(
            connection, deployment, window, stage, [StageCount("expired", n, reason)], state="expired", reason=reason
        )
    return windows
