"""From runs with planted faults to the share that each monitor noticed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from llmmon.faults.base import Fault
from llmmon.metrics.intervals import wilson
from llmmon.model import Measurement
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
    ready = [monitor.name for monitor in monitors if monitor.name in known.ready]
    first = [run.false_alarms for run in runs]
    yield _result(None, NOTHING, 0.0, "", [min(alarms.values(), default=None) for alarms in first])
    for name in ready:
        yield _result(by_name[name], NOTHING, 0.0, "", [alarms.get(name) for alarms in first])
    for fault_name, sizes in faults.items():
        moved = {key[0] for fault in sizes for window in measured for key in window.planted[fault]}
        watching = [name for name in by_name if name in moved]
        for fault in sizes:
            place = fault_name, fault.size, type(fault).unit
            delays = [run.delays[fault] for run in runs]
            if not watching:
                yield _result(None, *place, [None] * len(runs), reason=UNWATCHED)
            elif moved & known.ready:
                yield _result(None, *place, [min(found.values(), default=None) for found in delays])
            else:
                yield _absent(None, *place, _why_not_ready(known, streams, watching[0]))
            for name in watching:
                if name in known.ready:
                    yield _result(by_name[name], *place, [found.get(name) for found in delays])
                else:
                    yield _absent(by_name[name], *place, _why_not_ready(known, streams, name))


def smallest_noticed(results: Sequence[CertificationResult], fault: str, monitor: str) -> CertificationResult | None:
    """Return the row of the smallest size of a fault that a monitor noticed in at least 80% of runs."""
    rows = (row for row in results if (row.fault, row.monitor) == (fault, monitor))
    return next((row for row in rows if row.share_detected is not None and row.share_detected >= POWER), None)


def _result(
    monitor: Monitor | None,
    fault: str,
    size: float,
    size_unit: str,
    delays: Sequence[int | None],
    reason: str | None = None,
) -> CertificationResult:
    noticed = [delay for delay in delays if delay is not None]
    share = len(noticed) / len(delays)
    low, high = wilson(share, len(delays))
    return CertificationResult(
        monitor=WHOLE if monitor is None else monitor.name,
        fault=fault,
        size=size,
        size_unit=size_unit,
        n_runs=len(delays),
        n_detected=len(noticed),
        share_detected=share,
        low=low,
        high=high,
        median_delay_windows=statistics.median(noticed) if noticed else None,
        min_effect=None if monitor is None else monitor.settings.min_effect,
        unit=None if monitor is None else monitor.unit,
        reason=reason,
    )


def _absent(monitor: Monitor | None, fault: str, size: float, size_unit: str, reason: str) -> CertificationResult:
    return CertificationResult(
        monitor=WHOLE if monitor is None else monitor.name,
        fault=fault,
        size=size,
        size_unit=size_unit,
        n_runs=0,
        n_detected=0,
        share_detected=None,
        low=None,
        high=None,
        median_delay_windows=None,
        min_effect=None if monitor is None else monitor.settings.min_effect,
        unit=None if monitor is None else monitor.unit,
        reason=reason,
    )


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
