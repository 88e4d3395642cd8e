"""Planted faults in streams of plain numbers: which course is taken, who alarms, and after how many windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from llmmon.detectors.reference_change import ReferenceChange
from llmmon.faults.latency_factor import LatencyFactor
from llmmon.model import Estimate, Measurement, Window
from llmmon.pipeline.judge import Rule
from llmmon.pipeline.plant_faults import MeasuredWindow
from llmmon.pipeline.resample import resampled
from llmmon.pipeline.watch_faults import Course, Watched, draw_course, learn, watch

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
LARGE, NONE = LatencyFactor(size=3.0), LatencyFactor(size=1.0)
CALM = [100.0, 103.0, 98.0, 101.0, 99.0, 102.0, 97.0, 100.0]
KEYS = (("p50", "all"), ("errors", "all"))


def hours(n: int, start: datetime = START) -> list[Window]:
    """Return `n` consecutive hours."""
    return [Window(start=start + i * HOUR, end=start + (i + 1) * HOUR) for i in range(n)]


def measured(window: Window, monitor: str, value: float) -> Measurement:
    """Return a measurement with an interval of 2 either way."""
    estimate = Estimate(value=value, n=50, low=value - 2, high=value + 2)
    return Measurement(deployment="chat", monitor=monitor, segment="all", window=window, estimate=estimate, unit="ms")


def judged(*, lead: int, min_effect: float = 20.0, n: int = 12) -> Watched:
    """Return what two monitors make of a course in which latency, and only latency, triples after `lead` windows."""
    windows = hours(len(CALM))
    streams = {
        key: [measured(window, key[0], value) for window, value in zip(windows, CALM, strict=True)] for key in KEYS
    }
    rule = Rule(detector=ReferenceChange(burn_in=4), min_effect=min_effect, direction="lower_is_better")
    known = learn({"p50": rule, "errors": rule}, streams, windows[-1], 0.05)
    by_window = {
        window: MeasuredWindow(
            quiet={key: measured(window, key[0], value) for key in KEYS},
            planted={LARGE: {KEYS[0]: measured(window, "p50", 3 * value)}, NONE: {}},
        )
        for window, value in zip(windows, CALM, strict=True)
    }
    course = Course(windows=[windows[place % len(windows)] for place in range(lead + n)], lead=lead)
    return watch(known, course, by_window, [LARGE, NONE])


@pytest.mark.parametrize("lead", [0, 1, 5])
def test_a_large_fault_alarms_and_the_delay_counts_from_its_start(lead: int) -> None:
    """Wherever it begins, the moved monitor alone alarms, within three windows; without a fault nobody does."""
    found = judged(lead=lead)
    assert found.false_alarms == {}
    assert set(found.delays[LARGE]) == {"p50"}
    assert 1 <= found.delays[LARGE]["p50"] <= 3
    assert found.delays[NONE] == {}


def test_a_fault_below_the_smallest_effect_is_not_noticed() -> None:
    """However much evidence there is, 200 ms are not worth an alarm to who asks for 500."""
    assert judged(lead=2, min_effect=500.0).delays[LARGE] == {}


def test_a_monitor_that_is_still_learning_notices_nothing() -> None:
    """A monitor that learns from twenty windows and has eight is not ready."""
    windows = hours(len(CALM))
    rule = Rule(detector=ReferenceChange(burn_in=20), min_effect=20.0, direction="lower_is_better")
    streams = {KEYS[0]: [measured(window, "p50", value) for window, value in zip(windows, CALM, strict=True)]}
    known = learn({"p50": rule}, streams, windows[-1], 0.05)
    assert known.ready == frozenset()


def test_a_course_has_its_lead_and_all_watched_windows() -> None:
    """The lead is shorter than what is watched, and both are drawn from what is stored."""
    windows = hours(10)
    courses = [draw_course(windows, 6, np.random.default_rng(seed)) for seed in range(50)]
    assert {course.lead for course in courses} == set(range(6))
    assert all(len(course.windows) == course.lead + 6 for course in courses)
    assert all(set(course.windows) <= set(windows) for course in courses)


def test_whole_days_keep_their_hours_and_working_days_stay_working_days() -> None:
    """After two weeks that end on a Sunday a Monday is drawn from the Mondays, hour for hour in one piece."""
    drawn = resampled(hours(14 * 24), 24 * 7, np.random.default_rng(1))
    for day in range(7):
        here = drawn[24 * day : 24 * day + 24]
        assert here == hours(24, here[0].start)
        assert here[0].start.hour == 0
        assert here[0].start.weekday() == day


def test_with_few_days_a_weekend_comes_from_a_weekend() -> None:
    """Of Monday to Sunday, a Tuesday is drawn from the five working days, since one Tuesday is too few."""
    days = {resampled(hours(7 * 24), 48, np.random.default_rng(seed))[-1].start.weekday() for seed in range(60)}
    assert days == {0, 1, 2, 3, 4}


def test_less_than_three_days_are_drawn_in_runs() -> None:
    """Of 27 windows, runs of three follow each other."""
    drawn = resampled(hours(27), 9, np.random.default_rng(2))
    for first in (0, 3, 6):
        assert drawn[first : first + 3] == hours(3, drawn[first].start)
