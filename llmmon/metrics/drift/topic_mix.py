"""Shift of the mix of topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import TEXTS, require
from llmmon.metrics.drift.bins import Counts, check_binning, compare_in_bits
from llmmon.metrics.drift.text_features import (
    MIN_TEXTS,
    N_FEATURES,
    REFERENCE_ROWS,
    check_amounts,
    texts_of,
    vectors_of,
)
from llmmon.metrics.intervals import Floats
from llmmon.model import Direction, Estimate

_DIMENSIONS: Final = 64


@metrics.register("topic_mix")
@dataclass(frozen=True, kw_only=True, slots=True)
class TopicMix:
    """Jensen-Shannon divergence between the topics of this window's texts and the reference's, in bits.

    Topics are clusters of the reference's texts by their words (k-means). A text of the window counts for the nearest.
    Prefer `embedding_drift` for any change of wording; this one says which kind of request became more frequent.

    Parameters
    ----------
    field : str
        ``prompt`` or ``response_text``.
    topics : int
        Clusters, 2 to 32; one of fewer than 10 texts of the reference is dissolved.
    max_rows : int
        Texts used of the window, chosen by a hash of the request's key; five times as many of the reference.
    max_characters : int
        Of each text, from its beginning.
    n_resamples : int
        Of the bootstrap.
    seed : int
        Of the clusters and the bootstrap.

    Notes
    -----
    Words and word pairs are hashed and projected on 64 random directions; a topic is kept as the mean of at least 10
    texts there, from which no text can be read. Topics are numbered from the most frequent of the reference on. The
    interval is that of `jensen_shannon` over the counts, and takes the topics as given.

    References
    ----------
    J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37, 1991.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "bits"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    field: str = "prompt"
    topics: int = 8
    max_rows: int = 1000
    max_characters: int = 1000
    n_resamples: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        require("field", self.field, TEXTS)
        check_binning(2, self.n_resamples)
        if not 2 <= self.topics <= 32:
            raise ValueError(f"topics: expected 2 to 32, got {self.topics}")
        check_amounts(max_rows=self.max_rows, max_characters=self.max_characters)

    def summarise(self, reference: WindowData) -> Summary:
        """Return the centres of the topics and how many texts each has."""
        vectors = self._vectors(reference, REFERENCE_ROWS * self.max_rows)
        if len(vectors) < MIN_TEXTS:
            return {"n": len(vectors), "centres": [], "counts": []}
        centres = _centres(vectors, self.topics, self.seed)
        counts = np.bincount(_nearest(vectors, centres), minlength=len(centres))
        order = np.argsort(-counts, kind="stable")
        return {"n": len(vectors), "centres": centres[order].tolist(), "counts": counts[order].tolist()}

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the divergence with its bootstrap interval, and the topics' counts in the detail."""
        if reference is None:
            return Estimate.absent("no reference windows")
        vectors = self._vectors(current, self.max_rows)
        n, m = len(vectors), int(reference["n"])
        if not n:
            return Estimate.absent(f"no {self.field} in this window")
        if m < MIN_TEXTS:
            return Estimate.absent(f"{m} texts in the reference windows; topics need {MIN_TEXTS}", n=n)
        centres = np.asarray(reference["centres"], dtype=float)
        if len(centres) < 2:
            return Estimate.absent("the texts of the reference windows form one topic only", n=n)
        counts = np.bincount(_nearest(vectors, centres), minlength=len(centres)).astype(float)
        labels = tuple(f"topic {number}" for number in range(1, len(centres) + 1))
        sides = Counts(labels, counts, np.asarray(reference["counts"], dtype=float))
        return compare_in_bits(sides, n_resamples=self.n_resamples, seed=self.seed)

    def _vectors(self, data: WindowData, max_rows: int) -> Floats:
        texts = texts_of(data, self.field, max_rows=max_rows, max_characters=self.max_characters)
        directions = np.random.default_rng(self.seed).standard_normal((N_FEATURES, _DIMENSIONS))
        return np.asarray(vectors_of(texts) @ directions / _DIMENSIONS**0.5)


def _centres(vectors: Floats, n_topics: int, seed: int) -> Floats:
    """Return the means of clusters that have at least 10 texts each."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    n_topics = min(n_topics, len(vectors) // MIN_TEXTS, len(np.unique(vectors, axis=0)))
    with threadpool_limits(1):  # sums in one order, on every machine
        labels = KMeans(n_topics, n_init=3, random_state=seed).fit(vectors).labels_
    sizes = np.bincount(labels, minlength=n_topics)
    kept = [label for label in range(n_topics) if sizes[label] >= MIN_TEXTS]
    return np.asarray(np.array([vectors[labels == label].mean(axis=0) for label in kept]).round(6))


def _nearest(vectors: Floats, centres: Floats) -> Floats:
    return np.asarray(((centres**2).sum(axis=1) - 2 * vectors @ centres.T).round(9).argmin(axis=1))
