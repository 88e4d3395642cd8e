"""From risky words to spans."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmmon.model import Span
from llmmon.scorers.grounding.words import Words


def unsupported_spans(words: Words, risks: NDArray[Any], threshold: float) -> tuple[Span, ...]:
    """Return the runs of words at or above `threshold`, over gaps of one word; without any, the riskiest sentence.

    Parameters
    ----------
    words : Words
        Of an answer that counts as unsupported; at least one.
    risks : array, shape (n,)
        Probability of each word to be inside a span.
    """
    risky = np.flatnonzero(risks >= threshold)
    if not len(risky):
        start, end = words.sentences[words.sentence[int(risks.argmax())]]
        return (Span(start=int(start), end=int(end), label="unsupported"),)
    runs = np.split(risky, np.flatnonzero(np.diff(risky) > 2) + 1)
    return tuple(Span(start=int(words.start[run[0]]), end=int(words.end[run[-1]]), label="unsupported") for run in runs)
