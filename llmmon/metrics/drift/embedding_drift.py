"""How well a linear discriminant tells this window's texts from the reference's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import TEXTS, require
from llmmon.metrics.drift.text_features import (
    MIN_TEXTS,
    REFERENCE_ROWS,
    check_amounts,
    summarise_texts,
    texts_of,
    vectors_of,
)
from llmmon.metrics.intervals import Floats, Z
from llmmon.model import Direction, Estimate

_FOLDS: Final = 5
_RIDGE: Final = 5.0
_SHARED_TRAINING: Final = 2.0
_APART: Final = 20.0
"""Distance from which the AUROC is 1 in every digit."""


@metrics.register("embedding_drift")
@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingDrift:
    """AUROC of a linear discriminant between this window's texts and the reference's: 0.5 when they are alike.

    A classifier two-sample test against stored statistics. Texts become vectors of hashed words and word pairs; of the
    reference only mean and variance of each feature are kept, so that a check costs what the window costs, and no text
    of the reference need be readable. The discriminant is fitted on four fifths of the window's texts and judged on the
    fifth that it has not seen, five times.

    Parameters
    ----------
    field : str
        ``response_text`` or ``prompt``.
    max_rows : int
        Texts used of the window, chosen by a hash of the request's key; five times as many of the reference.
    max_characters : int
        Of each text, from its beginning.
    min_rows : int
        Texts that either side needs, at least 10.

    Notes
    -----
    With m and v the reference's means and variances over N texts, the direction is w = (mean(train) - m) / (v + u),
    u being five times the mean of v. The unseen texts x lie d = (mean(w (x - m)) - sum(v / (v + u)) / N) / s beyond
    the reference. The second term is what the reference's own sampling error adds, as it stands on both sides of
    the product; with it d is centred at 0 without drift, whatever the distribution of scores. s^2 is the mean of
    the variances of w x in the window and in the reference. Covariances are not kept, so that the latter is taken
    as that of independent features, or as that of the window where this is larger. The value is the AUROC of two
    normal distributions at that distance, Phi(d / sqrt(2)); below 0.5 it is shown as 0.5. The variance of d is
    taken as twice 1/n + 1/N + d^2 / 2(n + N), because folds share training texts (Bengio and Grandvalet, JMLR 5,
    2004). Texts are treated as independent, which requests of one conversation are not. Rows are put into folds by
    a hash of their key, so that neither their order nor a seed matters.

    References
    ----------
    D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017. P. J. Bickel, E. Levina, "Some theory
    for Fisher's linear discriminant function, 'naive Bayes', and some alternatives when there are many more variables
    than observations", Bernoulli 10, 2004.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "AUROC"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "response_text"
    max_rows: int = 400
    max_characters: int = 1000
    min_rows: int = MIN_TEXTS

    def __post_init__(self) -> None:
        require("field", self.field, TEXTS)
        check_amounts(min_rows=self.min_rows, max_rows=self.max_rows, max_characters=self.max_characters)

    def summarise(self, reference: WindowData) -> Summary:
        """Return mean and variance of the features of the reference's texts."""
        return summarise_texts(self._texts(reference, REFERENCE_ROWS * self.max_rows))

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the AUROC with its interval."""
        if reference is None:
            return Estimate.absent("no reference windows")
        texts = self._texts(current, self.max_rows)
        n, m = len(texts), int(reference["n"])
        if min(n, m) < self.min_rows:
            return Estimate.absent(
                f"{n} texts in this window and {m} in the reference windows; {self.min_rows} are needed on both", n=n
            )
        mean, variance = (np.asarray(reference[name], dtype=float) for name in ("mean", "variance"))
        distance = _cross_validated_distance((vectors_of(texts) - mean).round(8), variance, m)
        value = max(0.5, _auroc(distance))
        error = math.sqrt(_SHARED_TRAINING * (1 / n + 1 / m + distance**2 / (2 * (n + m))))
        low, high = (_auroc(distance + sign * Z * error) for sign in (-1, 1))
        detail = {"n_reference": m, "field": self.field, "distance": distance}
        return Estimate(value=value, n=n, low=min(low, value), high=max(high, value), detail=detail)

    def _texts(self, data: WindowData, max_rows: int) -> list[str]:
        return texts_of(data, self.field, max_rows=max_rows, max_characters=self.max_characters)


def _cross_validated_distance(centred: Floats, variance: Floats, n_reference: int) -> float:
    """Return how many standard deviations the rows lie beyond 0 along a direction that other rows showed."""
    folds = np.arange(len(centred)) % _FOLDS  # rows are in the order of a hash
    scale = variance + _RIDGE * variance.mean()
    scale = np.where(scale > 0, scale, 1.0)
    chance = float((variance / scale).sum()) / (n_reference - 1)
    scores, within = np.empty(len(centred)), 0.0
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        direction = centred[train].mean(axis=0) / scale
        spread = math.sqrt(float((direction**2 * variance).sum())) or 1.0  # in the reference: 1 from here on
        scores[test] = (centred[test] @ direction - chance) / spread
        within += float(((scores[test] - scores[test].mean()) ** 2).sum())
    own = within / (len(centred) - _FOLDS)
    spread = math.sqrt((own + max(own, float(variance.any()))) / 2)
    shift = float(scores.mean())
    if spread == 0:  # all texts of either side are equal
        return _APART if shift > 0 else 0.0
    return max(-_APART, min(_APART, shift / spread))


def _auroc(distance: float) -> float:
    return 0.5 * math.erfc(-distance / 2)
