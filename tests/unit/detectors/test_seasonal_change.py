"""The seasonal detector on hand-made streams: what it learns, what it says, and that its two forms agree."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from llmmon.detectors.base import fold
from llmmon.detectors.baseline import Baseline, innovations
from llmmon.detectors.bounded_mean import BoundedMean
from llmmon.detectors.e_value import LOG_LARGEST
from llmmon.detectors.learned_stream import log_evidence, restart
from llmmon.detectors.rhythm import hours_of
from llmmon.detectors.seasonal_change import SHIFTED, SHIFTS, SeasonalChange, shift_ratios
from llmmon.detectors.start_mixture import log_start_weights
from llmmon.model import Evidence
from tests.unit.detectors.streams import START, stream

DAYS = 14
R = 24 * DAYS
ERROR = 0.05


def quiet(n_days: int, *, seed: int = 0) -> np.ndarray:
    """Return hourly shares with a daily rhythm and noise."""
    random = np.random.default_rng(seed)
    t = np.arange(24 * n_days)
    return 0.5 + 0.2 * np.sin(2 * np.pi * t / 24) + random.normal(0, 0.02, len(t))


def judge(values: np.ndarray, detector: SeasonalChange | BoundedMean | None = None) -> list[Evidence]:
    """Return the evidence of a stream whose windows have a standard error."""
    return fold(
        detector or SeasonalChange(burn_in=R),
        stream(values.tolist(), half_width=1.959963984540054 * ERROR),
        min_effect=0.05,
        direction="lower_is_better",
    )


def test_both_forms_give_the_same_evidence() -> None:
    """Many streams at once, and one by one, window by window through JSON."""
    values = np.array([quiet(18, seed=1), quiet(18, seed=2)])
    values[1, R + 30 :] += 0.2
    hours = hours_of(START) + np.arange(values.shape[1])
    for detector, alternatives in (
        (SeasonalChange(burn_in=R), SHIFTED),
        (BoundedMean(burn_in=R), BoundedMean(burn_in=R).alternatives),
    ):
        at_once = log_evidence(
            values,
            np.full(values.shape, ERROR**2),
            hours,
            alternatives,
            burn_in=R,
            min_effect=0.05,
        )
        for row, expected in zip(values, at_once, strict=True):
            found = [math.log(item.e_value) for item in judge(row, detector)[R:] if item.e_value is not None]
            assert found == pytest.approx(np.minimum(expected, LOG_LARGEST).tolist(), rel=1e-9, abs=1e-9)


def test_weights_of_the_alternatives_add_up_to_one() -> None:
    """Else the mixed evidence would be no e-value; a shift of half the size has twice the weight, either way."""
    for alternatives in (SHIFTED, BoundedMean(burn_in=R).alternatives):
        assert np.exp(alternatives.log_weights).sum() == pytest.approx(1)
    weights = dict(zip(SHIFTS.tolist(), np.exp(SHIFTED.log_weights).tolist(), strict=True))
    assert weights[0.5] == pytest.approx(2 * weights[1.0])
    assert weights[-0.5] == weights[0.5]


def test_state_is_json_and_does_not_grow() -> None:
    """After the reference every state has the same size, and going on from its JSON gives the same evidence."""
    detector, windows = SeasonalChange(burn_in=R), stream(quiet(20).tolist(), half_width=0.1)
    state = detector.begin()
    sizes = []
    for item in windows:
        state, evidence = detector.step(
            json.loads(json.dumps(state)), item, min_effect=0.05, direction="lower_is_better"
        )
        sizes.append(len(json.dumps(state)))
    straight = fold(detector, windows, min_effect=0.05, direction="lower_is_better")

    assert evidence == straight[-1]
    assert max(sizes[R:]) < 8000
    assert max(sizes[R:]) - min(sizes[R:]) < 400


def test_it_says_how_much_it_still_needs() -> None:
    """Windows of the reference give no evidence and a reason with a number; absent ones do not count."""
    values: list[float | None] = [*quiet(14)]
    values.insert(3, None)
    found = fold(SeasonalChange(burn_in=R), stream(values), min_effect=0.05, direction="neither")

    assert found[0].reason == "cannot tell yet: needs 335 more windows to learn what is usual"
    assert found[3].reason == "no value: no requests"
    assert found[R - 1].reason == "cannot tell yet: needs 1 more window to learn what is usual"
    assert found[R].reason == "cannot tell yet: what is usual is learnt with this window"
    assert all(item.e_value is None for item in found)


def test_a_rhythm_is_not_a_change_and_a_shift_at_night_is() -> None:
    """The swing of a day is five times the shift; it is expected. The shift is found, and when it began is said."""
    values = quiet(24)
    values[R + 27 :] += 0.08
    found = judge(values)

    assert max(item.e_value or 0 for item in found[: R + 27]) < 1
    alarm = next(i for i, item in enumerate(found) if (item.e_value or 0) > 4000)
    assert alarm - (R + 27) < 24
    began = datetime.fromisoformat(f"{found[alarm].detail['likeliest_start']}").replace(tzinfo=UTC)
    assert abs(began - found[R + 27].window.start) <= timedelta(hours=2)
    assert found[alarm].reference_value == pytest.approx(0.5 + 0.2 * np.sin(2 * np.pi * alarm / 24), abs=0.03)


def test_a_person_who_accepts_the_new_level_keeps_the_rhythm() -> None:
    """After a restart the level is learnt from 48 windows; hours, spread and dependence are known already."""
    detector, values = SeasonalChange(burn_in=R), quiet(30)
    values[R:] += 0.2
    windows = stream(values.tolist(), half_width=0.1)
    state = detector.begin()
    for item in windows[: R + 5]:
        state, _ = detector.step(state, item, min_effect=0.05, direction="neither")
    state = restart(state)
    found = []
    for item in windows[R + 5 :]:
        state, evidence = detector.step(state, item, min_effect=0.05, direction="neither")
        found.append(evidence)

    assert found[0].reason == "cannot tell yet: needs 47 more windows to learn what is usual"
    tested = found[48:]
    assert all(item.e_value is not None and item.e_value < 20 for item in tested)
    assert all(abs(item.effect or 0) < 0.1 for item in tested)


def test_what_an_older_llmmon_stored_is_learnt_anew() -> None:
    """A state without what is needed now gives no evidence and says so."""
    detector, windows = SeasonalChange(burn_in=48), stream(quiet(3).tolist(), half_width=0.1)
    state = detector.begin()
    for item in windows[:50]:
        state, _ = detector.step(state, item, min_effect=0.05, direction="neither")
    known = state["known"] | {"version": 1}
    state, evidence = detector.step({**state, "known": known}, windows[50], min_effect=0.05, direction="neither")

    assert evidence.e_value is None
    assert evidence.reason == "cannot tell yet: needs 47 more windows to learn what is usual"


def test_a_ratio_is_that_of_the_densities() -> None:
    """Without band and dependence the ratio is the t density shifted by the size over the t density, worked by hand."""
    one = np.ones(1)
    quiet_days = learn_normal()
    baseline = Baseline(
        rhythm=quiet_days.rhythm,
        correlation=0 * one,
        centre=0 * one,
        scale=one,
        tails=3 * one,
        error=0 * one,
        band=0 * one,
        n=one,
        level_error=0 * one,
    )
    z = np.array([[0.0, 4.0]])
    first, later = shift_ratios(baseline, z, 0 * z, z, z)
    place = int(np.flatnonzero(SHIFTS == 4.0)[0])

    # (1 + 16/3)^2 for a value on its shift, against a value 4 scales out
    assert first[0, place, 1] == pytest.approx(2 * math.log(1 + 16 / 3))
    assert later[0, place, 1] == pytest.approx(first[0, place, 1])


def learn_normal() -> Baseline:
    """Return a baseline of independent normal hours."""
    values = np.random.default_rng(0).normal(size=(1, R))
    return Baseline.learn(values, np.zeros(values.shape), hours_of(START) + np.arange(float(R)))


def test_a_level_that_wanders_in_its_band_is_no_evidence_on_average() -> None:
    """For every level in the band each shift's mean ratio is at most 1 by integration."""
    from scipy import integrate, stats

    base = learn_normal()
    baseline = Baseline(
        rhythm=base.rhythm,
        correlation=np.array([0.0]),
        centre=np.array([0.0]),
        scale=np.array([1.0]),
        tails=np.array([4.0]),
        error=np.array([0.0]),
        band=np.array([0.7]),
        n=np.array([1.0]),
        level_error=np.array([0.0]),
    )
    for level in (-0.7, -0.3, 0.0, 0.5, 0.7):
        for place in (0, 3, 6, 11):

            def mean_ratio(u: float, level: float = level, place: int = place) -> float:
                z = np.array([[0.0, u]])
                return math.exp(shift_ratios(baseline, z, 0 * z, z, z)[0][0, place, 1]) * stats.t.pdf(u - level, 4)

            mean, _ = integrate.quad(mean_ratio, -80, 80, limit=400, points=[-0.7, 0.7, float(SHIFTS[place])])
            assert mean <= 1 + 1e-6


