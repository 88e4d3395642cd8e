"""The calibrator and e-BH against hand-worked and numerically integrated values."""

from __future__ import annotations

import math

import pytest
from scipy import integrate

from llmmon.detectors.e_benjamini_hochberg import reject
from llmmon.detectors.e_value import LARGEST, bounded, log_add, log_e_from_p


def test_calibrator_integrates_to_one() -> None:
    """Over the uniform distribution the e-value has expectation 1; integrated over x = -ln p."""
    total, _ = integrate.quad(lambda x: math.exp(log_e_from_p(-x) - x), 0, 690, limit=500)
    tail = 1 / 690  # what lies beyond the cap: the integral of 1 / x**2
    assert total + tail == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("p", [1e-200, 1e-9, 0.003, 0.5, 0.99, 0.998])
def test_calibrator_is_its_closed_form(p: float) -> None:
    """Away from p = 1 the value is the published formula."""
    expected = (1 - p + p * math.log(p)) / (p * math.log(p) ** 2)
    assert math.exp(log_e_from_p(math.log(p))) == pytest.approx(expected, rel=1e-9)


def test_calibrator_is_continuous_where_its_series_begins() -> None:
    """The series near p = 1 meets the closed form."""
    assert log_e_from_p(-1e-3 * 1.0000001) == pytest.approx(log_e_from_p(-1e-3 * 0.9999999), abs=1e-8)


def test_calibrator_takes_a_p_value_that_underflowed() -> None:
    """p = 0 gives finite evidence."""
    assert 600 < log_e_from_p(-math.inf) < 700


def test_calibrator_refuses_what_is_no_p_value() -> None:
    """A p-value above 1 raises."""
    with pytest.raises(ValueError, match="at most 0"):
        log_e_from_p(0.1)


def test_log_add_and_bounded() -> None:
    """Logarithms add without overflow, and the result is capped."""
    assert log_add(math.log(2), math.log(3)) == pytest.approx(math.log(5))
    assert log_add(-math.inf, 1.5) == 1.5
    assert log_add(2000.0, 2000.0) == pytest.approx(2000 + math.log(2))
    assert bounded(5000.0) == pytest.approx(LARGEST)


@pytest.mark.parametrize(
    ("e_values", "alpha", "n_streams", "rejected", "threshold"),
    [
        # one stream: Ville's threshold 1 / alpha
        ({"a": 20.0}, 0.05, None, {"a"}, 20.0),
        ({"a": 19.9}, 0.05, None, set(), 20.0),
        # m / alpha = 80: 1*79 < 80, 2*41 >= 80 -> both, threshold 40
        ({"a": 79.0, "b": 41.0, "c": 3.0, "d": 1.0}, 0.05, None, {"a", "b"}, 40.0),
        # a step up: k = 1 and k = 2 fail (79, 78), k = 3 passes (3 * 27 = 81)
        ({"a": 79.0, "b": 39.0, "c": 27.0, "d": 0.0}, 0.05, None, {"a", "b", "c"}, 80 / 3),
        # streams still learning count in m: 25 / 0.05 = 500
        ({"a": 499.0}, 0.05, 25, set(), 500.0),
        ({"a": 500.0}, 0.05, 25, {"a"}, 500.0),
        ({}, 0.05, 3, set(), 60.0),
        ({}, 0.05, None, set(), 20.0),
    ],
)
def test_e_bh_worked_by_hand(
    e_values: dict[str, float], alpha: float, n_streams: int | None, rejected: set[str], threshold: float
) -> None:
    """The rejections and the threshold are those worked out beside each case."""
    decision = reject(e_values, alpha=alpha, n_streams=n_streams)
    assert decision.rejected == rejected
    assert decision.threshold == pytest.approx(threshold)


def test_e_bh_refuses_an_impossible_budget() -> None:
    """Alpha outside (0, 1) raises."""
    with pytest.raises(ValueError, match="probability"):
        reject({}, alpha=1.0)
