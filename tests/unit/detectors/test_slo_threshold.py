"""The SLO detector, window by window."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from llmmon.detectors.base import fold
from llmmon.detectors.e_value import log_e_from_p
from llmmon.detectors.slo_threshold import SloThreshold
from tests.unit.detectors.streams import stream


def test_first_two_windows_worked_by_hand() -> None:
    """M_1 = e_1 / 2 + 1 / 2 and M_2 = (e_1 / 2 + 1 / 6) e_2 + 1 / 3, with one-sided normal p-values."""
    error = 10 / stats.norm.ppf(0.975)
    e1, e2 = (math.exp(log_e_from_p(stats.norm.logsf((value - 100) / error))) for value in (110.0, 120.0))

    first, second = fold(
        SloThreshold(limit=100, worse="above"),
        stream([110.0, 120.0], half_width=10),
        min_effect=15,
        direction="lower_is_better",
    )

    assert first.e_value == pytest.approx(e1 / 2 + 1 / 2)
    assert second.e_value == pytest.approx((e1 / 2 + 1 / 6) * e2 + 1 / 3)
    assert (first.relevant, second.relevant) == (False, True)
    assert (second.reference_value, second.effect) == (100, 20.0)


def test_a_limit_from_below_mirrors_one_from_above() -> None:
    """Accuracy that must not fall below 0.9 is the mirror image of a latency that must not rise."""
    below = fold(
        SloThreshold(limit=0.9, worse="below"),
        stream([0.85, 0.95, 0.7], half_width=0.04),
        min_effect=0.1,
        direction="higher_is_better",
    )
    above = fold(
        SloThreshold(limit=-0.9, worse="above"),
        stream([-0.85, -0.95, -0.7], half_width=0.04),
        min_effect=0.1,
        direction="lower_is_better",
    )
    assert [item.e_value for item in below] == pytest.approx([item.e_value for item in above])
    assert [item.relevant for item in below] == [item.relevant for item in above] == [False, False, True]


def test_a_kept_promise_gives_no_evidence() -> None:
    """Windows within the limit only lower the evidence."""
    evidence = fold(
        SloThreshold(limit=100, worse="above"),
        stream([80.0] * 50, half_width=5),
        min_effect=0,
        direction="lower_is_better",
    )
    assert all(item.e_value is not None and item.e_value < 1 for item in evidence)
    assert not any(item.relevant for item in evidence)


def test_windows_that_say_nothing_are_skipped_with_a_reason() -> None:
    """No value, no interval and an interval without width are reasons, never zeros; the rest goes on as before."""
    detector = SloThreshold(limit=100, worse="above")
    whole = [*stream([120.0], half_width=10), *stream([None, 120.0]), *stream([120.0], half_width=0)]
    again = stream([120.0, 130.0], half_width=10)

    evidence = fold(detector, [*whole, again[1]], min_effect=0, direction="neither")
    alone = fold(detector, again, min_effect=0, direction="neither")

    assert [item.e_value is None for item in evidence] == [False, True, True, True, False]
    assert [item.reason for item in evidence[1:4]] == [
        "no value: no requests",
        "no interval: the metric gave none",
        "the interval has no width, so the window says nothing of its own uncertainty",
    ]
    assert evidence[4].e_value == alone[1].e_value


@pytest.mark.parametrize("parameters", [{"limit": math.nan, "worse": "above"}, {"limit": 1.0, "worse": "up"}])
def test_impossible_parameters_are_refused(parameters: dict[str, object]) -> None:
    """NaN as a limit and an unknown side raise ValueError."""
    with pytest.raises(ValueError, match=r"limit is nan|worse is 'up'"):
        SloThreshold(**parameters)  # type: ignore[arg-type]
