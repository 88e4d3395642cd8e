"""Windows that could have come next: stored ones, drawn again in blocks, so that what hangs together stays together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from llmmon.model import Window

FEWEST_DAYS: Final = 3
"""Whole days from which days are drawn; before, runs of windows are."""
_DAY: Final = timedelta(days=1)
_WEEKEND: Final = 5


def resampled(windows: Sequence[Window], n: int, rng: np.random.Generator) -> list[Window]:
    """Return `n` of `windows`, to stand for those that follow them.

    Parameters
    ----------
    windows : sequence of Window
        Consecutive, oldest first.
    n : int
        Windows wanted.
    rng : numpy.random.Generator
        Which are drawn.

    Notes
    -----
    Whole days are drawn where there are three: each at its hours, so that the rhythm of the day stays; on a weekday
    that was stored twice from that weekday, else from a working day for a working day. With less than three days, runs
    of n^(1/3) windows are drawn.

    References
    ----------
    H. R. Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17, 1989.
    P. Hall, J. L. Horowitz, B.-Y. Jing, "On blocking rules for the bootstrap with dependent data", Biometrika 82, 1995.
    """
    length = windows[0].end - windows[0].start
    days: dict[date, dict[timedelta, Window]] = defaultdict(dict)
    for window in windows:
        days[window.start.date()][_hour(window.start)] = window
    whole = {day: found for day, found in days.items() if len(found) == _DAY / length}
    if len(whole) < FEWEST_DAYS:
        return _runs(windows, n, rng)
    drawn: dict[date, dict[timedelta, Window]] = {}
    found = []
    for place in range(n):
        moment = windows[-1].end + place * length
        day = moment.date()
        if day not in drawn:
            alike = _alike(day, list(whole))
            drawn[day] = whole[alike[int(rng.integers(len(alike)))]]
        found.append(drawn[day][_hour(moment)])
    return found


def _runs(windows: Sequence[Window], n: int, rng: np.random.Generator) -> list[Window]:
    size = math.ceil(len(windows) ** (1 / 3))
    found: list[Window] = []
    while len(found) < n:
        first = int(rng.integers(len(windows) - size + 1))
        found += windows[first : first + size]
    return found[:n]


def _alike(day: date, days: Sequence[date]) -> list[date]:
    same = [other for other in days if other.weekday() == day.weekday()]
    if len(same) > 1:
        return same
    kind = [other for other in days if (other.weekday() < _WEEKEND) == (day.weekday() < _WEEKEND)]
    return kind or list(days)


def _hour(moment: datetime) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
