"""Corrected rates: hand-worked values, published formulas, coverage by simulation, and what gives no value."""

from __future__ import annotations

import math
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from llmmon.metrics.calibration import Labels, Verdicts, labels_for_width, prediction_powered, rogan_gladen
from llmmon.metrics.quality.anchor_shift import AnchorShift
from llmmon.metrics.quality.calibrated_rate import CalibratedRate
from llmmon.pipeline.draw_review import odds, systematic
from tests.windows import START, make_window, scored

BELOW = Verdicts(threshold=0.5, side="below")


def labelled(tp, fp, fn, tn, weight=1.0):
    """Return labels of a judge that scores 0 where it says yes and 1 where it says no."""
    counts = [tp, fp, fn, tn]
    return Labels(
        score=np.repeat([0.0, 0, 1, 1], counts),
        label=np.repeat([1.0, 0, 1, 0], counts),
        weight=np.full(sum(counts), weight),
    )


def test_rogan_gladen_by_hand():
    """34% of verdicts, sensitivity 0.9, specificity 0.8: (0.34 + 0.8 - 1) / (0.9 + 0.8 - 1) = 0.2."""
    found = rogan_gladen(0.34, 1000, labelled(90, 20, 10, 80), BELOW)
    assert found.value == pytest.approx(0.2, abs=1e-12)
    assert found.low < 0.2 < found.high
    # with the delta method: sqrt((.34*.66/1000 + .2^2*.9*.1/100 + .8^2*.8*.2/100) / .7^2) = 0.0515
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.0515, rel=0.06)


def test_rogan_gladen_is_near_the_interval_of_lang_and_reiczigel():
    """Their closed form (equations 2, 4, 6, 7 and 17), with many labels, within a tenth of its width."""
    z, n, n_se, n_sp, q, se, sp = 1.959963984540054, 500, 150, 350, 0.3, 0.8, 0.9
    found = rogan_gladen(q, n, labelled(120, 35, 30, 315), BELOW)
    se1, sp1, q1 = (n_se * se + 1) / (n_se + 2), (n_sp * sp + 1) / (n_sp + 2), (n * q + z**2 / 2) / (n + z**2)
    p1 = (q1 + sp1 - 1) / (se1 + sp1 - 1)
    moved = 2 * z**2 * (p1 * se1 * (1 - se1) / (n_se + 2) - (1 - p1) * sp1 * (1 - sp1) / (n_sp + 2))
    parts = (
        q1 * (1 - q1) / (n + z**2) + p1**2 * se1 * (1 - se1) / (n_se + 2) + (1 - p1) ** 2 * sp1 * (1 - sp1) / (n_sp + 2)
    )
    half = z * math.sqrt(parts) / (se1 + sp1 - 1)
    assert found.low == pytest.approx(p1 + moved - half, abs=0.1 * half)
    assert found.high == pytest.approx(p1 + moved + half, abs=0.1 * half)


def test_prediction_powered_is_ppi_with_its_best_power_tuning():
    """Rectified mean of the verdicts with lambda = cov(y, f) / var(f), weighted: PPI++ for a large window."""
    rng = np.random.default_rng(5)
    label = (rng.random(400) < 0.3).astype(float)
    score = np.where(rng.random(400) < 0.8, 1 - label, label)
    weight = 1 + 3 * rng.random(400)
    window = (rng.random(900) < 0.6).astype(float)
    f, y, w = (score < 0.5).astype(float), label, weight / weight.sum()
    tuning = (w * (f - w @ f) * (y - w @ y)).sum() / (w * (f - w @ f) ** 2).sum()
    expected = tuning * (window < 0.5).mean() + w @ (y - tuning * f)
    found = prediction_powered(window, np.ones(900), 900, Labels(score=score, label=label, weight=weight), BELOW)
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_many_labels_are_cut_finer_than_the_verdict_and_shorten_the_interval():
    """A graded score tells more than its verdict."""
    rng = np.random.default_rng(6)
    score = rng.random(1600)
    label = (rng.random(1600) < (1 - score) ** 3).astype(float)
    window = rng.random(5000)
    fine = prediction_powered(
        window, np.ones(5000), 5000, Labels(score=score, label=label, weight=np.ones(1600)), BELOW
    )
    coarse = Labels(score=(score >= 0.5).astype(float), label=label, weight=np.ones(1600))
    rough = prediction_powered((window >= 0.5).astype(float), np.ones(5000), 5000, coarse, BELOW)
    assert len(fine.detail["strata"]) > 10
    assert len(rough.detail["strata"]) == 1
    assert fine.high - fine.low < 0.95 * (rough.high - rough.low)


