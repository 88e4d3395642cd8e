"""The same bins for a window and its reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np

from llmmon.metrics.base import Summary, WindowData
from llmmon.metrics.columns import CATEGORIES, NUMBERS, categories, numbers, require
from llmmon.metrics.intervals import Floats, hull
from llmmon.model import Estimate

OTHER: Final = "(other)"
MAX_CATEGORIES: Final = 256
"""Categories of the reference that keep a bin of their own; the rest, and whatever is new, is `OTHER`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per bin, in this window and in the reference windows."""

    labels: tuple[str, ...]
    current: Floats
    reference: Floats


def summarise_bins(reference: WindowData, field: str, n_bins: int) -> Summary:
    """Return the bins of a column and how many rows of the reference windows are in each.

    A numeric column is cut at the reference's quantiles; a value on which quantiles coincide gets a bin of its own. A
    categorical column has one bin for each of its most frequent categories; missing values are left out.
    """
    if field in NUMBERS:
        values = numbers(reference, field)[0]
        edges = _edges(values, n_bins) if len(values) else values
        return {"edges": edges.tolist(), "counts": _histogram(values, edges).tolist()}
    names, counts = categories(reference, field)
    kept = counts[:MAX_CATEGORIES]
    return {"categories": names[:MAX_CATEGORIES], "counts": [*kept.tolist(), int(counts.sum() - kept.sum())]}


def count_bins(current: WindowData, reference: Summary | None, field: str) -> Counts | Estimate:
    """Return counts over the reference's bins, or the absent estimate that says why there are none."""
    if reference is None:
        return Estimate.absent("no reference windows")
    others = np.asarray(reference["counts"], dtype=float)
    if field in NUMBERS:
        edges = np.asarray(reference["edges"], dtype=float)
        counts = _histogram(numbers(current, field)[0], edges).astype(float)
        labels = [f"<= {edge:.6g}" for edge in edges] + [f"> {edge:.6g}" for edge in edges[-1:]]
    else:
        names, found = categories(current, field)
        labels = [*reference["categories"], OTHER]
        place = {name: index for index, name in enumerate(reference["categories"])}
        rows = [place.get(name, len(place)) for name in names]
        counts = np.bincount(np.asarray(rows, dtype=np.int64), weights=found, minlength=len(labels))
    if not counts.sum() or not others.sum():
        where = "this window" if not counts.sum() else "the reference windows"
        return Estimate.absent(f"no {field} in {where}", n=int(counts.sum()))
    keep = (counts > 0) | (others > 0) if field not in NUMBERS else np.ones(len(counts), dtype=bool)
    return Counts(tuple(np.asarray(labels, dtype=object)[keep]), counts[keep], others[keep])


@dataclass(frozen=True, kw_only=True, slots=True)
class OverBins:
    """What every metric over the bins of one column is told; see `llmmon.metrics.drift.psi` for the parameters."""

    plugin_name: ClassVar[str]

    field: str
    bins: int = 10
    n_resamples: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        require("field", self.field, (*NUMBERS, *CATEGORIES))
        check_binning(self.bins, self.n_resamples)

    def summarise(self, reference: WindowData) -> Summary:
        """Return the bins, and the rows of the reference windows in each."""
        return summarise_bins(reference, self.field, self.bins)


def check_binning(bins: int, n_resamples: int) -> None:
    """Raise `ValueError` when a metric over bins was given numbers it cannot work with."""
    if not 2 <= bins <= 1000:
        raise ValueError(f"bins: expected 2 to 1000, got {bins}")
    if n_resamples < 100:
        raise ValueError(f"n_resamples: expected at least 100, got {n_resamples}")


def compare(counts: Counts, distance: Callable[[Floats, Floats], Floats], *, n_resamples: int, seed: int) -> Estimate:
    """Return the distance between the two sides with its bootstrap interval, and the bins in the detail.

    Parameters
    ----------
    distance : callable
        Takes counts of shape ``(..., n_bins)`` twice and gives distances of shape ``(...)``.
    """
    value = float(distance(counts.current, counts.reference))
    random = np.random.default_rng(seed)
    drawn = [
        random.multinomial(int(side.sum()), (side + 0.5) / (side + 0.5).sum(), size=n_resamples).astype(float)
        for side in (counts.current, counts.reference)
    ]
    low, high = hull(value, np.asarray(distance(*drawn)))
    detail: dict[str, Any] = {
        "bins": counts.labels[:50],
        "current": counts.current[:50].tolist(),
        "reference": counts.reference[:50].tolist(),
        "n_bins": len(counts.labels),
    }
    return Estimate(value=value, n=int(counts.current.sum()), low=low, high=high, detail=detail)


def compare_in_bits(counts: Counts, *, n_resamples: int, seed: int) -> Estimate:
    """Return the Jensen-Shannon divergence of the two sides, with an interval that ends at 1."""
    found = compare(counts, jensen_shannon_divergence, n_resamples=n_resamples, seed=seed)
    return replace(found, high=None if found.high is None else min(1.0, found.high))


def jensen_shannon_divergence(current: Floats, reference: Floats) -> Floats:
    """Return the divergence of two sides of counts, in bits; the last axis holds the bins."""
    p = current / current.sum(axis=-1, keepdims=True)
    q = reference / reference.sum(axis=-1, keepdims=True)
    middle = (p + q) / 2
    parts = [
        np.where(side > 0, side * np.log2(np.where(side > 0, side, 1) / np.where(middle > 0, middle, 1)), 0.0)
        for side in (p, q)
    ]
    return np.asarray(((parts[0] + parts[1]) / 2).sum(axis=-1).clip(0.0, 1.0))


def _edges(reference: Floats, n_bins: int) -> Floats:
    # quantiles that are rows of the reference: nothing is interpolated, which could overflow
    cuts = np.quantile(reference, np.linspace(0, 1, n_bins + 1)[1:-1], method="inverted_cdf")
    cuts, repeats = np.unique(cuts, return_counts=True)
    heavy = cuts[repeats > 1] if n_bins > 2 else cuts
    return np.unique(np.concatenate((cuts, np.nextafter(heavy, -np.inf))))


def _histogram(values: Floats, edges: Floats) -> Any:
    """Return how many values lie at or below each edge and above the one before, and above the last."""
    if not len(edges):
        return np.array([len(values)])
    return np.diff(np.searchsorted(np.sort(values), edges, "right"), prepend=0, append=len(values))
