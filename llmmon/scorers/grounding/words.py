"""A text as words: places, stems, vectors, and what kind of word each is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from llmmon.encoder import static_encoder
from llmmon.scorers.text import sentences

# Scripts written without spaces are read character by character.
_UNSPACED: Final = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
_WORD: Final = regex.compile(
    rf"{_UNSPACED}|(?:(?!{_UNSPACED})[\p{{L}}\p{{M}}])+(?:['\u2019]\p{{L}}+)*|\d+(?:[.,:/]\d+)*"
)
STOP_WORDS: Final = frozenset(
    """a about above after again against all also although am an and any are as at be because been before being below
    between both but by can could did do does doing down during each few for from further had has have having he her
    here hers him his how however i if in into is it its itself just may me might more most must my no nor not now of
    off on once only or other our ours out over own same she should so some such than that the their theirs them then
    there these they this those through to too under until up very was we were what when where which while who whom
    why will with would you your yours""".split()  # noqa: SIM905  as prose it can be read
)
_SUFFIXES: Final = ("ings", "ing", "edly", "ies", "ied", "ed", "es", "ly", "s")
_NUMBER_WORDS: Final = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
}
_RARITY: Final = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The n words of a text.

    Parameters
    ----------
    start, end : array of int, shape (n,)
        Places in the text.
    lower, stems : tuple of str
        Lower-cased, and without inflection; a number word has its digits as stem.
    vectors : array of float32, shape (n, d)
        Unit vectors of the static encoder; zeros for a word of unknown tokens.
    weight : array of float32, shape (n,)
        About 1 for a rare word, near 0 for a frequent one, by the rank of its rarest token in the vocabulary.
    rank, pieces : array of float32, shape (n,)
        That rank, and the number of tokens.
    sentence : array of int, shape (n,)
        Index into `sentences`.
    sentences : array of int, shape (m, 2)
        Start and end of each.
    """

    text: str
    start: NDArray[np.intp]
    end: NDArray[np.intp]
    lower: tuple[str, ...]
    stems: tuple[str, ...]
    vectors: NDArray[np.float32]
    weight: NDArray[np.float32]
    rank: NDArray[np.float32]
    pieces: NDArray[np.float32]
    stop: NDArray[np.bool_]
    sentence: NDArray[np.intp]
    sentences: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.lower)

    def between(self, first: int, last: int) -> Words:
        """Return the words from number `first` up to `last`, of the same text and sentences."""
        if (first, last) == (0, len(self)):
            return self
        of_words = {
            name: getattr(self, name)[first:last]
            for name in ("start", "end", "lower", "stems", "vectors", "weight", "rank", "pieces", "stop", "sentence")
        }
        return dataclasses.replace(self, **of_words)


def read(text: str) -> Words:
    """Return the words of `text`.

    Examples
    --------
    >>> read("Two dogs ran 1,000 m.").stems
    ('2', 'dog', 'ran', '1000', 'm')
    """
    places = np.array([match.span() for match in _WORD.finditer(text)], dtype=np.intp).reshape(-1, 2)
    start, end = places[:, 0], places[:, 1]
    lower = tuple(text[first:last].lower().replace("\u2019", "'") for first, last in places)
    n = len(lower)
    ids, offsets, vectors = static_encoder().token_vectors(text)
    owner = np.searchsorted(start, offsets[:, 0], side="right") - 1
    inside = (owner >= 0) & (offsets[:, 0] < end[np.maximum(owner, 0)]) if n else np.zeros(len(ids), dtype=bool)
    owner, ids, vectors = owner[inside], ids[inside], vectors[inside]
    summed = np.zeros((n, vectors.shape[1]), dtype=np.float32)
    rank = np.zeros(n, dtype=np.float32)
    if len(owner):
        firsts = np.flatnonzero(np.diff(owner, prepend=-1))  # tokens come in the order of the words
        summed[owner[firsts]] = np.add.reduceat(vectors, firsts, axis=0)
        rank[owner[firsts]] = np.maximum.reduceat(ids, firsts)
    norms = np.linalg.norm(summed, axis=1, keepdims=True)
    stop = np.array([word in STOP_WORDS for word in lower], dtype=bool)
    frequency = 1 / (8.0 * (rank + 1))  # Zipf
    weight = _RARITY / (_RARITY + frequency) * np.where(stop, 0.2, 1.0)
    found = np.array([match.span() for match in sentences(text)], dtype=np.intp).reshape(-1, 2)
    return Words(
        text=text,
        start=start,
        end=end,
        lower=lower,
        stems=tuple(map(_stem, lower)),
        vectors=np.divide(summed, norms, out=summed, where=norms > 0),
        weight=weight.astype(np.float32),
        rank=rank,
        pieces=np.bincount(owner, minlength=n).astype(np.float32),
        stop=stop,
        sentence=np.maximum(np.searchsorted(found[:, 0], start, side="right") - 1, 0),
        sentences=found,
    )


def _stem(word: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "")
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    word = word.removesuffix("'s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)] + ("y" if suffix in {"ies", "ied"} else "")
            break
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
