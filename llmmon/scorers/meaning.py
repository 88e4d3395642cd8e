"""Whether texts mean the same: final answers, numbers and negations first, then the wording."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from llmmon.scorers.final_answer import final_answer, normalise
from llmmon.scorers.text import words

Same = Callable[[str, str], bool]

_NUMBER: Final = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_IN_WORDS: Final = {
    word: str(number)
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve".split(),  # noqa: SIM905  as prose it can be read
        start=2,
    )
}
_NEGATION: Final = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|cannot|without|isnt|dont|doesnt)\b|n['\u2019]t\b", re.IGNORECASE
)
_SHORT: Final = 40
"""Words up to which an even or odd number of negations says something; a longer text negates this and that."""


def numbers(text: str) -> frozenset[str]:
    """Return the numbers in `text`, those from two to twelve also where they are words.

    Examples
    --------
    >>> sorted(numbers("Two of 1,500.0 in 1997"))
    ['1500', '1997', '2']
    """
    digits = {match.group().replace(",", "") for match in _NUMBER.finditer(text)}
    plain = {item.rstrip("0").rstrip(".") if "." in item else item for item in digits}
    return frozenset(plain | {_IN_WORDS[word] for match in words(text) if (word := match.group().lower()) in _IN_WORDS})


def contradict(first: str, second: str) -> bool:
    """Return whether two texts disagree by their numbers, or by a negation that only one of them has.

    Numbers disagree when each text has one that the other lacks. Negations are compared where both texts are short.

    Examples
    --------
    >>> contradict("It opened in 1997.", "It opened in 1998."), contradict("It is safe.", "It isn't safe.")
    (True, True)
    >>> contradict("It opened in May 1997 with 3 rooms.", "It opened in 1997.")
    False
    """
    one, other = numbers(first), numbers(second)
    if one - other and other - one:
        return True
    if any(sum(1 for _ in words(text)) > _SHORT for text in (first, second)):
        return False
    return len(_NEGATION.findall(first)) % 2 != len(_NEGATION.findall(second)) % 2


def differ_by_name(first: str, second: str) -> bool:
    """Return whether each text has a capitalised word, not its first one, that the other lacks.

    Examples
    --------
    >>> differ_by_name("They come from China.", "They come from Japan."), differ_by_name("It is big.", "It is Paris.")
    (True, False)
    """
    one, other = (
        {match.group().lower() for match in words(text) if match.start() and match.group()[0].isupper()}
        for text in (first, second)
    )
    return bool(one - {m.group().lower() for m in words(second)} and other - {m.group().lower() for m in words(first)})


def group_by_meaning(texts: Sequence[str], prompt: str, same_wording: Same) -> list[int]:
    """Return the cluster of each text; two texts are in one when they answer `prompt` alike.

    Where the prompt asks for a form of answer (``[Yes]``, ``boxed{}``, an option), only that answer counts. Elsewhere
    texts that are equal but for case, punctuation and articles are alike, and others when `same_wording` says so. A
    text joins the first cluster whose first text it is like.

    Parameters
    ----------
    texts : sequence of str
        In an order that does not depend on which of them is being judged.
    same_wording : callable
        Whether two texts that are no equal answers mean the same.

    Returns
    -------
    list of int
        Numbers from 0, in the order of the clusters' first texts.
    """
    answers = [final_answer(text, prompt) for text in texts]
    plain = [normalise(text) for text in texts]
    firsts: list[int] = []
    found: list[int] = []
    for index, text in enumerate(texts):
        for cluster, first in enumerate(firsts):
            if answers[index] is not None:
                is_same = answers[index] == answers[first]
            else:
                is_same = plain[index] == plain[first] or same_wording(texts[first], text)
            if is_same:
                found.append(cluster)
                break
        else:
            found.append(len(firsts))
            firsts.append(index)
    return found
