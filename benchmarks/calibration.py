"""Corrected rates: how often their intervals cover and how many labels they need, beside plain and classical ones."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from benchmarks.result import Grid
from llmmon.metrics.calibration import Corrected, Labels, Verdicts, prediction_powered, rogan_gladen
from llmmon.metrics.independence import Floats
from llmmon.metrics.rates import Z
from llmmon.pipeline.draw_review import odds, systematic
from llmmon.scorers.base import Scorer
from llmmon.scorers.groundedness import Groundedness
from llmmon.scorers.lexical_support import LexicalSupport
from llmmon.training.groundedness_figures import score_all
from llmmon.training.ragtruth import answers

SUMMARY = "rates corrected by labels: coverage under judges of 60-95%, and labels needed, against even draws"
JUDGES = ((0.6, 0.6), (0.75, 0.75), (0.95, 0.95), (0.6, 0.95), (0.95, 0.6))
"""Sensitivity and specificity."""
RATES = (0.02, 0.1, 0.3, 0.5)
LABELS = (50, 200, 400)
WINDOWS = (200, 10_000)
_BELOW = Verdicts(threshold=0.5, side="below")
Interval = tuple[float, float] | None
"""None: the way gives no interval, with a reason."""


def run(runs: int = 1000, repeats: int = 300, seed: int = 20261126) -> list[Grid]:
    """Simulate coverage and label efficiency, the second also on RAGTruth's answers to test sources.

    Those answers, which `groundedness` was never trained or tuned on, are read below ``LLMMON_DATA`` and left out where
    that is not set.

    Parameters
    ----------
    runs : int
        Labellings of each judge, rate, number of labels and size of window.
    repeats : int
        Ten-day reviews of each population.
    """
    populations = {f"simulated, AUROC {auroc:.2f}": _graded(auroc) for auroc in (0.72, 0.83, 0.88, 0.92, 0.95)}
    folder = os.environ.get("LLMMON_DATA")
    if folder:
        ours = Groundedness()
        assert ours.threshold is not None
        for judge, threshold in ((ours, 1 - ours.threshold), (LexicalSupport(), 0.5)):
            populations[f"RAGTruth QA test, {judge.plugin_name}"] = _ragtruth(Path(folder), judge, threshold)
    return [_coverage(runs, seed), _efficiency(populations, repeats, seed)]


def _coverage(runs: int, seed: int) -> Grid:
    rows = []
    for se, sp in JUDGES:
        found: dict[str, list[float]] = {way: [] for way in _WAYS}
        untold = 0
        for rate, n, size in product(RATES, LABELS, WINDOWS):
            rng = np.random.default_rng([seed, int(100 * se), int(100 * sp), int(100 * rate), n, size])
            inside: dict[str, list[bool]] = {way: [] for way in _WAYS}
            for _ in range(runs):
                label = (rng.random(n) < rate).astype(float)
                yes = rng.random(n) < np.where(label == 1, se, 1 - sp)
                share = rng.binomial(size, rate * se + (1 - rate) * (1 - sp)) / size
                labels = Labels(score=1.0 - yes, label=label, weight=np.ones(n))
                for way, interval in _WAYS.items():
                    bounds = interval(labels, share, size)
                    if bounds is not None:
                        inside[way].append(bounds[0] <= rate <= bounds[1])
            for way, hits in inside.items():
                if len(hits) >= runs / 4:
                    found[way].append(float(np.mean(hits)))
            untold += len(inside["rogan_gladen"]) < runs / 4
        rows.append([f"{se:.2f} / {sp:.2f}", *(_told(found[way]) for way in _WAYS), str(untold)])
    return Grid(
        title=f"Coverage of 95% intervals: cells within 93-97%, and least to most; {runs} runs a cell, seed {seed}; "
        f"{len(RATES)} rates x {len(LABELS)} label counts x {len(WINDOWS)} windows; only runs with an interval count",
        columns=["sensitivity / specificity", *_WAYS, "cells where rogan_gladen is mostly absent"],
        rows=rows,
    )


def _told(coverages: Sequence[float]) -> str:
    good = sum(0.93 <= value <= 0.97 for value in coverages)
    return f"{good} of {len(coverages)}; {min(coverages):.3f} to {max(coverages):.3f}" if coverages else "-"


def _bounds(found: Corrected) -> Interval:
    return None if found.low is None or found.high is None else (found.low, found.high)


def _ours_ppi(labels: Labels, share: float, size: int) -> Interval:
    scores, weights = np.array([0.0, 1.0]), np.array([share, 1 - share]) + 1e-12
    return _bounds(prediction_powered(scores, weights, size, labels, _BELOW))


def _ours_rogan_gladen(labels: Labels, share: float, size: int) -> Interval:
    return _bounds(rogan_gladen(share, size, labels, _BELOW))


def _classical_ppi(labels: Labels, share: float, size: int) -> tuple[float, float]:
    """Return PPI++ for a mean with its power tuning and normal interval (arXiv 2311.01453, section 6)."""
    f, y, n = _BELOW.of(labels.score).astype(float), labels.label, len(labels)
    spread = float(f.var())
    tuning = float(((y - y.mean()) * f).mean()) / spread / (1 + n / size) if spread else 0.0
    centre = tuning * share + float((y - tuning * f).mean())
    half = Z * math.sqrt(tuning**2 * share * (1 - share) / size + float((y - tuning * f).var()) / n)
    return centre - half, centre + half


def _delta_rogan_gladen(labels: Labels, share: float, size: int) -> Interval:
    """Return the usual normal interval, by the delta method."""
    yes, called = labels.label == 1, _BELOW.of(labels.score)
    if yes.all() or not yes.any():
        return None
    se, sp = called[yes].mean(), 1 - called[~yes].mean()
    if se + sp <= 1:
        return None
    rate = (share + sp - 1) / (se + sp - 1)
    parts = share * (1 - share) / size + rate**2 * se * (1 - se) / yes.sum()
    half = Z * math.sqrt(parts + (1 - rate) ** 2 * sp * (1 - sp) / (~yes).sum()) / (se + sp - 1)
    return float(rate - half), float(rate + half)


def _raw(labels: Labels, share: float, size: int) -> Interval:
    """Return the interval of the judge's own rate, taken at its word."""
    half = Z * math.sqrt(share * (1 - share) / size)
    return share - half, share + half


