"""Measure copies of stored windows, as they are and with faults planted in them; nothing is written."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection

from llmmon.config import DeploymentConfig
from llmmon.detectors.predictive_two_sample import FEATURES
from llmmon.faults.base import Fault, Shadow
from llmmon.metrics.base import Summary
from llmmon.model import LOGGED, Measurement, Scorable, Segment, Window
from llmmon.pipeline.judge import StreamKey
from llmmon.pipeline.measure import estimates
from llmmon.pipeline.monitors import Monitor
from llmmon.pipeline.reference import Reference, load_window, summarised
from llmmon.pipeline.segments import select
from llmmon.scorers.base import Scorer
from llmmon.store.frames import Frames
from llmmon.store.score import logged_responses

_PAGE = 1000

Planted = Mapping[StreamKey, Measurement | None]
"""The streams whose measurement a fault changes; None where it leaves none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredWindow:
    """One stored window: what is measured as it is, and what each fault makes of that."""

    quiet: Mapping[StreamKey, Measurement]
    planted: Mapping[Fault, Planted]


@dataclass(frozen=True, kw_only=True)
class _Comparison(Reference):
    """What one window is compared with: for a reference window the others; looked up or summed up once."""

    others: Reference
    compared: Window
    known: dict[tuple[str, Segment], tuple[Summary, int] | None] = field(default_factory=dict)

    def stored(self, monitor: Monitor, segment: Segment) -> tuple[Summary, int] | None:
        key = monitor.name, segment
        if key not in self.known:
            if self.compared in self.others.windows:
                rest = [window for window in self.others.windows if window != self.compared]
                self.known[key] = summarised(monitor, select(self.others.frames, rest, segment)), 0
            else:
                self.known[key] = self.others.stored(monitor, segment)
        return self.known[key]


def measure_planted(
    connection: Connection,
    settings: DeploymentConfig,
    deployment: str,
    window: Window,
    monitors: Sequence[Monitor],
    reference: Reference,
    faults: Mapping[str, Sequence[Fault]],
    *,
    scorers: Mapping[str, Scorer],
    seed: int,
) -> MeasuredWindow:
    """Measure a copy of `window`, and again with each fault.

    The largest size of a fault is measured by every monitor, the smaller ones only by those that it moved.

    Parameters
    ----------
    faults : mapping of str to sequence of Fault
        By name; the sizes of one fault, smallest change first.
    scorers : mapping of str to Scorer
        Those that judge logged answers.
    seed : int
        Decides with the fault's name and the window which rows are hit.
    """
    frames = load_window(connection, settings, deployment, window)
    answers = _answers(connection, deployment, window)
    compared = _Comparison(
        connection=connection,
        config_digest=reference.config_digest,
        settings=settings,
        deployment=deployment,
        windows=(),
        waiting=reference.waiting,
        judged_at=reference.judged_at,
        others=reference,
        compared=window,
    )
    quiet = _measured(monitors, frames, window, compared)
    planted: dict[Fault, Planted] = {}
    for name, sizes in faults.items():
        moved: Sequence[Monitor] = monitors
        for fault in reversed(sizes):
            rng = np.random.default_rng([seed, zlib.crc32(name.encode()), int(window.start.timestamp())])
            shadow = Shadow(frames=frames, answers=answers, scorers=scorers, rng=rng)
            found = _measured(moved, fault.plant(shadow), window, compared)
            names = {monitor.name for monitor in moved}
            planted[fault] = {
                key: found.get(key)
                for key in {*quiet, *found}
                if key[0] in names and _told(quiet.get(key)) != _told(found.get(key))
            }
            if fault is sizes[-1]:
                moved = [monitor for monitor in monitors if any(key[0] == monitor.name for key in planted[fault])]
    return MeasuredWindow(quiet=quiet, planted=planted)


def _measured(
    monitors: Sequence[Monitor], frames: Frames, window: Window, reference: Reference
) -> dict[StreamKey, Measurement]:
    return {
        (monitor.name, str(segment)): Measurement(
            deployment=reference.deployment,
            monitor=monitor.name,
            segment=str(segment),
            window=window,
            estimate=estimate,
            unit=monitor.unit,
        )
        for monitor, segment, estimate, _ in estimates(monitors, frames, window, reference)
    }


def _told(measurement: Measurement | None) -> Any:
    """Return what a detector reads of a measurement."""
    if measurement is None:
        return None
    estimate = measurement.estimate
    return estimate.value, estimate.low, estimate.high, estimate.detail.get(FEATURES)


def _answers(connection: Connection, deployment: str, window: Window) -> dict[int, Scorable]:
    found: dict[int, Scorable] = {}
    after = None
    while True:
        page, after = logged_responses(connection, deployment, window, lanes=(LOGGED,), after=after, limit=_PAGE)
        if not page:
            return found
        found |= {item.response.request_key: item.response for item in page if not item.is_gone}
