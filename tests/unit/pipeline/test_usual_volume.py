"""What is usual for an hour, and when nothing can be said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from llmmon.pipeline.usual_volume import usual_volume

HOUR = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def days(counts, *, apart=1):
    """Return hours before `HOUR`, so many days apart, with these counts, newest first."""
    return {HOUR - (step + 1) * apart * DAY: n for step, n in enumerate(counts)}


def judge(n, before, *, kept_back=(), ended=True):
    """Judge `n` requests at `HOUR`."""
    return usual_volume(HOUR, n, before, kept_back=kept_back, ended=ended)


def test_fewer_than_seven_earlier_days_are_no_measure():
    """It says how many there are."""
    found = judge(1, days([100] * 6))
    assert (found.low, found.high) == (None, None)
    assert found.reason == "6 earlier hours are known, 7 are needed"


def test_usual_is_five_robust_spreads_and_at_least_half_to_twice():
    """Steady hours allow half and twice; hours that scatter allow more, and one outlier moves nothing."""
    steady = judge(1, days([100, 101, 99, 100, 102, 98, 100]))
    assert (steady.low, steady.high) == (50, 200)
    wild = judge(1, days([100, 160, 40, 130, 70, 100, 100]))
    assert wild.low == 0
    assert wild.high == pytest.approx(100 + 5 * 1.4826 * 30)
    assert judge(1, days([100, 101, 99, 100, 102, 98, 100_000])).high == 200


def test_the_same_weekday_counts_before_the_same_hour():
    """A quiet Monday is usual where Mondays are quiet, however busy the other days are."""
    before = {**days([1000] * 50), **days([10] * 8, apart=7)}
    found = judge(9, before)
    assert (found.low, found.high, found.n_history) == (0, 10 + 5 * 10**0.5, 8)


def test_an_hour_that_may_go_on_has_no_lower_limit():
    """So a log that is read within the hour is not called short."""
    assert judge(1, days([100] * 7), ended=False).low == 0


def test_hours_of_which_rows_are_held_say_nothing():
    """Neither are they judged, nor do they count as usual."""
    held = (HOUR - DAY, HOUR - DAY + timedelta(minutes=5))
    assert judge(1, days([100] * 7), kept_back=[held]).reason == "6 earlier hours are known, 7 are needed"
    assert "held or discarded" in judge(1, days([100] * 7), kept_back=[(HOUR, HOUR)]).reason