_WAYS: dict[str, Callable[[Labels, float, int], Interval]] = {
    "ppi": _ours_ppi,
    "rogan_gladen": _ours_rogan_gladen,
    "classical PPI++": _classical_ppi,
    "Rogan-Gladen, delta method": _delta_rogan_gladen,
    "uncorrected": _raw,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Population:
    """Scores, low where something is wrong, with the truth, and the threshold of the verdict.

    `best` is the part of an even draw's labels that a draw would need which knows the odds of the truth at each score.
    """

    score: Floats
    label: Floats
    threshold: float
    best: float | None = None


def _efficiency(
    populations: dict[str, _Population], repeats: int, seed: int, days: int = 10, per_day: int = 20
) -> Grid:
    rows = []
    for name, population in populations.items():
        told: dict[str, list[tuple[float, float, bool]]] = {}
        truth = float(population.label.mean())
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, repeat])
            for way, value, (low, high) in _reviewed(population, rng, days, per_day):
                told.setdefault(way, []).append((high - low, value - truth, low <= truth <= high))
        plain = np.median([width for width, _, _ in told["even draw, plain rate"]])
        for way, results in told.items():
            widths, errors, inside = (np.array(column) for column in zip(*results, strict=True))
            part = (np.median(widths) / plain) ** 2
            spread = float(errors.var()) / (truth * (1 - truth) / (days * per_day))
            cells = [f"{np.median(widths):.3f}", f"{part:.2f}", f"{spread:.2f}"]
            rows.append([name, way, *cells, f"{inside.mean():.3f}", f"{errors.mean():+.4f}"])
        if population.best is not None:
            rows.append([name, "any draw at best", "", f"{population.best:.2f}", "", "", ""])
    return Grid(
        title=f"The rate of {days} days of 2,000 responses, {per_day} labels a day; {repeats} repeats, seed {seed}. "
        "Labels needed: (width / width of the plain rate)^2 at the same number of labels. "
        f"Variance of the value: over rate (1 - rate) / {days * per_day}; relative error {math.sqrt(2 / repeats):.2f}",
        columns=[
            "population",
            "way",
            "median width",
            "labels needed",
            "variance of the value",
            "coverage",
            "mean error",
        ],
        rows=rows,
    )


