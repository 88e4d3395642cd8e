"""Largest gap between two distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import WindowData, metrics
from llmmon.metrics.columns import NUMBERS, numbers, require
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
    The interval is D plus and minus sqrt(ln(80) / 2n) + sqrt(ln(80) / 2m), Massart's bound on each of the two
    distributions at 97.5%: valid at every n and m, and wide. D is biased upwards; among equal distributions it is near
    0.87 sqrt(1/n + 1/m).

    References
    ----------
    P. Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18, 1990.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "distance"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True

    field: str = "n_output_tokens"
    lane: str = LOGGED

    def __post_init__(self) -> None:
        require("field", self.field, NUMBERS)

    def compute(self, current: WindowData, reference: WindowData | None) -> Estimate:
        """Return the distance with its interval."""
        if reference is None:
            return Estimate.absent("no reference windows")
        values, weights = numbers(current, self.field, self.lane)
        others, other_weights = numbers(reference, self.field, self.lane)
        if not len(values) or not len(others):
            where = "this window" if not len(values) else "the reference windows"
            return Estimate.absent(f"no {self.field} in {where}", n=len(values))
        distance = ks_statistic(values, weights, others, other_weights)
        slack = math.sqrt(math.log(80) / 2) * (effective_n(weights) ** -0.5 + effective_n(other_weights) ** -0.5)
        return Estimate(
            value=distance,
            n=len(values),
            low=max(0.0, distance - slack),
            high=min(1.0, distance + slack),
            detail={"n_reference": len(others)},
        )


def ks_statistic(values: Floats, weights: Floats, others: Floats, other_weights: Floats) -> float:
    """Return the largest absolute difference of the two weighted empirical distribution functions."""
    first, level = _distribution(values, weights)
    second, other_level = _distribution(others, other_weights)
    # each function is furthest above the other just after one of its own steps; of tied values the last step counts
    above = level[1:] - other_level[np.searchsorted(second, first, "right")]
    below = other_level[1:] - level[np.searchsorted(first, second, "right")]
    return float(max(above.max(), below.max()))


def _distribution(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the sorted values and the distribution function before the first and after each of them."""
    if (weights == weights[0]).all():
        return np.sort(values), np.arange(len(values) + 1) / len(values)
    order = np.argsort(values, kind="stable")
    return values[order], np.concatenate(([0.0], np.cumsum(weights[order]) / weights.sum()))
