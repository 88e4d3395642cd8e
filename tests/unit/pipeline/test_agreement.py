"""Figures of agreement, against scikit-learn and against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from llmmon.pipeline.agreement import Judged, agreement


def judged(truth, risks, characters=None):
    columns = np.array(characters if characters is not None else [(0, 0, 0)] * len(truth), dtype=float).reshape(-1, 3).T
    names = dict(zip(("overlap", "found", "marked"), columns, strict=True))
    return Judged(truth=np.array(truth, dtype=bool), risks=np.array(risks, dtype=float), **names)


def test_figures_are_scikit_learns() -> None:
    """On 500 rows with many ties."""
    random = np.random.default_rng(3)
    truth = random.random(500) < 0.3
    risks = np.round(np.clip(random.normal(0.4 + 0.2 * truth, 0.2), 0, 1), 1)
    figures, intervals = agreement(judged(truth, risks), 0.5, probability=True, spans=False)
    found = risks >= 0.5
    assert figures["auroc"] == pytest.approx(metrics.roc_auc_score(truth, risks), abs=1e-12)
    assert figures["average_precision"] == pytest.approx(metrics.average_precision_score(truth, risks), abs=1e-12)
    assert figures["f1"] == pytest.approx(metrics.f1_score(truth, found), abs=1e-12)
    assert figures["precision"] == pytest.approx(metrics.precision_score(truth, found), abs=1e-12)
    assert figures["recall"] == pytest.approx(metrics.recall_score(truth, found), abs=1e-12)
    assert figures["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, found), abs=1e-12)
    assert set(intervals) == set(figures)
    assert all(low < figures[name] < high for name, (low, high) in intervals.items() if name != "ece")


def test_intervals_are_those_of_a_bootstrap_row_by_row() -> None:
    """The same resamples, each judged by scikit-learn."""
    random = np.random.default_rng(5)
    truth = random.random(80) < 0.4
    risks = np.round(random.random(80) + 0.3 * truth, 1)
    _, intervals = agreement(judged(truth, risks), 0.5, probability=False, spans=False)
    draws = np.random.default_rng(0).integers(0, 80, (1000, 80))
    aurocs = [metrics.roc_auc_score(truth[rows], risks[rows]) for rows in draws]
    recalls = [metrics.recall_score(truth[rows], risks[rows] >= 0.5) for rows in draws]
    assert intervals["auroc"] == pytest.approx(np.quantile(aurocs, (0.025, 0.975)), abs=1e-12)
    assert intervals["recall"] == pytest.approx(np.quantile(recalls, (0.025, 0.975)), abs=1e-12)


def test_spans_are_counted_over_all_characters_together() -> None:
    """Two rows: 6 of 10 found characters are marked, and 6 of 12 marked ones found."""
    rows = judged([1, 1], [0.9, 0.1], [(6, 8, 6), (0, 2, 6)])
    figures, _ = agreement(rows, 0.5, probability=True, spans=True)
    assert (figures["span_precision"], figures["span_recall"]) == (0.6, 0.5)
    assert figures["span_f1"] == pytest.approx(12 / 22)


def test_calibration_error_by_hand() -> None:
    """Ten bins: |0.5 - 0.25| over two rows of four, |1 - 0.95| over the other two."""
    figures, _ = agreement(judged([0, 1, 1, 1], [0.25, 0.25, 0.95, 0.95]), None, probability=True, spans=False)
    assert figures["ece"] == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)
    assert figures["f1"] is None


@pytest.mark.parametrize(("truth", "risks"), [([], []), ([1], [0.2]), ([0, 0], [0.1, 0.2]), ([1, 1], [0.1, 0.9])])
def test_what_is_not_defined_is_absent(truth, risks) -> None:
    """No rows, or rows of one class: no AUROC, no balanced accuracy, never a 0 and never a warning."""
    figures, intervals = agreement(judged(truth, risks), 0.5, probability=True, spans=True)
    assert figures["auroc"] is None
    assert figures["balanced_accuracy"] is None
    assert figures["span_f1"] is None
    assert figures["precision"] == (1.0 if 0.9 in risks else None)
    assert "auroc" not in intervals
