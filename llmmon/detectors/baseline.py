"""What reference windows teach of a stream while nothing changes: rhythm, spread, dependence and tails."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from llmmon.detectors.rhythm import Ints, Rhythm
from llmmon.detectors.start_mixture import Floats

TAILS: Final = (1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 60.0)
"""Degrees of freedom among which the heaviness of the tails is chosen."""
_LARGEST_CORRELATION: Final = 0.95
_LIKELIHOOD_GIVEN_UP: Final = 1.0
"""The heaviest tails are taken whose log likelihood is within so much of the best."""
_ITERATIONS: Final = 60
_SMALLEST_SCALE: Final = 0.25
"""Least scale of an innovation: windows that were all but equal so far may differ by a part of their usual error."""
_MEDIAN_OF_NORMAL: Final = 0.6745
"""Median of the absolute value of a standard normal variable."""
_RHYTHM: Final = 0.5
"""A stream has a rhythm where what is expected swings by so many deviations of a window."""
_DAY_IN_BAND: Final = 0.9999
"""The level of all but so many reference days lies in the band."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    r"""How the standardised windows of several streams behave while nothing changes.

    Parameters
    ----------
    rhythm : Rhythm
        What is expected in each window.
    correlation : array of shape (n_streams,)
        Between a window and the next; never negative, at most 0.95.
    centre, scale, tails : arrays of shape (n_streams,)
        Location, scale and degrees of freedom of Student's t for the innovations.
    error : array of shape (n_streams,)
        Median squared standard error of a reference window. No window counts as more certain: the error that a window
        states of itself is small by luck where its rows happen to be alike, and absent where they all are.
    band : array of shape (n_streams,)
        How far, in standardised units, the level of whole days wanders while nothing changes.
    n : array of shape (n_streams,)
        Windows that the level was learnt from.
    level_error : array of shape (n_streams,)
        Standard error, in standardised units, of the mean of all.

    Notes
    -----
    A window's value y with squared standard error v, at least the median one, is standardised to
    :math:`z = (y - \mu)/\sqrt{(v + \tau^2)(1 + 1/n)}` with the mean :math:`\mu`, the between-window variance
    :math:`\tau^2` and the count n of its cell of the rhythm. The innovation is :math:`u_t = z_t - \phi z_{t-1}`, or
    :math:`(1 - \phi) z_t` after a gap. Student's t is fitted to the innovations by maximum likelihood (EM), with the
    heaviest tails that the data allow, and its scale is raised by some 3 standard errors: both guard the far tail,
    which so few windows cannot show. The centre is the likeliest one with that scale, of the innovations as they are:
    elsewhere skewed values would speak for a small shift, a little in each window.

    A stream whose windows depend on the hour, the day or the window before has a band. It holds the levels of the
    reference days beyond what independent innovations would give: their largest or the 99.99% quantile of a t fitted to
    them, whichever is more; and three standard errors of the mean of all. A stream that shows no dependence has none.
    """

    rhythm: Rhythm
    correlation: Floats
    centre: Floats
    scale: Floats
    tails: Floats
    error: Floats
    band: Floats
    n: Floats
    level_error: Floats

    @classmethod
    def learn(cls, values: Floats, variances: Floats, hours: Floats, *, floor: float = 0.0) -> Self:
        """Learn from reference windows.

        Parameters
        ----------
        values, variances : arrays of shape (n_streams, n_windows)
            Measured values, NaN where there is none, and their squared standard errors.
        hours : array of shape (n_windows,)
            Window starts in hours of Unix time, evenly spaced.
        floor : float
            Standard deviation between windows that is taken for granted, in the value's unit.
        """
        rhythm = Rhythm.learn(values, variances, hours)
        error = np.nanmedian(np.where(np.isfinite(values), variances, np.nan), axis=1)
        expected, spread = _expectation(rhythm, error, variances, hours, floor)
        z = (values - expected) / spread
        n = np.isfinite(z).sum(axis=1)
        pairs = np.nan_to_num(z[:, 1:]) * np.nan_to_num(z[:, :-1])
        correlation = pairs.sum(axis=1) / np.maximum(np.nansum(z[:, :-1] ** 2, axis=1), np.finfo(float).tiny)
        correlation = np.clip(correlation + (1 + 3 * correlation) / n, 0.0, _LARGEST_CORRELATION)
        u = innovations(z, correlation)
        untied = innovations((_untied(values, error) - expected) / spread, correlation)
        centre, scale, tails = _student_fit(untied, given_up=_LIKELIHOOD_GIVEN_UP)
        # where most windows keep closer together than what is granted, the few that do not must not look like news
        granted = np.nanmedian(floor / spread, axis=1)
        scale = np.maximum(scale * (1 + 2 / np.sqrt(n)), np.maximum(_SMALLEST_SCALE, granted))
        centre = _likeliest_centre(u, centre, scale, tails)
        level_error = np.sqrt(np.nanmean(u**2, axis=1) / n) / (1 - correlation)
        # jumps between days must not count as what explains the days: the median does not see them
        usual = (np.nanmedian(np.abs(u), axis=1) / _MEDIAN_OF_NORMAL) ** 2
        wander, differ = _wander(z, day_blocks(hours), usual / (1 - correlation) ** 2)
        swing = expected.std(axis=1) > _RHYTHM * np.median(spread, axis=1)
        depends = differ | swing | (correlation > 2 / np.sqrt(n))
        return cls(
            rhythm=rhythm,
            correlation=correlation,
            centre=centre,
            scale=scale,
            tails=tails,
            error=error,
            band=np.where(depends, wander + 3 * level_error, 0.0),
            n=n.astype(np.float64),
            level_error=level_error,
        )

    def expectation(self, variances: Floats, hours: Floats, *, floor: float = 0.0) -> tuple[Floats, Floats]:
        """Return what is expected of windows and their standard deviation, both of shape (n_streams, n_windows)."""
        return _expectation(self.rhythm, self.error, variances, hours, floor)

    @property
    def loose(self) -> Floats:
        """How far innovations are off while the level is off by its standard error; 0 where there is a band for it."""
        return np.where(self.band > 0, 0.0, (1 - self.correlation) * self.level_error)

    def log_density(self, u: Floats) -> Floats:
        """Return the log density of centred innovations, but for a constant of each stream; 0 where there is none.

        Parameters
        ----------
        u : array of shape (n_streams, n_windows)
            NaN where there is none.
        """
        width = (self.tails * self.scale**2)[:, None]
        found: Floats = -(self.tails[:, None] + 1) / 2 * np.log(width + np.nan_to_num(u) ** 2)
        return np.where(np.isfinite(u), found, 0.0)

    def of(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the baseline of some of the streams."""
        rhythm = {name.name: getattr(self.rhythm, name.name)[rows] for name in fields(self.rhythm)}
        own = {own.name: getattr(self, own.name)[rows] for own in fields(self) if own.name != "rhythm"}
        return type(self)(rhythm=Rhythm(**rhythm), **own)

    def next_centre(self, centre: Floats, u: Floats, n: Floats) -> Floats:
        r"""Return the innovations' centre after one more window, so that an error beyond the band does not last.

        Parameters
        ----------
        centre : array of shape (n_streams,)
            The centre so far.
        u : array of shape (n_streams,)
            The window's innovation, centred by it; NaN where there is none.
        n : array of shape (n_streams,)
            Windows that the centre was learnt from, the reference's among them.

        Notes
        -----
        Half a step of Fisher scoring for the location of Student's t,
        :math:`\frac{\nu + 3}{\nu + (u/s)^2}\,\frac{u}{2n}`: what an outage says hardly counts. A whole step would keep
        the mean of all windows where tails are light, and learn a small change away while it is being found. Without a
        band the centre stays.
        """
        step = (self.tails + 3) / (self.tails + (u / self.scale) ** 2) * u / (2 * (n + 1))
        moved: Floats = centre + np.where(np.isfinite(step) & (self.band > 0), step, 0.0)
        return moved

    def to_json(self) -> dict[str, Any]:
        """Return the baseline of one stream as JSON values."""
        rhythm = {name.name: getattr(self.rhythm, name.name)[0].tolist() for name in fields(self.rhythm)}
        own = {own.name: float(getattr(self, own.name)[0]) for own in fields(self) if own.name != "rhythm"}
        return {"rhythm": rhythm, **own}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return the baseline of one stream that `to_json` wrote."""
        rhythm = Rhythm(**{name: np.array([row], dtype=np.float64) for name, row in stored["rhythm"].items()})
        return cls(rhythm=rhythm, **{k: np.array([v], dtype=np.float64) for k, v in stored.items() if k != "rhythm"})


def innovations(z: Floats, correlation: Floats) -> Floats:
    """Return what each window adds to the one before; after a gap the window shrunk as if it had been 0."""
    before = np.concatenate([np.full((len(z), 1), np.nan), z[:, :-1]], axis=1)
    phi = correlation[:, None]
    return np.where(np.isfinite(before), z - phi * before, (1 - phi) * z)


def day_blocks(hours: Floats) -> int:
    """Return how many windows make a block whose level may wander: those of a day, or a week of longer windows."""
    step = float(hours[1] - hours[0]) if len(hours) > 1 else 24.0
    per_day = round(24 / step)
    return per_day if per_day >= 4 else 7


def resampled_days(n_reference: int, length: int, *, n_windows: int) -> Ints:
    """Return places of reference windows that make a long quiet stretch: whole blocks as they came, then drawn ones.

    The seed is fixed, so that the same reference always gives the same stretch.
    """
    n = n_reference // length
    if n < 2:
        return np.arange(n_reference)
    drawn = np.random.default_rng(0).integers(0, n, max(0, math.ceil(n_windows / length) - n))
    order = np.concatenate([np.arange(n), drawn])
    places: Ints = (order[:, None] * length + np.arange(length)).ravel()
    return places


def _expectation(
    rhythm: Rhythm, error: Floats, variances: Floats, hours: Floats, floor: float
) -> tuple[Floats, Floats]:
    expected, between, n = rhythm.at(hours)
    smallest = np.maximum(floor, 1e-9 * np.maximum(np.abs(expected), 1e-9))
    inside = np.maximum(variances, error[:, None])
    spread = np.sqrt(np.maximum(inside + between, smallest**2) * (1 + 1 / np.maximum(n, 1)))
    return expected, spread


def _untied(values: Floats, error: Floats) -> Floats:
    """Return the values with equal ones spread evenly over half the way to the next ones, at most a standard error.

    Few events make few different values. A density fitted to them as they are is a spike on the most frequent one.
    """
    place_in_tie: Floats = np.random.default_rng(0).uniform(-1, 1, size=(values.shape[1],))
    found = values.copy()
    for row, most in zip(found, np.sqrt(error), strict=True):
        seen = np.isfinite(row)
        distinct, which, n = np.unique(row[seen], return_inverse=True, return_counts=True)
        if 1 < len(distinct) < len(which):
            gaps = np.diff(distinct)
            half: Floats = np.minimum(np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0])) / 2, most)
            half[n == 1] = 0.0
            row[seen] += half[which] * place_in_tie[seen]
    return found


def _wander(z: Floats, length: int, long_run_variance: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return how far the means of whole blocks wander beyond what the innovations' long-run variance explains.

    And whether they differ by more than chance: two standard errors of a variance.
    """
    n = z.shape[1] // length
    if n < 4:
        return np.zeros(len(z)), np.zeros(len(z), dtype=bool)
    blocks = z[:, : n * length].reshape(len(z), n, length)
    seen = np.isfinite(blocks).sum(axis=2)
    means = np.where(seen > length / 2, np.nan_to_num(blocks).sum(axis=2) / np.maximum(seen, 1), 0.0)
    explained = long_run_variance / length / np.maximum(means.var(axis=1), np.finfo(float).tiny)
    from scipy.special import stdtrit

    centre, scale, tails = _student_fit(means, given_up=_LIKELIHOOD_GIVEN_UP / 2)
    usual = np.abs(centre) + scale * stdtrit(tails, _DAY_IN_BAND)
    largest = np.abs(means).max(axis=1) * (1 + 2 / math.sqrt(n))
    found: Floats = np.sqrt(np.maximum(0.0, 1 - explained)) * np.maximum(largest, usual)
    return found, explained * (1 + 2 * math.sqrt(2 / (n - 1))) < 1


