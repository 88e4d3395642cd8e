r"""Split a shift into traffic, model, serving noise and judge: the arithmetic of the three lanes, and nothing else.

Each request of a sample has up to four values of one and the same judgement: `stored`, as production's answer was
judged when it was measured; `logged`, the same stored answer judged again now; `serving`, the answer of what serves now
to the same prompt; `reference`, the answer of the pinned model to the same prompt. For every request

.. math:: \text{stored} = R + (C - R) + (L - C) + (Y - L)

with R reference, C serving, L logged and Y stored. Between the reference windows (0) and the current ones (1) the mean
of Y shifts by :math:`\Delta = E_1[Y] - E_0[Y]`, and four shares add up to it without a rest. Let p be the part of the
requests that lies in stratum s, and for a difference d of two lanes

.. math:: W(d) = \sum_s p_{1s} (\bar d_{1s} - \bar d_{0s})

how far it moved on requests of the same strata. Then

- judge W(Y - L): an answer that stays the same and is judged otherwise;
- serving noise W(L - C): what production answered and does not answer when it is asked the same again (an A/A
  difference). With several answers to each prompt, C is the one that moved least in the direction of the shift: what
  only some answers to the same prompt show is noise, what all of them show is the model;
- model W(C - R): production moved away from a model that cannot change;
- traffic :math:`E_1[R] - E_0[R] + \sum_s (p_{1s} - p_{0s}) \, \overline{(Y - R)}_{0s}`: the unchanged model answers the
  new prompts otherwise, and strata to which production answers unlike it are asked more or less often.

A stratum with fewer than `MIN_STRATUM` requests on a side is compared with the mean distance over all strata.

Assumed: the pinned model and the strata cover how prompts differ (inside a stratum production and the pinned model
react to a change of prompts by the same amount); requests are independent given their window; whoever replays asks
what serves, with production's parameters. A lane that is missing merges its two neighbours: without `serving` model and
serving noise are one part, without `reference` the part of traffic inside strata is in the model's.

Intervals are the delta method's: each share is a smooth function of weighted means, so its error is that of the mean of
its influence function over requests (all lanes of a request together: paired), weighted by 1 / inclusion probability,
with Student's t at Welch and Satterthwaite's degrees of freedom. A side on which every influence is equal has no
spread; there the error is that of one odd request in n + 2, as in the "plus four" interval of Agresti and Coull.

References
----------
R. Oaxaca, "Male-female wage differentials in urban labor markets", International Economic Review 14, 1973 (shares over
strata). J. D. Angrist and J.-S. Pischke, "Mostly Harmless Econometrics", 2009, chapter 5 (differences in differences).
A. Agresti and B. Coull, The American Statistician 52, 1998.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from llmmon.metrics.intervals import Floats, effective_n

Cause = Literal["traffic", "model", "serving noise", "judge"]
CAUSES: Final[tuple[Cause, ...]] = ("traffic", "model", "serving noise", "judge")
MIN_STRATUM: Final = 5
"""Requests that a stratum needs on both sides; smaller ones are taken together."""
_MIN_SIDE: Final = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Lanes:
    """One side of the comparison: requests with their values on every lane, one row per request.

    Parameters
    ----------
    weight : array of float
        1 / inclusion probability.
    stratum : array of str
        Slices inside which prompts are taken to be alike.
    stored : array of float
        Production's answer as it was judged when it was measured.
    logged : array of float or None
        The same answer judged again now; None when there is no judge, or its texts are gone.
    serving : array of float, shape (n, k), or None
        The first k answers of what serves now; None without such a lane.
    reference : array of float or None
        The answer of the pinned model; None without such a lane.
    """

    weight: Floats
    stratum: npt.NDArray[np.str_]
    stored: Floats
    logged: Floats | None = None
    serving: Floats | None = None
    reference: Floats | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What one cause carries of a shift, in the unit of the value, with its 95% interval; or why it cannot be told."""

    cause: str
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def half_width(self) -> float:
        """Half of the interval's width, 0 where there is none."""
        return 0.0 if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """A shift and its shares.

    Parameters
    ----------
    total : Share
        The shift over the replayed requests; the shares with a value add up to it.
    shares : tuple of Share
        One per cause, in the order of `CAUSES`.
    cause : str or None
        The one that carries most, when its interval and the total's exclude zero; None when it cannot be told yet.
    n_more : int or None
        About how many more replays a verdict needs, in the current windows and in proportion in the reference ones.
    n_reference, n_current : int
        Requests that went in.
    """

    total: Share
    shares: tuple[Share, ...]
    cause: str | None
    n_more: int | None
    n_reference: int
    n_current: int


