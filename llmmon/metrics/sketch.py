"""A mergeable sketch of values of 0 or more: a histogram over buckets whose width grows with the value.

The buckets are those of ``llmmon.bucket_value`` and ``llmmon.bucket_of`` in SQL, where sketches are merged by adding
counts.

References
----------
C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
PVLDB 12, 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from llmmon.metrics.independence import Codes, Floats

ACCURACY: Final = 0.01
"""Largest relative error of a quantile."""
_WIDTH: Final = math.log((1 + ACCURACY) / (1 - ACCURACY))
_ZERO: Final = -32768
_LARGEST: Final = 32767
"""Bucket of all that is too large for one of its own, from some 1e284 on: buckets are smallint in SQL."""
_SMALLEST: Final = 1e-6
"""Values up to this count as zero."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sketch:
    """Bucket numbers, ascending, and how many values each holds."""

    buckets: Codes
    counts: Codes

    @classmethod
    def of(cls, values: Any) -> Sketch:
        """Sketch finite values of 0 or more."""
        found = buckets_of(np.asarray(values, dtype=float))
        counts = np.bincount(found - _ZERO)
        seen = np.flatnonzero(counts)
        return cls(buckets=seen + _ZERO, counts=counts[seen])

    @property
    def n(self) -> int:
        """How many values it holds."""
        return int(self.counts.sum())

    def quantile(self, level: float) -> float:
        """Return a quantile within 1% of `numpy.quantile` over the values.

        Examples
        --------
        >>> round(Sketch.of([100.0, 200.0, 400.0]).quantile(0.5))
        199
        """
        upto = np.cumsum(self.counts)
        rank = level * (self.n - 1)
        low, high = (
            _middle(int(self.buckets[int(np.searchsorted(upto, place, side="right"))]))
            for place in (math.floor(rank), math.ceil(rank))
        )
        return low + (high - low) * (rank - math.floor(rank))


def buckets_of(values: Floats) -> Codes:
    """Return the bucket of each value."""
    found = np.minimum(np.ceil(np.log(np.maximum(values, _SMALLEST)) / _WIDTH), _LARGEST)
    return np.where(values <= _SMALLEST, _ZERO, found).astype(np.int64)


def _middle(bucket: int) -> float:
    return 0.0 if bucket == _ZERO else 2 * math.exp(bucket * _WIDTH) / (math.exp(_WIDTH) + 1)
