"""Arrival times after a production trace."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from llmmon.errors import SourceUnavailableError


class Arrivals:
    """Consecutive stretches of a trace, each stretched to fill one hour.

    Parameters
    ----------
    seconds : sequence of float
        Arrival times of the trace, in rising order.
    """

    def __init__(self, seconds: Sequence[float]) -> None:
        self._seconds = seconds
        self._next = 0

    @classmethod
    def from_azure(cls, lines: Iterable[str]) -> Arrivals:
        """Read the ``TIMESTAMP`` column of the Azure LLM inference trace."""
        # The trace has seven decimals; Python's datetime takes six.
        stamps = [datetime.fromisoformat(row["TIMESTAMP"][:26]) for row in csv.DictReader(lines)]
        return cls([(stamp - stamps[0]).total_seconds() for stamp in stamps])

    def take(self, n: int, start: datetime) -> list[datetime]:
        """Return `n` strictly rising times inside the hour from `start`; gaps keep their proportions, so bursts stay.

        The arrivals just before and just after the stretch mark the ends of the hour.

        Raises
        ------
        SourceUnavailableError
            When the trace is used up.
        """
        stretch = self._seconds[self._next : self._next + n + 2]
        if len(stretch) < n + 2:
            raise SourceUnavailableError(
                f"The arrival trace has {len(self._seconds)} rows, too few for the demo's requests; "
                "expected the whole azure_conv.csv.gz. Fetch it again."
            )
        self._next += n + 1
        first, last = stretch[0], stretch[-1]
        times: list[datetime] = []
        for second in stretch[1:-1]:
            at = start + timedelta(seconds=3600 * (second - first) / (last - first))
            times.append(max(at, times[-1] + timedelta(microseconds=1)) if times else at)
        return times
