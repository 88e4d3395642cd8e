"""How well a classifier tells this window's texts from the reference's."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from llmmon.metrics.base import WindowData, metrics
from llmmon.metrics.columns import TEXTS, require
from llmmon.metrics.intervals import Floats, Z
from llmmon.model import Direction, Estimate

if TYPE_CHECKING:
    import pandas

_FOLDS: Final = 5
_RIDGE: Final = 1.0
_SHARED_TRAINING: Final = 2.0


@metrics.register("embedding_drift")
@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingDrift:
    """Cross-validated AUROC of a classifier between this window's texts and the reference's: 0.5 when they are alike.

    A classifier two-sample test. Texts become hashed vectors of words and word pairs (scikit-learn's
    ``HashingVectorizer``, unit length; no model is needed), a ridge classifier is fitted on four fifths of both sides,
    and the AUROC is taken on the fifth that it has not seen, five times.

    Parameters
    ----------
    field : str
        ``response_text`` or ``prompt``.
    max_rows : int
        Texts used of either side, chosen by a hash of the request's key.
    max_characters : int
        Of each text, from its beginning.
    min_rows : int
        Texts that either side needs.

    Notes
    -----
    Rows are put into folds by a hash of their key, so that neither their order nor a seed matters. Newcombe's interval
    (method 5) is used with the Hanley-McNeil variance, doubled because the folds share training texts (Bengio and
    Grandvalet, JMLR 5, 2004): without drift, over simulated and real answers, it then holds 0.5 about 95% of the time.
    It treats texts as independent, which requests of one conversation are not. A value below 0.5 is shown as 0.5: where
    the same texts stand on both sides the classifier is misled, which is no drift.

    References
    ----------
    D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017. R. G. Newcombe, "Confidence intervals
    for an effect size measure based on the Mann-Whitney statistic", Statistics in Medicine 25, 2006.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "AUROC"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True

    field: str = "response_text"
    max_rows: int = 200
    max_characters: int = 1000
    min_rows: int = 10

    def __post_init__(self) -> None:
        require("field", self.field, TEXTS)
        if self.min_rows < _FOLDS:
            raise ValueError(f"min_rows: expected at least {_FOLDS}, got {self.min_rows}")
        if self.max_rows < self.min_rows:
            raise ValueError(f"max_rows: expected at least min_rows ({self.min_rows}), got {self.max_rows}")
        if self.max_characters < 1:
            raise ValueError(f"max_characters: expected at least 1, got {self.max_characters}")

    def compute(self, current: WindowData, reference: WindowData | None) -> Estimate:
        """Return the AUROC with its interval."""
        if reference is None:
            return Estimate.absent("no reference windows")
        sides = [self._texts(data.requests) for data in (current, reference)]
        n, m = (len(side) for side in sides)
        if min(n, m) < self.min_rows:
            return Estimate.absent(
                f"{n} texts in this window and {m} in the reference windows; {self.min_rows} are needed on both", n=n
            )
        from sklearn.feature_extraction.text import HashingVectorizer
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        vectorizer = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), alternate_sign=False, dtype=np.float64)
        vectors = vectorizer.transform([*sides[0], *sides[1]])
        labels = np.repeat([1.0, -1.0], [n, m])
        # the i-th text of a side, in hash order, goes to fold i mod 5: all folds hold both sides
        folds = np.concatenate([np.arange(n) % _FOLDS, np.arange(m) % _FOLDS])
        with threadpool_limits(1):  # the systems are small: more threads only wait for each other on a busy machine
            found = _cross_validated_auroc((vectors @ vectors.T).toarray(), labels, folds)
        value = max(0.5, found)
        low, high = _interval(value, n, m)
        detail = {"n_reference": m, "field": self.field, "cross_validated": found}
        return Estimate(value=value, n=n, low=low, high=high, detail=detail)

    def _texts(self, requests: pandas.DataFrame) -> list[str]:
        rows = requests[requests[self.field].notna()]
        keyed = sorted(
            (hashlib.blake2b(str(key).encode(), digest_size=8).digest(), text)
            for key, text in zip(rows["request_key"], rows[self.field], strict=True)
        )
        return [text[: self.max_characters] for _, text in keyed[: self.max_rows]]


def _cross_validated_auroc(kernel: Floats, labels: Floats, folds: Floats) -> float:
    concordant, pairs = 0.0, 0
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        target = np.where(labels[train] > 0, 1 / (labels[train] > 0).sum(), -1 / (labels[train] < 0).sum())
        system = kernel[np.ix_(train, train)] + _RIDGE * np.eye(int(train.sum()))
        scores = kernel[np.ix_(test, train)] @ np.linalg.solve(system, target)
        # rounding keeps texts with equal words exactly tied, on every machine
        up, down = (np.round(scores[labels[test] == side], 12) for side in (1.0, -1.0))
        gaps = up[:, None] - down[None, :]
        concordant += float((gaps > 0).sum()) + 0.5 * float((gaps == 0).sum())
        pairs += gaps.size
    return concordant / pairs


def _interval(value: float, n: int, m: int) -> tuple[float, float]:
    def excess(theta: float) -> float:
        middle = (n + m) / 2 - 1
        variance = theta * (1 - theta) / (n * m)
        variance *= 1 + middle * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return abs(theta - value) - Z * math.sqrt(_SHARED_TRAINING * variance)

    return _root(excess, 0.0, value), _root(excess, 1.0, value)


def _root(excess: Callable[[float], float], outer: float, inner: float) -> float:
    for _ in range(60):
        middle = (outer + inner) / 2
        outer, inner = (middle, inner) if excess(middle) > 0 else (outer, middle)
    return inner
