"""Mean of a statistic of text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import TEXTS, require
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Direction, Estimate

_WORD: Final = re.compile(r"\w+")
_SENTENCE_END: Final = re.compile(r"[.!?]+(?=\s|$)|\n+")
_LAST_LATIN: Final = "\u024f"
_ENGLISH: Final = frozenset(
    _WORD.findall(
        "the of and to in a is that it for was on are as with be at by this have from or had not but what which you we "
        "he she they i an there their if will would can has your"
    )
)


def _words_per_sentence(text: str) -> float:
    n_words = len(_WORD.findall(text))
    return n_words / max(1, len([part for part in _SENTENCE_END.split(text) if part.strip()]))


def _english_share(text: str) -> float:
    found = [word.lower() for word in _WORD.findall(text)]
    return sum(word in _ENGLISH for word in found) / len(found) if found else 0.0


def _non_latin_share(text: str) -> float:
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter > _LAST_LATIN for letter in letters) / len(letters) if letters else 0.0


def _is_json(text: str) -> float:
    try:
        return float(isinstance(json.loads(text), (dict, list)))
    except (ValueError, RecursionError):
        return 0.0


def _distinct_share(text: str) -> float:
    found = [word.lower() for word in _WORD.findall(text)]
    return len(set(found)) / len(found) if found else 0.0


_STATISTICS: Final[dict[str, Callable[[str], float]]] = {
    "n_words": lambda text: float(len(_WORD.findall(text))),
    "n_characters": lambda text: float(len(text)),
    "words_per_sentence": _words_per_sentence,
    "distinct_word_share": _distinct_share,
    "non_ascii_share": lambda text: sum(not letter.isascii() for letter in text) / len(text) if text else 0.0,
    "digit_share": lambda text: sum(letter.isdigit() for letter in text) / len(text) if text else 0.0,
    "english_share": _english_share,
    "non_latin_share": _non_latin_share,
    "is_json": _is_json,
    "has_table": lambda text: float(re.search(r"(?m)^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[ :|-]+\|[ \t]*$", text) is not None),
    "has_heading": lambda text: float(re.search(r"(?m)^#{1,6} \S", text) is not None),
    "has_code": lambda text: float("```" in text),
    "has_list": lambda text: float(re.search(r"(?m)^\s*(?:[-*\u2022]|\d+[.)])\s", text) is not None),
}


@metrics.register("text_statistic")
@dataclass(frozen=True, kw_only=True, slots=True)
class TextStatistic:
    """Mean over requests of a simple statistic of the prompt or the answer.

    Parameters
    ----------
    statistic : str
        ``n_words``, ``n_characters``, ``words_per_sentence``, ``distinct_word_share``, ``non_ascii_share``,
        ``digit_share``; of language ``english_share`` (of the words, those of 42 English function words: about 0.4 in
        English prose, near 0 elsewhere) and ``non_latin_share`` (of the letters); of format ``has_code`` (a fenced
        block), ``has_list`` (a line that begins as a list item), ``has_table``, ``has_heading`` (of Markdown), or
        ``is_json`` (the whole text is an object or array).
    field : str
        ``response_text`` or ``prompt``.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "per text"
    direction: ClassVar[Direction] = "neither"
    needs_reference: ClassVar[bool] = False

    statistic: str = "n_words"
    field: str = "response_text"

    def __post_init__(self) -> None:
        require("statistic", self.statistic, tuple(_STATISTICS))
        require("field", self.field, TEXTS)

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:  # noqa: ARG002
        """Return the mean with its interval."""
        texts = current.requests[self.field].dropna()
        if texts.empty:
            return Estimate.absent(f"no {self.field} in this window")
        return mean_estimate([self.of(text) for text in texts], clusters=current.requests.loc[texts.index, "cluster"])

    def of(self, text: str) -> float:
        """Return the statistic of one text."""
        return _STATISTICS[self.statistic](text)