def attribute(before: Lanes, now: Lanes) -> Attribution:
    """Split the shift from `before` to `now`; see the module for the formulas.

    Raises
    ------
    ValueError
        When a side has fewer than 3 requests, or the two sides do not have the same lanes.
    """
    for name in ("logged", "serving", "reference"):
        if (getattr(before, name) is None) != (getattr(now, name) is None):
            raise ValueError(f"lane {name} is on one side only")
    n0, n1 = len(before.stored), len(now.stored)
    if min(n0, n1) < _MIN_SIDE:
        raise ValueError(f"{n0} reference and {n1} current requests have been replayed; {_MIN_SIDE} are needed on both")
    sides = (before, now)
    weights = (before.weight, now.weight)
    total = _mean_shift("total", [side.stored for side in sides], weights)
    logged = [side.stored if side.logged is None else side.logged for side in sides]
    settled = _settled(sides, logged, total.value or 0.0)
    pinned = [np.zeros_like(side.stored) if side.reference is None else side.reference for side in sides]
    strata = _Strata.of(sides)
    stored = [side.stored for side in sides]
    judge = strata.moved("judge", _differences(stored, logged))
    noise = strata.moved("serving noise", _differences(logged, settled))
    model = strata.moved("model", _differences(settled, pinned))
    traffic = strata.traffic(pinned, _differences(stored, pinned))
    if before.serving is None:
        noise = Share(cause="serving noise", value=None, reason=NO_SERVING)
    if before.logged is None:
        judge = Share(cause="judge", value=None, reason=NO_JUDGE)
    shares = (traffic, model, noise, judge)
    cause = _verdict(total, shares)
    return Attribution(
        total=total,
        shares=shares,
        cause=cause,
        n_more=None if cause else _n_more(total, shares, n1),
        n_reference=n0,
        n_current=n1,
    )


NO_SERVING: Final = "no lane replays on what serves now: its part is in the model's share"
NO_JUDGE: Final = "no stored answer was judged again: its part is in the other shares"


def _verdict(total: Share, shares: Sequence[Share]) -> str | None:
    largest = max(shares, key=lambda share: abs(share.value or 0.0))
    return largest.cause if total.is_significant and largest.is_significant else None


def _n_more(total: Share, shares: Sequence[Share], n: int) -> int | None:
    """Return how many more replays would narrow the widest interval to the size of the shift itself."""
    size = abs(total.value or 0.0)
    if size == 0:
        return None
    widest = max(share.half_width for share in (total, *shares))
    return max(1, math.ceil(n * (widest / size) ** 2) - n)


def _settled(sides: Sequence[Lanes], logged: Sequence[Floats], shift: float) -> list[Floats]:
    """Return of each request the answer of what serves now that moved least; without that lane, production's."""
    answers = [side.serving for side in sides if side.serving is not None]
    if not answers:
        return list(logged)
    k = min(side.shape[1] for side in answers)  # as many on both sides: the least of more answers is less
    return [side[:, :k].min(axis=1) if shift > 0 else side[:, :k].max(axis=1) for side in answers]


def _mean_shift(cause: str, values: Sequence[Floats], weights: Sequence[Floats]) -> Share:
    means = [_mean(side, weight) for side, weight in zip(values, weights, strict=True)]
    influence = [sign * (side - mean) for sign, side, mean in zip((-1, 1), values, means, strict=True)]
    return _share(cause, means[1] - means[0], influence, weights, _span(values))


