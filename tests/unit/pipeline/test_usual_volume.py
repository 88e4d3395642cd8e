"""What is usual for an hour, and when nothing can be said."""

from __future__ import annotations

import csv
import gzip
import math
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

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


def test_usual_is_a_factor_of_five_robust_spreads_and_at_least_two():
    """Steady hours allow half and twice; hours that scatter allow more, and one outlier moves nothing."""
    steady = judge(1, days([100, 101, 99, 100, 102, 98, 100]))
    assert (steady.low, steady.high) == pytest.approx((50, 200))
    wild = judge(1, days([100, 160, 40, 130, 70, 100, 100]))
    factor = 1.3 ** (5 * 1.4826)  # half of them lie within a factor of 1.3
    assert (wild.low, wild.high) == pytest.approx((100 / factor, 100 * factor))
    assert judge(1, days([100, 101, 99, 100, 102, 98, 100_000])).high == pytest.approx(200)


def test_the_same_weekday_counts_before_the_same_hour():
    """A quiet Monday is usual where Mondays are quiet, however busy the other days are."""
    before = {**days([1000] * 50), **days([10] * 8, apart=7)}
    found = judge(9, before)
    factor = math.exp(5 / math.sqrt(10))  # as much as a Poisson count of ten scatters
    assert (found.low, found.high, found.n_history) == (pytest.approx(10 / factor), pytest.approx(10 * factor), 8)


def test_an_hour_that_may_go_on_has_no_lower_limit():
    """So a log that is read within the hour is not called short."""
    assert judge(1, days([100] * 7), ended=False).low == 0


def test_hours_of_which_rows_are_held_say_nothing():
    """Neither are they judged, nor do they count as usual."""
    held = (HOUR - DAY, HOUR - DAY + timedelta(minutes=5))
    assert judge(1, days([100] * 7), kept_back=[held]).reason == "6 earlier hours are known, 7 are needed"
    assert "held or discarded" in judge(1, days([100] * 7), kept_back=[(HOUR, HOUR)]).reason


@pytest.mark.skipif("LLMMON_DATA" not in os.environ, reason="LLMMON_DATA names no folder of public data")
@pytest.mark.parametrize(("model", "least_called"), [("m-large", 0.9), ("m-small", 0.99)])
def test_on_two_weeks_of_a_real_service_few_hours_are_unusual_and_lost_ones_are_called(model, least_called):
    """At most 2% of the hours lie outside; of hours that lost nine requests in ten nearly all do."""
    path = Path(os.environ["LLMMON_DATA"], "traces_servegen_2025", f"rates_{model}.csv.gz")
    before: Counter[datetime] = Counter()
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            before[HOUR + timedelta(hours=int(row["window_start_s"]) // 3600)] += round(600 * float(row["rate_rps"]))
    judged = [
        (n, found.low, found.high)
        for hour, n in before.items()
        if (found := usual_volume(hour, n, before, kept_back=(), ended=True)).low is not None
    ]
    assert len(judged) >= 150
    assert sum(not low <= n <= high for n, low, high in judged) <= 0.02 * len(judged)
    assert sum(n / 10 < low for n, low, _ in judged) >= least_called * len(judged)
