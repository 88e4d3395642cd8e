"""What an estimated level may be off by, in a few numbers, so that it can be integrated out."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from llmmon.detectors.baseline import Baseline
from llmmon.detectors.start_mixture import Floats

_FARTHEST: Final = 4.0
"""Standard errors that an estimated level may be off by."""
_APART: Final = 1 / 16
"""Deviations of a window between levels, at most: a quarter of the smallest change, so that none lies in between."""


def n_levels(baseline: Baseline) -> npt.NDArray[np.int64]:
    """Return how many levels stand for what each stream's level may be; one where a band allows for its error."""
    reach = _FARTHEST * np.where(baseline.band > 0, 0.0, baseline.level_error)
    return 1 + 2 * np.ceil(reach / _APART).astype(np.int64)


def levels(n: int) -> tuple[Floats, Floats]:
    """Return what `n` levels are off by, in standard errors, and the log prior weight of each: a standard normal error.

    Among hundreds of streams some are off by three errors. Their e-values are large, as often as an e-value may be:
    what counts is the mean over streams.
    """
    away = np.linspace(-_FARTHEST, _FARTHEST, n) if n > 1 else np.zeros(1)
    density = -(away**2) / 2
    return away, density - np.logaddexp.reduce(density)
