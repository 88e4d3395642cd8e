"""The mixture over starts against the sum it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from llmmon.detectors.start_mixture import advance, largest_excursion, log_start_weights, paths, tempering


def test_weights_of_all_starts_of_a_year_sum_to_at_most_one() -> None:
    """Half of the weight is spent evenly over a year, nearly all of the other half early."""
    weights = np.exp(log_start_weights(1, 8760, windows_per_year=8760))

    assert weights.sum() == pytest.approx(1.0, abs=0.002)
    assert weights.sum() <= 1
    assert weights[:24].sum() == pytest.approx(0.25 + 12 / 8760)  # 1/2 * (1 - 24/48), and 24 even shares of 1/2
    assert np.all(np.diff(weights) < 0)


def test_the_recursion_is_the_sum_over_starts() -> None:
    """A_t = sum over s of w_s first_s times the later ratios after s, window by window."""
    random = np.random.default_rng(1)
    first, later = random.normal(size=(2, 3, 6))
    weights = log_start_weights(1, 6, windows_per_year=100)

    found = paths(first, later, weights)
    log_a = np.full(3, -np.inf)
    for t in range(6):
        log_a = advance(log_a, first[:, t], later[:, t], float(weights[t]))
        expected = [
            sum(math.exp(weights[s] + first[j, s] + later[j, s + 1 : t + 1].sum()) for s in range(t + 1))
            for j in range(3)
        ]
        assert np.exp(found[:, t]) == pytest.approx(expected)
        assert np.exp(log_a) == pytest.approx(expected)


def test_a_window_without_value_changes_nothing() -> None:
    """No change begins with it, and evidence stays."""
    first = np.array([[0.5, -np.inf, 0.1]])
    later = np.array([[0.0, 0.0, 0.3]])
    found = paths(first, later, np.zeros(3))

    assert found[0, 1] == pytest.approx(found[0, 0])
    assert found[0, 2] == pytest.approx(np.logaddexp(0.5 + 0.3, 0.1))


def test_tempering_brings_the_largest_stretch_down_to_chance() -> None:
    """The best stretch of five windows gives 4; chance gives ln 5; so the power is ln 5 / 4."""
    first = np.array([-1.0, 1.0, -1.0, -2.0, 0.0])
    later = np.array([-1.0, 1.5, 3.0, -1.0, -1.0])

    assert largest_excursion(first, later) == pytest.approx(4.0)  # begins with the second window, goes on to the third
    assert tempering(first, later) == pytest.approx(math.log(5) / 4)
    assert tempering(first / 10, later / 10) == 1.0
