"""What the detectors promise: expectation at most 1, false alarms within budget, planted shifts found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmmon.detectors.base import fold
from llmmon.detectors.bounded_mean import BoundedMean
from llmmon.detectors.e_benjamini_hochberg import reject
from llmmon.detectors.learned_stream import log_evidence
from llmmon.detectors.reference_change import ReferenceChange
from llmmon.detectors.seasonal_change import SHIFTED
from llmmon.detectors.slo_threshold import SloThreshold
from tests.unit.detectors.streams import stream

BURN_IN = 5


def change_evidence(values: np.ndarray, half_width: float | None = None) -> np.ndarray:
    """Return the e-values after the burn-in, NaN never."""
    found = fold(
        ReferenceChange(burn_in=BURN_IN),
        stream(values.tolist(), half_width=half_width),
        min_effect=0,
        direction="neither",
    )
    return np.array([item.e_value for item in found[BURN_IN:]], dtype=np.float64)


def slo_evidence(values: np.ndarray, half_width: float) -> np.ndarray:
    """Return the e-values against the limit 0."""
    found = fold(
        SloThreshold(limit=0, worse="above"),
        stream(values.tolist(), half_width=half_width),
        min_effect=0,
        direction="neither",
    )
    return np.array([item.e_value for item in found], dtype=np.float64)


def test_change_evidence_has_expectation_at_most_one_and_keeps_its_budget() -> None:
    """Under the null the mean at every window is at most 1 within error, and P(M ever >= 20) is at most 5%."""
    random = np.random.default_rng(20230627)
    paths = np.array([change_evidence(random.normal(50, 4, 30)) for _ in range(800)])

    # the evidence is heavy-tailed: what exceeds 100 is cut, which can only lower the mean
    cut = np.minimum(paths, 100)
    error = cut.std(axis=0) / np.sqrt(len(cut))
    assert np.all(cut.mean(axis=0) <= 1 + 4 * error)
    assert np.mean(paths.max(axis=1) >= 20) <= 0.05


def test_change_evidence_keeps_its_budget_over_five_hundred_windows() -> None:
    """Looked at after every one of 500 windows, at most 5% of the quiet streams ever reach 20."""
    random = np.random.default_rng(7)
    alarms = [change_evidence(random.normal(0, 1, 500)).max() >= 20 for _ in range(40)]
    assert np.mean(alarms) <= 0.05


def test_change_evidence_keeps_its_budget_on_rates_with_intervals() -> None:
    """Binomial rates of small windows, with their intervals, stay within the budget too."""
    random = np.random.default_rng(11)
    rates = random.binomial(60, 0.05, size=(200, 50)) / 60
    width = 1.96 * float(np.sqrt(0.05 * 0.95 / 60))
    assert np.mean([change_evidence(row, half_width=width).max() >= 20 for row in rates]) <= 0.05


@pytest.mark.parametrize(("shift", "within"), [(5.0, 8), (8.0, 4), (15.0, 2)])
def test_planted_shifts_are_found_within_few_windows(shift: float, within: int) -> None:
    """Nine of ten shifts, in deviations between windows, reach 80 (four streams at 5%) within so many windows."""
    random = np.random.default_rng(3)
    found = []
    for _ in range(200):
        values = random.normal(0, 1, 7 + within)
        values[7:] += shift
        found.append(change_evidence(values).max() >= 80)
    assert np.mean(found) >= 0.9


def test_a_deployment_of_dependent_streams_keeps_its_budget_over_its_life() -> None:
    """When nothing changes, e-BH looked at after every window ever rejects in at most alpha of the deployments."""
    random = np.random.default_rng(13)
    alpha, n_deployments, n_streams = 0.2, 150, 5
    alarmed = 0
    for _ in range(n_deployments):
        shared = random.normal(0, 1, 40)
        paths = [change_evidence(shared + random.normal(0, 1, 40)) for _ in range(n_streams)]
        looks = (dict(enumerate(values)) for values in np.array(paths).T)
        alarmed += any(reject(look, alpha=alpha).rejected for look in looks)
    assert alarmed / n_deployments <= alpha


def test_slo_evidence_keeps_its_budget_at_the_limit() -> None:
    """With the true value exactly at the limit, the worst case of the null, the mean is at most 1 and alarms <= 5%."""
    random = np.random.default_rng(5)
    paths = np.array([slo_evidence(random.normal(0, 1, 120), half_width=1.96) for _ in range(600)])
    cut = np.minimum(paths, 100)
    error = cut.std(axis=0) / np.sqrt(len(cut))
    assert np.all(cut.mean(axis=0) <= 1 + 4 * error)
    assert np.mean(paths.max(axis=1) >= 20) <= 0.05


def test_slo_evidence_finds_a_broken_promise() -> None:
    """Three standard errors beyond the limit reach 80 within five windows, also after a hundred good ones."""
    random = np.random.default_rng(9)
    for kept in (0, 100):
        values = np.concatenate([random.normal(-3, 1, kept), random.normal(3, 1, 12)])
        assert slo_evidence(values, half_width=1.96)[kept : kept + 12].max() >= 80


finite = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.none() | finite, max_size=25), width=st.none() | st.floats(0, 1e5))
def test_evidence_is_a_pure_prefix_function(values: list[float | None], width: float | None) -> None:
    """A re-run gives the same, later windows change nothing earlier, and every gap has a reason."""
    items = stream(values, half_width=width)
    for detector in (ReferenceChange(burn_in=3), SloThreshold(limit=1.5, worse="above")):
        whole = fold(detector, items, min_effect=0.5, direction="lower_is_better")
        assert whole == fold(detector, items, min_effect=0.5, direction="lower_is_better")
        half = len(items) // 2
        assert whole[:half] == fold(detector, items[:half], min_effect=0.5, direction="lower_is_better")
        assert [item.window for item in whole] == [item.window for item in items]
        assert all((item.e_value is None) == (item.reason is not None) for item in whole)
        assert all(item.e_value is None or 0 <= item.e_value <= 1.1e300 for item in whole)
        assert not any(item.relevant and item.value is None for item in whole)


def quiet_streams(kind: str, n_windows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values and squared standard errors of 180 streams in which nothing changes."""
    random = np.random.default_rng(seed)
    shape = (180, n_windows)
    none = np.zeros(shape)
    if kind == "normal":
        return random.normal(size=shape), none
    if kind == "heavy":
        return random.standard_t(3, size=shape), none
    if kind == "lognormal":
        return random.lognormal(0, 1, size=shape), none
    if kind == "dependent":
        z = random.normal(size=shape)
        for t in range(1, n_windows):
            z[:, t] += 0.8 * z[:, t - 1]
        return z, none
    if kind == "rhythm":
        day = np.sin(2 * np.pi * np.arange(n_windows) / 24) * (1 + (np.arange(n_windows) // 24 % 7 >= 5))
        return 4 * day + random.normal(size=shape) * (1.5 + day / 2), none
    if kind == "days":
        level = np.repeat(random.normal(size=(shape[0], n_windows // 24 + 1)), 24, axis=1)[:, :n_windows]
        return level + random.normal(size=shape), none
    if kind == "few events":  # most windows have none, and so the same value
        value = random.binomial(30, 0.02, size=shape) / 30
        return value, np.maximum(value * (1 - value), 0.01) / 30
    n = 120  # rates that vary more between windows than a binomial does
    rate = random.beta(3, 97, size=shape)
    value = random.binomial(n, rate) / n
    return value, np.maximum(value * (1 - value), 0.01) / n


QUIET = ("normal", "heavy", "lognormal", "dependent", "rhythm", "days", "rates", "few events")


@pytest.mark.parametrize("kind", QUIET)
def test_seasonal_evidence_keeps_its_budget_on_quiet_streams(kind: str) -> None:
    """P(M ever reaches 20) is at most 5% in the half year after four reference weeks, and its mean is at most 1."""
    reference, after = 24 * 28, 24 * 182
    values, variances = quiet_streams(kind, reference + after, seed=20)
    hours = 24.0 * 4 + np.arange(reference + after)  # a Monday
    log_e = log_evidence(values, variances, hours, SHIFTED, burn_in=reference)

    assert np.mean(log_e.max(axis=1) >= np.log(20)) <= 0.05
    cut = np.exp(np.minimum(log_e, np.log(100)))
    assert np.all(cut.mean(axis=0) <= 1 + 4 * cut.std(axis=0) / np.sqrt(len(cut)))


@pytest.mark.parametrize("kind", ["rates"])
def test_bets_on_bounded_means_keep_their_budget(kind: str) -> None:
    """The same for bets on rates, whose windows are more variable than a binomial's."""
    reference, after = 24 * 28, 24 * 182
    values, variances = quiet_streams(kind, reference + after, seed=21)
    hours = 24.0 * 4 + np.arange(reference + after)
    log_e = log_evidence(values, variances, hours, BoundedMean(burn_in=reference).alternatives, burn_in=reference)

    assert np.mean(log_e.max(axis=1) >= np.log(20)) <= 0.05
    cut = np.exp(np.minimum(log_e, np.log(100)))
    assert np.all(cut.mean(axis=0) <= 1 + 4 * cut.std(axis=0) / np.sqrt(len(cut)))


def test_a_rate_that_doubles_is_found_by_bets() -> None:
    """Errors that go from 3% to 8% in windows of 120 requests reach 4000 within two days in nine of ten streams."""
    reference = 24 * 28
    values, variances = quiet_streams("rates", reference + 72, seed=22)
    random = np.random.default_rng(23)
    values[:, reference + 24 :] += random.binomial(120, 0.05, size=(len(values), 48)) / 120
    hours = 24.0 * 4 + np.arange(values.shape[1])
    log_e = log_evidence(values, variances, hours, BoundedMean(burn_in=reference).alternatives, burn_in=reference)

    assert np.mean(log_e.max(axis=1) >= np.log(4000)) >= 0.9
