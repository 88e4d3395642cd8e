"""What reference windows teach, against hand-worked numbers and known processes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from llmmon.detectors.baseline import Baseline, day_blocks, innovations, resampled_days
from llmmon.detectors.rhythm import Rhythm, hours_of, weekday_of

MONDAY = hours_of(datetime(2023, 5, 1, tzinfo=UTC))


def hourly(n_days: int) -> np.ndarray:
    """Return the starts of hourly windows from a Monday on."""
    return MONDAY + np.arange(24.0 * n_days)


def learn(values: np.ndarray, error: float = 0.0) -> Baseline:
    """Learn from hourly windows of equal standard error."""
    return Baseline.learn(values, np.full(values.shape, error**2), hourly(values.shape[1] // 24))


def test_days_of_the_week_are_those_of_the_calendar() -> None:
    """1 May 2023 was a Monday, 7 May a Sunday."""
    moments = [datetime(2023, 5, day, 13, tzinfo=UTC) for day in range(1, 8)]
    assert weekday_of(np.array([hours_of(item) for item in moments])).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_a_clean_rhythm_is_learnt_exactly() -> None:
    """Hour of day and weekend, without noise: what is expected of the week after is what happens."""
    hours = hourly(14)
    values = (hours % 24 + 100 * (weekday_of(hours) >= 5))[None, :]
    rhythm = Rhythm.learn(values, np.zeros(values.shape), hours)
    later = hours + 14 * 24

    assert rhythm.at(later)[0][0] == pytest.approx(values[0])
    assert rhythm.at(later)[1][0] == pytest.approx(0, abs=1e-18)


def test_days_of_the_week_are_learnt_from_four_weeks() -> None:
    """A Tuesday that is 5 higher than other days is expected to be so, from 28 days on and not from 14."""
    for n_days, expected in ((28, 5.0), (14, 1.0)):  # of 14 days the mean of five working days moves by 1
        hours = hourly(n_days)
        values = np.where(weekday_of(hours) == 1, 5.0, 0.0)[None, :]
        rhythm = Rhythm.learn(values, np.zeros(values.shape), hours)
        at = rhythm.at(np.array([MONDAY + 24 * 7 * 10 + 24 + 9]))[0][0, 0]
        assert at == pytest.approx(expected, abs=0.35)


def test_noise_gets_no_rhythm() -> None:
    """Where hours differ by chance alone their means are drawn together: most of what is fitted to noise is gone."""
    random = np.random.default_rng(5)
    values = random.normal(size=(200, 24 * 7))
    rhythm = Rhythm.learn(values, np.zeros(values.shape), hourly(7))
    plain = values.reshape(200, 7, 24).mean(axis=1)

    assert rhythm.expected.std(axis=1).mean() < 0.35 * plain.std(axis=1).mean()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_days", [1, 2])
def test_hours_that_are_all_alike_have_no_rhythm(n_days: int) -> None:
    """Half of the windows are 900 and half are 1,100, every hour as often: 1,000 is expected, and nothing warns."""
    values = np.where(np.arange(24 * n_days) < 12 * n_days, 900.0, 1100.0)[None, :]
    rhythm = Rhythm.learn(values, np.zeros(values.shape), hourly(n_days))

    assert rhythm.at(hourly(7))[0][0] == pytest.approx(1000)


def test_the_variance_between_windows_is_what_errors_do_not_explain() -> None:
    """Values vary by 0.3 between windows and by 0.4 inside them: the first is found, the second is not counted."""
    random = np.random.default_rng(6)
    values = 7 + random.normal(0, 0.3, (50, 24 * 28)) + random.normal(0, 0.4, (50, 24 * 28))
    rhythm = Rhythm.learn(values, np.full(values.shape, 0.16), hourly(28))

    assert np.sqrt(rhythm.variance.mean()) == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.8])
def test_dependence_between_windows_is_found(phi: float) -> None:
    """The correlation of an autoregressive stream is estimated, and innovations lose it."""
    random = np.random.default_rng(7)
    z = random.normal(size=(40, 24 * 28))
    for t in range(1, z.shape[1]):
        z[:, t] += phi * z[:, t - 1]
    baseline = learn(z)

    assert np.median(baseline.correlation) == pytest.approx(phi, abs=0.05)
    u = innovations((z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True), baseline.correlation)
    left = [np.corrcoef(row[2:], row[1:-1])[0, 1] for row in u]
    assert np.median(np.abs(left)) < 0.05


def test_after_a_gap_a_window_is_not_compared_with_an_older_one() -> None:
    """The innovation is z shrunk by 1 - phi where the window before is missing."""
    z = np.array([[2.0, 4.0, np.nan, 6.0]])
    u = innovations(z, np.array([0.5]))
    assert u[0, [0, 1, 3]].tolist() == [1.0, 3.0, 3.0]
    assert np.isnan(u[0, 2])


def test_tails_and_scale_are_those_of_the_process() -> None:
    """Normal noise gets light tails, Student's t with 2 degrees of freedom heavy ones; never lighter than the truth."""
    random = np.random.default_rng(8)
    normal, heavy = learn(random.normal(size=(60, 672))), learn(random.standard_t(2, size=(60, 672)))

    assert np.median(normal.tails) >= 20
    assert np.all(heavy.tails <= 3)
    # the spread of z is 1 or a little less, for its cell's own mean was fitted; the scale is raised by 2 / sqrt(672)
    assert 0.98 < np.median(normal.scale) < 1.09