def test_an_estimated_level_is_integrated_out_of_both_sides() -> None:
    """The e-value is the likelihood of all changes over that of none, summed over levels: worked by brute force."""
    from scipy import stats

    values = np.random.default_rng(4).normal(size=(1, R + 3))
    hours, none = hours_of(START) + np.arange(R + 3.0), np.zeros((1, R + 3))
    found = log_evidence(values, none, hours, SHIFTED, burn_in=R)[0]
    base = Baseline.learn(values[:, :R], none[:, :R], hours[:R])
    expected, spread = base.expectation(none, hours)
    assert (base.band[0], base.correlation[0] < 0.1) == (0, True)

    u = innovations((values - expected) / spread, base.correlation)[0, R:] - base.centre[0]
    away = np.linspace(-4, 4, 1 + 2 * math.ceil(4 * base.level_error[0] * 16))
    weights = log_start_weights(1, 3, windows_per_year=8760)
    keep, scale = 1 - base.correlation[0], base.scale[0]

    def density(place: int, level: float, shift: float) -> float:
        return float(stats.t.pdf((u[place] - keep * level - shift) / scale, base.tails[0]))

    changed = quiet_level = 0.0
    for level, prior in zip(away * base.level_error[0], stats.norm.pdf(away), strict=True):
        quiet_level += prior * math.prod(density(place, level, 0) for place in range(3))
        for start in range(3):
            for shift in SHIFTS:
                one = math.exp(weights[start]) / abs(shift) / (1 / abs(SHIFTS)).sum() * prior
                for place in range(3):
                    jump = shift * (1 if place == start and base.correlation[0] > 0 else keep)
                    one *= density(place, level, jump if place >= start else 0)
                changed += one
    cost_free = math.log(changed / quiet_level)
    assert found[-1] <= cost_free + 1e-9  # what the reference days gave too much is taken off
    assert found[-1] == pytest.approx(cost_free, abs=0.05)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_a_constant_reference_stays_finite(value: float) -> None:
    """Nothing divides by zero; the same value again is no evidence, another one is, and is finite."""
    same = fold(SeasonalChange(burn_in=48), stream([value] * 80), min_effect=0.1, direction="neither")
    step = fold(
        SeasonalChange(burn_in=48), stream([value] * 60 + [value + 1] * 20), min_effect=0.1, direction="neither"
    )

    assert all(item.e_value is not None and item.e_value <= 1 for item in same[48:])
    assert step[-1].e_value is not None
    assert step[-1].e_value > 4000
    assert all(math.isfinite(item.e_value) for item in step[48:] if item.e_value is not None)


