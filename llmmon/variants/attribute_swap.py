"""The logged input with the people in it exchanged: old for young, her for him."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from llmmon.model import RequestLog
from llmmon.variants.base import Derived, variants
from llmmon.variants.lexicon import Lexicon, attributes, lexicon

_NEXT_WORD: Final = re.compile(r"\s+([\w']+)")
_ARTICLE: Final = re.compile(r"\b(a|an)(\s+)$", re.IGNORECASE)
# words that cannot begin what "her book" possesses: after them "her" is an object (him), "his" stands alone (hers)
_NO_NOUN: Final = frozenset(
    re.findall(
        r"\w+",
        "a about after again alone and another as at away back because before but by down during everything first for "
        "from he home how i if in into is it later much never next nothing now of off often on once or out over right "
        "she since so some something soon than that the their them then there they this those to today together "
        "tomorrow too twice until up very was we were what when where which while who why will with would yesterday "
        "yet you ",
    )
)
_VOWEL_SOUND: Final = re.compile(
    r"(?!uni|use|usu|eu|one\b|ukr|uru|uga)[aeiou]|hour|honest|heir|8|11\b|18\b", re.IGNORECASE
)


@variants.register("attribute_swap")
@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeSwap:
    """Exchange the terms of two groups everywhere in the input: a fair model answers alike.

    With two groups each term gets its counterpart. With more, the two groups named first are exchanged; when only one
    is named, the other is drawn with the item's seed. Upper and lower case are kept and "a" and "an" follow the new
    word. The ages 0 and 50 stay.

    Swapping twice gives the original, except where the other group was drawn, where an article was wrong (it is put
    right), and for pronouns that need a guess: *her* becomes *his* before a noun, else *him*; *his* becomes *her*
    before a noun, else *hers*. A short list of words that begin no noun decides.

    Parameters
    ----------
    attribute : str
        Name of a lexicon: age, appearance, disability, gender, nationality, religion, sexual_orientation.
    between : tuple of str
        Two groups of that lexicon to exchange; empty: found in the text.

    References
    ----------
    M. Kusner et al., "Counterfactual Fairness", NeurIPS 2017; A. Parrish et al., "BBQ: A Hand-Built Bias Benchmark for
    Question Answering", Findings of ACL 2022.
    """

    attribute: str
    between: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.attribute not in attributes():
            raise ValueError(f"attribute is {self.attribute!r}; expected one of {', '.join(attributes())}")
        object.__setattr__(self, "between", tuple(self.between))
        known = lexicon(self.attribute).groups
        if self.between and (len(set(self.between)) != 2 or not set(self.between) <= set(known)):
            raise ValueError(f"between is {list(self.between)}; expected two of {', '.join(known)}")

    def derive(self, request: RequestLog, random: Random) -> Iterator[Derived]:
        """Yield the exchanged input; none when no term of the two groups occurs."""
        words = lexicon(self.attribute)
        texts = [turn.content for turn in request.messages] + [document.content for document in request.documents]
        groups = self._groups(words, texts, random)
        if groups is None:
            return
        changes: list[dict[str, Any]] = []
        swapped = [_swap(text, words, groups, changes) for text in texts]
        if swapped == texts:
            return
        n_turns = len(request.messages)
        yield Derived(
            messages=tuple(
                dataclasses.replace(turn, content=text)
                for turn, text in zip(request.messages, swapped[:n_turns], strict=True)
            ),
            documents=tuple(
                dataclasses.replace(document, content=text)
                for document, text in zip(request.documents, swapped[n_turns:], strict=True)
            ),
            change={
                "rule": "attribute_swap",
                "attribute": self.attribute,
                "groups": [words.groups[group] for group in groups],
                "terms": changes,
            },
        )

    def _groups(self, words: Lexicon, texts: list[str], random: Random) -> tuple[int, int] | None:
        if self.between:
            first, second = (words.groups.index(group) for group in self.between)
            return first, second
        if len(words.groups) == 2:
            return 0, 1
        found: dict[int, set[tuple[str, ...]]] = {}
        for text in texts:
            for match in words.pattern.finditer(text):
                entry = words.entry(match[0])
                if entry is not None and not _is_excluded(entry.not_followed_by, text, match.end()):
                    found.setdefault(entry.group, set()).add(entry.row)
        named = list(found)
        if len(named) >= 2:
            return named[0], named[1]
        if not named:
            return None
        rows = found[named[0]]
        others = [group for group in range(len(words.groups)) if group != named[0] and all(row[group] for row in rows)]
        return (named[0], random.choice(others)) if others else None


def _swap(text: str, words: Lexicon, groups: tuple[int, int], changes: list[dict[str, Any]]) -> str:
    pieces: list[str] = []
    end = 0
    for match in words.pattern.finditer(text):
        rule, new = _counterpart(match, text, words, groups)
        if new == match[0]:
            continue
        before = _ARTICLE.sub(lambda article, word=new: _article(article, word), text[end : match.start()])  # type: ignore[misc]
        pieces += [before, new]
        end = match.end()
        changes.append({"rule": rule, "from": match[0], "to": new})
    return "".join([*pieces, text[end:]])


def _counterpart(match: re.Match[str], text: str, words: Lexicon, groups: tuple[int, int]) -> tuple[str, str]:
    """Return the rule and the term to write instead; the term itself where no rule applies."""
    found = match[0]
    named = match.groupdict()
    if named.get("pronoun"):
        return "pronoun", _like(found, _pronoun(found.lower(), text, match.end()))
    if named.get("age"):
        assert words.mirror is not None
        age = int(named["age"])
        return "stated_age", str(words.mirror - age) + found[len(named["age"]) :] if age else found
    entry = words.entry(found)
    if entry is None or entry.group not in groups or _is_excluded(entry.not_followed_by, text, match.end()):
        return "none", found
    other = entry.row[groups[1] if entry.group == groups[0] else groups[0]]
    if not other or found == entry.row[entry.group]:
        return entry.rule, other or found
    return entry.rule, _like(found, other)


def _pronoun(pronoun: str, text: str, end: int) -> str:
    if pronoun in ("him", "hers"):
        return {"him": "her", "hers": "his"}[pronoun]
    following = _NEXT_WORD.match(text, end)
    possesses = following is not None and following[1].lower() not in _NO_NOUN
    if pronoun == "his":
        return "her" if possesses else "hers"
    return "his" if possesses else "him"


def _is_excluded(words: tuple[str, ...], text: str, end: int) -> bool:
    following = _NEXT_WORD.match(text, end)
    return following is not None and following[1].lower() in words


def _like(pattern: str, word: str) -> str:
    """Write `word` in the case of `pattern`."""
    if len(pattern) > 1 and pattern.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if pattern[0].isupper() else word


def _article(match: re.Match[str], following: str) -> str:
    article = "an" if _VOWEL_SOUND.match(following) else "a"
    if match[1].isupper() and len(match[1]) == 2:
        article = article.upper()
    elif match[1][0].isupper():
        article = article.capitalize()
    return article + match[2]