@pytest.mark.parametrize("method", ["ppi", "rogan_gladen"])
@pytest.mark.parametrize(
    ("sensitivity", "specificity", "rate", "n_labels", "n_window"),
    [
        (0.6, 0.6, 0.3, 400, 2000),
        (0.75, 0.75, 0.1, 200, 500),
        (0.95, 0.95, 0.3, 100, 10_000),
        (0.6, 0.95, 0.5, 50, 200),
    ],
)
def test_intervals_cover(method, sensitivity, specificity, rate, n_labels, n_window):
    """1,500 labellings of a judge of known errors; absent ones, and what a weak judge leaves untold, are left out."""
    rng = np.random.default_rng(11)
    inside = []
    for _ in range(1500):
        label = (rng.random(n_labels) < rate).astype(float)
        yes = rng.random(n_labels) < np.where(label == 1, sensitivity, 1 - specificity)
        labels = Labels(score=1.0 - yes, label=label, weight=np.ones(n_labels))
        share = rng.binomial(n_window, rate * sensitivity + (1 - rate) * (1 - specificity)) / n_window
        if method == "ppi":
            scores, weights = np.array([0.0, 1.0]), np.array([share, 1 - share]) + 1e-12
            found = prediction_powered(scores, weights, n_window, labels, BELOW)
        else:
            found = rogan_gladen(share, n_window, labels, BELOW)
        if found.value is not None:
            inside.append(found.low <= rate <= found.high)
    assert len(inside) > 450
    assert 0.93 <= np.mean(inside) <= 0.97


def test_labels_drawn_by_doubt_cover_and_are_worth_more_than_evenly_drawn_ones():
    """Weights undo what the draw prefers: 95% again, from intervals that would take an even draw more labels."""
    rng = np.random.default_rng(12)
    inside, effective, shift = [], [], []
    for seed in range(400):
        score = rng.beta(0.25, 0.25, 4000)
        label = (rng.random(4000) < 1 - score).astype(float)
        past = rng.choice(4000, 200, replace=False)
        known = [SimpleNamespace(score=score[i], weight=1.0, label=label[i]) for i in past]
        order = np.argsort(score)
        rows = [SimpleNamespace(score=score[i], probability=1.0) for i in order]
        chances, _ = odds(rows, known, n=200, evenly=0.2)
        drawn = systematic(chances, seed)
        keys = order[drawn]
        labels = Labels(score=score[keys], label=label[keys], weight=1 / chances[drawn])
        window = rng.beta(0.25, 0.25, 4000)
        found = prediction_powered(window, np.ones(4000), 4000, labels, BELOW)
        inside.append(found.low <= 0.5 <= found.high)
        effective.append(labels_for_width(found.low, found.high))
        shift.append(found.value - 0.5)
    assert 0.92 <= np.mean(inside) <= 0.98
    assert np.median(effective) > 2 * 200
    assert abs(np.mean(shift)) < 3 * np.std(shift) / 20


def test_a_judge_that_tells_nothing_gives_no_rogan_gladen_and_a_wide_ppi():
    """Verdicts by coin: sensitivity + specificity - 1 is 0, and prediction-powered inference is the labels' rate."""
    labels = labelled(30, 70, 30, 70)
    found = rogan_gladen(0.5, 1000, labels, BELOW)
    assert found.value is None
    assert "must be above 0" in found.reason
    powered = prediction_powered(np.tile([0.0, 1.0], 500), np.ones(1000), 1000, labels, BELOW)
    assert powered.value == pytest.approx(0.3)
    assert labels_for_width(powered.low, powered.high) == pytest.approx(200, rel=0.05)


