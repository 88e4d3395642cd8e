"""Evidence that a stream left the level its reference windows set, beyond the variation between windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from llmmon.detectors.base import State, check_sides, counts, detectors, squared_error
from llmmon.detectors.e_value import bounded
from llmmon.model import Direction, Evidence, Measurement

EFFECT_VARIANCES: Final = np.array([1.0, 16.0, 256.0, 4096.0])
"""Prior variances of a shift, in units of the variance between windows: shifts of about 1, 4, 16 and 64 deviations."""
NEWEST: Final = 64
"""Tested windows that all remain possible starts; of older ones 8 remain of each doubling of the age."""
FIRST: Final = 8
"""Tested windows that always remain possible starts: together they have 8/9 of the prior weight."""
LIKELIEST: Final = 4
"""Starts that remain because the evidence rests on them now."""


@detectors.register("reference_change")
@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceChange:
    r"""Evidence against "all windows so far are exchangeable": a Bayes factor mixed over when the change began.

    Parameters
    ----------
    burn_in : int
        Reference windows: how many windows with a value are learnt from before the first is tested. The pipeline sets
        it to the deployment's ``reference_windows`` when it is not given.
    sides : {"both", "worse"}
        Whether a change for the better is worth an alert too.

    Notes
    -----
    The null is that the windows' values are independent normal with one unknown mean and one unknown variance, the
    variance *between windows*, however large that is compared with the error inside a window. For each tested window s,
    the alternative is that from s on the mean is shifted by :math:`\delta\sigma`. With :math:`n_1` windows before,
    :math:`n_2` from s on, :math:`\nu = n_1 + n_2 - 2`, :math:`n_\delta = n_1 n_2 / (n_1 + n_2)`, Student's two-sample
    statistic t and :math:`\delta \sim N(0, g)`, the right Haar prior on the nuisances gives (Gonen et al.)

    .. math:: B_s(g) = \Big(\frac{1 + t^2/\nu}{1 + t^2/(\nu(1 + n_\delta g))}\Big)^{(\nu+1)/2} (1 + n_\delta g)^{-1/2},

    averaged over four g. The evidence is :math:`M_t = \sum_{s \le t} w_s B_s + 1/(t + 1)` with
    :math:`w_s = 1/(s(s+1))` for the s-th tested window. :math:`B_s` is a likelihood ratio of the scale- and
    location-invariant part of the data, so :math:`M_t` is a martingale with mean 1 under the null and
    :math:`P(\exists t: M_t \ge 1/a) \le a` over an unlimited horizon (Ville).

    The error of t is floored by the windows' own intervals: :math:`s^2 (1/n_1 + 1/n_2)` is never less than
    :math:`\bar v_1/n_1 + \bar v_2/n_2`, with v the squared standard errors. That lowers t and so only lowers the
    evidence, and keeps a small window from looking surprising because it is noisy.

    Of all s the first 8 and the newest 64 are kept, of those between 8 per doubling of their age, and always the
    likeliest 4, so that a step costs little and the state stays small however long the stream is. Leaving out terms,
    which are never negative, only lowers :math:`M_t`: it stays below the martingale, whichever terms they are, and the
    bound holds.

    Assumed: a level and a variance that are stable while nothing changes. Hour of day, day of week, trends and
    dependence between windows are not modelled here; a detector that models them is another plug-in of this kind.

    References
    ----------
    Gonen, Johnson, Lu and Westfall (2005), "The Bayesian two-sample t test", The American Statistician 59.
    Perez-Ortiz, Lardy, de Heide and Grunwald (2024), "E-statistics, group invariance and anytime-valid testing",
    Annals of Statistics 52. Shin, Ramdas and Rinaldo (2024), "E-detectors", New England Journal of Statistics in Data
    Science 2.
    """

    burn_in: int
    sides: Literal["both", "worse"] = "both"

    def __post_init__(self) -> None:
        if self.burn_in < 3:
            raise ValueError(f"burn_in is {self.burn_in}; expected at least 3 windows to learn from")
        if self.sides not in ("both", "worse"):
            raise ValueError(f"sides is {self.sides!r}; expected 'both' or 'worse'")

    def begin(self) -> State:
        """Return no window."""
        return {"n": 0, "level": 0.0, "total": 0.0, "squares": 0.0, "variance": 0.0, "reference": 0.0, "starts": []}

    def restart(self, state: State) -> State:
        """Return no window: level and variation are learnt from the same windows, so both are learnt anew."""
        del state
        return self.begin()

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the evidence by this window; relevant when it is `min_effect` from the reference windows' mean."""
        check_sides(self.sides, direction)
        value = measurement.estimate.value
        common: dict[str, Any] = {"window": measurement.window, "value": value}
        if value is None:
            reason = f"no value: {measurement.estimate.reason}"
            return state, Evidence(**common, e_value=None, relevant=False, reason=reason)
        state = self._add(state, value, measurement)
        if state["n"] <= self.burn_in:
            reason = f"learning: reference window {state['n']} of {self.burn_in}"
            return state, Evidence(**common, e_value=None, relevant=False, reason=reason)
        log_terms = _log_terms(state, self.burn_in)
        likeliest = np.argsort(-log_terms, kind="stable")[:LIKELIEST].tolist()
        n_tested = state["n"] - self.burn_in
        log_e = float(np.logaddexp(np.logaddexp.reduce(log_terms), -math.log(n_tested + 1)))
        likeliest_start = state["starts"][likeliest[0]][1]
        kept = [
            start
            for place, start in enumerate(state["starts"])
            if place in likeliest or _is_kept(start[0] - self.burn_in + 1, n_tested)
        ]
        state = {**state, "starts": kept}
        effect = value - state["reference"]
        return state, Evidence(
            **common,
            e_value=bounded(log_e),
            relevant=abs(effect) >= min_effect and counts(self.sides, effect, direction),
            reference_value=state["reference"],
            effect=effect,
            detail={"n_reference_windows": self.burn_in, "likeliest_start": likeliest_start},
        )

    def _add(self, state: State, value: float, measurement: Measurement) -> State:
        """Return the state with one more window; one that is tested becomes a possible first changed window."""
        n = state["n"]
        level = state["level"] if n else value  # the statistic does not depend on the level; without it sums cancel
        x = value - level
        is_tested = n >= self.burn_in
        start = [n, measurement.window.key, state["total"], state["variance"]]
        return {
            "n": n + 1,
            "level": level,
            "total": state["total"] + x,
            "squares": state["squares"] + x * x,
            "variance": state["variance"] + squared_error(measurement),
            "reference": state["reference"] if is_tested else level + (state["total"] + x) / (n + 1),
            "starts": [*state["starts"], start] if is_tested else [],
        }


