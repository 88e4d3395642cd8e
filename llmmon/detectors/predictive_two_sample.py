"""Evidence that windows changed in many features at once: a classifier trained on the past bets on the next window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from llmmon.detectors.base import State, check_sides, counts, detectors
from llmmon.detectors.e_value import bounded
from llmmon.detectors.learned_stream import check_burn_in
from llmmon.detectors.start_mixture import HOURS, Floats, advance, log_start_weights
from llmmon.model import Direction, Evidence, Measurement

FEATURES: Final = "features"
"""Key of a measurement's detail with the window's mean feature vector."""
MOST_FEATURES: Final = 32
"""Features used, the first ones: what is remembered grows with their square."""
_MEMORY: Final = np.array([1 / 4, 1 / 32])
"""Weight of the newest window in the running means that the classifiers are trained on."""
_SIZES: Final = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
_TAILS: Final = 6.0
"""Degrees of freedom of the scores: heavier than normal, because windows are."""


@detectors.register("predictive_two_sample")
@dataclass(frozen=True, kw_only=True, slots=True)
class PredictiveTwoSample:
    r"""Evidence against "the windows' mean feature vectors vary as those of the reference windows do".

    For metrics that put ``features`` into their detail, such as `mmd` over texts: it notices a change in any direction,
    where `seasonal_change` watches the one number that the metric boils the window down to.

    Parameters
    ----------
    burn_in : int
        Reference windows with features that are learnt from before the first is tested, at least 24. The pipeline sets
        it to the deployment's ``reference_windows`` when it is not given.
    sides : {"both", "worse"}
        Whether a change of the metric's value for the better is worth an alert too.

    Notes
    -----
    Let m and C be the mean and the covariance of the reference windows' vectors. Two linear classifiers, one with a
    short and one with a long memory, are trained on the windows tested so far: their direction is :math:`b_k = (g_k -
    m)_k / C_{kk}` with g the running mean. Before it learns from a window, each classifier scores it: :math:`s = b'(x -
    m)/\sqrt{b'Cb}`. While nothing changes the score has mean 0 and variance 1 whatever b is, because b was chosen
    before; its innovation, at the correlation of neighbouring windows, is bet on by Student's t against shifts, as in
    `seasonal_change`. The band allows for the error of m, which b is drawn towards. The first tested window only
    trains.

    Not modelled: rhythm. Hours that differ count as variation.

    References
    ----------
    Shekhar and Ramdas (2024), "Nonparametric two-sample testing by betting", IEEE Transactions on Information Theory
    70. Pandeva et al. (2024), "E-valuating classifier two-sample tests", TMLR.
    """

    burn_in: int
    sides: Literal["both", "worse"] = "both"

    def __post_init__(self) -> None:
        check_burn_in(self.burn_in, self.sides)

    def begin(self) -> State:
        """Return no window."""
        return {"n": 0}

    def restart(self, state: State) -> State:
        """Return no window: what changed may have changed in every direction."""
        del state
        return self.begin()

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the evidence by this window; relevant when the value is `min_effect` from the reference windows'."""
        check_sides(self.sides, direction)
        value, features = measurement.estimate.value, measurement.estimate.detail.get(FEATURES)
        common: dict[str, Any] = {"window": measurement.window, "value": value}
        if value is None or not features:
            why = f"no value: {measurement.estimate.reason}" if value is None else "the metric gives no features"
            return state, Evidence(**common, e_value=None, relevant=False, reason=why)
        x = np.array(features[:MOST_FEATURES], dtype=np.float64)
        if state["n"] and len(x) != len(state["mean"]):
            why = f"{len(x)} features, but the reference windows have {len(state['mean'])}: the metric changed"
            return state, Evidence(**common, e_value=None, relevant=False, reason=why)
        if state["n"] < self.burn_in:
            after = _with(state, x, value)
            missing = self.burn_in - after["n"]
            reason = f"cannot tell yet: needs {missing} more windows to learn what is usual"
            return after, Evidence(**common, e_value=None, relevant=False, reason=reason)
        length = (measurement.window.end - measurement.window.start).total_seconds() / 3600
        after, log_e = _tested(state, x, windows_per_year=HOURS / length)
        effect = value - state["value"]
        return after, Evidence(
            **common,
            e_value=bounded(log_e),
            relevant=abs(effect) >= min_effect and counts(self.sides, effect, direction),
            reference_value=state["value"],
            effect=effect,
            detail={"n_reference_windows": self.burn_in},
        )


