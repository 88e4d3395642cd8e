"""Text as scorers see it: sentences and words with their places, and the option that an answer picks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

NO_TEXT: Final = "no response text"
"""Reason of every scorer when the request failed before an answer."""

_WORD: Final = re.compile(r"\w+(?:['\u2019.,-]\w+)*")
_SENTENCE: Final = re.compile(r"[^\s].*?(?:[.!?]+[\"'\u201d\u2019)\]]*(?=\s|$)|(?=\n)|$)", re.MULTILINE)
_OFFERED: Final = re.compile(r"(?:^|\s)\(?([A-Z])\)?[.):]\s*\S")
_PICKED: Final = re.compile(r"^\W*(?:the\s+)?(?:answer\s*(?:is)?\s*:?\s*)?\(?([A-Z])(?:\)|\.|:|,|\s*$)", re.IGNORECASE)


def words(text: str) -> Iterator[re.Match[str]]:
    """Yield the words of `text`; a hyphen, apostrophe, point or comma inside a word or number does not split it."""
    return _WORD.finditer(text)


def sentences(text: str) -> Iterator[re.Match[str]]:
    """Yield the sentences of `text`; a line end closes a sentence, so that list items stand alone."""
    return _SENTENCE.finditer(text)


def offers_options(prompt: str) -> bool:
    """Return whether `prompt` lists lettered options, at least A and B."""
    return {"A", "B"} <= set(_OFFERED.findall(prompt))


def find_option(text: str) -> str | None:
    """Return the option letter that `text` begins with, or None.

    Examples
    --------
    >>> find_option("(C). No difference"), find_option("Answer: b"), find_option("A great deal")
    ('C', 'B', None)
    """
    found = _PICKED.match(text)
    return found.group(1).upper() if found else None
