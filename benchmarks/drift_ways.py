"""The ways that ``benchmarks.drift`` compares, each run as a process of its own: ``python drift_ways.py WAY SETTINGS``.

A script, so that an interpreter without llmmon (NannyML's) can run its way too. Prints one line of JSON: CPU and wall
seconds of the check, peak memory of the process in MiB, and what was found.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = 20
DIMENSIONS = 128
NAMES = [f"c{index}" for index in range(COLUMNS)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Rows of the window and of the reference, and the folder of llmmon's stored summaries."""

    rows: int
    reference_rows: int
    folder: str


def column(side: str, index: int, rows: int) -> Any:
    """Return one column: log-normal, in the current window shifted by 0.02."""
    random = np.random.default_rng([0, side == "current", index])
    return random.lognormal(0.02 if side == "current" else 0.0, 1, rows)


def table(side: str, rows: int) -> Any:
    """Return a data frame of 20 columns over one block of memory."""
    import pandas

    block = np.empty((COLUMNS, rows))
    for index in range(COLUMNS):
        block[index] = column(side, index, rows)
    return pandas.DataFrame(block.T, columns=NAMES)


def windows(frame: Any) -> Callable[[], Iterator[Any]]:
    """Return what yields the columns of one window as llmmon reads them."""
    import pandas

    from tests.windows import make_window

    facts = replace(make_window(), requests=pandas.DataFrame({"status": np.full(len(frame), "ok", dtype=object)}))

    def columns() -> Iterator[Any]:
        answered = replace(facts).is_answered  # which requests failed is found once for all columns of a window
        for name in frame:
            requests = frame.loc[:, name:name].set_axis(["latency_ms"], axis=1, copy=False)
            window = replace(facts, requests=requests)
            window.__dict__["is_answered"] = answered
            yield window

    return columns


def _metric() -> Any:
    from llmmon.metrics.drift.ks_distance import KsDistance

    return KsDistance(field="latency_ms")


def _check(given: Iterable[Any], summaries: Iterable[Any]) -> list[float]:
    metric = _metric()
    return [metric.compute(window, summary).value for window, summary in zip(given, summaries, strict=True)]


def _warm_up() -> None:
    """Import what a running worker has imported."""
    few = windows(table("current", 100))
    _check(few(), map(_metric().summarise, few()))


def summarise(sizes: Sizes) -> Callable[[], Any]:
    """Write down what llmmon keeps of the reference."""

    def work() -> list[int]:
        from llmmon.metrics.drift.quantile_grid import summarise_numbers

        kept = []
        for index in range(COLUMNS):
            values = column("reference", index, sizes.reference_rows)
            kept.append(summarise_numbers(values, np.ones(len(values))))
        Path(sizes.folder, f"{sizes.reference_rows}.json").write_text(json.dumps(kept), "utf-8")
        return [len(json.dumps(each)) for each in kept]

    return work


def stored(sizes: Sizes) -> Callable[[], Any]:
    """Compare a window with stored summaries."""
    now = windows(table("current", sizes.rows))
    _warm_up()
    return lambda: _check(now(), json.loads(Path(sizes.folder, f"{sizes.reference_rows}.json").read_text("utf-8")))


def cold(sizes: Sizes) -> Callable[[], Any]:
    """Summarise the reference, then compare."""
    now, before = windows(table("current", sizes.rows)), windows(table("reference", sizes.reference_rows))
    _warm_up()
    return lambda: _check(now(), map(_metric().summarise, before()))


def scipy(sizes: Sizes) -> Callable[[], Any]:
    """Compare ready arrays."""
    from scipy import stats

    now, before = table("current", sizes.rows), table("reference", sizes.reference_rows)
    return lambda: [float(stats.ks_2samp(now[name], before[name], method="asymp").statistic) for name in NAMES]


