"""Judge streams without a database: evidence window by window, and e-BH over the streams of each window.

A stream is a fold of its detector over measurements in the order of time. `advance` goes on from where the stream stood
after any of its windows, so what is judged at once and what is judged window by window, with what was remembered read
back from JSON, is the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from llmmon.detectors.base import Detector, State
from llmmon.detectors.e_benjamini_hochberg import reject
from llmmon.model import Direction, Evidence, Json, Measurement, Window
from llmmon.store.coverage import GRID

StreamKey = tuple[str, str]
"""Monitor and segment."""
CHECKPOINT_EVERY: Final = 24
"""Windows from one checkpoint to the next, on the grid of windows."""
N_CHECKPOINTS: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How the streams of one monitor are judged."""

    detector: Detector
    min_effect: float
    direction: Direction


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a stream stands after one of its windows.

    Parameters
    ----------
    window_start : datetime
        Of that window.
    episode : int
        Number of times that the stream learnt anew before.
    is_tested : bool
        Whether the episode has given evidence.
    e_value, reason
        Of that window's evidence.
    state : mapping
        What the detector remembers.
    """

    window_start: datetime
    episode: int
    is_tested: bool
    e_value: float | None
    reason: str | None
    state: State

    def as_json(self) -> Json:
        """Return the fields as JSON values."""
        return {
            "window_start": self.window_start.isoformat(),
            "episode": self.episode,
            "is_tested": self.is_tested,
            "e_value": self.e_value,
            "reason": self.reason,
            "state": self.state,
        }

    @classmethod
    def of_json(cls, fields: Json) -> Self:
        """Return what `as_json` gave the fields of."""
        return cls(**{**fields, "window_start": datetime.fromisoformat(fields["window_start"])})


@dataclass(frozen=True, slots=True)
class Point:
    """One window of one stream."""

    measurement: Measurement
    evidence: Evidence
    episode: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """How the alarm budget stood at one window.

    Parameters
    ----------
    alpha : float
        The deployment's budget.
    n_streams, n_learning, n_alarmed : int
        Streams known by then, those of them without evidence at this window, and those that e-BH rejects.
    largest_e, threshold_e : float or None
        Largest evidence, and the evidence that a stream needed.
    rejected : tuple of (monitor, segment)
        Streams that changed as far as the budget allows to say so, sorted.
    """

    window_start: datetime
    alpha: float
    n_streams: int
    n_learning: int
    n_alarmed: int
    largest_e: float | None
    threshold_e: float
    rejected: tuple[StreamKey, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """Streams and windows, judged: `points` of every stream in the order of time, `spending` window by window."""

    points: Mapping[StreamKey, Sequence[Point]]
    spending: Sequence[Spending]


def advance(
    rule: Rule, measurements: Iterable[Measurement], restarts: Sequence[datetime], standing: Standing | None = None
) -> Iterator[tuple[Point, Standing]]:
    """Yield the stream's next points, each with where the stream then stands.

    Parameters
    ----------
    measurements : iterable of Measurement
        Of one stream, in the order of time, all after `standing`.
    restarts : sorted sequence of datetime
        Starts of the windows after which the stream learns anew; the detector is given the state it had by then.
    standing : Standing or None
        Where the stream stood; None before its first window.
    """
    for measurement in measurements:
        episode = bisect_left(restarts, measurement.window.start)
        if standing is None:
            state, is_tested = rule.detector.begin(), False
        elif standing.episode != episode:
            state, is_tested = rule.detector.restart(standing.state), False
        else:
            state, is_tested = standing.state, standing.is_tested
        state, evidence = rule.detector.step(state, measurement, min_effect=rule.min_effect, direction=rule.direction)
        standing = Standing(
            window_start=measurement.window.start,
            episode=episode,
            is_tested=is_tested or evidence.e_value is not None,
            e_value=evidence.e_value,
            reason=evidence.reason,
            state=state,
        )
        yield Point(measurement, evidence, episode), standing


def remember(memory: Sequence[Standing], standing: Standing, length: timedelta) -> tuple[Standing, ...]:
    """Return what is worth keeping of a stream's standings, oldest first: the last two checkpoints and the newest.

    A late row mostly changes a window of the last hours: the stream goes on from the checkpoint before it.
    """
    checkpoints = [item for item in memory if _is_checkpoint(item, length)]
    if _is_checkpoint(standing, length):
        return (*checkpoints[1 - N_CHECKPOINTS :], standing)
    return (*checkpoints[-N_CHECKPOINTS:], standing)


def still_valid(
    memory: Sequence[Standing], *, changed_from: datetime | None, before: Sequence[datetime], now: Sequence[datetime]
) -> tuple[Standing, ...]:
    """Return the standings that nothing has changed up to.

    Parameters
    ----------
    changed_from : datetime or None
        First window of the stream that is different from what was judged.
    before, now : sorted sequences of datetime
        The stream's restarts when the standings were made, and today.
    """
    return tuple(
        standing
        for standing in memory
        if (changed_from is None or standing.window_start < changed_from)
        and _until(before, standing.window_start) == _until(now, standing.window_start)
    )


def spend(
    window_start: datetime, e_values: Mapping[StreamKey, float | None], *, alpha: float, n_known: int
) -> Spending:
    """Decide by e-BH which streams changed by this window.

    Parameters
    ----------
    e_values : mapping of (monitor, segment) to float or None
        Evidence of the streams that have a point at this window.
    n_known : int
        Streams that have had a point by then: each is accounted for, also while it has no evidence.
    """
    found = {key: e_value for key, e_value in e_values.items() if e_value is not None}
    rejection = reject(found, alpha=alpha, n_streams=n_known)
    return Spending(
        window_start=window_start,
        alpha=alpha,
        n_streams=n_known,
        n_learning=n_known - len(found),
        n_alarmed=len(rejection.rejected),
        largest_e=max(found.values(), default=None),
        threshold_e=rejection.threshold,
        rejected=tuple(sorted(rejection.rejected)),
    )


def n_known_by(first_windows: Sequence[datetime], window_start: datetime) -> int:
    """Return how many streams had a point by a window, from the sorted starts of every stream's first."""
    return bisect_right(first_windows, window_start)


