"""What the first page shows: every deployment at a glance."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from sqlalchemy import Connection

from llmmon.model import Stage
from llmmon.store.database import fetch
from llmmon_airflow.settings import configuration
from llmmon_airflow.web.charts import Chart, stream_chart
from llmmon_airflow.web.reading import reading
from llmmon_airflow.web.streams import Stream, streams_of

STAGES: tuple[str, ...] = get_args(Stage)
STATES = ("done", "sampled_out", "failed", "expired", "pending")
N_WINDOWS = 24
N_MOVED = 4
FAR = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A piece of a bar: what it stands for, how many, and where it lies in thousandths of the width."""

    state: str
    n: int
    left: float
    width: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StageLine:
    """How one stage stands over the shown windows."""

    stage: str
    last_end: datetime | None
    n_windows: int
    n_finished: int
    n_dirty: int
    parts: Sequence[Part]

    @property
    def n(self) -> Mapping[str, int]:
        """Requests by state."""
        return {part.state: part.n for part in self.parts}


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The newest row of the error budget; `fill` is how far the evidence is on the way to the threshold, 0 to 1000."""

    alpha: float
    n_streams: int
    largest_e: float | None
    threshold_e: float | None
    fill: float
    is_spent: bool

    def is_dwarfed(self, row: Any) -> bool:
        """Return whether a window's evidence would do for an alert but its change is too small to matter."""
        return self.threshold_e is not None and row.e_value >= self.threshold_e and not row.relevant


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Requests of one window."""

    start: datetime
    end: datetime
    n: int
    x: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """One deployment on the first page."""

    name: str
    description: str
    state: str
    row: Any
    bars: Sequence[Bar]
    stages: Sequence[StageLine]
    budget: Budget | None
    moved: Sequence[tuple[Stream, Chart | None]]

    @property
    def n_requests(self) -> int:
        """Requests over the shown windows."""
        return sum(bar.n for bar in self.bars)


def glances() -> list[Glance]:
    """Read every deployment's row of the first page."""
    described = {name: settings.description for name, settings in configuration().deployments.items()}
    with reading() as connection:
        rows = fetch(connection, "ui/deployments", {"configured": list(described)})
        names = [row.deployment for row in rows]
        windows = _by_deployment(
            fetch(connection, "ui/windows", {"deployments": names, "before": FAR, "n_windows": N_WINDOWS})
        )
        moved = _by_deployment(fetch(connection, "ui/moved", {"deployments": names, "n_streams": N_MOVED}))
        return [
            Glance(
                name=row.deployment,
                description=described.get(row.deployment, ""),
                state=state_of(row, bool(windows[row.deployment])),
                row=row,
                bars=_bars(windows[row.deployment]),
                stages=stage_lines(connection, row.deployment, windows[row.deployment]),
                budget=budget_of(row),
                moved=_moved(connection, row.deployment, windows[row.deployment], moved[row.deployment]),
            )
            for row in rows
        ]


def summary() -> list[dict[str, Any]]:
    """Read each deployment's name, state and number of open alerts."""
    configured = list(configuration().deployments)
    with reading() as connection:
        rows = fetch(connection, "ui/deployments", {"configured": configured})
    return [{"name": row.deployment, "state": state_of(row, False), "n_open": row.n_open} for row in rows]


def state_of(row: Any, has_windows: bool) -> str:
    """Return ``alarmed``, ``learning``, ``silent`` or, before the first window, ``empty``."""
    if row.n_alarmed or row.n_open:
        return "alarmed"
    if row.n_watching:
        return "silent"
    return "learning" if row.n_learning or has_windows else "empty"


def budget_of(row: Any) -> Budget | None:
    """Return the state of the error budget, None before the first decision."""
    if row.alpha is None:
        return None
    largest, threshold = row.largest_e, row.threshold_e
    fill = 0.0
    if largest is not None and threshold is not None and largest > 1 and threshold > 1:
        fill = min(1.0, (math.log(largest) if math.isfinite(largest) else math.inf) / math.log(threshold)) * 1000
    return Budget(
        alpha=row.alpha,
        n_streams=row.n_streams,
        largest_e=largest,
        threshold_e=threshold,
        fill=round(fill, 1),
        is_spent=row.n_alarmed > 0,
    )


def stage_lines(connection: Connection, deployment: str, windows: Sequence[Any]) -> list[StageLine]:
    """Sum the account of each stage over `windows`."""
    if not windows:
        return []
    first, last = windows[0].window_start, windows[-1].window_start
    rows = fetch(connection, "ui/stages", {"deployments": [deployment], "first": first, "last": last})
    n_requests = sum(window.n_requests for window in windows)
    lines = []
    for stage in STAGES:
        of_stage = [row for row in rows if row.stage == stage]
        finished = [row.window_end for row in of_stage if row.state == "done"]
        sums = {state: sum(getattr(row, f"n_{state}") for row in of_stage) for state in STATES}
        sums["pending"] += max(0, n_requests - sum(sums.values()))  # a stage that has not run yet still owes them
        lines.append(
            StageLine(
                stage=stage,
                last_end=max(finished, default=None),
                n_windows=len(windows),
                n_finished=len(finished),
                n_dirty=sum(row.state == "dirty" for row in of_stage),
                parts=parts_of(sums),
            )
        )
    return lines


def parts_of(sums: Mapping[str, int]) -> list[Part]:
    """Lay the states of an account side by side."""
    total = sum(sums.values())
    parts, left = [], 0.0
    for state in STATES:
        n = sums.get(state, 0)
        if n:
            width = round(n / total * 1000, 1)
            parts.append(Part(state=state, n=n, left=round(left, 1), width=width))
            left += width
    return parts


def _bars(windows: Sequence[Any], height: float = 36) -> list[Bar]:
    most = max((window.n_requests for window in windows), default=0) or 1
    step = 1000 / max(len(windows), 1)
    return [
        Bar(
            start=window.window_start,
            end=window.window_end,
            n=window.n_requests,
            x=round(i * step + step * 0.1, 1),
            width=round(step * 0.8, 1),
            height=round(max(window.n_requests / most * height, 1 if window.n_requests else 0), 1),
        )
        for i, window in enumerate(windows)
    ]


def _moved(
    connection: Connection, deployment: str, windows: Sequence[Any], moved: Sequence[Any]
) -> list[tuple[Stream, Chart | None]]:
    if not windows:
        return []
    first, last = windows[0].window_start, windows[-1].window_start
    streams = [
        stream
        for row in moved
        for stream in streams_of(connection, deployment, first, last, monitor=row.monitor, segment=row.segment)
    ]
    return [(s, stream_chart(s.sights, s.unit, marks=s.marks, height=40, margin=5, is_small=True)) for s in streams]


def _by_deployment(rows: Sequence[Any]) -> Mapping[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.deployment].append(row)
    return grouped
