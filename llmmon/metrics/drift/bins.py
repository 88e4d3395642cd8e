"""The same bins for a window and its reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmmon.metrics.base import WindowData
from llmmon.metrics.columns import NUMBERS, numbers
from llmmon.metrics.intervals import Floats, hull
from llmmon.model import LOGGED, Estimate


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per bin, in this window and in the reference windows."""

    labels: tuple[str, ...]
    current: Floats
    reference: Floats


def count_bins(current: WindowData, reference: WindowData | None, field: str, n_bins: int) -> Counts | Estimate:
    """Return counts over common bins, or the absent estimate that says why there are none.

    A numeric column is cut at the reference's quantiles; a value on which quantiles coincide gets a bin of its own. A
    categorical column has one bin per category seen on either side; missing values are left out.
    """
    if reference is None:
        return Estimate.absent("no reference windows")
    if field in NUMBERS:
        values, others = numbers(current, field, LOGGED)[0], numbers(reference, field, LOGGED)[0]
    else:
        values = current.requests[field].dropna().to_numpy()
        others = reference.requests[field].dropna().to_numpy()
    if not len(values) or not len(others):
        where = "this window" if not len(values) else "the reference windows"
        return Estimate.absent(f"no {field} in {where}", n=len(values))
    if field not in NUMBERS:
        names = sorted({str(value) for value in values} | {str(value) for value in others})
        place = {name: index for index, name in enumerate(names)}
        codes = [np.array([place[str(value)] for value in side], dtype=np.int64) for side in (values, others)]
        return Counts(tuple(names), *(np.bincount(side, minlength=len(names)).astype(float) for side in codes))
    edges = _edges(others, n_bins)
    sides = (
        np.bincount(np.searchsorted(edges, side, "left"), minlength=len(edges) + 1).astype(float)
        for side in (values, others)
    )
    labels = [f"<= {edge:.6g}" for edge in edges] + [f"> {edges[-1]:.6g}"]
    return Counts(tuple(labels), *sides)


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
    detail = {
        "bins": counts.labels[:50],
        "current": counts.current[:50].tolist(),
        "reference": counts.reference[:50].tolist(),
        "n_bins": len(counts.labels),
    }
    return Estimate(value=value, n=int(counts.current.sum()), low=low, high=high, detail=detail)


def _edges(reference: Floats, n_bins: int) -> Floats:
    cuts, repeats = np.unique(np.quantile(reference, np.linspace(0, 1, n_bins + 1)[1:-1]), return_counts=True)
    heavy = cuts[repeats > 1] if n_bins > 2 else cuts
    return np.unique(np.concatenate((cuts, np.nextafter(heavy, -np.inf))))
