"""The documents of a request as one text, with the way back, and the part of a long one that matters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmmon.model import Document
from llmmon.scorers.grounding.words import STOP_WORDS, Words, read
from llmmon.scorers.text import sentences, words

LONGEST: Final = 16_000
"""Characters of context that are compared in full; of a longer one, the passages most like the answer are."""
_PASSAGE: Final = 600
_GAP: Final = "\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """The characters from `start` on of the document of number `document`, which stand at `at` in a context."""

    document: int
    start: int
    at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What an answer is compared with.

    Parameters
    ----------
    words : Words
        Of all pieces together.
    pieces : sequence of Piece
        In the order of the text.
    n_left_out : int
        Characters of the documents that are in no piece.
    """

    words: Words
    pieces: Sequence[Piece]
    n_left_out: int

    def find(self, sentence: int) -> tuple[int, int, int]:
        """Return the document in which a sentence of the context stands, its start and its end there."""
        start, end = (int(place) for place in self.words.sentences[sentence])
        starts: NDArray[np.intp] = np.array([piece.at for piece in self.pieces])
        piece = self.pieces[int(np.searchsorted(starts, start, side="right")) - 1]
        return piece.document, piece.start + start - piece.at, piece.start + end - piece.at


def gather(documents: Sequence[Document], answer: str) -> Context:
    """Return the documents as one context, or the passages of a long one that are most like the answer's sentences."""
    total = sum(len(document.content) for document in documents)
    if total <= LONGEST:
        found = [(number, 0, len(document.content)) for number, document in enumerate(documents)]
    else:
        found = _most_alike(documents, answer)
    pieces, texts, at = [], [], 0
    for number, start, end in found:
        pieces.append(Piece(document=number, start=start, at=at))
        texts.append(documents[number].content[start:end])
        at += end - start + len(_GAP)
    kept = sum(end - start for _, start, end in found)
    return Context(words=read(_GAP.join(texts)), pieces=pieces, n_left_out=total - kept)


def _passages(text: str) -> list[tuple[int, int]]:
    """Return the text cut at sentence ends into passages of about `_PASSAGE` characters; a longer sentence is cut."""
    found: list[tuple[int, int]] = []
    for match in sentences(text):
        for start in range(match.start(), match.end(), _PASSAGE):
            end = min(match.end(), start + _PASSAGE)
            if found and end - found[-1][0] <= _PASSAGE:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
    return found


def _content(text: str) -> set[str]:
    return {word for word in (match.group().lower() for match in words(text)) if word not in STOP_WORDS}


def _most_alike(documents: Sequence[Document], answer: str) -> list[tuple[int, int, int]]:
    """Return passages by turns, each sentence's best, next best and so on, until `LONGEST` characters are full."""
    wanted = [content for content in (_content(match.group()) for match in sentences(answer)) if content]
    looked_for = set().union(*wanted)
    places: list[tuple[int, int, int]] = []
    contents: list[set[str]] = []
    for number, document in enumerate(documents):
        for start, end in _passages(document.content):
            places.append((number, start, end))
            contents.append(_content(document.content[start:end]) & looked_for)
    counts = Counter(word for content in contents for word in content)
    rarity = {word: math.log(1 + len(contents) / count) for word, count in counts.items()}
    n_most = LONGEST // _PASSAGE + 1
    rankings = []
    for sentence in wanted or [set()]:
        likeness = np.array([sum(rarity[word] for word in content & sentence) for content in contents])
        rankings.append(np.argsort(-likeness, kind="stable")[:n_most])
    kept: set[int] = set()
    room = LONGEST
    for index in (int(ranking[turn]) for turn in range(min(n_most, len(places))) for ranking in rankings):
        length = places[index][2] - places[index][1]
        if index not in kept and length <= room:
            kept.add(index)
            room -= length
    return [places[index] for index in sorted(kept)]
