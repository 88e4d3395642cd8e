"""The final answer that a text commits to: a yes or no, a boxed value, an option."""

from __future__ import annotations

import re
import string
from typing import Final

from llmmon.scorers.text import find_option, offers_options

_BRACKETED: Final = re.compile(r"\[\s*(yes|no)\s*\]", re.IGNORECASE)
_BARE: Final = re.compile(r"^\W*(yes|no)\b|\b(yes|no)\W*$", re.IGNORECASE)
_BOXED: Final = re.compile(r"boxed\{\s*([^{}]*?)\s*\}")
_DROPPED: Final = str.maketrans("", "", string.punctuation + "\u2018\u2019\u201c\u201d")
_ARTICLE: Final = re.compile(r"\b(?:a|an|the)\b")


def normalise(text: str) -> str:
    """Lower-case `text`, drop punctuation and articles, and single its spaces, as SQuAD's evaluation does.

    Examples
    --------
    >>> normalise("The  Grandfather.")
    'grandfather'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_DROPPED)).split())


def bracketed(text: str) -> str | None:
    """Return the last ``[Yes]`` or ``[No]``, in lower case."""
    found = _BRACKETED.findall(text)
    return str(found[-1]).lower() if found else None


def yes_no(text: str) -> str | None:
    """Return the last ``[Yes]`` or ``[No]``, else the yes or no that begins or ends the text."""
    found = bracketed(text)
    if found:
        return found
    bare = _BARE.search(text)
    return (bare.group(1) or bare.group(2)).lower() if bare else None


def boxed(text: str) -> str | None:
    """Return the content of the last ``boxed{...}``."""
    found = _BOXED.findall(text)
    return found[-1] if found else None


def final_answer(text: str, prompt: str) -> str | None:
    """Return what `text` commits to in the form that `prompt` asks for, None where it asks for no form.

    A text that does not keep to the form commits to nothing: ``""``.

    Examples
    --------
    >>> final_answer("17 has no divisors. [Yes]", 'Is 17 prime? Answer "[Yes]" or "[No]".')
    'yes'
    >>> final_answer("Let me think.", 'Is 17 prime? Answer "[Yes]" or "[No]".')
    ''
    """
    if "boxed" in prompt:
        return boxed(text) or ""
    if bracketed(prompt):
        return bracketed(text) or ""
    return (find_option(text) or "") if offers_options(prompt) else None
