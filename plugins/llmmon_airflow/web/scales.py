"""Scales and round ticks for the charts."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

WIDTH = 1000.0
_SMALLEST_STEP = 1e-300
"""Below it numbers have few digits left, and a quarter of the smallest is 0."""


def nice_range(values: Sequence[float], n_ticks: int = 4) -> tuple[float, float, list[float]]:
    """Return round ends and ticks that hold all `values`; zero stays an end when nothing is below it.

    Examples
    --------
    >>> nice_range([3.0, 17.0])
    (0.0, 20.0, [0.0, 5.0, 10.0, 15.0, 20.0])
    >>> nice_range([])
    (0.0, 1.0, [0.0, 0.5, 1.0])
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0, [0.0, 0.5, 1.0]
    low, high = min(finite), max(finite)
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    if high <= 0 and high > 0.5 * low:
        high = 0.0
    span = high - low or abs(high) or 1.0
    rough = max(span / n_ticks, _SMALLEST_STEP)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [step * i for i in range(first, max(last, first + 1) + 1)]
    return ticks[0], ticks[-1], ticks


def linear(low: float, high: float, *, top: float, bottom: float) -> Callable[[float], float]:
    """Return the scale that puts `low` at `bottom` and `high` at `top`, in pixels from above."""
    return lambda value: round(bottom - (value - low) / ((high - low) or 1.0) * (bottom - top), 1)


def across_time(begin: datetime, finish: datetime) -> Callable[[datetime], float]:
    """Return the scale that lays `begin` to `finish` over the width, in thousandths."""
    length = (finish - begin) or timedelta(hours=1)
    return lambda at: round((at - begin) / length * WIDTH, 1)
