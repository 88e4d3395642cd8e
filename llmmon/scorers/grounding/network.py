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


def forward(weights: Mapping[str, Array], values: Array, word: Array, match: Array) -> tuple[Array, Array]:
    """Return the log-odds to be unsupported of each of n words, and of the whole answer, by each of m members.

    Parameters
    ----------
    weights : mapping of str to array, shape (m, ...)
        Those of `llmmon.training.groundedness_network`, member by member.
    values : array, shape (n, features)
        Standardised.
    word, match : array, shape (n, LEADING)
        `leading` parts of the vectors of each word and of its most alike word in the context.

    Returns
    -------
    words : array, shape (m, n)
    answer : array, shape (m,)
    """
    own, other = _linear(weights, "own", word), _linear(weights, "other", match)
    given = np.broadcast_to(values, (len(own), *values.shape))
    hidden = _relu(_linear(weights, "enter", np.concatenate([given, own, other, own * other], axis=2)))
    for block, dilation in enumerate(DILATIONS):
        normed = _normalise(weights, f"norm.{block}", hidden)
        mixed = _depthwise(weights, f"depth.{block}", normed, dilation)
        hidden = hidden + _relu(_linear(weights, f"point.{block}", mixed))
    words = _linear(weights, "word", hidden)[..., 0]
    attention = _linear(weights, "attend", hidden)
    attention = np.exp(attention - attention.max(axis=1, keepdims=True))
    attended = (attention * hidden).sum(axis=1) / attention.sum(axis=1)
    risks = np.float32(1) / (np.float32(1) + np.exp(-words))
    top = np.sort(risks, axis=1)[:, -TOP:]
    told = np.stack([_logit(top[:, -1]), _logit(top.mean(axis=1)), risks.mean(axis=1)], axis=1)
    pooled = np.concatenate([attended, hidden.mean(axis=1), told], axis=1)
    answer = _linear(weights, "decide", _relu(_linear(weights, "gather", pooled[:, None, :])))
    return words, answer[:, 0, 0]


def _linear(weights: Mapping[str, Array], name: str, values: Array) -> Array:
    found: Array = values @ weights[f"{name}.weight"].swapaxes(1, 2) + weights[f"{name}.bias"][:, None, :]
    return found


def _relu(values: Array) -> Array:
    return np.maximum(values, 0)


def _normalise(weights: Mapping[str, Array], name: str, values: Array) -> Array:
    centred = values - values.mean(axis=2, keepdims=True)
    scale = np.sqrt((centred * centred).mean(axis=2, keepdims=True) + np.float32(1e-5))
    found: Array = centred / scale * weights[f"{name}.weight"][:, None, :] + weights[f"{name}.bias"][:, None, :]
    return found


def _depthwise(weights: Mapping[str, Array], name: str, values: Array, dilation: int) -> Array:
    reach, n = KERNEL // 2 * dilation, values.shape[1]
    kernel = weights[f"{name}.weight"]  # (members, channels, 1, KERNEL)
    total = np.broadcast_to(weights[f"{name}.bias"][:, None, :], values.shape).copy()
    for tap in range(KERNEL):
        shift = tap * dilation - reach
        here, there = slice(max(0, -shift), n - max(0, shift)), slice(max(0, shift), n - max(0, -shift))
        if abs(shift) < n:
            total[:, here] += values[:, there] * kernel[:, None, :, 0, tap]
    return total


def _logit(share: Array) -> Array:
    share = np.clip(share, _SMALLEST, 1 - _SMALLEST)
    found: Array = np.log(share / (1 - share))
    return found
