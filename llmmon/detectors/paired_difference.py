"""Evidence that two ways of asking are answered differently: bets on the sign of the differences within pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from llmmon.detectors.base import State, check_sides, counts, detectors
from llmmon.detectors.e_value import bounded
from llmmon.model import BETS, Direction, Evidence, Measurement


@detectors.register("paired_difference")
@dataclass(frozen=True, kw_only=True, slots=True)
class PairedDifference:
    r"""Evidence against "which of a pair's prompts was asked makes no difference", in no window so far.

    For `counterfactual_gap` and `counterfactual_excess`, and other metrics that put fair bets into their detail. It
    asks whether there is a gap at all, where `reference_change` and `seasonal_change` ask whether it is another than in
    the reference windows: a model that was always biased does not change. It needs no reference, and adds up windows
    of a few pairs each.

    Parameters
    ----------
    sides : {"both", "worse"}
        Whether a gap towards lower values counts too, where lower is better. For `counterfactual_excess` use ``worse``:
        a swap that changes less than noise does is no finding.

    Notes
    -----
    While it makes no difference which prompt of a pair was asked, a pair's difference is as likely d as -d. Window t
    tells what fair bets on the signs, one for each stake k, made of 1: :math:`b_{kt}` with :math:`E[b_{kt}] = 1`
    whatever the values, the noise and the number of pairs are. They are multiplied from an unknown start s with prior
    mass :math:`w_s = 1 / (s (s + 1))`, and averaged over the stakes:

    .. math:: A_{kt} = (A_{k,t-1} + w_t)\, b_{kt}, \qquad M_t = \frac{1}{K} \sum_k A_{kt} + 1 / (t + 1).

    So :math:`E[M_t] \le 1` and, by Ville's inequality, :math:`P(\exists t: M_t \ge 1/a) \le a` over an unlimited
    horizon, exactly, at any n. For outcomes of 0 and 1 it is McNemar's test made sequential. The effect told is the
    mean over the windows since the bets last began to win.

    Assumed: pairs of different requests are independent given their absolute differences. The same prompt asked again
    in later windows of a model that always answers alike repeats one observation and counts as several.

    References
    ----------
    Ramdas, Ruf, Larsson and Koolen (2022), "Testing exchangeability: fork-convex hulls, supermartingales and
    e-processes", International Journal of Approximate Reasoning 141. Shafer (2021), "Testing by betting", JRSS A 184.
    """

    sides: Literal["both", "worse"] = "both"

    def __post_init__(self) -> None:
        if self.sides not in ("both", "worse"):
            raise ValueError(f"sides is {self.sides!r}; expected 'both' or 'worse'")

    def begin(self) -> State:
        """Return no evidence: no window has been seen."""
        return {"n_windows": 0, "log_wealth": []}

    def restart(self, state: State) -> State:
        """Return no evidence: what spoke for a gap was dealt with."""
        del state
        return self.begin()

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the evidence by this window; relevant when the mean since the likely start is `min_effect` from 0."""
        check_sides(self.sides, direction)
        estimate = measurement.estimate
        value, bets = estimate.value, estimate.detail.get(BETS)
        common: dict[str, Any] = {"window": measurement.window, "value": value}
        if value is None or not bets:
            reason = f"no value: {estimate.reason}" if value is None else "the metric bets on no pairs"
            return state, Evidence(**common, e_value=None, relevant=False, reason=reason)
        won = np.array(bets, dtype=np.float64)
        if self.sides == "worse":  # the metric's bets are on a rise first, then on a fall
            won = np.split(won, 2)[0 if direction == "lower_is_better" else 1]
        t, n_bets = state["n_windows"] + 1, len(won)
        first = not state["log_wealth"]
        before = np.full(n_bets, -np.inf) if first else np.array(state["log_wealth"])
        after = np.logaddexp(before, -math.log(t * (t + 1))) + won
        log_e = float(np.logaddexp(np.logaddexp.reduce(after) - math.log(n_bets), -math.log(t + 1)))
        # where a bet's winnings since its last low began is where the gap it bets on most likely did (Page's rule)
        since_low = np.zeros((3, n_bets)) if first else np.array(state["since_low"])
        rise, n, total = since_low * (since_low[0] > 0)
        rise, n, total = rise + won, n + estimate.n, total + estimate.n * value
        leading = int(after.argmax())
        effect = float(total[leading] / n[leading]) if n[leading] else 0.0
        state = {"n_windows": t, "log_wealth": after.tolist(), "since_low": [rise.tolist(), n.tolist(), total.tolist()]}
        return state, Evidence(
            **common,
            e_value=bounded(log_e),
            relevant=abs(effect) >= min_effect and counts(self.sides, effect, direction),
            reference_value=0.0,
            effect=effect,
            detail={"n_pairs": int(n[leading])},
        )