def test_what_cannot_be_has_a_reason():
    """No label of a kind, no label of a verdict, and a share of verdicts that the error rates do not allow."""
    assert "people said yes to" in rogan_gladen(0.2, 100, labelled(0, 5, 0, 95), BELOW).reason
    one_sided = prediction_powered(np.array([0.0, 1.0]), np.ones(2), 2, labelled(0, 0, 10, 90), BELOW)
    assert "positive verdict" in one_sided.reason
    assert "have changed" in rogan_gladen(0.01, 5000, labelled(80, 60, 20, 140), BELOW).reason


def test_the_metric_says_how_many_labels_are_missing():
    """12 of 50 labels; those of another version of the judge do not count, nor who cannot tell, nor old ones."""
    reviews = [
        *({"request_key": -n, "score": 0.0, "label": 1.0} for n in range(12)),
        *({"request_key": -n, "score": 0.0, "label": 1.0, "same_judge": False} for n in range(20, 25)),
        {"request_key": -30, "score": 0.0},
        {"request_key": -31, "score": 0.0, "label": 1.0, "occurred_at": START - timedelta(days=40)},
        {"request_key": -32, "score": 0.0, "label": 1.0, "scorer": "other"},
    ]
    window = make_window(4, scores=scored([0.0, 1.0, 1.0, 0.0]), reviews=reviews)
    found = CalibratedRate(scorer="refusal", threshold=0.5).compute(window, None)
    assert found.value is None
    assert found.reason == "uncalibrated: needs 38 more labels"
    assert {"n_labels": 12, "n_cannot_tell": 1, "n_of_another_judge": 5}.items() <= found.detail.items()


@pytest.mark.parametrize("method", ["ppi", "rogan_gladen"])
def test_the_metric_gives_the_corrected_share_with_what_it_rests_on(method):
    """Three of ten verdicts are yes; of such verdicts 9 in 10 are right, and 1 in 10 of the others is wrong."""
    kinds = [(0.0, 1.0, 45), (0.0, 0.0, 5), (1.0, 1.0, 5), (1.0, 0.0, 45)]
    reviews = [
        {"request_key": -key, "score": score, "label": label}
        for key, (score, label) in enumerate((score, label) for score, label, n in kinds for _ in range(n))
    ]
    window = make_window(100, scores=scored([0.0] * 30 + [1.0] * 70), reviews=reviews)
    found = CalibratedRate(scorer="refusal", threshold=0.5, method=method).compute(window, None)
    assert found.value == pytest.approx(0.3 * 0.9 + 0.7 * 0.1 if method == "ppi" else (0.3 + 0.9 - 1) / 0.8)
    assert found.n == 100
    assert found.low < found.value < found.high
    assert found.detail["n_labels"] == 100
    assert found.detail["effective_n"] > 0


def test_anchors_that_stay_are_0_and_those_that_moved_have_an_interval():
    """Unchanged: 0 to 0. Moved by 0.2 on average: the interval holds it, and 0 is outside."""
    fixed = np.linspace(0.1, 0.7, 30)
    still = make_window(anchors=[{"fixed": value, "value": value} for value in fixed])
    metric = AnchorShift(scorer="refusal")
    found = metric.compute(still, None)
    assert (found.value, found.low, found.high, found.n) == (0.0, 0.0, 0.0, 30)
    moved = [{"fixed": value, "value": value + 0.15 + 0.1 * (n % 2)} for n, value in enumerate(fixed)]
    found = metric.compute(make_window(anchors=[*moved, {"fixed": 0.5, "reason": "no text"}]), None)
    assert found.value == pytest.approx(0.2)
    assert 0 < found.low < 0.2 < found.high
    assert found.detail["n_without_value"] == 1
    assert "no anchor" in metric.compute(make_window(), None).reason