def _reviewed(
    population: _Population, rng: np.random.Generator, days: int, per_day: int
) -> Iterator[tuple[str, float, tuple[float, float]]]:
    """Yield the value and interval of each way to draw and to estimate, over the same days."""
    traffic = [rng.integers(len(population.score), size=2000) for _ in range(days)]
    scores = population.score[np.concatenate(traffic)]
    verdicts = Verdicts(threshold=population.threshold, side="below")
    even = np.concatenate([rng.choice(keys, per_day, replace=False) for keys in traffic])
    drawn = population.label[even]
    half = Z * math.sqrt(drawn.var() / len(drawn))
    yield "even draw, plain rate", float(drawn.mean()), (drawn.mean() - half, drawn.mean() + half)
    labels = Labels(score=population.score[even], label=drawn, weight=np.ones(len(even)))
    called = Labels(score=1.0 - verdicts.of(labels.score), label=drawn, weight=labels.weight)
    bounds = _classical_ppi(called, float(verdicts.of(scores).mean()), len(scores))
    yield "even draw, classical PPI++ on verdicts", sum(bounds) / 2, bounds
    by_doubt = _by_doubt(population, traffic, per_day, rng)
    for way, given in (("even draw, ppi", labels), ("drawn by doubt, ppi", by_doubt)):
        found = prediction_powered(scores, np.ones(len(scores)), len(scores), given, verdicts)
        if found.value is not None and found.low is not None and found.high is not None:
            yield way, found.value, (found.low, found.high)
            if given is by_doubt:
                half = _by_differences(found, given, scores, days)
                yield f"{way}, successive differences", found.value, (found.value - half, found.value + half)


def _by_differences(found: Corrected, labels: Labels, scores: Floats, n_draws: int) -> float:
    """Return half the normal interval whose variance is that of neighbours in the order they were drawn in.

    A systematic draw in the order of scores is a stratified one if neighbours are alike. `labels` are those of
    `n_draws` draws of one size, one after the other. K. M. Wolter, Introduction to Variance Estimation, 2007, 8.2.
    """
    edges, rates = np.array(found.detail["strata"]), np.array(found.detail["rates"])
    own = np.searchsorted(edges, labels.score, side="right")
    share = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(rates)) / len(scores)
    total = np.bincount(own, labels.weight, len(rates))
    part = (share[own] / total[own] * labels.weight * (labels.label - rates[own])).reshape(n_draws, -1)
    n = part.shape[1]
    variance = float((np.diff(part, axis=1) ** 2).sum()) * n / (2 * (n - 1))
    return Z * math.sqrt(variance + (float(share @ rates**2) - float(share @ rates) ** 2) / len(scores))


def _by_doubt(
    population: _Population, traffic: Sequence[npt.NDArray[np.int64]], per_day: int, rng: np.random.Generator
) -> Labels:
    """Return the labels of items drawn day by day as `llmmon review draw` does, each day knowing the labels before."""
    known: list[SimpleNamespace] = []
    for keys in traffic:
        order = keys[np.argsort(population.score[keys], kind="stable")]
        rows = [SimpleNamespace(score=population.score[key], probability=1.0) for key in order]
        chances, _ = odds(rows, known, n=per_day, evenly=0.2)
        known += [
            SimpleNamespace(score=rows[index].score, weight=1 / chances[index], label=population.label[order[index]])
            for index in systematic(chances, int(rng.integers(2**31)))
        ]
    score, label, weight = (np.array([getattr(row, name) for row in known]) for name in ("score", "label", "weight"))
    return Labels(score=score, label=label, weight=weight)


def _graded(auroc: float, rate: float = 0.3, n: int = 50_000) -> _Population:
    """Return scores that are normal given the truth, as far apart as gives the AUROC; the threshold is at even odds."""
    from scipy.special import ndtri

    rng = np.random.default_rng(7)
    label = (rng.random(n) < rate).astype(float)
    apart = math.sqrt(2) * float(ndtri(auroc))
    score = rng.standard_normal(n) - apart * label
    chance = 1 / (1 + np.exp(apart * score + apart**2 / 2 - math.log(rate / (1 - rate))))
    best = float(np.sqrt(chance * (1 - chance)).mean()) ** 2 / (rate * (1 - rate))
    threshold = -apart / 2 + math.log(rate / (1 - rate)) / apart
    return _Population(score=score, label=label, threshold=threshold, best=best)


def _ragtruth(folder: Path, judge: Scorer, threshold: float) -> _Population:
    """Return the answers to test sources with what `judge` says of them and whether people marked anything."""
    rows = [row for row in answers(folder) if row.split == "test"]
    told = [
        (score.value, float(row.is_unsupported))
        for row, score in zip(rows, score_all(judge, rows), strict=True)
        if score.value is not None
    ]
    score, label = np.array(told).T
    return _Population(score=score, label=label, threshold=threshold)
