"""The streams of one deployment: monitor by segment, with their newest value, evidence and state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from llmmon.store.database import fetch
from llmmon_airflow.web.charts import Chart, Mark, Sight, evidence_chart, stream_chart


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One monitor over one segment.

    Parameters
    ----------
    state : str
        ``alarmed``, ``watching``, ``learning``, or ``unjudged`` before a detector has seen it.
    rows : sequence
        Measurements with their evidence, in window order.
    """

    monitor: str
    segment: str
    unit: str
    state: str
    state_reason: str | None
    rows: Sequence[Any]
    marks: Sequence[Mark] = field(default=())

    @property
    def latest(self) -> Any:
        """The newest window, whether it has a value or not."""
        return self.rows[-1]

    @property
    def judged(self) -> Any:
        """The newest window that has an e-value, None while learning."""
        return next((row for row in reversed(self.rows) if row.e_value is not None), None)

    @property
    def sights(self) -> list[Sight]:
        """The windows as the value chart shows them."""
        return [
            Sight(
                start=row.window_start,
                end=row.window_end,
                value=row.value,
                low=row.low,
                high=row.high,
                n=row.n,
                reason=row.reason,
                reference=row.reference_value,
                is_learning=is_learning(row),
            )
            for row in self.rows
        ]

    @property
    def evidence(self) -> list[Sight]:
        """The windows as the evidence chart shows them."""
        return [
            Sight(
                start=row.window_start,
                end=row.window_end,
                value=row.e_value,
                reason=row.evidence_reason or row.reason,
                is_learning=is_learning(row),
            )
            for row in self.rows
        ]

    @property
    def gaps(self) -> list[Any]:
        """Windows without a value."""
        return [row for row in self.rows if row.value is None]

    def chart(self) -> Chart | None:
        """Draw the values."""
        return stream_chart(self.sights, self.unit, marks=self.marks)

    def evidence_chart(self, threshold: float | None) -> Chart | None:
        """Draw the evidence."""
        return evidence_chart(self.evidence, threshold=threshold, marks=self.marks)

    def sparkline(self) -> Chart | None:
        """Draw the values small."""
        return stream_chart(self.sights, self.unit, marks=self.marks, height=30, margin=4, is_small=True)


def is_learning(row: Any) -> bool:
    """Return whether the detector used this window to learn what is normal."""
    return row.value is not None and (row.evidence_reason or "").startswith("learning")


def streams_of(
    connection: Connection,
    deployment: str,
    first: datetime,
    last: datetime,
    *,
    monitor: str | None = None,
    segment: str | None = None,
) -> list[Stream]:
    """Read the streams of `deployment` over the windows that start from `first` to `last`, most moved first."""
    bounds = {"deployment": deployment, "first": first, "last": last}
    states = {(row.monitor, row.segment): row for row in fetch(connection, "ui/streams", {"deployment": deployment})}
    marks = fetch(connection, "ui/alert_marks", bounds)
    rows = fetch(connection, "ui/series", {**bounds, "monitor": monitor, "segment": segment})
    found = []
    for stream_key, group in groupby(rows, key=lambda row: (row.monitor, row.segment)):
        state = states.get(stream_key)
        listed = list(group)
        found.append(
            Stream(
                monitor=stream_key[0],
                segment=stream_key[1],
                unit=listed[-1].unit,
                state=state.state if state else "unjudged",
                state_reason=state.reason if state else None,
                rows=listed,
                marks=[
                    Mark(start=row.window_start, alert_id=row.alert_id, title=row.title, severity=row.severity)
                    for row in marks
                    if (row.monitor, row.segment) == stream_key
                ],
            )
        )
    order = {stream_key: position for position, stream_key in enumerate(states)}
    return sorted(found, key=lambda s: (order.get((s.monitor, s.segment), len(order)), s.monitor, s.segment))
