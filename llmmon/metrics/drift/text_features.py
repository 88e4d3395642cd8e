"""Texts as numbers: hashed words and word pairs, of which only means and variances over many texts are ever kept."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from llmmon.metrics.base import Summary, WindowData
from llmmon.metrics.intervals import Floats

N_FEATURES: Final = 1024
MIN_TEXTS: Final = 10
"""Fewer texts are not summarised: their mean would say too much of each."""
REFERENCE_ROWS: Final = 5
"""Rows of the reference windows that are used for each of the most of one window."""
_DECIMALS: Final = 9


def check_amounts(*, max_rows: int, max_characters: int, min_rows: int = MIN_TEXTS) -> None:
    """Raise `ValueError` when a metric over texts was told to use too little of them."""
    if min_rows < MIN_TEXTS:
        raise ValueError(f"min_rows: expected at least {MIN_TEXTS}, got {min_rows}")
    if max_rows < min_rows:
        raise ValueError(f"max_rows: expected at least the {min_rows} that are needed, got {max_rows}")
    if max_characters < 1:
        raise ValueError(f"max_characters: expected at least 1, got {max_characters}")


def texts_of(data: WindowData, field: str, *, max_rows: int, max_characters: int) -> list[str]:
    """Return the beginnings of up to `max_rows` texts, chosen and ordered by a hash of the request's key."""
    rows = data.requests[data.requests[field].notna()]
    keyed = sorted(
        (hashlib.blake2b(str(key).encode(), digest_size=8).digest(), text)
        for key, text in zip(rows["request_key"], rows[field], strict=True)
    )
    return [text[:max_characters] for _, text in keyed[:max_rows]]


def vectors_of(texts: list[str]) -> Floats:
    """Return one row of 1,024 numbers per text, of unit length; no model is needed.

    Words and word pairs are counted under the signed hash of scikit-learn's ``HashingVectorizer``: a random projection
    of the bag of words that is the same on every machine.
    """
    if not texts:
        return np.empty((0, N_FEATURES))
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(n_features=N_FEATURES, ngram_range=(1, 2), dtype=np.float64)
    return np.asarray(vectorizer.transform(texts).toarray(), dtype=float)


def summarise_texts(texts: list[str]) -> Summary:
    """Return mean and variance of every feature over `texts`, none of them while there are fewer than 10."""
    if len(texts) < MIN_TEXTS:
        return {"n": len(texts)}
    vectors = vectors_of(texts)
    # rounded, so that texts which are all equal have no variance
    mean, variance = vectors.mean(axis=0).round(_DECIMALS), vectors.var(axis=0).round(_DECIMALS)
    return {"n": len(texts), "mean": mean.tolist(), "variance": variance.tolist()}
