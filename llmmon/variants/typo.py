"""The logged input with typing mistakes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from llmmon.model import RequestLog
from llmmon.variants.base import Derived, variants

_KEYBOARD: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS: Final = {
    letter: "".join(row[max(0, place - 1) : place] + row[place + 1 : place + 2])
    for row in _KEYBOARD
    for place, letter in enumerate(row)
}
# brackets, quotes and code hold the format that an answer is asked for in ("[Yes]", "'A'", `x`): they stay readable
_PROTECTED: Final = re.compile(
    r"```.*?```|`[^`]*`|\[[^\]]*\]|\{[^}]*\}|<[^>]*>|\"[^\"]*\"|(?<!\w)'[^'\n]*'(?!\w)|https?://\S+", re.DOTALL
)
_WORD: Final = re.compile(r"(?<![\w'])[A-Za-z]{4,}(?![\w'])")


@variants.register("typo")
@dataclass(frozen=True, kw_only=True, slots=True)
class Typo:
    """Make small typing mistakes in the last user turn: a robust model answers the same.

    Words of four and more plain letters are changed in the middle: two letters exchanged, one left out, one typed
    twice, or a neighbouring key hit. First and last letters, numbers, words in capitals, and what stands in
    brackets, quotes or code are left alone, so that quantities and the format instruction stay readable.

    Parameters
    ----------
    rate : float
        Share of the eligible letters at which a mistake is made, at most one in a word.

    References
    ----------
    Y. Belinkov and Y. Bisk, "Synthetic and Natural Noise Both Break Neural Machine Translation", ICLR 2018.
    """

    rate: float = 0.03

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 0.5:
            raise ValueError(f"rate is {self.rate}; expected more than 0 and at most 0.5")

    def derive(self, request: RequestLog, random: Random) -> Iterator[Derived]:
        """Yield one input with mistakes; none when no word can take one."""
        place = next(
            (at for at in range(len(request.messages) - 1, -1, -1) if request.messages[at].role == "user"), None
        )
        if place is None:
            return
        turn = request.messages[place]
        text, mistakes = self._mistype(turn.content, random)
        if not mistakes:
            return
        messages = list(request.messages)
        messages[place] = dataclasses.replace(turn, content=text)
        yield Derived(
            messages=tuple(messages),
            documents=request.documents,
            change={"rule": "typo", "rate": self.rate, "terms": mistakes},
        )

    def _mistype(self, text: str, random: Random) -> tuple[str, list[dict[str, str]]]:
        protected = [match.span() for match in _PROTECTED.finditer(text)]
        words = [
            match
            for match in _WORD.finditer(text)
            if not match[0].isupper()
            and not any(start < match.end() and match.start() < end for start, end in protected)
        ]
        letters = sum(len(match[0]) - 2 for match in words)
        # at least one mistake wherever one can be made: an unchanged copy would be counted as robust
        n_mistakes = min(len(words), max(1, round(self.rate * letters)))
        chosen = sorted(random.sample(words, n_mistakes), key=lambda match: match.start()) if words else []
        pieces: list[str] = []
        mistakes: list[dict[str, str]] = []
        end = 0
        for match in chosen:
            rule, word = _mistake(match[0], random)
            mistakes.append({"from": match[0], "to": word, "rule": rule})
            pieces += [text[end : match.start()], word]
            end = match.end()
        return "".join([*pieces, text[end:]]), mistakes


def _mistake(word: str, random: Random) -> tuple[str, str]:
    """Return the rule and the changed word, which always differs from `word`."""
    rules = ["exchange", "leave_out", "type_twice", "hit_neighbour"]
    place = random.randrange(1, len(word) - 1)
    rule = random.choice(rules)
    if rule == "exchange" and 1 <= place < len(word) - 2 and word[place] != word[place + 1]:
        return rule, word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if rule == "leave_out":
        return rule, word[:place] + word[place + 1 :]
    if rule == "type_twice":
        return rule, word[:place] + word[place] + word[place:]
    neighbour = random.choice(_NEIGHBOURS[word[place].lower()])
    return "hit_neighbour", word[:place] + (neighbour.upper() if word[place].isupper() else neighbour) + word[
        place + 1 :
    ]
