"""What the coverage page shows: for each window and stage the closed account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llmmon.store.database import fetch
from llmmon_airflow.settings import configuration
from llmmon_airflow.web.overview import FAR, STAGES, STATES, Part, parts_of
from llmmon_airflow.web.reading import reading

PAGE = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The account of one stage over one window.

    Parameters
    ----------
    row : Row or None
        None when the stage has not run yet.
    n_expected : int
        Requests that came in during the window.
    """

    stage: str
    row: Any
    n_expected: int
    sums: Mapping[str, int]
    parts: Sequence[Part]

    @property
    def total(self) -> int:
        """Sum over all states."""
        return sum(self.sums.values())

    @property
    def closes(self) -> bool:
        """Whether every request of the window is in exactly one state."""
        return self.row is not None and self.total == self.n_expected

    @property
    def not_done(self) -> Sequence[Mapping[str, Any]]:
        """What was not looked at: state, reason, count and, where it was drawn by lot, the chance."""
        return self.row.not_done if self.row is not None else []


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowAccount:
    """All accounts of one window."""

    start: datetime
    end: datetime
    n_requests: int
    accounts: Sequence[Account]

    @property
    def closes(self) -> bool:
        """Whether the account of every stage that has run closes."""
        return all(account.closes for account in self.accounts if account.row is not None)

    @property
    def n_run(self) -> int:
        """Stages that have run."""
        return sum(account.row is not None for account in self.accounts)


@dataclass(frozen=True, kw_only=True, slots=True)
class CoveragePage:
    """The accounts of one deployment, newest window first."""

    deployments: Sequence[str]
    deployment: str | None
    windows: Sequence[WindowAccount]
    older: datetime | None

    @property
    def n_open(self) -> int:
        """Shown windows in which an account does not close."""
        return sum(not window.closes for window in self.windows)


def coverage_page(deployment: str | None, before: datetime | None) -> CoveragePage | None:
    """Read one page of accounts, None when there is no such deployment; without a name it is the first one."""
    with reading() as connection:
        rows = fetch(connection, "ui/deployments", {"configured": list(configuration().deployments)})
        names = [row.deployment for row in rows]
        if deployment is not None and deployment not in names:
            return None
        chosen = deployment or next(iter(names), None)
        if chosen is None:
            return CoveragePage(deployments=names, deployment=None, windows=[], older=None)
        given = {"deployments": [chosen], "before": before or FAR, "n_windows": PAGE + 1}
        windows = list(fetch(connection, "ui/windows", given))
        older = windows[1].window_start if len(windows) > PAGE else None
        windows = windows[-PAGE:]
        bounds = {"first": windows[0].window_start, "last": windows[-1].window_start} if windows else None
        stages = fetch(connection, "ui/stages", {"deployments": [chosen], **bounds}) if bounds else []
    by_key = {(row.window_start, row.stage): row for row in stages}
    return CoveragePage(
        deployments=names,
        deployment=chosen,
        windows=[_window(window, by_key) for window in reversed(windows)],
        older=older,
    )


def _window(window: Any, by_key: Mapping[tuple[datetime, str], Any]) -> WindowAccount:
    accounts = []
    for stage in STAGES:
        row = by_key.get((window.window_start, stage))
        sums = {state: getattr(row, f"n_{state}") if row is not None else 0 for state in STATES}
        accounts.append(Account(stage=stage, row=row, n_expected=window.n_requests, sums=sums, parts=parts_of(sums)))
    return WindowAccount(
        start=window.window_start, end=window.window_end, n_requests=window.n_requests, accounts=accounts
    )