def _evidently(sizes: Sizes, method: str | None) -> Callable[[], Any]:
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    now, before = table("current", sizes.rows), table("reference", sizes.reference_rows)
    definition = DataDefinition(numerical_columns=NAMES)

    def work() -> int:
        sides = [Dataset.from_pandas(side, data_definition=definition) for side in (now, before)]
        return len(Report([DataDriftPreset(num_method=method)]).run(*sides).dict()["metrics"])

    return work


def evidently(sizes: Sizes) -> Callable[[], Any]:
    """Run Evidently's preset as it comes: normed Wasserstein above 1,000 rows."""
    return _evidently(sizes, None)


def evidently_ks(sizes: Sizes) -> Callable[[], Any]:
    """Run Evidently's preset with its KS test."""
    return _evidently(sizes, "ks")


def _nannyml(sizes: Sizes, method: str, *, fitted: bool) -> Callable[[], Any]:
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    import nannyml

    now, before = table("current", sizes.rows), table("reference", sizes.reference_rows)

    def fit() -> Any:
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=NAMES, continuous_methods=[method], chunk_size=max(sizes.rows, sizes.reference_rows)
        )
        return calculator.fit(before)

    ready = fit() if fitted else None
    return lambda: (ready or fit()).calculate(now).to_df().filter(like="value").to_numpy()[-1].astype(float).tolist()


def nannyml_ks(sizes: Sizes) -> Callable[[], Any]:
    """Fit NannyML's calculator on the reference and calculate the KS distance."""
    return _nannyml(sizes, "kolmogorov_smirnov", fitted=False)


def nannyml_js(sizes: Sizes) -> Callable[[], Any]:
    """Fit NannyML's calculator on the reference and calculate its default, the Jensen-Shannon distance."""
    return _nannyml(sizes, "jensen_shannon", fitted=False)


def nannyml_fitted(sizes: Sizes) -> Callable[[], Any]:
    """Calculate with NannyML's calculator kept fitted in memory."""
    return _nannyml(sizes, "kolmogorov_smirnov", fitted=True)


def _vectors(side: str, rows: int) -> Any:
    random = np.random.default_rng([1, side == "current"])
    return random.standard_normal((rows, DIMENSIONS)) / DIMENSIONS**0.5 + (0.01 if side == "current" else 0.0)


def embeddings_stored(sizes: Sizes) -> Callable[[], Any]:
    """Compare embeddings with the stored mean and covariance of the reference's random features."""
    from llmmon.metrics.drift.feature_map import features_of
    from llmmon.metrics.drift.mmd import squared_discrepancy, summarise_features

    kept = json.dumps(summarise_features(features_of(_vectors("reference", sizes.reference_rows), 0)))
    now = _vectors("current", sizes.rows)
    return lambda: list(squared_discrepancy(features_of(now, 0), json.loads(kept)))


def _evidently_embeddings(sizes: Sizes, method: Any) -> Callable[[], Any]:
    os.environ["DO_NOT_TRACK"] = "1"
    import pandas
    from evidently.legacy.metrics import EmbeddingsDriftMetric
    from evidently.legacy.pipeline.column_mapping import ColumnMapping
    from evidently.legacy.report import Report

    names = [f"e{index}" for index in range(DIMENSIONS)]
    now, before = (
        pandas.DataFrame(_vectors(*side), columns=names)
        for side in (("current", sizes.rows), ("reference", sizes.reference_rows))
    )

    def work() -> Any:
        report = Report(metrics=[EmbeddingsDriftMetric("all", drift_method=method)])
        report.run(reference_data=before, current_data=now, column_mapping=ColumnMapping(embeddings={"all": names}))
        return report.as_dict()["metrics"][0]["result"]["drift_score"]

    return work


def embeddings_evidently(sizes: Sizes) -> Callable[[], Any]:
    """Train Evidently's classifier, its default for embeddings."""
    from evidently.legacy.metrics.data_drift.embedding_drift_methods import model

    return _evidently_embeddings(sizes, model())


def main(way: str, settings: str) -> None:
    """Run one way and print what it cost."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    work = globals()[way](Sizes(**json.loads(settings)))
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    told = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "found": found,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