@dataclass(frozen=True, slots=True, eq=False)
class _Strata:
    """Which strata both sides fill, and the stratum and weight of each request of each side."""

    kept: npt.NDArray[np.bool_]
    codes: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    weights: tuple[Floats, Floats]

    @classmethod
    def of(cls, sides: tuple[Lanes, Lanes]) -> _Strata:
        names, codes = np.unique(np.concatenate([side.stratum for side in sides]), return_inverse=True)
        first, second = np.split(codes, [len(sides[0].stratum)])
        counts = [np.bincount(part, minlength=len(names)) for part in (first, second)]
        return cls(np.minimum(*counts) >= MIN_STRATUM, (first, second), (sides[0].weight, sides[1].weight))

    def moved(self, cause: str, gaps: Sequence[Floats]) -> Share:
        """Return how far a difference of two lanes moved inside the strata."""
        expected, learnt = self._expected(gaps[0])
        now = gaps[1] - expected[self.codes[1]]
        value = _mean(now, self.weights[1])
        return _share(cause, value, [-learnt, now - value], self.weights, _span(gaps))

    def traffic(self, pinned: Sequence[Floats], gaps: Sequence[Floats]) -> Share:
        """Return what other prompts and another mix of strata account for."""
        expected, learnt = self._expected(gaps[0])
        was, would_be = pinned[0] + gaps[0], pinned[1] + expected[self.codes[1]]
        before, now = _mean(was, self.weights[0]), _mean(would_be, self.weights[1])
        influence = [learnt - (was - before), would_be - now]
        return _share("traffic", now - before, influence, self.weights, _span([was, would_be]))

    def _expected(self, gap: Floats) -> tuple[Floats, Floats]:
        """Return the reference mean of each stratum, and each reference request's influence on what is expected.

        Each stratum's mean is itself an estimate: its error counts with the stratum's part of the current requests.
        """
        (code, _), (weight, _), size = self.codes, self.weights, len(self.kept)
        overall = _mean(gap, weight)
        sums = [np.bincount(c, w, size) for c, w in zip(self.codes, self.weights, strict=True)]
        own = np.divide(np.bincount(code, weight * gap, size), sums[0], out=np.zeros(size), where=sums[0] > 0)
        expected = np.where(self.kept, own, overall)
        parts = [part / part.sum() for part in sums]
        pull = np.divide(parts[1], parts[0], out=np.zeros(size), where=self.kept)
        n = np.bincount(code, minlength=size).astype(float)
        few = np.sqrt(np.divide(n, n - 1, out=np.ones(size), where=n > 1))
        learnt = (pull * few)[code] * (gap - expected[code]) + parts[1][~self.kept].sum() * (gap - overall)
        return expected, learnt


def _share(cause: str, value: float, influence: Sequence[Floats], weights: Sequence[Floats], span: float) -> Share:
    from scipy.special import stdtrit

    if abs(value) < 1e-12 * span:  # what is left of sums that cancel
        value = 0.0
    variances, degrees = [], []
    for side, weight in zip(influence, weights, strict=True):
        size = max(effective_n(weight), 1.5)  # a weight that outweighs all others leaves about one request
        variance = float((weight**2 * side**2).sum()) / float(weight.sum()) ** 2 * size / (size - 1)
        if np.ptp(side) == 0:
            variance = (span / (size + 2)) ** 2
        variances.append(variance)
        degrees.append(size - 1)
    total = sum(variances)
    if total == 0:
        return Share(cause=cause, value=value, low=value, high=value)
    freedom = total**2 / sum(part**2 / n for part, n in zip(variances, degrees, strict=True))
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(total)
    return Share(cause=cause, value=value, low=value - half, high=value + half)


def _differences(first: Sequence[Floats], second: Sequence[Floats]) -> list[Floats]:
    return [one - other for one, other in zip(first, second, strict=True)]


def _mean(values: Floats, weight: Floats) -> float:
    return float((values * weight).sum() / weight.sum())


def _span(values: Sequence[Floats]) -> float:
    return float(max(side.max() for side in values) - min(side.min() for side in values))
