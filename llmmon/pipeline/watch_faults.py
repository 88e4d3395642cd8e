"""Judge streams in which faults were planted: who notices what, and how soon. Nothing is read or written here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from llmmon.faults.base import Fault
from llmmon.model import Evidence, Measurement, Window
from llmmon.pipeline.judge import Rule, Standing, StreamKey, advance, spend
from llmmon.pipeline.plant_faults import MeasuredWindow
from llmmon.pipeline.resample import resampled

LONGEST_LEAD: Final = 24
"""So many start points there are: a fault begins after 0 to 23 quiet windows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One possible future: which stored windows stand for the next ones, and from which on the fault is planted."""

    windows: Sequence[Window]
    lead: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the streams have learnt from the quiet windows, in the order in which they happened.

    Parameters
    ----------
    rules : mapping of str to Rule
        By monitor.
    standings : mapping of (monitor, segment) to Standing
        After the last quiet window.
    end : Window
        The last quiet window; courses go on from its end.
    """

    rules: Mapping[str, Rule]
    standings: Mapping[StreamKey, Standing]
    end: Window
    alpha: float

    @property
    def ready(self) -> frozenset[str]:
        """Monitors with a stream that has learnt enough to be tested."""
        return frozenset(key[0] for key, standing in self.standings.items() if standing.is_tested)


@dataclass(kw_only=True)
class Watched:
    """What one course gave: which monitors alarmed, and at which window.

    Parameters
    ----------
    false_alarms : mapping of str to int
        Without a fault: windows from the start of the course, 1 for the first.
    delays : mapping of Fault to mapping of str to int
        With each fault: windows from its start, 1 for the first with the fault. A monitor that alarmed before is not
        among them.
    """

    false_alarms: Mapping[str, int]
    delays: dict[Fault, Mapping[str, int]] = field(default_factory=dict)


def draw_course(windows: Sequence[Window], n_watched: int, rng: np.random.Generator) -> Course:
    """Draw a course of fewer than 24 quiet windows and `n_watched` with the fault."""
    lead = int(rng.integers(min(LONGEST_LEAD, n_watched)))
    return Course(windows=resampled(windows, lead + n_watched, rng), lead=lead)


def learn(
    rules: Mapping[str, Rule], streams: Mapping[StreamKey, Sequence[Measurement]], end: Window, alpha: float
) -> Known:
    """Let every stream learn from its quiet windows."""
    standings = {}
    for key, measurements in streams.items():
        for _, standing in advance(rules[key[0]], measurements, ()):
            standings[key] = standing
    return Known(rules=rules, standings=standings, end=end, alpha=alpha)


def watch(known: Known, course: Course, measured: Mapping[Window, MeasuredWindow], faults: Iterable[Fault]) -> Watched:
    """Judge one course without a fault, and again with each; only the streams that a fault moves are judged again."""
    windows = [measured[window] for window in course.windows]
    quiet: dict[StreamKey, list[Evidence | None]] = {}
    before: dict[StreamKey, Standing | None] = {}
    for key in {*known.standings, *(key for window in windows for key in window.quiet)}:
        row = list(_advanced(known, key, [window.quiet.get(key) for window in windows], 0, known.standings.get(key)))
        quiet[key] = [evidence for evidence, _ in row]
        before[key] = row[course.lead - 1][1] if course.lead else known.standings.get(key)
    calm = _alarms(known, quiet, {}, range(len(windows)))
    found = Watched(false_alarms={name: place + 1 for name, place in calm.items()})
    for fault in faults:
        hit = windows[course.lead :]
        moved = {key for window in hit for key in window.planted[fault]}
        changed = {
            key: _advanced(known, key, _with_fault(hit, fault, key), course.lead, before.get(key)) for key in moved
        }
        alarmed_before = {name for name, place in calm.items() if place < course.lead}
        watching = ({key[0] for key in moved} & known.ready) - alarmed_before
        places = range(course.lead, len(windows)) if watching else range(0)
        alarms = _alarms(known, quiet, changed, places, watching=watching)
        found.delays[fault] = {name: place - course.lead + 1 for name, place in alarms.items() if name in watching}
    return found


def _with_fault(windows: Iterable[MeasuredWindow], fault: Fault, key: StreamKey) -> Iterator[Measurement | None]:
    for window in windows:
        yield window.planted[fault][key] if key in window.planted[fault] else window.quiet.get(key)


def _advanced(
    known: Known, key: StreamKey, measurements: Iterable[Measurement | None], place: int, standing: Standing | None
) -> Iterator[tuple[Evidence | None, Standing | None]]:
    """Yield evidence and standing window by window; `place` counts from the end of the quiet windows."""
    length = known.end.end - known.end.start
    for measurement in measurements:
        evidence = None
        if measurement is not None:
            start = known.end.end + place * length
            here = replace(measurement, window=Window(start=start, end=start + length))
            ((point, standing),) = advance(known.rules[key[0]], [here], (), standing)
            evidence = point.evidence
        yield evidence, standing
        place += 1


def _alarms(
    known: Known,
    quiet: Mapping[StreamKey, Sequence[Evidence | None]],
    changed: Mapping[StreamKey, Iterator[tuple[Evidence | None, Standing | None]]],
    places: range,
    *,
    watching: Set[str] = frozenset(),
) -> dict[str, int]:
    """Return where each monitor first alarms; ends early when all that are watched for have."""
    found: dict[str, int] = {}
    streams = {*known.standings, *(key for key, row in quiet.items() if any(row[: places.start]))}
    for place in places:
        here = {key: row[place] for key, row in quiet.items() if key not in changed}
        here |= {key: next(row)[0] for key, row in changed.items()}
        seen = {key: evidence for key, evidence in here.items() if evidence is not None}
        streams |= seen.keys()
        moment = known.end.end + place * (known.end.end - known.end.start)
        e_values = {key: evidence.e_value for key, evidence in seen.items()}
        for key in spend(moment, e_values, alpha=known.alpha, n_known=len(streams)).rejected:
            if seen[key].relevant:
                found.setdefault(key[0], place)
        if watching and watching <= found.keys():
            break
    return found
