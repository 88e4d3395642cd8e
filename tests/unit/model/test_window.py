"""Windows of event time."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest

from llmmon.model import Window


def test_a_window_is_kept_in_utc() -> None:
    """Whatever zone the ends come in, the key is UTC."""
    berlin = timezone(timedelta(hours=2))
    window = Window(start=datetime(2023, 6, 27, 8, tzinfo=berlin), end=datetime(2023, 6, 27, 9, tzinfo=berlin))

    assert window.key == "2023-06-27T06:00:00"
    assert str(window) == "2023-06-27T06:00:00/2023-06-27T07:00:00"


def test_the_end_belongs_to_the_next_window() -> None:
    """A window is half open."""
    window = Window.parse("2023-06-27T06:00", hours=1)

    assert datetime(2023, 6, 27, 6, tzinfo=UTC) in window
    assert datetime(2023, 6, 27, 7, tzinfo=UTC) not in window


def test_split_covers_without_gap_or_overlap() -> None:
    """The parts follow one another and have the length asked for."""
    parts = list(Window.parse("2023-06-27T06:00/2023-06-27T09:00").split(timedelta(hours=1)))

    assert [part.key for part in parts] == ["2023-06-27T06:00:00", "2023-06-27T07:00:00", "2023-06-27T08:00:00"]
    assert all(left.end == right.start for left, right in itertools.pairwise(parts))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2023-06-27T06:00", "expected START/END"),
        ("2023-06-27T07:00/2023-06-27T06:00", "before the end"),
        ("noon/two", "noon"),
    ],
)
def test_what_is_no_window_is_refused(text: str, message: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match=message):
        Window.parse(text)


def test_ends_need_a_zone() -> None:
    """A naive time is nobody's time."""
    with pytest.raises(ValueError, match="need a timezone"):
        Window(start=datetime(2023, 6, 27, 6), end=datetime(2023, 6, 27, 7, tzinfo=UTC))  # noqa: DTZ001  the point of the test
