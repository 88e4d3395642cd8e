"""The geometry of the charts, by hand-computed positions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmmon_airflow.web.charts import Mark, Sight, evidence_chart, stream_chart
from llmmon_airflow.web.scales import nice_range

START = datetime(2023, 6, 27, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sight(hour, value, **more):
    """Return one hour's sight."""
    return Sight(start=START + hour * HOUR, end=START + (hour + 1) * HOUR, value=value, **more)


def test_positions_are_thousandths_across_and_pixels_down():
    """Two hours of 0 and 10 lie in the middle of their halves, on the bottom and the top of the plot."""
    chart = stream_chart([sight(0, 0.0), sight(1, 10.0)], "ms", height=240, margin=20)

    assert chart is not None
    assert [(stop.x, stop.y) for stop in chart.stops] == [(250.0, 220.0), (750.0, 20.0)]
    assert chart.lines == ["M250,220L750,20"]


@pytest.mark.parametrize(
    "sights",
    [[sight(0, 1.0), sight(1, None, reason="no rows"), sight(2, 2.0)], [sight(0, 1.0), sight(2, 2.0)]],
    ids=["a window without a value", "a window that was never measured"],
)
def test_line_is_broken_where_there_is_no_value(sights):
    """An absent value is a gap: no line bridges it and nothing is drawn at zero."""
    chart = stream_chart(sights, "ms")

    assert chart is not None
    assert len(chart.lines) == 2


def test_gap_says_its_reason():
    """The sentence of a window without a value carries the reason."""
    chart = stream_chart([sight(0, None, reason="no row has a latency")], "ms")

    assert chart is not None
    assert chart.stops[0].y is None
    assert chart.stops[0].label == "27 Jun 2023 05:00 to 06:00: no value. no row has a latency"


def test_sentence_of_a_window_says_how_sure_it_is():
    """Value, unit, interval, n and what was expected stand in one sentence."""
    chart = stream_chart([sight(0, 5730.0, low=5400.0, high=6100.0, n=41, reference=5700.0)], "ms")

    assert chart is not None
    assert chart.stops[0].label.endswith("5,730 ms, 95% interval 5,400 to 6,100, n = 41, expected 5,700")


def test_learning_windows_are_shaded_and_alerts_flagged():
    """The shade covers the learning windows; the flag stands at its window's value."""
    sights = [sight(0, 1.0, is_learning=True), sight(1, 1.0, is_learning=True), sight(2, 2.0), sight(3, 2.0)]
    mark = Mark(start=START + 2 * HOUR, alert_id=7, title="moved", severity="critical")
    chart = stream_chart(sights, "ms", marks=[mark])

    assert chart is not None
    assert chart.shaded == [(0.0, 500.0)]
    assert [(flag.x, flag.mark.alert_id) for flag in chart.flags] == [(625.0, 7)]
    assert chart.flags[0].y == chart.stops[2].y


def test_evidence_is_logarithmic_and_bounded():
    """On the evidence chart ten times more is the same step; zero and infinity stay on the canvas."""
    chart = evidence_chart([sight(i, value) for i, value in enumerate((1.0, 10.0, 100.0, 0.0))], threshold=100.0)

    assert chart is not None
    ys = [stop.y for stop in chart.stops]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    assert chart.limit == (ys[2], "alert at 100")
    assert ys[3] == chart.bottom
    endless = evidence_chart([sight(0, 5.0), sight(1, float("inf"))], threshold=None)
    assert endless is not None
    assert endless.top - 0.1 <= endless.stops[1].y <= endless.bottom


def test_no_window_no_chart():
    """Without windows there is nothing to draw, rather than an empty frame."""
    assert stream_chart([], "ms") is None
    assert evidence_chart([sight(0, None)], threshold=20.0) is None


@example([5e-324])
@given(st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=1, max_size=30))
def test_range_holds_every_value(values):
    """Whatever the values, the range holds them and its ticks go up in few even steps."""
    low, high, ticks = nice_range(values)

    slack = 1e-6 * max(abs(low), abs(high), high - low)
    assert low - slack <= min(values)
    assert max(values) <= high + slack
    assert 2 <= len(ticks) <= 8
    assert all(a < b for a, b in itertools.pairwise(ticks))
