"""Sixty-four bounded features of a row, the same for every window: random Fourier features of numbers or of a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from llmmon.metrics.base import WindowData
from llmmon.metrics.columns import TEXTS, number_rows
from llmmon.metrics.drift.text_features import N_FEATURES, texts_of, vectors_of
from llmmon.metrics.intervals import Floats

N_FREQUENCIES: Final = 32
_WIDTHS: Final = (1.0, 0.3)
_UNITS: Final = {"cost_usd": 1e-6}


def inputs_of(data: WindowData, fields: Sequence[str], *, max_rows: int, max_characters: int) -> Floats:
    """Return one row of inputs per request that has every one of `fields`: hashed words, or logarithms of numbers."""
    if fields[0] in TEXTS:
        return vectors_of(texts_of(data, fields[0], max_rows=max_rows, max_characters=max_characters))
    rows = number_rows(data, fields)
    units = np.array([_UNITS.get(field, 1.0) for field in fields])
    logs = np.sign(rows) * np.log1p(np.abs(rows) / units)
    return np.asarray(logs[np.lexsort(logs.T[::-1])])  # so that the order of rows cannot change a sum


def features_of(inputs: Floats, seed: int) -> Floats:
    """Return the random Fourier features of every row, of shape (n, 64); their inner products are a Gaussian kernel."""
    angles = inputs @ _frequencies(inputs.shape[1], seed)
    return np.asarray(np.concatenate((np.cos(angles), np.sin(angles)), axis=1) / np.sqrt(N_FREQUENCIES))


@cache
def _frequencies(n_inputs: int, seed: int) -> Floats:
    # texts have vectors of unit length; of logarithms, half of the frequencies see changes of a third
    widths = np.ones(N_FREQUENCIES) if n_inputs == N_FEATURES else np.resize(_WIDTHS, N_FREQUENCIES)
    drawn = np.random.default_rng(seed).standard_normal((n_inputs, N_FREQUENCIES)) / widths
    return np.asarray(drawn / (1.0 if n_inputs == N_FEATURES else np.sqrt(n_inputs)))