def test_bets_on_a_share_are_the_products_they_claim_to_be() -> None:
    """With a known expectation m and no band the stake's bet multiplies wealth by 1 + stake (y - m) / m."""
    base = learn_normal()
    flat = Baseline(
        rhythm=base.rhythm, correlation=np.zeros(1), centre=np.zeros(1), scale=np.ones(1), tails=np.full(1, 3.0),
        error=np.zeros(1), band=np.zeros(1), n=np.ones(1), level_error=np.zeros(1),
    )  # fmt: skip
    expected, spread = np.full((1, 2), 0.02), np.full((1, 2), 0.01)
    z = (np.array([[0.02, 0.10]]) - expected) / spread
    first, later = BoundedMean(burn_in=24).bets(flat, z, 0 * z, expected, spread)

    up, down = first[0, :4, 1], first[0, 4:, 1]
    assert np.exp(up) == pytest.approx([1 + stake * 4 for stake in (1 / 32, 1 / 8, 1 / 2, 7 / 8)])
    assert np.exp(down) == pytest.approx([1 - stake * 0.08 / 0.98 for stake in (1 / 32, 1 / 8, 1 / 2, 7 / 8)])
    assert np.array_equal(first[..., 1], later[..., 1])


def test_a_value_outside_of_the_range_is_told_and_harms_nothing() -> None:
    """A share above 1 ends its window without evidence; the windows after go on."""
    values = [*([0.1, 0.12] * 24), 1.5, 0.1]
    found = fold(BoundedMean(burn_in=48), stream(values), min_effect=0.1, direction="neither")

    assert found[48].e_value is None
    assert found[48].reason == "the value is outside of 0 to 1, which the detector was told it cannot leave"
    assert found[49].e_value is not None