def judge(
    streams: Mapping[StreamKey, Sequence[Measurement]],
    rules: Mapping[str, Rule],
    windows: Sequence[Window],
    *,
    alpha: float,
    restarts: Mapping[StreamKey, Sequence[datetime]] | None = None,
) -> Judgement:
    """Judge whole streams from their first window on.

    Parameters
    ----------
    streams : mapping of (monitor, segment) to sequence of Measurement
        Each in the order of time.
    rules : mapping of str to Rule
        By monitor.
    windows : sequence of Window
        At which the budget is spent, in the order of time; they hold every measurement's window.
    alpha : float
        The deployment's alarm budget.
    """
    points = {
        key: [point for point, _ in advance(rules[key[0]], items, (restarts or {}).get(key, ()))]
        for key, items in streams.items()
    }
    firsts = sorted(items[0].measurement.window.start for items in points.values() if items)
    here: dict[datetime, dict[StreamKey, float | None]] = {}
    for key, items in points.items():
        for point in items:
            here.setdefault(point.measurement.window.start, {})[key] = point.evidence.e_value
    spending = [
        spend(window.start, here.get(window.start, {}), alpha=alpha, n_known=n_known_by(firsts, window.start))
        for window in windows
    ]
    return Judgement(points=points, spending=spending)


def _is_checkpoint(standing: Standing, length: timedelta) -> bool:
    return (standing.window_start - GRID) // length % CHECKPOINT_EVERY == 0


def _until(restarts: Sequence[datetime], window_start: datetime) -> Sequence[datetime]:
    return tuple(restarts[: bisect_left(restarts, window_start)])
