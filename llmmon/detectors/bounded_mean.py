"""Evidence that a share or another bounded value left its level, by betting: no distribution is assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from llmmon.detectors import learned_stream
from llmmon.detectors.alternatives import Alternatives
from llmmon.detectors.base import State, detectors
from llmmon.detectors.baseline import Baseline
from llmmon.detectors.start_mixture import Floats
from llmmon.model import Direction, Evidence, Measurement
from llmmon.model.json import refuse_nan

STAKES: Final = np.array([1 / 32, 1 / 8, 1 / 2, 7 / 8])
"""Shares of the wealth that are put at risk in one window."""
_RARE_EVENTS: Final = 1.5
"""How much wider the band is here: the mean of rare events errs more to one side than its standard error says."""
_NEVER_IMPOSSIBLE: Final = 1e-4
"""Share of the value's range under which an expected value does not count: what never happened yet may happen."""


@detectors.register("bounded_mean")
@dataclass(frozen=True, kw_only=True, slots=True)
class BoundedMean:
    r"""Evidence against "each window has the mean that its hour and day, and the window before, let expect".

    For values that cannot leave a range and crowd at its edge: error rates, refusal rates near 0, and `exceedance_rate`
    for latencies. Elsewhere `seasonal_change` needs fewer windows, because it knows how values are distributed.

    Parameters
    ----------
    low, high : float
        Range of the value, in its unit. A value beyond it ends the window without evidence.
    burn_in : int
        Reference windows: how many windows with a value are learnt from before the first is tested, at least 24. The
        pipeline sets it to the deployment's ``reference_windows`` when it is not given.
    sides : {"both", "worse"}
        Whether a change for the better is worth an alert too.

    Notes
    -----
    With :math:`m_t` the value that `Baseline` expects of a window, or given the one before where that is more, and
    :math:`b_t` its band and three standard errors of its level in the value's unit, and half as much again, a bet on a
    rise turns wealth 1 into

    .. math:: 1 + \lambda\,(y_t - m_t - b_t), \qquad 0 \le \lambda < 1 / (m_t + b_t - low),

    which stays positive and has expectation at most 1 whenever the mean of :math:`y_t`, given all before, is at most
    :math:`m_t + b_t`: whatever the distribution and the dependence. Bets on a fall mirror it, with what is expected or
    less. Four stakes either way are mixed, and `start_mixture` adds up over when the change began; evidence is tempered
    as in `seasonal_change`.

    References
    ----------
    Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS B 86.
    """

    burn_in: int
    low: float = 0.0
    high: float = 1.0
    sides: Literal["both", "worse"] = "both"

    def __post_init__(self) -> None:
        learned_stream.check_burn_in(self.burn_in, self.sides)
        refuse_nan("low", self.low)
        refuse_nan("high", self.high)
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}; expected low < high")

    def begin(self) -> State:
        """Return no window."""
        return learned_stream.begin()

    def restart(self, state: State) -> State:
        """Return the state that keeps rhythm, spread and dependence, and learns the level anew."""
        return learned_stream.restart(state)

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the evidence by this window; relevant when it is `min_effect` from what its hour and day expect."""
        value = measurement.estimate.value
        if value is not None and not self.low <= value <= self.high:
            reason = (
                f"the value is outside of {self.low:g} to {self.high:g}, which the detector was told it cannot leave"
            )
            return state, Evidence(window=measurement.window, e_value=None, relevant=False, value=value, reason=reason)
        return learned_stream.step(
            state,
            measurement,
            self.alternatives,
            burn_in=self.burn_in,
            sides=self.sides,
            min_effect=min_effect,
            direction=direction,
        )

    @property
    def alternatives(self) -> Alternatives:
        """A rise and a fall, on every stake alike."""
        n = 2 * len(STAKES)
        return Alternatives(ratios=self.bets, log_weights=np.full(n, -np.log(n)))

    def bets(
        self,
        baseline: Baseline,
        z: Floats,
        centre: Floats,  # noqa: ARG002
        expected: Floats,
        spread: Floats,
    ) -> tuple[Floats, Floats]:
        """Return the log wealth of each bet, as `Ratios` asks for."""
        phi = baseline.correlation[:, None]
        before = np.concatenate([np.full((len(z), 1), np.nan), z[:, :-1]], axis=1)
        drawn = spread * phi * np.nan_to_num(before)
        value = expected + spread * z
        band = _RARE_EVENTS * spread * (baseline.band + 3 * baseline.level_error)[:, None]
        least = _NEVER_IMPOSSIBLE * (self.high - self.low)
        up = np.clip(expected + np.maximum(drawn, 0) + band, self.low + least, self.high)[:, None, :]
        down = np.clip(expected + np.minimum(drawn, 0) - band, self.low, self.high - least)[:, None, :]
        stakes, y = STAKES[None, :, None], value[:, None, :]
        found = np.concatenate(
            [
                np.log1p(stakes * (y - up) / (up - self.low)),
                np.log1p(stakes * (down - y) / (self.high - down)),
            ],
            axis=1,
        )
        seen = np.isfinite(found)
        return np.where(seen, found, -np.inf), np.where(seen, found, 0.0)