def _likeliest_centre(u: Floats, centre: Floats, scale: Floats, tails: Floats) -> Floats:
    """Return the likeliest location of Student's t with known scale and degrees of freedom; NaN is left out."""
    seen, x = np.isfinite(u), np.nan_to_num(u)
    nu, width = tails[:, None], scale[:, None]
    for _ in range(_ITERATIONS):
        weights = seen / (nu + ((x - centre[:, None]) / width) ** 2)
        centre = (weights * x).sum(axis=1) / weights.sum(axis=1)
    return centre


def _student_fit(u: Floats, *, given_up: float) -> tuple[Floats, Floats, Floats]:
    """Return location, scale and degrees of freedom of Student's t, fitted to each row; NaN is left out."""
    from scipy.special import gammaln

    seen = np.isfinite(u)
    x = np.where(seen, u, 0.0)
    n = seen.sum(axis=1)
    start = np.nanmedian(u, axis=1)
    deviation = np.nanmedian(np.abs(u - start[:, None]), axis=1) / _MEDIAN_OF_NORMAL
    overall = np.sqrt(np.nanvar(u, axis=1))
    tiny = np.maximum(1e-6 * overall, 1e-12)
    likelihoods, fits = [], []
    for nu in TAILS:
        centre, scale = start, np.maximum(deviation, tiny)
        for _ in range(_ITERATIONS):
            weights = seen * (nu + 1) / (nu + ((x - centre[:, None]) / scale[:, None]) ** 2)
            centre = (weights * x).sum(axis=1) / weights.sum(axis=1)
            scale = np.maximum(np.sqrt((weights * (x - centre[:, None]) ** 2).sum(axis=1) / n), tiny)
        kernel = -(nu + 1) / 2 * np.log1p(((x - centre[:, None]) / scale[:, None]) ** 2 / nu)
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - math.log(nu * math.pi) / 2
        likelihoods.append((seen * kernel).sum(axis=1) + n * (constant - np.log(scale)))
        fits.append((centre, scale))
    found = np.array(likelihoods)
    choice = (found >= found.max(axis=0) - given_up).argmax(axis=0)
    rows = np.arange(len(u))
    centres, scales = (np.array([fit[k] for fit in fits]) for k in (0, 1))
    return centres[choice, rows], scales[choice, rows], np.array(TAILS)[choice]
