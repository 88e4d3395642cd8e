"""From runs with planted faults to the share that each monitor noticed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from llmmon.faults.base import Fault
from llmmon.metrics.intervals import wilson
from llmmon.model import Measurement, Segment
from llmmon.pipeline.judge import StreamKey
from llmmon.pipeline.monitors import Monitor
from llmmon.pipeline.plant_faults import MeasuredWindow
from llmmon.pipeline.watch_faults import Known, Watched
from llmmon.store.certification import CertificationResult

WHOLE: Final = "*"
"""Stands for the monitors of a deployment together."""
NOTHING: Final = "none"
"""The fault of runs in which nothing was planted."""
POWER: Final = 0.8
"""Share of runs from which a size counts as noticed."""
UNWATCHED: Final = "no monitor measures what this fault changes"


def results_of(
    monitors: Sequence[Monitor],
    known: Known,
    streams: Mapping[StreamKey, Sequence[Measurement]],
    measured: Sequence[MeasuredWindow],
    faults: Mapping[str, Sequence[Fault]],
    runs: Sequence[Watched],
) -> Iterator[CertificationResult]:
    """Yield the false alarms, then fault by fault and size by size what the deployment and each monitor noticed.

    Parameters
    ----------
    streams : mapping of (monitor, segment) to sequence of Measurement
        The quiet windows that the streams learnt from.
    measured : sequence of MeasuredWindow
        The windows in which faults were planted.
    """
    by_name = {monitor.name: monitor for monitor in monitors}
    calm = [run.false_alarms for run in runs]
    nothing = _Row(fault=NOTHING, size=0.0, size_unit="")
    yield nothing.noticed([min(alarms.values(), default=None) for alarms in calm])
    for name in by_name:
        if name in known.ready:
            yield nothing.of(by_name[name]).noticed([alarms.get(name) for alarms in calm])
    for fault_name, sizes in faults.items():
        moved = {key[0] for fault in sizes for window in measured for key in window.planted[fault]}
        watching = [name for name in by_name if name in moved]
        for fault in sizes:
            row = _Row(fault=fault_name, size=fault.size, size_unit=type(fault).unit)
            delays = [run.delays[fault] for run in runs]
            if moved and not moved & known.ready:
                yield row.absent(_why_not_ready(known, streams, watching[0]))
            else:
                soonest = [min(found.values(), default=None) for found in delays]
                yield row.noticed(soonest, reason=None if moved else UNWATCHED)
            for name in watching:
                own = row.of(by_name[name], effect=_effect(measured, fault, name))
                if name in known.ready:
                    yield own.noticed([found.get(name) for found in delays])
                else:
                    yield own.absent(_why_not_ready(known, streams, name))


def smallest_noticed(results: Sequence[CertificationResult], fault: str, monitor: str) -> CertificationResult | None:
    """Return the row of the smallest size of a fault that a monitor noticed in at least 80% of runs."""
    rows = (row for row in results if (row.fault, row.monitor) == (fault, monitor))
    return next((row for row in rows if row.share_detected is not None and row.share_detected >= POWER), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """What a result is about."""

    fault: str
    size: float
    size_unit: str
    monitor: str = WHOLE
    effect: float | None = None
    min_effect: float | None = None
    unit: str | None = None

    def of(self, monitor: Monitor, effect: float | None = None) -> _Row:
        min_effect = monitor.settings.min_effect
        return replace(self, monitor=monitor.name, effect=effect, min_effect=min_effect, unit=monitor.unit)

    def noticed(self, delays: Sequence[int | None], reason: str | None = None) -> CertificationResult:
        found = [delay for delay in delays if delay is not None]
        share = len(found) / len(delays)
        low, high = wilson(share, len(delays))
        return CertificationResult(
            **asdict(self),
            n_runs=len(delays),
            n_detected=len(found),
            share_detected=share,
            low=low,
            high=high,
            median_delay_windows=float(statistics.median(found)) if found else None,
            reason=reason,
        )

    def absent(self, reason: str) -> CertificationResult:
        return CertificationResult(
            **asdict(self),
            n_runs=0,
            n_detected=0,
            share_detected=None,
            low=None,
            high=None,
            median_delay_windows=None,
            reason=reason,
        )


def _effect(measured: Sequence[MeasuredWindow], fault: Fault, monitor: str) -> float | None:
    """Return by how much a fault moves a monitor's value over all traffic, in the middle of the windows."""
    key = monitor, str(Segment())
    moves = []
    for window in measured:
        before = window.quiet.get(key)
        after = window.planted[fault].get(key, before)
        if before is None or after is None or before.estimate.value is None or after.estimate.value is None:
            continue
        moves.append(after.estimate.value - before.estimate.value)
    return statistics.median(moves) if moves else None


def _why_not_ready(known: Known, streams: Mapping[StreamKey, Sequence[Measurement]], name: str) -> str:
    """Return how many more windows a monitor needs, or why it has no value to learn from."""
    rows = [row for key, row in streams.items() if key[0] == name]
    n_values = max((sum(item.estimate.value is not None for item in row) for row in rows), default=0)
    if not n_values:
        why = next((row[-1].estimate.reason for row in rows if row), "it was not measured")
        return f"cannot tell yet: no quiet window has a value ({why})"
    missing = getattr(known.rules[name].detector, "burn_in", 0) + 1 - n_values
    if missing > 0:
        return f"cannot tell yet: needs {missing} more quiet window{'s' if missing > 1 else ''} with a value"
    return f"cannot tell yet: {next((row.reason for key, row in known.standings.items() if key[0] == name), None)}"