def _is_kept(tested: int, n_tested: int) -> bool:
    """Return whether the `tested`-th tested window remains a possible start: the first, the newest, few between."""
    doublings = ((n_tested - tested) // NEWEST).bit_length()
    return doublings == 0 or tested <= FIRST or tested % (2 ** (doublings + 2)) == 0


def _log_terms(state: State, burn_in: int) -> NDArray[np.float64]:
    """Return the logarithms of the terms of the evidence after the last window, one per possible start."""
    n = state["n"]
    before, _, totals, variances = zip(*state["starts"], strict=True)
    n1, total, variance = (np.array(column, dtype=np.float64) for column in (before, totals, variances))
    n2 = n - n1
    mean1, mean2 = total / n1, (state["total"] - total) / n2
    nu = n - 2
    n_delta = n1 * n2 / n
    between = n_delta * (mean2 - mean1) ** 2
    within = np.maximum(state["squares"] - n1 * mean1**2 - n2 * mean2**2, 0.0)
    floor = variance / n1**2 + (state["variance"] - variance) / n2**2
    within = np.maximum(within, nu * n_delta * floor)
    shrink = 1 + n_delta[:, None] * EFFECT_VARIANCES
    with np.errstate(divide="ignore", invalid="ignore"):  # 0/0: no shift and no variation is no evidence
        ratio = np.log((within + between)[:, None] / (within[:, None] + between[:, None] / shrink))
    ratio = np.where((within + between)[:, None] > 0, ratio, 0.0)
    log_factor = (nu + 1) / 2 * ratio - np.log(shrink) / 2
    tested = n1 - burn_in + 1
    mixed = np.logaddexp.reduce(log_factor, axis=1) - math.log(len(EFFECT_VARIANCES))
    terms: NDArray[np.float64] = mixed - np.log(tested * (tested + 1))
    return terms
