"""Every registered detector keeps the contract of a fold whose state lives in JSON."""

from __future__ import annotations

import json
import random

import pytest

from llmmon.detectors.base import detectors
from tests.conformance.examples import build
from tests.unit.detectors.streams import stream

CHANCE = random.Random(29)
VALUES = [None if CHANCE.random() < 0.05 else 0.3 + 0.02 * CHANCE.gauss(0, 1) for _ in range(400)]


@pytest.mark.parametrize("name", detectors.names())
def test_state_read_back_from_json_gives_the_same_evidence(name: str) -> None:
    """Through JSON after every step and after a restart or not: the same evidence, and no state is changed in place."""
    detector = build("detectors", name)
    rule = {"min_effect": 0.1, "direction": "lower_is_better"}
    straight, through = detector.begin(), detector.begin()
    for place, item in enumerate(stream(VALUES, half_width=0.03)):
        if place == 250:
            straight, through = detector.restart(straight), detector.restart(through)
        kept = json.dumps(through, allow_nan=False)
        straight, expected = detector.step(straight, item, **rule)
        after, found = detector.step(through, item, **rule)
        assert found == expected
        assert json.dumps(through) == kept
        through = json.loads(json.dumps(after, allow_nan=False))


@pytest.mark.parametrize("name", detectors.names())
def test_the_state_of_a_long_stream_does_not_grow(name: str) -> None:
    """From 1,000 to 2,000 windows the state grows by less than a tenth."""
    detector = build("detectors", name)
    state, sizes = detector.begin(), []
    for item in stream(VALUES * 5, half_width=0.03):
        state, _ = detector.step(state, item, min_effect=0.1, direction="lower_is_better")
        sizes.append(len(json.dumps(state)))
    assert sizes[-1] < 1.1 * sizes[999] + 100
    assert max(sizes) < 64_000
