"""Advance the streams of a deployment: each goes on from where it stood over the windows after.

A stream remembers where it stood after a few of its windows (`Standing`). It goes on from the newest standing before
what changed, or begins anew, when

- a measurement at a window that was judged has a new version, or a provisional one was completed in place;
- a window that was judged is given up, or one that was given up is measured after all;
- an alert was resolved or reopened, so that the stream learns anew at another window;
- the rule of its monitor changed: detector, parameters, smallest effect, code version. When the deployment's first
  window or the length of windows changed, every stream begins anew.

The first two are noticed by number. Every version, every completion and every finish of a window's measure stage draws
a ``change_id`` from a sequence, and whoever does that holds the deployment's account lock from before until it commits,
as detection does while it reads. So whatever was done after a detection has larger numbers than all that it saw, and
the largest it saw (`Mark`) is enough to ask for the rest. Measurements of windows that were not yet judged are read by
window, whenever they were made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.model import Measurement
from llmmon.pipeline.judge import Standing, StreamKey, advance, remember, still_valid
from llmmon.pipeline.open_alert import number_of
from llmmon.pipeline.watches import Watch
from llmmon.store.detection import Mark, outdated_streams, stored_streams
from llmmon.store.evidence import StreamEvidence, keep_evidence
from llmmon.store.measurement import measurements_of_streams, streams_measured

_STEPS_AT_ONCE: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A stream as it stands now; without memory it has no window.

    Parameters
    ----------
    first_window_start : datetime or None
        Of its first window.
    restarts : tuple of datetime
        Windows after which it learns anew.
    memory : tuple of Standing
        Where it stood after a few windows, newest last.
    stored_state : str or None
        learning, watching or alarmed, as it was before.
    """

    first_window_start: datetime | None
    restarts: tuple[datetime, ...]
    memory: tuple[Standing, ...]
    stored_state: str | None = None

    def episode_of(self, window_start: datetime) -> int:
        """Return how often the stream had learnt anew by a window."""
        return bisect_left(self.restarts, window_start)

    def as_row(self) -> dict[str, Any]:
        """Return the columns of ``stream_state`` that follow from this, as JSON."""
        last = self.memory[-1]
        return {
            "window_start": last.window_start.isoformat(),
            "e_value": last.e_value,
            "reason": last.reason,
            "first_window_start": self.first_window_start and self.first_window_start.isoformat(),
            "restarts": [moment.isoformat() for moment in self.restarts],
            "memory": [item.as_json() for item in self.memory],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Advanced:
    """What advancing gave.

    Parameters
    ----------
    streams : mapping of (monitor, segment) to Stream
        Every stream of the watched monitors.
    touched : set of (monitor, segment)
        Those that are to be written.
    n_changed : int
        Rows of evidence that are new, different or gone.
    changed_windows : set of datetime
        Starts of the windows whose evidence, or the episode it belongs to, is another.
    known_from : datetime or None
        First window by which another number of streams is known than before.
    """

    streams: Mapping[StreamKey, Stream]
    touched: set[StreamKey]
    n_changed: int
    changed_windows: set[datetime]
    known_from: datetime | None


def advance_streams(
    connection: Connection,
    deployment: str,
    watches: Mapping[str, Watch],
    mark: Mark,
    *,
    until: datetime,
    length: timedelta,
    restarts: Mapping[StreamKey, tuple[datetime, ...]],
) -> Advanced:
    """Judge every stream of `deployment` up to `until` and write the evidence that is new or different.

    Parameters
    ----------
    mark : Mark
        How far the deployment is judged; one without rules lets every stream begin anew.
    restarts : mapping of (monitor, segment) to sorted tuple of datetime
        Windows after which streams learn anew.
    """
    judged_by = mark.rules.get("monitors", {})
    known = [name for name, watch in watches.items() if judged_by.get(name) == watch.digest]
    unknown = [name for name in watches if name not in known]
    before = {key: item for key, item in stored_streams(connection, deployment).items() if key[0] in watches}
    outdated = outdated_streams(connection, deployment, mark)
    measured = {
        *(key for key in outdated if key[0] in watches),
        *streams_measured(connection, deployment, known, since=mark.judged_until, until=until),
        *streams_measured(connection, deployment, unknown, since=mark.first_start, until=until),
    }
    streams, since = {}, {}
    for key in sorted(before.keys() | measured):
        stored, now = before.get(key), restarts.get(key, ())
        memory = tuple(map(Standing.of_json, stored.memory)) if stored and key[0] in known else ()
        valid = still_valid(memory, changed_from=outdated.get(key), before=stored.restarts if stored else (), now=now)
        streams[key] = Stream(
            first_window_start=stored.first_window_start if stored and valid else None,
            restarts=now,
            memory=valid,
            stored_state=stored.state if stored else None,
        )
        if not valid or valid != memory or key in measured or stored is None or stored.restarts != now:
            since[key] = valid[-1].window_start + length if valid else mark.first_start

    n_changed = 0
    changed_windows: set[datetime] = set()
    for part in _parts(since, until, length):
        series = measurements_of_streams(connection, deployment, part, until)
        evidence: list[StreamEvidence] = []
        for key in part:
            stream, made = _advance(watches[key[0]], streams[key], series.get(key, ()), length)
            streams[key] = stream
            evidence += made
            stored = before.get(key)
            if stored is not None and stored.restarts != stream.restarts:  # evidence may be equal, its episode is not
                changed_windows.update(item.evidence.window.start for item in made)
        different = keep_evidence(connection, deployment, evidence, part, until)
        n_changed += len(different)
        changed_windows.update(different)
    firsts = [
        (before[key].first_window_start if key in before else None, stream.first_window_start)
        for key, stream in streams.items()
    ]
    known_from = [min(filter(None, pair)) for pair in firsts if pair[0] != pair[1]]
    return Advanced(
        streams=streams,
        touched=set(since),
        n_changed=n_changed,
        changed_windows=changed_windows,
        known_from=min(known_from, default=None),
    )


def _advance(
    watch: Watch, stream: Stream, measurements: Sequence[Measurement], length: timedelta
) -> tuple[Stream, list[StreamEvidence]]:
    """Return where a stream stands after `measurements`, and their evidence."""
    memory, made = stream.memory, []
    for point, standing in advance(watch.rule, measurements, stream.restarts, memory[-1] if memory else None):
        memory = remember(memory, standing, length)
        made.append(
            StreamEvidence(
                monitor=point.measurement.monitor,
                segment=point.measurement.segment,
                detector=watch.detector_name,
                evidence=point.evidence,
                measurement_id=number_of(point.measurement),
                provenance_id=watch.provenance_id,
            )
        )
    first = stream.first_window_start or (made[0].evidence.window.start if made else None)
    return replace(stream, first_window_start=first, memory=memory), made


def _parts(
    since: Mapping[StreamKey, datetime], until: datetime, length: timedelta
) -> Iterator[dict[StreamKey, datetime]]:
    """Split streams so that a part has about so many steps, however long their past is."""
    part: dict[StreamKey, datetime] = {}
    n_steps = 0
    for key, start in since.items():
        part[key] = start
        n_steps += (until - start) // length
        if n_steps >= _STEPS_AT_ONCE:
            yield part
            part, n_steps = {}, 0
    if part:
        yield part
