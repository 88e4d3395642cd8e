"""Largest gap between two distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import NUMBERS, numbers, require
from llmmon.metrics.drift.quantile_grid import (
    Distribution,
    distribution,
    is_even,
    shares,
    stored_distribution,
    summarise_numbers,
)
from llmmon.metrics.intervals import Floats, effective_n
from llmmon.model import LOGGED, Direction, Estimate


@metrics.register("ks_distance")
@dataclass(frozen=True, kw_only=True, slots=True)
class KsDistance:
    """Kolmogorov-Smirnov distance of a numeric column to the reference windows: the largest gap of the two CDFs.

    Parameters
    ----------
    field : str
        Numeric column of the request log.
    lane : str
        ``logged`` for what production measured, else a replay lane.

    Notes
    -----
    The reference is kept whole up to 1,024 rows, above as 1,024 quantiles: D is then off by less than 0.0005. A window
    of 200,000 positive numbers or more is counted in cells in place of being sorted, as long as that makes D wrong by
    less than 0.00025. The interval includes both. It is D plus and minus sqrt(ln(80) / 2n) + sqrt(ln(80) / 2m),
    Massart's bound on each of the two distributions at 97.5%: valid at every n and m, and wide. D is biased upwards;
    among equal distributions it is near 0.87 sqrt(1/n + 1/m).

    References
    ----------
    P. Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18, 1990.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "distance"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "n_output_tokens"
    lane: str = LOGGED

    def __post_init__(self) -> None:
        require("field", self.field, NUMBERS)

    def summarise(self, reference: WindowData) -> Summary:
        """Return the distribution of the column in the reference windows."""
        return summarise_numbers(*numbers(reference, self.field, self.lane))

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the distance with its interval."""
        if reference is None:
            return Estimate.absent("no reference windows")
        values, weights = numbers(current, self.field, self.lane)
        others = stored_distribution(reference)
        if not len(values) or others is None:
            where = "this window" if not len(values) else "the reference windows"
            return Estimate.absent(f"no {self.field} in {where}", n=len(values))
        distance, error = ks_statistic(values, weights, others)
        slack = error + math.sqrt(math.log(80) / 2) * (_size(weights) ** -0.5 + others.effective_n**-0.5)
        slack += 0.5 / len(others.values) if others.n > len(others.values) else 0.0
        return Estimate(
            value=distance,
            n=len(values),
            low=max(0.0, distance - slack),
            high=min(1.0, distance + slack),
            detail={"n_reference": others.n},
        )


def _size(weights: Floats) -> float:
    return float(len(weights)) if is_even(weights) else effective_n(weights)


def ks_statistic(values: Floats, weights: Floats, others: Distribution) -> tuple[float, float]:
    """Return the largest absolute difference of two weighted empirical distribution functions, and its error."""
    error = 0.0
    if is_even(weights):
        below, upto, error = shares(values, others.values)
    else:
        own = distribution(values, weights)
        below, upto = (own.levels[np.searchsorted(own.values, others.values, side)] for side in ("left", "right"))
    # the two functions are furthest apart at a step of the stored one: just before it on one side, just after on the
    # other, since the window's function only grows between steps
    after = others.levels[np.searchsorted(others.values, others.values, "right")]
    before = others.levels[np.searchsorted(others.values, others.values, "left")]
    return float(max((after - upto).max(), (below - before).max(), 0.0)), error
