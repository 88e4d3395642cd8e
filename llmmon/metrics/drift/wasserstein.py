"""How far a distribution has to be moved to become another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import NUMBERS, numbers, require
from llmmon.metrics.drift.quantile_grid import GRID_SIZE
from llmmon.metrics.intervals import Floats, Z
from llmmon.model import Direction, Estimate


@metrics.register("wasserstein")
@dataclass(frozen=True, kw_only=True, slots=True)
class Wasserstein:
    """Wasserstein-1 distance of a numeric column to the reference windows, in interquartile ranges of the reference.

    The mean distance between equal quantiles. Unlike `ks_distance` it says how far values moved, not only how many, and
    the tails count; `detail["distance"]` has it in the unit of the field.

    Parameters
    ----------
    field : str
        Numeric column of the request log.

    Notes
    -----
    The reference is kept whole up to 1,024 rows, above as the means of 1,024 equal slices of its sorted rows: its mean
    is exact. The value is biased upwards: among equal distributions it is near the b of the interval, which runs from
    value - 1.96 s - b to value + 1.96 s. b is the expected distance of two samples of one distribution, the integral of
    sqrt(2 F (1 - F) (1/n + 1/N) / pi), and s the standard error of the linearised distance, with the sign of F - G held
    fixed.

    References
    ----------
    E. del Barrio, E. Gine, C. Matran, "Central limit theorems for the Wasserstein distance between the empirical and
    the true distributions", Annals of Probability 27, 1999.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "reference IQRs"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "n_output_tokens"

    def __post_init__(self) -> None:
        require("field", self.field, NUMBERS)

    def summarise(self, reference: WindowData) -> Summary:
        """Return the column's sorted rows, or the means of 1,024 slices of them, and the interquartile range."""
        values = np.sort(numbers(reference, self.field)[0])
        n = len(values)
        if not n:
            return {"n": 0}
        low, high = np.quantile(values, (0.25, 0.75))
        if n > GRID_SIZE:
            values = np.array([part.mean() for part in np.array_split(values, GRID_SIZE)])
        return {"n": n, "iqr": float(high - low), "values": values.tolist()}

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the distance with its interval."""
        if reference is None:
            return Estimate.absent("no reference windows")
        values = np.sort(numbers(current, self.field)[0])
        n, m = len(values), int(reference["n"])
        if not n or not m:
            where = "the reference windows" if n else "this window"
            return Estimate.absent(f"no {self.field} in {where}", n=n)
        scale = float(reference["iqr"])
        others = np.asarray(reference["values"], dtype=float)
        distance, error, chance = _distance(values, others, m)
        detail = {"n_reference": m, "distance": distance, "reference_iqr": scale}
        if not scale > 0:
            reason = (
                f"the middle half of the reference is one value of {self.field}: no interquartile range to scale by"
            )
            return Estimate.absent(reason, n=n, detail=detail)
        low, high = max(0.0, distance - Z * error - chance), distance + Z * error
        return Estimate(value=distance / scale, n=n, low=low / scale, high=high / scale, detail=detail)


def _distance(values: Floats, others: Floats, n_others: int) -> tuple[float, float, float]:
    """Return the distance, its standard error, and what it is expected to be among equal distributions."""
    points = np.sort(np.concatenate((values, others)), kind="stable")
    widths = np.diff(points)
    own = np.searchsorted(values, points[:-1], "right") / len(values)
    other = np.searchsorted(others, points[:-1], "right") / len(others)
    distance = float((np.abs(own - other) * widths).sum())
    # moving a row from x to x + dx changes the distance by the sign of F - G at x; its influence is the integral of it
    climb = np.concatenate(([0.0], np.cumsum(np.sign(own - other) * widths)))
    variance = sum(
        float(climb[np.searchsorted(points, side)].var()) / n for side, n in ((values, len(values)), (others, n_others))
    )
    size = 1 / len(values) + 1 / n_others
    pooled = (own * len(values) + other * n_others) / (len(values) + n_others)
    chance = float((np.sqrt(2 / math.pi * size * pooled * (1 - pooled)) * widths).sum())
    return distance, math.sqrt(variance), chance
