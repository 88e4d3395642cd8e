"""Figures of how well risks agree with labels, each with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from llmmon.metrics.intervals import Floats

RESAMPLES: Final = 1000
_BINS: Final = 10
_CELLS: Final = 1 << 21
"""Rows times resamples that are held at a time."""
_SHARE_DEFINED: Final = 0.95

Intervals = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Rows with a value, as columns of equal length.

    Parameters
    ----------
    truth : array of bool
        Labels.
    risks : array of float
        Larger ones where the scorer sees more of what label 1 marks.
    overlap, found, marked : array of float
        Characters in the scorer's spans and in those of people: in both, in the former, in the latter.
    """

    truth: NDArray[np.bool_]
    risks: Floats
    overlap: Floats
    found: Floats
    marked: Floats

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the chosen rows."""
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def agreement(
    rows: Judged, cut: float | None, *, probability: bool, spans: bool
) -> tuple[dict[str, float | None], Intervals]:
    """Return the figures of `rows` and their 95% intervals.

    Parameters
    ----------
    cut : float or None
        Risk from which a row counts as found; None where the scorer states none, and nothing is told that needs it.
    probability : bool
        Whether risks are in [0, 1], so that they can be compared with frequencies.
    spans : bool
        Whether people marked spans.

    Returns
    -------
    figures : dict of str to float or None
        ``auroc``, ``average_precision``, ``f1``, ``precision``, ``recall``, ``balanced_accuracy``, ``ece`` and, with
        `spans`, ``span_f1``, ``span_precision``, ``span_recall``. None where it is not defined, such as the precision
        of a scorer that found nothing, or the AUROC of rows of one class.
    intervals : mapping of str to (low, high)
        95% percentile bootstrap: 1,000 resamples of rows, seed 0; of a figure at 0 or 1 it has no width. A figure that
        more than one resample in twenty leaves undefined has none.

    Notes
    -----
    All figures are ratios of sums over rows, so that a resample is a vector of weights: how often each row was drawn.
    ``average_precision`` is the sum of precision times the recall gained at each distinct risk; ``ece`` has ten bins of
    equal width. Span figures are counted over the characters of all rows together (micro), as RAGTruth counts them;
    characters in two spans of one side count once.

    References
    ----------
    C. Niu et al., "RAGTruth", ACL 2024 (span figures). M. P. Naeini et al., "Obtaining Well Calibrated Probabilities
    Using Bayesian Binning", AAAI 2015 (ece).
    """
    n = len(rows.truth)
    if n == 0:
        names = _figures(_nothing(), np.zeros((1, 0)), cut, probability, spans)
        return dict.fromkeys(names), {}
    points = _figures(rows, np.ones((1, n)), cut, probability, spans)
    figures = {name: None if np.isnan(value[0]) else float(value[0]) for name, value in points.items()}
    parts = [_figures(rows, weights, cut, probability, spans) for weights in _resamples(n)]
    intervals = {}
    for name, point in figures.items():
        draws = np.concatenate([part[name] for part in parts])
        defined = draws[~np.isnan(draws)]
        if point is not None and len(defined) >= _SHARE_DEFINED * len(draws):
            low, high = np.quantile(defined, (0.025, 0.975))
            intervals[name] = (float(low), float(high))
    return figures, intervals


def _nothing() -> Judged:
    empty = np.empty(0)
    return Judged(truth=empty.astype(bool), risks=empty, overlap=empty, found=empty, marked=empty)


def _resamples(n: int) -> Iterator[Floats]:
    """Yield how often each of `n` rows is drawn, in arrays of shape (resamples, n)."""
    random = np.random.default_rng(0)
    at_a_time = max(1, _CELLS // n)
    for first in range(0, RESAMPLES, at_a_time):
        size = min(at_a_time, RESAMPLES - first)
        drawn = random.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float)


def _figures(rows: Judged, weights: Floats, cut: float | None, probability: bool, spans: bool) -> dict[str, Floats]:
    """Return every figure under each row of `weights`; NaN where it is not defined."""
    undefined = np.full(len(weights), np.nan)
    truth = rows.truth.astype(float)
    figures = dict(zip(("auroc", "average_precision"), _ranking(rows, weights), strict=True))
    if cut is None:
        figures |= dict.fromkeys(("f1", "precision", "recall", "balanced_accuracy"), undefined)
    else:
        found = (rows.risks >= cut).astype(float)
        n_found, n_true, n_both = weights @ found, weights @ truth, weights @ (found * truth)
        n_false, n_all = n_found - n_both, weights.sum(axis=1)
        recall = _ratio(n_both, n_true)
        figures |= {
            "f1": _ratio(2 * n_both, n_found + n_true),
            "precision": _ratio(n_both, n_found),
            "recall": recall,
            "balanced_accuracy": (recall + 1 - _ratio(n_false, n_all - n_true)) / 2,
        }
    figures["ece"] = _calibration_error(rows.risks, truth, weights) if probability else undefined
    if spans:
        both, found, marked = (weights @ column for column in (rows.overlap, rows.found, rows.marked))
        figures |= {
            "span_f1": _ratio(2 * both, found + marked),
            "span_precision": _ratio(both, found),
            "span_recall": _ratio(both, marked),
        }
    return figures


def _ranking(rows: Judged, weights: Floats) -> tuple[Floats, Floats]:
    """Return AUROC and average precision; rows of equal risk are one step."""
    if not len(rows.risks):
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    order = np.argsort(-rows.risks, kind="stable")
    steps = np.flatnonzero(np.diff(rows.risks[order], prepend=np.inf))
    drawn = weights[:, order]
    true = np.add.reduceat(drawn * rows.truth[order], steps, axis=1)
    false = np.add.reduceat(drawn * ~rows.truth[order], steps, axis=1)
    true_so_far, false_so_far = true.cumsum(axis=1), false.cumsum(axis=1)
    n_true, n_false = true_so_far[:, -1], false_so_far[:, -1]
    auroc = _ratio((false * (true_so_far - true / 2)).sum(axis=1), n_true * n_false)
    seen = np.maximum(true_so_far + false_so_far, 1)  # before the first row that was drawn, nothing is gained
    precision = _ratio((true * true_so_far / seen).sum(axis=1), n_true)
    return auroc, precision


def expected_calibration_error(truth: NDArray[np.bool_], risks: Floats) -> float:
    """Return how far the share of label 1 lies from the mean risk, over ten bins of equal width; NaN without rows."""
    return float(_calibration_error(risks, truth.astype(float), np.ones((1, len(risks))))[0])


def _calibration_error(risks: Floats, truth: Floats, weights: Floats) -> Floats:
    which = np.minimum((np.clip(risks, 0, 1) * _BINS).astype(int), _BINS - 1)
    member = np.eye(_BINS)[which]
    gaps = weights @ (member * (truth - risks)[:, None])
    return _ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))
