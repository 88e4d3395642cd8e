"""What the page of one deployment shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llmmon.store.database import fetch
from llmmon_airflow.settings import configuration
from llmmon_airflow.web.groups import GroupTable, groups_of
from llmmon_airflow.web.overview import FAR, Budget, StageLine, budget_of, stage_lines, state_of
from llmmon_airflow.web.reading import reading
from llmmon_airflow.web.streams import Stream, streams_of

N_WINDOWS = 72
N_REPORTS = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentPage:
    """One deployment: its streams, the one that is looked at, its budget, its detection power, stages and reports."""

    name: str
    description: str
    state: str
    row: Any
    first: datetime | None
    last: datetime | None
    n_windows: int
    streams: Sequence[Stream]
    shown: Sequence[Stream]
    chosen: Stream | None
    chosen_description: str
    groups: GroupTable | None
    budget: Budget | None
    power: Sequence[Any]
    stages: Sequence[StageLine]
    reports: Sequence[Any]

    @property
    def monitors(self) -> list[str]:
        """Names to filter by."""
        return sorted({stream.monitor for stream in self.streams})

    @property
    def segments(self) -> list[str]:
        """Segments to filter by, the whole first."""
        return sorted({stream.segment for stream in self.streams}, key=lambda name: (name != "all", name))


def deployment_page(
    name: str, *, monitor: str | None, segment: str | None, look: tuple[str, str] | None
) -> DeploymentPage | None:
    """Read the page of deployment `name`, None when nothing of that name is configured or stored.

    Parameters
    ----------
    monitor, segment : str or None
        Show only these streams.
    look : tuple of str or None
        Monitor and segment of the stream to draw large; without it the most moved one.
    """
    configured = configuration().deployments
    with reading() as connection:
        known = fetch(connection, "ui/deployments", {"configured": list(configured)})
        row = next((row for row in known if row.deployment == name), None)
        if row is None:
            return None
        bounds = fetch(connection, "ui/last_windows", {"deployment": name, "until": FAR, "n_windows": N_WINDOWS})[0]
        streams = streams_of(connection, name, bounds.first, bounds.last) if bounds.first else []
        shown = [s for s in streams if monitor in {None, s.monitor} and segment in {None, s.segment}]
        chosen = next((s for s in streams if (s.monitor, s.segment) == look), None) or next(iter(shown), None)
        windows = fetch(connection, "ui/windows", {"deployments": [name], "before": FAR, "n_windows": 24})
        settings = configured.get(name)
        watched = settings.monitors.get(chosen.monitor) if settings and chosen else None
        return DeploymentPage(
            name=name,
            description=settings.description if settings else "",
            state=state_of(row, bool(windows)),
            row=row,
            first=bounds.first,
            last=bounds.last,
            n_windows=bounds.n_windows,
            streams=streams,
            shown=shown,
            chosen=chosen,
            chosen_description=watched.description if watched else "",
            groups=groups_of(connection, name, chosen) if chosen else None,
            budget=budget_of(row),
            power=fetch(connection, "ui/detection_power", {"deployment": name}),
            stages=stage_lines(connection, name, windows),
            reports=fetch(connection, "ui/reports", {"deployment": name, "n_rows": N_REPORTS}),
        )
