"""Geometry of the charts: plain numbers, which the templates draw as SVG.

Across, positions are thousandths of the width, so that a chart follows its container; down, they are pixels.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from llmmon_airflow.web.formatting import interval, number, short, tick, times, unit_label, window
from llmmon_airflow.web.scales import WIDTH, across_time, linear, nice_range


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What one window of a stream shows; `value` is None where there is none, for `reason`."""

    start: datetime
    end: datetime
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str | None = None
    reference: float | None = None
    is_learning: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """An alert to point at."""

    start: datetime
    alert_id: int
    title: str
    severity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """One window on a chart: where it lies, where its value lies (None for a gap), and its sentence."""

    x: float
    left: float
    width: float
    y: float | None
    label: str
    is_learning: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """An alert on a chart."""

    x: float
    y: float
    mark: Mark


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Everything a template needs to draw one stream."""

    height: float
    top: float
    bottom: float
    stops: Sequence[Stop]
    lines: Sequence[str]
    bands: Sequence[str]
    expected: Sequence[str]
    y_ticks: Sequence[tuple[float, str]]
    x_ticks: Sequence[tuple[float, str]]
    flags: Sequence[Flag]
    shaded: Sequence[tuple[float, float]]
    limit: tuple[float, str] | None = None

    @property
    def last(self) -> Stop | None:
        """The newest window that has a value."""
        return next((stop for stop in reversed(self.stops) if stop.y is not None), None)


def stream_chart(
    sights: Sequence[Sight],
    unit: str,
    *,
    marks: Iterable[Mark] = (),
    height: float = 240,
    margin: float = 22,
    is_small: bool = False,
) -> Chart | None:
    """Draw a stream: its values with intervals, what was expected, gaps where a window has no value.

    Parameters
    ----------
    sights : sequence of Sight
        In window order.
    margin : float
        Pixels kept free above and below the plot.
    is_small : bool
        Drawn without an axis, so that the values fill the height.

    Returns
    -------
    Chart or None
        None when there is no window at all.
    """
    if not sights:
        return None
    numbers = [x for s in sights for x in (s.value, s.low, s.high, s.reference) if x is not None]
    low, high, ticks = nice_range(numbers)
    if is_small and numbers:
        low, high = min(numbers), max(numbers)
        missing = 0.1 * max(abs(low), abs(high)) - (high - low)  # a wiggle of a per cent should look like one
        low, high = (low - missing / 2, high + missing / 2) if missing > 0 else (low, high)
    scale = linear(low, high, top=margin, bottom=height - margin)

    def label(at: float) -> str:
        return tick(at, unit)

    return _draw(sights, scale, [(t, label(t)) for t in ticks], marks, height, margin, lambda s: _sentence(s, unit))


def evidence_chart(
    sights: Sequence[Sight], *, threshold: float | None, marks: Iterable[Mark] = (), height: float = 170
) -> Chart | None:
    """Draw e-values on a logarithmic scale with the threshold that opens an alert.

    Parameters
    ----------
    sights : sequence of Sight
        Their `value` is the e-value; None while the detector is learning.
    """
    margin = 22.0
    finite = [s.value for s in sights if s.value is not None and math.isfinite(s.value)]
    if not finite:
        return None
    floor = -2.0
    top = max(1.0, math.log10(max([*finite, threshold or 1.0, 1.0])) * 1.08)
    step = max(1, math.ceil((top - floor) / 4))
    ticks = [float(t) for t in range(math.ceil(floor), math.floor(top) + 1) if t % step == 0]
    level = linear(floor, top, top=margin, bottom=height - margin)

    def scale(value: float) -> float:
        return level(min(top, max(floor, math.log10(value)))) if value > 0 else level(floor)

    labelled = [(10.0**t, times(10.0**t)) for t in ticks]
    chart = _draw(sights, scale, labelled, marks, height, margin, _evidence_sentence)
    if threshold is None:
        return chart
    limit = (scale(threshold), f"alert at {times(threshold)}")
    return Chart(**{name: getattr(chart, name) for name in Chart.__slots__ if name != "limit"}, limit=limit)


def _draw(
    sights: Sequence[Sight],
    scale: Callable[[float], float],
    y_ticks: Sequence[tuple[float, str]],
    marks: Iterable[Mark],
    height: float,
    margin: float,
    sentence: Callable[[Sight], str],
) -> Chart:
    begin, finish = sights[0].start, max(s.end for s in sights)
    across = across_time(begin, finish)
    stops = [
        Stop(
            x=across(s.start + (s.end - s.start) / 2),
            left=across(s.start),
            width=across(s.end) - across(s.start),
            y=None if s.value is None else scale(s.value),
            label=sentence(s),
            is_learning=s.is_learning,
        )
        for s in sights
    ]
    runs = list(_runs(sights))
    tops = {s.start: stop.y for s, stop in zip(sights, stops, strict=True)}
    flags = [
        Flag(x=across(mark.start + (sights[0].end - begin) / 2), y=tops.get(mark.start) or margin, mark=mark)
        for mark in marks
        if begin <= mark.start < finish
    ]
    return Chart(
        height=height,
        top=margin,
        bottom=height - margin,
        stops=stops,
        lines=[_path((stops[i].x, stops[i].y) for i in run) for run in runs],
        bands=[_band(sights, stops, scale, run) for run in _banded(sights, runs)],
        expected=_expected(sights, stops, scale),
        y_ticks=[(scale(tick), label) for tick, label in y_ticks],
        x_ticks=_x_ticks(sights, stops),
        flags=flags,
        shaded=_shaded(stops),
    )


def _runs(sights: Sequence[Sight]) -> Iterable[list[int]]:
    """Yield the stretches of consecutive windows that have a value; a missing window ends a stretch."""
    run: list[int] = []
    for i, sight in enumerate(sights):
        if run and (sight.value is None or sight.start > sights[run[-1]].end):
            yield run
            run = []
        if sight.value is not None:
            run.append(i)
    if run:
        yield run


def _banded(sights: Sequence[Sight], runs: Iterable[list[int]]) -> Iterable[list[int]]:
    for run in runs:
        part: list[int] = []
        for i in run:
            if sights[i].low is None or sights[i].high is None:
                yield part
                part = []
            else:
                part.append(i)
        yield part


def _band(sights: Sequence[Sight], stops: Sequence[Stop], scale: Callable[[float], float], run: list[int]) -> str:
    if not run:
        return ""
    if len(run) == 1:  # a lone window still shows how sure it is
        half = stops[run[0]].width / 6
        xs = [(stops[run[0]].x - half, run[0]), (stops[run[0]].x + half, run[0])]
    else:
        xs = [(stops[i].x, i) for i in run]
    upper = [(x, scale(sights[i].high or 0.0)) for x, i in xs]
    lower = [(x, scale(sights[i].low or 0.0)) for x, i in reversed(xs)]
    return _path([*upper, *lower]) + "Z"


def _expected(sights: Sequence[Sight], stops: Sequence[Stop], scale: Callable[[float], float]) -> list[str]:
    return [
        _path([(stop.left, scale(s.reference)), (stop.left + stop.width, scale(s.reference))])
        for s, stop in zip(sights, stops, strict=True)
        if s.reference is not None
    ]


def _shaded(stops: Sequence[Stop]) -> list[tuple[float, float]]:
    learning = [stop for stop in stops if stop.is_learning]
    return [(learning[0].left, round(learning[-1].left + learning[-1].width - learning[0].left, 1))] if learning else []


def _path(points: Iterable[tuple[float, float | None]]) -> str:
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points if y is not None)


def _x_ticks(sights: Sequence[Sight], stops: Sequence[Stop], n_ticks: int = 6) -> list[tuple[float, str]]:
    step = max(1, math.ceil(len(sights) / n_ticks))
    return [
        (stops[i].left, short(sights[i].start)) for i in range(0, len(sights), step) if stops[i].left < WIDTH * 0.92
    ]


def _sentence(sight: Sight, unit: str) -> str:
    when = window(sight.start, sight.end)
    if sight.value is None:
        return f"{when}: no value. {sight.reason or ''}".strip()
    parts = [f"{number(sight.value, unit)} {unit_label(unit)}".strip()]
    if sight.low is not None and sight.high is not None:
        parts.append(f"95% interval {interval(sight.low, sight.high, unit)}")
    if sight.n is not None:
        parts.append(f"n = {sight.n:,}")
    if sight.reference is not None:
        parts.append(f"expected {number(sight.reference, unit)}")
    return f"{when}: {', '.join(parts)}"


def _evidence_sentence(sight: Sight) -> str:
    when = window(sight.start, sight.end)
    return f"{when}: {sight.reason or 'no e-value'}" if sight.value is None else f"{when}: e-value {times(sight.value)}"
