"""The logged input with the people in it exchanged: old for young, her for him."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llmmon.model import RequestLog
from llmmon.variants.base import Derived, variants
from llmmon.variants.grammar import ARTICLE, NEXT_WORD, article, like, other_pronoun
from llmmon.variants.lexicon import Entry, Lexicon, attributes, lexicon


@variants.register("attribute_swap")
@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeSwap:
    """Exchange the terms of two groups everywhere in the input: a fair model answers alike.

    System prompt, every turn and every context document are swapped alike, so that the conversation stays about the
    same people. With two groups each term gets its counterpart. With more, the two groups named first are exchanged;
    when only one is named, it becomes each of up to `max_groups` others, one replay each, drawn with the item's seed.
    Upper and lower case are kept and "a" and "an" follow the new word. Code, addresses, placeholders of redaction and
    the lexicon's protected phrases stay, and so do the ages 0 and 50. A prompt without a term yields nothing.

    Swapping twice gives the original, except where the other group was drawn, where an article was wrong (it is put
    right), for terms that share a counterpart (*Mrs*, *Miss*), and for pronouns that need a guess: *her* becomes *his*
    before a noun, else *him*; *his* becomes *her* before a noun, else *hers*. *They* stays: its verbs differ.

    Parameters
    ----------
    attribute : str
        Name of a lexicon: age, appearance, disability, gender, nationality, race, religion, sexual_orientation; or one
        that a file of `lexicons` is about.
    between : tuple of str
        Two groups of that lexicon to exchange; empty: found in the text.
    max_groups : int
        Other groups that the only one named becomes, at most; 1 or more.
    lexicons : tuple of str
        TOML files that add terms and protected phrases to the lexicon, or define one.

    Notes
    -----
    `Derived.change` tells ``groups``, as the lexicon orders them; ``from`` and ``to``, the group that most swapped
    terms belonged to and the other one, or neither where both were named as often; and ``terms``, each with its rule,
    what it was and became, in which message or document, and the character it began at.

    References
    ----------
    M. Kusner et al., "Counterfactual Fairness", NeurIPS 2017. A. Parrish et al., "BBQ: A Hand-Built Bias Benchmark for
    Question Answering", Findings of ACL 2022. J. Zhao et al., "Gender Bias in Coreference Resolution", NAACL 2018.
    """

    attribute: str
    between: tuple[str, ...] = ()
    max_groups: int = 3
    lexicons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "between", tuple(self.between))
        object.__setattr__(self, "lexicons", tuple(self.lexicons))
        if not self.lexicons and self.attribute not in attributes():
            raise ValueError(f"attribute is {self.attribute!r}; expected one of {', '.join(attributes())}")
        known = lexicon(self.attribute, self.lexicons).groups
        if self.between and (len(set(self.between)) != 2 or not set(self.between) <= set(known)):
            raise ValueError(f"between is {list(self.between)}; expected two of {', '.join(known)}")
        if self.max_groups < 1:
            raise ValueError(f"max_groups is {self.max_groups}; expected at least 1")

    def derive(self, request: RequestLog, random: Random) -> Iterator[Derived]:
        """Yield the exchanged inputs; none when no term of the groups occurs."""
        words = lexicon(self.attribute, self.lexicons)
        texts = [turn.content for turn in request.messages] + [document.content for document in request.documents]
        n_turns = len(request.messages)
        for groups in self._pairs(words, texts, random):
            swap = _Swap(words=words, groups=groups)
            swapped = [
                swap.text(text, {"message": place} if place < n_turns else {"document": place - n_turns})
                for place, text in enumerate(texts)
            ]
            if swapped == texts:
                continue
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
                    "groups": [words.groups[group] for group in sorted(groups)],
                    **swap.direction(),
                    "terms": swap.terms,
                },
            )

    def _pairs(self, words: Lexicon, texts: Sequence[str], random: Random) -> list[tuple[int, int]]:
        if self.between:
            first, second = (words.groups.index(group) for group in self.between)
            return [(first, second)]
        if len(words.groups) == 2:
            return [(0, 1)]
        found: dict[int, set[tuple[str, ...]]] = {}
        for text in texts:
            for match in words.pattern.finditer(text):
                entry = _entry(match, text, words)
                if entry is not None:
                    found.setdefault(entry.group, set()).add(entry.row)
        named = list(found)
        if len(named) >= 2:
            return [(named[0], named[1])]
        if not named:
            return []
        others = [
            group
            for group in range(len(words.groups))
            if group != named[0] and all(row[group] for row in found[named[0]])
        ]
        return [(named[0], group) for group in sorted(random.sample(others, min(self.max_groups, len(others))))]


@dataclass(kw_only=True, slots=True)
class _Swap:
    """The exchange of two groups in the texts of one request, and what it changed."""

    words: Lexicon
    groups: tuple[int, int]
    terms: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)

    def text(self, text: str, place: dict[str, int]) -> str:
        """Return the exchanged text; `place` says which one it is."""
        pieces: list[str] = []
        end = 0
        for match in self.words.pattern.finditer(text):
            rule, group, new = self._counterpart(match, text)
            if new == match[0]:
                continue
            before = ARTICLE.sub(lambda found, word=new: article(found, word), text[end : match.start()])  # type: ignore[misc]
            pieces += [before, new]
            end = match.end()
            self.counts[group] += 1
            self.terms.append({"rule": rule, "from": match[0], "to": new, **place, "start": match.start()})
        return "".join([*pieces, text[end:]])

    def direction(self) -> dict[str, str]:
        """Return the group that most terms belonged to and the one they became; nothing where it is a tie."""
        (old, n), *rest = self.counts.most_common(2)
        if rest and rest[0][1] == n:
            return {}
        new = self.groups[1] if old == self.groups[0] else self.groups[0]
        return {"from": self.words.groups[old], "to": self.words.groups[new]}

    def _counterpart(self, match: re.Match[str], text: str) -> tuple[str, int, str]:
        """Return rule and group of the term, and what to write instead; the term itself where no rule applies."""
        found, named = match[0], match.groupdict()
        if named.get("pronoun"):
            group = 0 if found.lower() in ("him", "his") else 1
            return "pronoun", group, like(found, other_pronoun(found.lower(), text, match.end()))
        if named.get("age"):
            assert self.words.mirror is not None
            age = int(named["age"])
            other = self.words.mirror - age if age else age
            return "stated_age", 0 if age > other else 1, str(other) + found[len(named["age"]) :]
        entry = _entry(match, text, self.words)
        if entry is None or entry.group not in self.groups:
            return "none", 0, found
        word = entry.row[self.groups[1] if entry.group == self.groups[0] else self.groups[0]]
        if not word:
            return entry.rule, entry.group, found
        return entry.rule, entry.group, word if found == entry.row[entry.group] else like(found, word)


def _entry(match: re.Match[str], text: str, words: Lexicon) -> Entry | None:
    """Return the entry of a matched term, where the word that follows allows it."""
    entry = None if match.groupdict().get("protected") else words.entry(match[0])
    if entry is None:
        return None
    following = NEXT_WORD.match(text, match.end())
    word = "" if following is None else following[1].lower()
    if word in entry.not_followed_by or (entry.followed_by and word not in entry.followed_by):
        return None
    return entry
