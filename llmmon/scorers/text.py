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
_ABSTAINS: Final = re.compile(
    r"""^\W*(?:(?:the\ )?(?:answer|question)\ (?:is\ |can\ ?not\ be\ )?)?
    (?:unknown|undetermined|not\ (?:known|answerable|sure|determined|stated|enough\ info(?:rmation)?)
      |unable\ to\ answer
      |can(?:no|'|\u2019)?t\ (?:be\ (?:determined|answered|known)|answer|tell|say)
      |can\ not\ be\ determined|no\ answer)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_ABOUT_CONTEXT: Final = re.compile(
    r"""\b(?:passages?|context|documents?|text|information|sources?|article)\b[^.]{0,60}
    \b(?:not|no|none|never|doesn['\u2019]t|don['\u2019]t|insufficient|lacks?|unclear)\b
    | \b(?:no|not\ enough|insufficient|without|none\ of)\b[^.]{0,60}
      \b(?:passages?|context|documents?|information|mentions?|sources?|details?)\b
    | \bunable\ to\ (?:answer|determine|provide)|\bcan(?:no|'|\u2019)t\ (?:be\ determined|answer|determine|provide)""",
    re.VERBOSE | re.IGNORECASE,
)


def words(text: str) -> Iterator[re.Match[str]]:
    """Yield the words of `text`; a hyphen, apostrophe, point or comma inside a word or number does not split it."""
    return _WORD.finditer(text)


def sentences(text: str) -> Iterator[re.Match[str]]:
    """Yield the sentences of `text`; a line end closes a sentence, so that list items stand alone."""
    return _SENTENCE.finditer(text)


def abstains(text: str) -> bool:
    """Return whether an answer begins by saying that it cannot be given: it claims nothing."""
    return _ABSTAINS.match(text) is not None


def is_about_context(sentence: str) -> bool:
    """Return whether a sentence says that the context does not say: nothing in the context can support it."""
    return _ABOUT_CONTEXT.search(sentence) is not None


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
