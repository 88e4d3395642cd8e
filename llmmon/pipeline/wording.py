"""How much a text reads like now rather than before, by classifiers that have not seen it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from llmmon.metrics.intervals import Floats

if TYPE_CHECKING:
    import pandas

_FOLDS: Final = 2
_MAX_TEXTS: Final = 1000
_MIN_TEXTS: Final = 20
_MAX_CHARACTERS: Final = 1000
_RIDGE: Final = 1.0


def wording(before: pandas.DataFrame, now: pandas.DataFrame) -> Callable[[pandas.DataFrame], Floats] | None:
    """Learn how the texts of two sides differ; None when either has too few.

    Parameters
    ----------
    before, now : pandas.DataFrame
        ``request_key`` and ``text``; up to 1,000 of either side, chosen by a hash of the key.

    Returns
    -------
    callable or None
        Takes such rows and gives about 0 for a text like those before and 1 for one like those of now.

    Notes
    -----
    Requests fall into two folds by a hash of their key. A ridge regression on hashed words and word pairs, fitted on
    one fold, reads the texts of the other, whichever lane they are from: so a text is never compared with itself.
    """
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import Ridge

    sides = [_chosen(side) for side in (before, now)]
    if min(len(side) for side in sides) < _MIN_TEXTS:
        return None
    vectorizer = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), alternate_sign=False, dtype=np.float64)
    models: list[Any] = []
    for fold in range(_FOLDS):
        parts = [[text for key, text in side if _fold(key) != fold] for side in sides]
        if not all(parts):
            return None
        labels = np.repeat([0.0, 1.0], [len(part) for part in parts])
        evenly = np.repeat([1 / len(part) for part in parts], [len(part) for part in parts]) * len(labels) / 2
        model = Ridge(alpha=_RIDGE, solver="sparse_cg", tol=1e-10)
        models.append(model.fit(vectorizer.transform([*parts[0], *parts[1]]), labels, sample_weight=evenly))

    def read(rows: pandas.DataFrame) -> Floats:
        found = np.full(len(rows), np.nan)
        folds = np.array([_fold(key) for key in rows["request_key"]])
        texts = rows["text"].str.slice(0, _MAX_CHARACTERS).to_numpy()
        for fold, model in enumerate(models):
            if (folds == fold).any():
                found[folds == fold] = model.predict(vectorizer.transform(texts[folds == fold]))
        return np.round(found, 9)

    return read


def _chosen(rows: pandas.DataFrame) -> list[tuple[int, str]]:
    keyed = sorted(
        (_hash(key), int(key), text[:_MAX_CHARACTERS])
        for key, text in zip(rows["request_key"], rows["text"], strict=True)
    )
    return [(key, text) for _, key, text in keyed[:_MAX_TEXTS]]


def _hash(key: int) -> bytes:
    return hashlib.blake2b(str(key).encode(), digest_size=8).digest()


def _fold(key: int) -> int:
    return _hash(key)[-1] % _FOLDS
