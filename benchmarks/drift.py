"""Drift of 20 numeric columns between a window and its reference: llmmon beside Evidently and scipy."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas

from benchmarks.result import Result, Row
from llmmon.metrics.base import WindowData
from llmmon.metrics.drift.ks_distance import KsDistance
from llmmon.metrics.drift.psi import Psi
from tests.windows import make_window

SUMMARY = "drift of 20 numeric columns: llmmon's KS and PSI, scipy's ks_2samp, Evidently's DataDriftPreset"
_COLUMNS = 20


def run(rows: int = 10_000, rounds: int = 3) -> Result:
    """Compare the same columns in every way.

    Parameters
    ----------
    rows : int
        Rows of the window and of the reference.
    rounds : int
        Runs of each way; the least CPU time counts.
    """
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset
    from scipy import stats

    random = np.random.default_rng(0)
    now, before = (random.lognormal(shift, 1, (_COLUMNS, rows)) for shift in (0.02, 0.0))
    windows = [
        (make_window(rows, latency_ms=values), make_window(rows, latency_ms=others))
        for values, others in zip(now, before, strict=True)
    ]
    names = [f"c{index}" for index in range(_COLUMNS)]
    definition = DataDefinition(numerical_columns=names)
    frames = [
        Dataset.from_pandas(pandas.DataFrame(side.T, columns=names), data_definition=definition)
        for side in (now, before)
    ]

    def evidently(method: str) -> Callable[[], object]:
        return lambda: Report([DataDriftPreset(num_method=method)]).run(*frames).dict()

    def llmmon(metric: KsDistance | Psi) -> Callable[[], object]:
        return lambda: [_value(metric, current, reference) for current, reference in windows]

    def scipy() -> object:
        return [stats.ks_2samp(values, others).statistic for values, others in zip(now, before, strict=True)]

    ways: list[tuple[str, Callable[[], object], str]] = [
        ("llmmon KS", llmmon(KsDistance(field="latency_ms")), "distance and a finite-sample interval"),
        ("llmmon PSI", llmmon(Psi(field="latency_ms")), "index and a bootstrap interval of 500 resamples"),
        ("scipy ks_2samp", scipy, "distance and p-value on ready arrays"),
        ("Evidently KS", evidently("ks"), "p-values and its report's data; import not counted"),
        ("Evidently PSI", evidently("psi"), "index and its report's data; import not counted"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [Row(way=way, value=_cpu_seconds(work, rounds), note=note) for way, work, note in ways]
    ours, theirs = llmmon(KsDistance(field="latency_ms"))(), scipy()
    assert np.allclose(ours, theirs, atol=1e-12), "llmmon's distances are not scipy's"
    settings = {"rows": rows, "columns": _COLUMNS, "rounds": rounds}
    return Result(unit="CPU seconds", rows=found, reference="llmmon KS", settings=settings, higher_is_better=False)


def _value(metric: KsDistance | Psi, current: WindowData, reference: WindowData) -> float:
    value = metric.compute(current, reference).value
    assert value is not None
    return value


def _cpu_seconds(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)
