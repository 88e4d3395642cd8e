"""Documents cut into windows that a model can read, and which of them a sentence is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmmon.encoder import static_encoder
from llmmon.model import Document
from llmmon.scorers.text import sentences

Floats = NDArray[np.float64]
_GAP: Final = "\n\n"


class Piece(NamedTuple):
    """A sentence, or a part of an endless one: its document, its place ``[start, end)`` there, and its tokens."""

    document: int
    start: int
    end: int
    n_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Documents as pieces and as windows of consecutive pieces.

    Parameters
    ----------
    spans : tuple of (first, last)
        Pieces of each window, the last one exclusive. A window begins with the last piece of the one before where that
        is not all of it, so that two neighbours are read together.
    """

    documents: Sequence[Document]
    pieces: Sequence[Piece]
    spans: Sequence[tuple[int, int]]

    def text(self, window: int) -> str:
        """Return what a window says, as it stands in the documents; a blank line divides two documents."""
        first, last = self.spans[window]
        parts: list[Piece] = []
        for piece in self.pieces[first:last]:
            if parts and parts[-1].document == piece.document:
                parts[-1] = parts[-1]._replace(end=piece.end)
            else:
                parts.append(piece)
        return _GAP.join(self.documents[part.document].content[part.start : part.end] for part in parts)

    def likeness(self, texts: Sequence[str]) -> Floats:
        """Return how alike each of `texts` is to each piece, by the static encoder: shape (texts, pieces)."""
        encoder = static_encoder()
        own = encoder.encode([self.documents[piece.document].content[piece.start : piece.end] for piece in self.pieces])
        return np.asarray(encoder.encode(texts) @ own.T, dtype=float)

    def nearest(self, likeness: Floats, at_most: int) -> list[int]:
        """Return the windows that hold the pieces most alike, in their order, from one row of `likeness`."""
        best = np.array([likeness[first:last].max() for first, last in self.spans])
        return sorted(np.argsort(-best, kind="stable")[:at_most].tolist())

    def evidence(self, window: int, likeness: Floats) -> Piece:
        """Return the piece of a window that is most alike, from one row of `likeness`."""
        first, last = self.spans[window]
        return self.pieces[first + int(likeness[first:last].argmax())]


def cut(text: str, tokens: NDArray[np.intp], longest: int, document: int = 0) -> list[Piece]:
    """Return the sentences of `text`, those of more than `longest` tokens in parts.

    Parameters
    ----------
    tokens : array of int, shape (t, 2)
        Places of the tokens of `text`.
    """
    found = []
    starts = tokens[:, 0]
    for sentence in sentences(text):
        first, last = np.searchsorted(starts, (sentence.start(), sentence.end()))
        for begin in range(int(first), int(last), longest):
            end = min(begin + longest, int(last))
            found.append(Piece(document, int(tokens[begin, 0]), int(tokens[end - 1, 1]), end - begin))
    return found


def joined(sentences: Sequence[Piece], tokens: NDArray[np.intp], longest: int) -> list[tuple[int, int]]:
    """Return runs of neighbouring sentences that have up to `longest` tokens with what stands between them."""
    found: list[tuple[int, int]] = []
    for index, sentence in enumerate(sentences):
        start = sentences[found[-1][0]].start if found else 0
        first, last = np.searchsorted(tokens[:, 0], (start, sentence.end))
        if found and last - first <= longest:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


def windows_of(documents: Sequence[Document], tokens: Sequence[NDArray[np.intp]], budget: int) -> Windows:
    """Return the documents in windows of at most `budget` tokens.

    Parameters
    ----------
    tokens : sequence of arrays of int, shape (t, 2)
        Places of the tokens of each document.
    """
    pieces = [
        piece
        for number, (document, places) in enumerate(zip(documents, tokens, strict=True))
        for piece in cut(document.content, places, max(1, budget // 2), number)
    ]
    spans: list[tuple[int, int]] = []
    first = n_tokens = 0
    for index, piece in enumerate(pieces):
        if n_tokens + piece.n_tokens > budget:
            spans.append((first, index))
            # budget // 2 is the longest piece: with its neighbour it still fits
            first, n_tokens = index - 1, pieces[index - 1].n_tokens
        n_tokens += piece.n_tokens
    if pieces:
        spans.append((first, len(pieces)))
    return Windows(documents=documents, pieces=pieces, spans=spans)
