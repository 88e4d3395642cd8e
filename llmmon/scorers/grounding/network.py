"""The small network over an answer's words, in numpy: the forward pass of what `llmmon.training` trains in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DILATIONS: Final = (1, 2, 4)
KERNEL: Final = 5
TOP: Final = 10
"""Largest word risks that the answer's risk looks at together."""
LEADING: Final = 32
"""Components of a word's static vector that are read; the encoder orders them by variance."""
_SMALLEST: Final = 1e-4


def leading(vectors: Array) -> Array:
    """Return the part of static unit vectors that the network reads, at about unit variance."""
    return vectors[:, :LEADING] * np.float32(5)


def forward(weights: Mapping[str, Array], values: Array, word: Array, match: Array) -> tuple[Array, float]:
    """Return the log-odds of each of n words, and of the whole answer, to be unsupported.

    Parameters
    ----------
    weights : mapping of str to array
        Of one member; see `llmmon.training.groundedness_network` for the shapes.
    values : array, shape (n, features)
        Standardised.
    word, match : array, shape (n, LEADING)
        `leading` parts of the vectors of each word and of its most alike word in the context.
    """
    own, other = _linear(weights, "own", word), _linear(weights, "other", match)
    hidden = _relu(_linear(weights, "enter", np.concatenate([values, own, other, own * other], axis=1)))
    for block, dilation in enumerate(DILATIONS):
        normed = _normalise(weights, f"norm.{block}", hidden)
        mixed = _depthwise(weights, f"depth.{block}", normed, dilation)
        hidden = hidden + _relu(_linear(weights, f"point.{block}", mixed))
    words = _linear(weights, "word", hidden)[:, 0]
    attention = _linear(weights, "attend", hidden)[:, 0]
    attention = np.exp(attention - attention.max())
    risks = _sigmoid(words)
    top = np.sort(risks)[-TOP:]
    told = np.array([_logit(risks.max()), _logit(top.mean()), risks.mean()], dtype=np.float32)
    pooled = np.concatenate([attention @ hidden / attention.sum(), hidden.mean(axis=0), told])
    answer = _linear(weights, "decide", _relu(_linear(weights, "gather", pooled[None, :])))
    return words, float(answer[0, 0])


def _linear(weights: Mapping[str, Array], name: str, values: Array) -> Array:
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _relu(values: Array) -> Array:
    return np.maximum(values, 0)


def _normalise(weights: Mapping[str, Array], name: str, values: Array) -> Array:
    centred = values - values.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(1e-5))
    return centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _depthwise(weights: Mapping[str, Array], name: str, values: Array, dilation: int) -> Array:
    reach = KERNEL // 2 * dilation
    padded = np.pad(values, ((reach, reach), (0, 0)))
    kernel = weights[f"{name}.weight"]  # (channels, 1, KERNEL)
    total = np.broadcast_to(weights[f"{name}.bias"], values.shape).copy()
    for tap in range(KERNEL):
        total += padded[tap * dilation : tap * dilation + len(values)] * kernel[:, 0, tap]
    return total


def _sigmoid(values: Array) -> Array:
    return np.float32(1) / (np.float32(1) + np.exp(-values))


def _logit(share: float) -> float:
    share = min(max(float(share), _SMALLEST), 1 - _SMALLEST)
    return float(np.log(share / (1 - share)))
