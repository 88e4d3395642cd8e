"""Maximum mean discrepancy of texts, or of several numbers together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import NUMBERS, TEXTS, require
from llmmon.metrics.drift.feature_map import features_of, inputs_of
from llmmon.metrics.drift.text_features import MIN_TEXTS, REFERENCE_ROWS, check_amounts
from llmmon.metrics.intervals import Floats, Z
from llmmon.model import Direction, Estimate


@metrics.register("mmd")
@dataclass(frozen=True, kw_only=True, slots=True)
class Mmd:
    """Maximum mean discrepancy between this window and the reference windows: 0 when no further apart than by chance.

    The distance of mean feature vectors under a Gaussian kernel, approximated by 64 random Fourier features. It sees
    changes of several columns together, such as of a correlation, that no column shows alone. `detail["features"]` is
    the window's mean feature vector, which a detector may read; the feature map is the same for every window.

    Parameters
    ----------
    fields : sequence of str
        ``response_text`` or ``prompt``; or up to 8 numeric columns of the request log.
    max_rows : int
        Texts used of the window, chosen by a hash of the request's key; five times as many of the reference. Of
        numbers every row is used.
    max_characters : int
        Of each text, from its beginning.
    min_rows : int
        Rows that either side needs, at least 10.
    seed : int
        Of the frequencies.

    Notes
    -----
    Texts enter as hashed words of unit length, under a kernel of width 1; numbers as log(1 + x) (cost in micro-dollars)
    under kernels of widths 1 and 0.3 per column, so that nothing has to be learned from the reference. Rows that lack
    one of the columns are left out. MMD^2 is estimated without bias, |a - b|^2 - tr(A) / n - tr(B) / N with means a and
    b and covariances A and B, is in `detail["squared"]` as it comes, and is shown as its root, or 0 where it is
    negative. With C = A / n + B / N its variance is 4 (a - b)' C (a - b) + 2 tr(C^2).

    References
    ----------
    A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012. A. Rahimi, B. Recht, "Random Features for Large-Scale
    Kernel Machines", NIPS 2007.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "MMD"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    fields: Sequence[str] = ("response_text",)
    max_rows: int = 1000
    max_characters: int = 1000
    min_rows: int = MIN_TEXTS
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.fields, str) or not 1 <= len(self.fields) <= 8:
            raise ValueError(f"fields: expected a list of 1 to 8 columns, got {self.fields!r}")
        for field in self.fields:
            require("fields", field, (*TEXTS, *NUMBERS) if len(self.fields) == 1 else NUMBERS)
        check_amounts(min_rows=self.min_rows, max_rows=self.max_rows, max_characters=self.max_characters)

    def summarise(self, reference: WindowData) -> Summary:
        """Return mean and covariance of the features; nothing of fewer than 10 rows."""
        return summarise_features(self._features(reference, REFERENCE_ROWS * self.max_rows))

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the discrepancy with its interval, and the window's mean features in the detail."""
        if reference is None:
            return Estimate.absent("no reference windows")
        features = self._features(current, self.max_rows)
        n, m = len(features), int(reference["n"])
        if min(n, m) < self.min_rows:
            told = f"{n} rows with {', '.join(self.fields)} in this window and {m} in the reference windows"
            return Estimate.absent(f"{told}; {self.min_rows} are needed on both", n=n)
        squared, error = squared_discrepancy(features, reference)
        value, low, high = (math.sqrt(max(0.0, end)) for end in (squared, squared - Z * error, squared + Z * error))
        detail = {"features": features.mean(axis=0).tolist(), "squared": squared, "n_reference": m}
        return Estimate(value=value, n=n, low=low, high=high, detail=detail)

    def _features(self, data: WindowData, max_rows: int) -> Floats:
        inputs = inputs_of(data, self.fields, max_rows=max_rows, max_characters=self.max_characters)
        return features_of(inputs, self.seed)


def summarise_features(features: Floats) -> Summary:
    """Return mean and covariance of features of shape (n, k); nothing of fewer than 10 rows."""
    if len(features) < MIN_TEXTS:
        return {"n": len(features)}
    covariance = np.cov(features, rowvar=False)
    upper = covariance[np.triu_indices(len(covariance))].round(9)
    return {"n": len(features), "mean": features.mean(axis=0).round(9).tolist(), "covariance": upper.tolist()}


def squared_discrepancy(features: Floats, reference: Summary) -> tuple[float, float]:
    """Return the unbiased MMD^2 of features of shape (n, k) to a summary of others, and its standard error."""
    mean, noise = features.mean(axis=0), np.cov(features, rowvar=False) / len(features)
    noise = noise + _square(reference["covariance"], len(mean)) / int(reference["n"])
    gap = mean - np.asarray(reference["mean"], dtype=float)
    variance = 4 * float(gap @ noise @ gap) + 2 * float((noise**2).sum())
    return float(gap @ gap) - float(np.trace(noise)), math.sqrt(max(0.0, variance))


def _square(upper: list[float], size: int) -> Floats:
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size)] = upper
    return matrix + np.triu(matrix, 1).T