def test_a_level_that_wanders_from_day_to_day_widens_the_band() -> None:
    """Days whose level varies as much as hours do get a band that holds them; independent hours a narrow one."""
    random = np.random.default_rng(9)
    hour = random.normal(size=(40, 28, 24))
    calm, wandering = learn(hour.reshape(40, -1)), learn((hour + random.normal(size=(40, 28, 1))).reshape(40, -1))

    assert np.median(calm.band) < 0.5
    assert np.median(wandering.band) > 1.5


def test_blocks_are_days_or_weeks() -> None:
    """24 hourly windows, 4 of six hours, 7 of a day; and resampling keeps whole blocks, the same ones every time."""
    assert [day_blocks(np.array([0.0, step])) for step in (1, 6, 24)] == [24, 4, 7]
    places = resampled_days(50, 24, n_windows=200)
    assert places[:48].tolist() == list(range(48))
    assert len(places) == 216
    assert np.all(np.diff(places.reshape(-1, 24), axis=1) == 1)
    assert np.array_equal(places, resampled_days(50, 24, n_windows=200))


def test_few_events_do_not_look_like_a_spike() -> None:
    """Six windows in ten without an event are one value; the scale is still that of the shares, and tails are light."""
    value = np.random.default_rng(11).binomial(30, 0.02, size=(20, 24 * 28)) / 30
    baseline = learn(value, error=0.03)

    assert np.all(baseline.scale > 0.8 * baseline.scale.mean())
    assert np.median(baseline.scale) > 0.6 * np.median(((value - 0.02) / 0.03).std(axis=1))
    assert np.all(baseline.tails >= 4)


def test_days_that_differ_by_chance_have_no_band_and_others_do() -> None:
    """Independent hours have none in most streams; a level that moves from day to day by a window's spread has."""
    random = np.random.default_rng(12)
    hours = random.normal(size=(40, 24 * 28))
    days = np.repeat(random.normal(size=(40, 28)), 24, axis=1)

    assert np.median(learn(hours).band) == 0
    assert np.all(learn(hours + days).band > 1)


def test_the_centre_follows_half_a_mean_and_an_outage_hardly_moves_it() -> None:
    """A window 0.2 off its centre moves it by 0.1/(n + 1), times what Student's t weighs it by; one without, not."""
    base = learn(np.random.default_rng(13).normal(size=(1, 24 * 28)))
    known = replace(base, tails=np.array([60.0]), scale=np.ones(1), band=np.ones(1))
    centre, n = np.array([0.5]), np.array([99.0])

    assert known.next_centre(centre, np.array([0.2]), n)[0] == pytest.approx(0.5 + 63 / 60.04 * 0.2 / 200)
    assert known.next_centre(centre, np.array([50.0]), n)[0] - 0.5 < 0.01
    assert known.next_centre(centre, np.array([np.nan]), n)[0] == 0.5
    assert base.band[0] == 0  # its level's error is integrated out instead
    assert base.next_centre(centre, np.array([0.2]), n)[0] == 0.5


def test_what_is_granted_is_told_by_no_window() -> None:
    """Most windows keep far closer together than the floor, some do not: all are weighed by the floor at least."""
    random = np.random.default_rng(14)
    error = np.where(random.random((20, 24 * 28)) < 0.25, 3.0, 0.3)
    values = 40 + error * random.normal(size=error.shape)
    for floor in (0.0, 1.0, 2.0):
        baseline = Baseline.learn(values, error**2, hourly(28), floor=floor)
        spread = baseline.expectation(error**2, hourly(28), floor=floor)[1]
        weighed = baseline.scale[:, None] * spread
        assert weighed.min() >= 0.95 * floor
        assert np.median(weighed[error == 3.0]) >= 2


def test_the_centre_is_the_likeliest_one_of_the_density_that_evidence_is_counted_with() -> None:
    """Skewed values with ties: any other centre would give a small shift some evidence in every reference window."""
    random = np.random.default_rng(11)
    values = random.binomial(30, [[0.85], [0.98], [0.02]], size=(3, 24 * 28)) / 30
    variances, hours = np.maximum(values * (1 - values), 0.01) / 30, hourly(28)
    baseline = Baseline.learn(values, variances, hours)
    expected, spread = baseline.expectation(variances, hours)
    u = innovations((values - expected) / spread, baseline.correlation)

    def likelihood(away: float) -> np.ndarray:
        return baseline.log_density(u - (baseline.centre + away)[:, None]).sum(axis=1)

    assert (likelihood(0) > likelihood(0.002)).all()
    assert (likelihood(0) > likelihood(-0.002)).all()


def test_a_baseline_survives_json() -> None:
    """What is stored in Postgres is the baseline, to the last digit."""
    random = np.random.default_rng(10)
    baseline = learn(random.normal(size=(1, 24 * 28)))
    back = Baseline.from_json(baseline.to_json())

    hours = hourly(3) + 24 * 40
    variances = np.full((1, len(hours)), 0.01)
    for mine, theirs in zip(baseline.expectation(variances, hours), back.expectation(variances, hours), strict=True):
        assert np.array_equal(mine, theirs)
    for name in ("correlation", "centre", "scale", "tails", "error", "band", "n", "level_error"):
        assert np.array_equal(getattr(baseline, name), getattr(back, name))
