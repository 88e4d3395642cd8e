"""Groups: do intervals hold although the extremes are picked, does four fifths accuse wrongly, what does it cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas

from benchmarks.result import Grid, best_seconds
from llmmon.metrics.base import WindowData
from llmmon.metrics.bias.contrasts import largest_difference, smallest_ratio
from llmmon.metrics.bias.four_fifths import verdicts, worst_of
from llmmon.metrics.bias.groups import GroupRate, Groups
from llmmon.metrics.bias.impact_ratio import ImpactRatio
from llmmon.metrics.rates import difference_of_rates, ratio_of_rates
from llmmon.model import Segment, Window

TABLES = {
    "2 equal groups of 40, rate 0.5": ([0.5] * 2, [40] * 2),
    "6 equal groups of 30, rate 0.7": ([0.7] * 6, [30] * 6),
    "6 equal groups of 300, rate 0.7": ([0.7] * 6, [300] * 6),
    "6 groups of 15 to 80, one far below": ([0.8, 0.8, 0.78, 0.75, 0.8, 0.4], [40, 40, 15, 30, 80, 20]),
    "10 groups of 50, rare outcome": ([0.05] * 9 + [0.15], [50] * 10),
    "3 groups of 30 to 200, near 1": ([0.99, 0.97, 0.95], [30, 60, 200]),
}
RULES = {
    "all alike, rate 0.6": ([0.6] * 6, [30] * 6),
    "all alike, 300 of each": ([0.6] * 6, [300] * 6),
    "one at exactly 0.8 of the others": ([0.75] * 5 + [0.6], [100] * 6),
    "one at 0.6 of the others": ([0.75] * 5 + [0.45], [100] * 6),
}
_START = datetime(2023, 6, 27, tzinfo=UTC)


def run(runs: int = 200, seed: int = 0) -> list[Grid]:
    """Return coverage of the true gap, flags of the four-fifths rule, and equality with and time beside fairlearn."""
    return [_coverage(10 * runs, seed), _flags(runs, seed), _beside_fairlearn(seed)]


def _rates(cases: np.ndarray, sizes: list[int]) -> tuple[GroupRate, ...]:
    rates = [
        GroupRate(name=f"group {place}", rate=x / n, n_rows=n, n=n)
        for place, (x, n) in enumerate(zip(cases.tolist(), sizes, strict=True))
    ]
    return tuple(sorted(rates, key=lambda item: (item.rate, item.name)))


def _bootstrap(rates: tuple[GroupRate, ...], random: np.random.Generator, *, ratio: bool) -> tuple[float, float]:
    """Return the percentile interval of 500 resamples, which is what MetricFrame's n_boot gives."""
    drawn = random.binomial([r.n_rows for r in rates], [r.rate for r in rates], (500, len(rates)))
    shares = drawn / np.array([r.n_rows for r in rates])
    low, high = shares.min(axis=1), shares.max(axis=1)
    found = np.divide(low, high, out=np.ones(len(low)), where=high > 0) if ratio else high - low
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def _coverage(runs: int, seed: int) -> Grid:
    rows = []
    for name, (true, sizes) in TABLES.items():
        random = np.random.default_rng(seed)
        gap, ratio = max(true) - min(true), min(true) / max(true)
        hits = {way: [0, 0] for way in ("all pairs", "picked pair", "bootstrap")}
        width = 0.0
        for cases in random.binomial(sizes, true, (runs, len(sizes))):
            rates = _rates(cases, sizes)
            low, high = ((item.rate, item.n) for item in (rates[0], rates[-1]))
            found = {
                "all pairs": (largest_difference([rates]), smallest_ratio(rates)),
                "picked pair": (difference_of_rates(high, low), ratio_of_rates(low, high)),
                "bootstrap": (_bootstrap(rates, random, ratio=False), _bootstrap(rates, random, ratio=True)),
            }
            for way, intervals in found.items():
                for place, ((below, above), truth) in enumerate(zip(intervals, (gap, ratio), strict=True)):
                    hits[way][place] += below <= truth <= above
            width += (found["all pairs"][0][1] - found["all pairs"][0][0]) / runs
        cells = [f"{hits[way][place] / runs:.1%}" for place in (0, 1) for way in hits]
        rows.append([name, *cells, f"{100 * width:.0f}"])
    ways = ("all pairs (llmmon)", "picked pair, Newcombe or log", "percentile bootstrap (MetricFrame)")
    heads = [f"{what}: {way}" for what in ("difference", "ratio") for way in ways]
    title = f"nominal 95% intervals of the extreme groups: how often they hold the true gap, {runs} windows"
    return Grid(title=title, columns=["groups", *heads, "llmmon's width, points"], rows=rows)


def _flags(runs: int, seed: int) -> Grid:
    rows = []
    for name, (true, sizes) in RULES.items():
        random = np.random.default_rng(seed)
        bare = beyond = 0
        for cases in random.binomial(sizes, true, (runs, len(sizes))):
            rates = _rates(cases, sizes)
            bare += rates[0].rate < 0.8 * rates[-1].rate
            groups = Groups(rates=rates, rows=pandas.DataFrame(), detail={})
            beyond += worst_of(verdicts(groups, "highest")[0]) == "below 0.8 beyond chance"
        rows.append([name, f"{bare / runs:.1%}", f"{beyond / runs:.1%}"])
    title = f"windows of six groups in which some group is accused, {runs} windows"
    return Grid(title=title, columns=["truth", "ratio below 0.8", "below 0.8 beyond chance"], rows=rows)


def _window(n: int, seed: int) -> WindowData:
    random = np.random.default_rng(seed)
    scores = pandas.DataFrame(
        {
            "request_key": np.arange(n),
            "lane": "logged",
            "variant": "as_logged",
            "repeat": 0,
            "scorer": "good",
            "value": random.integers(0, 2, n).astype(float),
            "reason": None,
            "weight": 1.0,
            "cluster": None,
            "group.age": random.choice(list("abcdef"), n),
        }
    )
    span = Window(start=_START, end=_START + timedelta(hours=1))
    empty = pandas.DataFrame()
    return WindowData(windows=(span,), segment=Segment(), requests=empty, scores=scores, responses=empty, probes=empty)


def _beside_fairlearn(seed: int) -> Grid:
    from fairlearn.metrics import MetricFrame, count, demographic_parity_ratio, selection_rate

    metric = ImpactRatio(scorer="good", group="age")
    rows = []
    for n in (200, 1_000, 10_000, 100_000):
        window = _window(n, seed)
        value, group = window.scores["value"].to_numpy(), window.scores["group.age"].to_numpy()
        given = {"y_true": value, "y_pred": value, "sensitive_features": group}

        def peer(given: dict[str, object] = given) -> float:
            MetricFrame(metrics={"rate": selection_rate, "n": count}, **given).by_group  # noqa: B018
            return float(demographic_parity_ratio(**given))

        off = abs((metric.compute(window, None).value or 0.0) - peer())
        ours = best_seconds(lambda window=window: metric.compute(window, None), rounds=3)
        theirs = best_seconds(peer, rounds=3)
        rows.append([f"{n:,}", f"{1000 * ours:.1f}", f"{1000 * theirs:.1f}", f"{theirs / ours:.1f}", f"{off:.1e}"])
    columns = ["rows, 6 groups", "impact_ratio, ms", "fairlearn, ms", "fairlearn / llmmon", "difference of the ratios"]
    title = "impact_ratio (with exact intervals and verdicts) beside fairlearn's rates, counts and ratio (without)"
    return Grid(title=title, columns=columns, rows=rows)
