"""A stretch of event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Window:
    """A half-open stretch ``[start, end)`` of event time.

    Parameters
    ----------
    start, end : datetime
        Timezone-aware; kept in UTC.

    Examples
    --------
    >>> window = Window.parse("2023-06-01T06:00:00", hours=1)
    >>> window.key, window.end.hour
    ('2023-06-01T06:00:00', 7)
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"window {self.start}/{self.end}: both ends need a timezone")
        if self.start >= self.end:
            raise ValueError(f"window {self.start}/{self.end}: the start must be before the end")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    @classmethod
    def parse(cls, text: str, *, hours: float | None = None) -> Self:
        """Read ``START/END`` or, with `hours`, a lone ``START``; without a zone it is UTC."""
        first, _, last = text.partition("/")
        start = _parse_utc(first)
        if last:
            return cls(start=start, end=_parse_utc(last))
        if hours is None:
            raise ValueError(f"window {text!r}: expected START/END, as in 2023-06-01T06:00/2023-06-01T07:00")
        return cls(start=start, end=start + timedelta(hours=hours))

    @property
    def key(self) -> str:
        """Airflow's partition key of this window: its start, ISO 8601, UTC, to the second."""
        return self.start.strftime("%Y-%m-%dT%H:%M:%S")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{self.key}/{self.end.strftime('%Y-%m-%dT%H:%M:%S')}"

    def split(self, length: timedelta) -> Iterator[Window]:
        """Yield the consecutive windows of `length` that cover this one from its start."""
        start = self.start
        while start < self.end:
            yield Window(start=start, end=start + length)
            start += length


def _parse_utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
