"""Which stored windows can be copied to plant faults in, and what was noticed there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import Connection

from llmmon.model import Window
from llmmon.store.database import fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificationResult:
    """How often one monitor noticed one fault of one size, and how soon.

    Parameters
    ----------
    monitor : str
        ``*`` for the deployment: at least one monitor noticed.
    fault : str
        ``none`` when nothing was planted: what is noticed then is a false alarm.
    size, size_unit
        Of the fault.
    n_runs, n_detected : int
        Runs, and those with an alarm.
    share_detected, low, high : float or None
        Share of runs with its 95% interval by Wilson; None with a reason.
    median_delay_windows : float or None
        Over the runs with an alarm; 1 when the first window with the fault alarms.
    effect : float or None
        Median over the planted windows of how far the fault moves the value over all traffic, in `unit`.
    min_effect, unit
        Of the monitor; None for the deployment.
    reason : str or None
        Why there is no share, or why nothing can be noticed.
    """

    monitor: str
    fault: str
    size: float
    size_unit: str
    n_runs: int
    n_detected: int
    share_detected: float | None
    low: float | None
    high: float | None
    median_delay_windows: float | None
    effect: float | None
    min_effect: float | None
    unit: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Certification:
    """One run of ``llmmon certify``.

    Parameters
    ----------
    windows : sequence of Window
        The quiet windows that were learnt from, oldest first.
    n_missing_windows : int
        How many more are needed before anything can be told.
    n_watched, n_runs : int
        Windows that a fault was watched for, and how often it was planted.
    """

    deployment: str
    windows: Sequence[Window]
    n_missing_windows: int
    window_hours: float
    alpha: float
    n_watched: int
    n_runs: int
    results: Sequence[CertificationResult]


def quiet_windows(connection: Connection, deployment: str, *, length: timedelta, limit: int) -> list[Window]:
    """Return the longest run of consecutive measured windows that no alert lies in, oldest first; of equals the newest.

    Parameters
    ----------
    length : timedelta
        Of one window.
    limit : int
        So many of the newest are looked at.
    """
    rows = fetch(
        connection, "certification/quiet_windows", {"deployment": deployment, "length": length, "limit": limit}
    )
    longest: list[Window] = []
    run: list[Window] = []
    for row in rows:
        window = Window(start=row.window_start, end=row.window_end)
        run = [*run, window] if run and run[-1].start == window.end else [window]
        longest = run if len(run) > len(longest) else longest
    return longest[::-1]


def keep_certification(connection: Connection, certification: Certification, provenance_id: int) -> int:
    """Write a certification with its results and return its number."""
    given = {
        "deployment": certification.deployment,
        "start": certification.windows[0].start if certification.windows else None,
        "end": certification.windows[-1].end if certification.windows else None,
        "n_windows": len(certification.windows),
        "n_missing_windows": certification.n_missing_windows,
        "window_hours": certification.window_hours,
        "alpha": certification.alpha,
        "n_watched": certification.n_watched,
        "n_runs": certification.n_runs,
        "provenance_id": provenance_id,
        "results": json.dumps(
            [{"place": place, **asdict(row)} for place, row in enumerate(certification.results)], allow_nan=False
        ),
    }
    return int(fetch(connection, "certification/keep", given)[0].certification_id)
