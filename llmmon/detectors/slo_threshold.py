"""Evidence that a promise is broken: a value beyond a fixed limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from llmmon.detectors.base import Z_95, State, detectors
from llmmon.detectors.e_value import bounded, log_add, log_e_from_p
from llmmon.model import Direction, Evidence, Measurement
from llmmon.model.json import refuse_nan


@detectors.register("slo_threshold")
@dataclass(frozen=True, kw_only=True, slots=True)
class SloThreshold:
    r"""Evidence against "in every window the true value is within the limit".

    Parameters
    ----------
    limit : float
        The promised bound, in the metric's unit.
    worse : {"above", "below"}
        On which side of the limit the promise is broken.

    Notes
    -----
    Window t's 95% interval gives a standard error (its half towards the limit, divided by 1.96), a one-sided normal
    p-value of "not beyond the limit" and, by the calibrator of `log_e_from_p`, an e-value :math:`e_t`. They are
    multiplied from an unknown start s with prior mass :math:`w_s = 1 / (s (s + 1))`:

    .. math:: A_t = (A_{t-1} + w_t)\, e_t, \qquad M_t = A_t + 1 / (t + 1).

    While the promise holds :math:`E[M_t] \le 1` and, by Ville's inequality, :math:`P(\exists t: M_t \ge 1/a) \le a`
    over an unlimited horizon.

    Assumed: windows are independent given their true values, and the metric's interval has its stated coverage and is
    about normal towards the limit. A window without value or interval is no evidence and is skipped with its reason.

    References
    ----------
    Shafer and Vovk (2019), Game-Theoretic Foundations for Probability and Finance (mixtures over start times).
    """

    limit: float
    worse: Literal["above", "below"]

    def __post_init__(self) -> None:
        refuse_nan("limit", self.limit)
        if self.worse not in ("above", "below"):
            raise ValueError(f"worse is {self.worse!r}; expected 'above' or 'below'")

    def begin(self) -> State:
        """Return no evidence: no window has been seen."""
        return {"n_windows": 0, "log_a": None}

    def restart(self, state: State) -> State:
        """Return no evidence: the promise is the same, and what spoke against it was dealt with."""
        del state
        return self.begin()

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the evidence by this window; relevant when the value is beyond the limit by `min_effect`."""
        del direction  # `worse` says which side breaks the promise
        value = measurement.estimate.value
        log_p, reason = self._log_p(measurement)
        excess = None if value is None else self._excess(value)
        e_value = None
        if log_p is not None:
            t = state["n_windows"] + 1
            before = -math.inf if state["log_a"] is None else state["log_a"]
            log_a = log_add(before, -math.log(t * (t + 1))) + log_e_from_p(log_p)
            state = {"n_windows": t, "log_a": log_a}
            e_value = bounded(log_add(log_a, -math.log(t + 1)))
        return state, Evidence(
            window=measurement.window,
            e_value=e_value,
            relevant=excess is not None and excess > 0 and excess >= min_effect,
            value=value,
            reference_value=self.limit,
            effect=None if value is None else value - self.limit,
            reason=reason,
            detail={"limit": self.limit, "worse": self.worse},
        )

    def _excess(self, value: float) -> float:
        return value - self.limit if self.worse == "above" else self.limit - value

    def _log_p(self, measurement: Measurement) -> tuple[float | None, str | None]:
        """Return the log p-value of "within the limit", or the reason why the window is no evidence."""
        from scipy.special import log_ndtr

        estimate = measurement.estimate
        if estimate.value is None:
            return None, f"no value: {estimate.reason}"
        nearer = estimate.low if self.worse == "above" else estimate.high
        if nearer is None:
            return None, f"no interval: {estimate.reason or 'the metric gave none'}"
        error = abs(estimate.value - nearer) / Z_95
        if error == 0:
            return None, "the interval has no width, so the window says nothing of its own uncertainty"
        return float(log_ndtr(-self._excess(estimate.value) / error)), None