def _with(state: State, x: Floats, value: float) -> dict[str, Any]:
    """Return the state that has learnt from one more reference window (Welford's sums)."""
    n = state["n"] + 1
    if n == 1:
        zero = np.zeros(len(x))
        square = np.zeros((len(x), len(x)))
        return {
            "n": 1,
            "value": value,
            "mean": x.tolist(),
            "squares": square.tolist(),
            "pairs": zero.tolist(),
            "last": x.tolist(),
        }
    mean, last = np.array(state["mean"]), np.array(state["last"])
    away = x - mean
    new_mean = mean + away / n
    return {
        "n": n,
        "value": state["value"] + (value - state["value"]) / n,
        "mean": new_mean.tolist(),
        "squares": (np.array(state["squares"]) + np.outer(away, x - new_mean)).tolist(),
        "pairs": (np.array(state["pairs"]) + (x - new_mean) * (last - new_mean)).tolist(),
        "last": x.tolist(),
    }


def _tested(state: State, x: Floats, *, windows_per_year: float) -> tuple[dict[str, Any], float]:
    """Return the state after one more tested window, and the log e-value."""
    n, mean, last = state["n"], np.array(state["mean"]), np.array(state["last"])
    covariance = np.array(state["squares"]) / (n - 1)
    variance = np.maximum(np.diag(covariance), 1e-12 * max(float(np.trace(covariance)), 1e-300))
    tested = state.get("tested", 0)
    running = np.array(state["running"]) if tested else np.tile(x, (len(_MEMORY), 1))
    log_a = np.array(state["log_a"]) if tested > 1 else np.full((len(_MEMORY), len(_SIZES)), -np.inf)
    if tested:
        (weight,) = log_start_weights(tested, tested, windows_per_year=windows_per_year)
        ratios = np.array([_ratios(row - mean, x - mean, last - mean, covariance, variance, state) for row in running])
        log_a = advance(log_a, ratios, ratios, weight)
        # bias-corrected running means: the first windows weigh alike
        rate = np.maximum(_MEMORY, 1 / (tested + 1))[:, None]
        running = running + rate * (x - running)
    after = {**state, "last": x.tolist(), "running": running.tolist(), "tested": tested + 1}
    if not tested:
        return after, -math.inf
    return {**after, "log_a": log_a.tolist()}, float(np.logaddexp.reduce(log_a, axis=None) - math.log(log_a.size))


def _ratios(away: Floats, x: Floats, last: Floats, covariance: Floats, variance: Floats, state: State) -> Floats:
    """Return the log ratios of one classifier's score, one for each size of shift; 0 for a classifier without aim."""
    aim = away / variance
    deviation = math.sqrt(max(float(aim @ covariance @ aim), 0.0))
    if deviation == 0:
        return np.zeros(len(_SIZES))
    n = state["n"]
    phi = float((aim**2 @ np.array(state["pairs"])) / (aim**2 @ (variance * (n - 1))))
    phi = min(max(phi + (1 + 3 * phi) / n, 0.0), 0.95)
    spread = math.sqrt(1 - phi**2) * (1 + 2 / math.sqrt(n))
    u = float(aim @ (x - phi * last)) / deviation
    correlation = covariance / np.sqrt(np.outer(variance, variance))
    dimension = len(x) ** 2 / float((correlation**2).sum())
    band = (1 - phi) * (1.5 * math.sqrt(dimension / n) + 3 / math.sqrt(n)) / math.sqrt((1 - phi) / (1 + phi))
    null = math.copysign(max(abs(u) - band, 0.0), u)

    def log_density(score: Floats | float) -> Floats:
        found: Floats = -(_TAILS + 1) / 2 * np.log1p((np.asarray(score) / spread) ** 2 / _TAILS)
        return found

    return log_density(u - band - (1 - phi) * _SIZES) - log_density(null)
