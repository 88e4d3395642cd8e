"""How numbers and times are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llmmon_airflow.web import formatting as f

DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ms", DASH),
        (float("nan"), None, DASH),
        (0.0, None, "0"),
        (0.01388, "USD", "0.0139"),
        (5730.2, "ms", "5,730"),
        (61.25, None, "61.2"),
        (0.313, "0/1", "31.3%"),
        (-2.5, None, "-2.5"),
        (3.2e-7, None, "3.2\N{MULTIPLICATION SIGN}10\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT SEVEN}"),
        (float("inf"), None, "\N{INFINITY}"),
    ],
)
def test_number(value, unit, text):
    """Three significant digits; an absent value is a dash and never a zero."""
    assert f.number(value, unit) == text


@pytest.mark.parametrize(("value", "text"), [(0.75, "0.75"), (0.5, "0.5"), (1.0, "1"), (200.0, "200"), (0.0, "0")])
def test_tick(value, text):
    """An axis carries no zeros that only state precision."""
    assert f.tick(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, DASH), (0.001, "< 0.01"), (200.0, "200"), (99_999.0, "99,999")])
def test_e_value(value, text):
    """Small evidence is said to be small."""
    assert f.times(value) == text


def test_difference_between_shares_is_in_points():
    """A change from 8% to 13% is five percentage points, not five per cent."""
    assert f.signed(0.05, "0/1") == "+5.0 pp"
    assert f.signed(-84.7, "words") == "\N{MINUS SIGN}84.7"


@pytest.mark.parametrize(
    ("unit", "label"),
    [(None, ""), ("0/1", ""), ("share of sentences", "of sentences"), ("ms", "ms"), ("score", "score")],
)
def test_unit_label(unit, label):
    """A percentage says of what, where it knows."""
    assert f.unit_label(unit) == label


def test_times_are_utc():
    """A time of another zone is written in UTC."""
    berlin = timezone(timedelta(hours=2))
    assert f.moment(datetime(2023, 6, 27, 1, tzinfo=berlin)) == "26 Jun 2023 23:00"


def test_window_names_the_second_day_only_when_there_is_one():
    """The end of a window repeats the date only after midnight."""
    start = datetime(2023, 6, 27, 23, tzinfo=UTC)
    assert f.window(start - timedelta(hours=1), start) == "27 Jun 2023 22:00 to 23:00"
    assert f.window(start, start + timedelta(hours=1)) == "27 Jun 2023 23:00 to 28 Jun 00:00"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rule": "repeat", "temperature": 1.0}, "temperature 1.0"),
        (
            {"rule": "attribute_swap", "groups": ["man", "woman"], "terms": [{"from": "he", "to": "she", "start": 0}]},
            "groups man, woman; he → she",
        ),
        ({"rule": "typo"}, ""),
        ({"rule": "typo", "terms": [{}]}, "? → ?"),
    ],
)
def test_change_made(change, text):
    """What a variant changed reads as words, not as the record that is stored."""
    assert f.change_made(change) == text
