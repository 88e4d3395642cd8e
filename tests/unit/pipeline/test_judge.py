"""Judging streams without a database: in one go or window by window, and what is remembered between."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmmon.detectors.base import Detector
from llmmon.detectors.reference_change import ReferenceChange
from llmmon.detectors.slo_threshold import SloThreshold
from llmmon.pipeline.judge import Rule, Standing, advance, judge, remember, spend, still_valid
from tests.unit.detectors.streams import START, stream

HOUR = timedelta(hours=1)
RULES = [
    Rule(detector=ReferenceChange(burn_in=3), min_effect=0.5, direction="lower_is_better"),
    Rule(detector=SloThreshold(limit=1.5, worse="above"), min_effect=0.5, direction="lower_is_better"),
]


class Counting:
    """A detector whose state is how often each of its methods was called."""

    plugin_name = "counting"

    def begin(self):
        return {"restarts": 0, "steps": 0}

    def restart(self, state):
        return {"restarts": state["restarts"] + 1, "steps": state["steps"]}

    def step(self, state, measurement, *, min_effect, direction):
        evidence = RULES[1].detector.step(
            RULES[1].detector.begin(), measurement, min_effect=min_effect, direction=direction
        )[1]
        return {**state, "steps": state["steps"] + 1}, evidence


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.none() | st.floats(-1e6, 1e6, allow_nan=False), max_size=20),
    restarts=st.sets(st.integers(0, 20)),
    cuts=st.sets(st.integers(0, 20)),
)
def test_going_on_from_json_gives_the_same(values, restarts, cuts) -> None:
    """A stream that is cut anywhere, its standing kept as JSON meanwhile, gives the points of the whole."""
    items = stream(values, half_width=0.1)
    anew = sorted(START + hour * HOUR for hour in restarts)
    for rule in RULES:
        whole = [point for point, _ in advance(rule, items, anew)]
        found, standing = [], None
        bounds = [0, *sorted(cut for cut in cuts if cut <= len(items)), len(items)]
        for low, high in itertools.pairwise(bounds):
            for point, last in advance(rule, items[low:high], anew, standing):
                found.append(point)
                standing = last
            if standing is not None:
                standing = Standing.of_json(json.loads(json.dumps(standing.as_json(), allow_nan=False)))
        assert found == whole


def test_a_restart_is_given_the_state_of_the_episode_before() -> None:
    """After windows 2 and 4 the detector goes on from what it knew; a window after which nothing came counts once."""
    detector: Detector = Counting()  # type: ignore[assignment]
    rule = Rule(detector=detector, min_effect=0, direction="neither")
    restarts = [START + hour * HOUR for hour in (2, 4, 5)]
    items = [item for hour, item in enumerate(stream([1.0] * 8)) if hour != 5]
    points, standings = zip(*advance(rule, items, restarts), strict=True)
    assert [point.episode for point in points] == [0, 0, 0, 1, 1, 3, 3]
    assert standings[-1].state == {"restarts": 2, "steps": 7}


def test_memory_holds_two_midnights_and_the_last_window() -> None:
    """However long a stream is, three standings are kept; those before a change stay valid."""
    memory: tuple[Standing, ...] = ()
    for _, standing in advance(RULES[1], stream([1.0] * 100), ()):
        memory = remember(memory, standing, HOUR)
    assert [item.window_start.isoformat()[:13] for item in memory] == [
        "2023-06-30T00", "2023-07-01T00", "2023-07-01T08",
    ]  # fmt: skip
    late = memory[1].window_start + HOUR
    assert still_valid(memory, changed_from=late, before=(), now=()) == memory[:2]
    assert still_valid(memory, changed_from=None, before=(), now=(late,)) == memory[:2]
    assert still_valid(memory, changed_from=None, before=(), now=(memory[2].window_start,)) == memory
    assert still_valid(memory, changed_from=START, before=(), now=()) == ()


def test_the_budget_counts_streams_that_have_no_evidence() -> None:
    """Three streams known, two here, one with evidence: it needs 3 / alpha."""
    found = spend(START, {("a", "all"): 59.0, ("b", "all"): None}, alpha=0.05, n_known=3)
    assert (found.n_streams, found.n_learning, found.n_alarmed, found.rejected) == (3, 2, 0, ())
    assert (found.largest_e, found.threshold_e) == (59.0, pytest.approx(60))
    assert spend(START, {("a", "all"): 61.0}, alpha=0.05, n_known=3).rejected == (("a", "all"),)


def test_streams_are_known_from_their_first_window_on() -> None:
    """A stream that begins later costs the others nothing before; windows without a point have their line."""
    hours = stream([1.0] * 6)
    found = judge(
        {("a", "all"): hours[:4], ("b", "all"): hours[2:3]},
        dict.fromkeys("ab", RULES[0]),
        [item.window for item in hours],
        alpha=0.05,
    )
    assert [item.n_streams for item in found.spending] == [1, 1, 2, 2, 2, 2]
    assert [item.n_learning for item in found.spending] == [1, 1, 2, 1, 2, 2]
