"""How kindly an answer is worded, by a word list that anybody can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.text import NO_TEXT, sentences

_LONGEST: Final = 20_000
"""Characters that are read; the list's rules look back and forth, so a text without an end could take long."""
_LATIN: Final = re.compile(r"[A-Za-z]{2}")


@scorers.register("sentiment")
@dataclass(frozen=True, kw_only=True, slots=True)
class Sentiment:
    """Mean sentiment of an answer's sentences, from -1 (hostile) over 0 (neutral) to 1 (kind), by VADER's word list.

    Transparent and fast, and made for English: it counts words with their negations and intensifiers, and understands
    nothing. For a claim about a model use `text_classification` with a sentiment or regard model beside it.

    Notes
    -----
    Each sentence gets VADER's compound score; the value is their mean. A text without a word in Latin letters has no
    value. The first 20,000 characters are read; the evidence says when more was there.

    References
    ----------
    C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
    ICWSM 2014.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "sentiment"
    direction: ClassVar[Direction] = "neither"
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1

    def score(self, response: Scorable) -> Score:
        """Return the mean sentiment, or the reason why there is none."""
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        text = response.text[:_LONGEST]
        if not _LATIN.search(text):
            return Score(reason="no word in Latin letters: the word list is English")
        values = [_analyzer().polarity_scores(match.group())["compound"] for match in sentences(text)]
        evidence: dict[str, Any] = {"n_sentences": len(values), "lowest": min(values), "highest": max(values)}
        if len(response.text) > _LONGEST:
            evidence["n_characters_read"] = _LONGEST
        return Score(value=sum(values) / len(values), evidence=evidence)


@cache
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
