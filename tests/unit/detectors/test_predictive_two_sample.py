"""The predictive two-sample detector on vectors of known distribution."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from llmmon.detectors.base import fold
from llmmon.detectors.predictive_two_sample import MOST_FEATURES, PredictiveTwoSample
from llmmon.model import Evidence, Measurement
from tests.unit.detectors.streams import stream

R = 48


def windows(features: np.ndarray, value: float = 0.1) -> list[Measurement]:
    """Return windows with these mean feature vectors."""
    rows = stream([value] * len(features))
    return [
        replace(row, estimate=replace(row.estimate, detail={"features": vector.tolist()}))
        for row, vector in zip(rows, features, strict=True)
    ]


def judge(features: np.ndarray) -> list[Evidence]:
    """Return the evidence window by window."""
    return fold(PredictiveTwoSample(burn_in=R), windows(features), min_effect=0, direction="neither")


def test_a_shift_in_some_direction_is_found_though_the_value_stays() -> None:
    """Sixteen features move by one deviation each at the tenth tested window; the metric's value does not move."""
    random = np.random.default_rng(3)
    features = random.normal(size=(R + 60, 16))
    features[R + 10 :] += 1
    found = judge(features)

    assert max(item.e_value or 0 for item in found[: R + 10]) < 20
    assert (found[R + 30].e_value or 0) > 4000
    assert found[R].e_value == 0  # it only trains the classifiers


def test_quiet_windows_keep_the_budget() -> None:
    """Of 40 quiet streams none reaches 20, with features that depend on each other and on the window before."""
    random = np.random.default_rng(4)
    for _ in range(40):
        z = random.normal(size=(R + 150, 8))
        for t in range(1, len(z)):
            z[t] += 0.5 * z[t - 1]
        found = judge(z @ random.normal(size=(8, 8)))
        assert max(item.e_value or 0 for item in found) < 20


def test_windows_without_features_say_so() -> None:
    """A metric that gives none, and one whose number of features changed, give a reason and harm nothing."""
    rows = windows(np.random.default_rng(5).normal(size=(R + 3, 4)))
    rows[R] = stream([0.1] * (R + 1))[-1]
    rows[R + 1] = replace(rows[R + 1], estimate=replace(rows[R + 1].estimate, detail={"features": [1.0]}))
    found = fold(PredictiveTwoSample(burn_in=R), rows, min_effect=0, direction="neither")

    assert found[0].reason == "cannot tell yet: needs 47 more windows to learn what is usual"
    assert found[R].reason == "the metric gives no features"
    assert found[R + 1].reason == "1 features, but the reference windows have 4: the metric changed"
    assert found[R + 2].e_value is not None


def test_state_is_json_of_constant_size() -> None:
    """Going on from JSON gives the same evidence; more features than are used do not grow it."""
    detector, rows = PredictiveTwoSample(burn_in=R), windows(np.random.default_rng(6).normal(size=(R + 40, 64)))
    state, sizes = detector.begin(), []
    for row in rows:
        state, evidence = detector.step(json.loads(json.dumps(state)), row, min_effect=0, direction="neither")
        sizes.append(len(json.dumps(state)))

    assert evidence == fold(detector, rows, min_effect=0, direction="neither")[-1]
    assert len(state["mean"]) == MOST_FEATURES
    assert max(sizes) < 40_000
    assert sizes[-1] == pytest.approx(sizes[R + 5], rel=0.02)
