"""How well each word of an answer is supported by a context, in numbers that a small network can learn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmmon.scorers.grounding.form import NEGATIONS, form
from llmmon.scorers.grounding.words import Words

Array = NDArray[np.float32]

_LONGEST_RUN: Final = 8
_WINDOWS: Final = (2, 6)
_NARROW: Final = (4, 8)
_WIDE: Final = (8, 20)
"""Words on each side of an answer's word, and of the place in the context where they are looked for together."""
_BAG: Final = 128
"""Components that bags of words are compared by."""
_DENSE: Final = 400
EMPTY: Final = 1e-6


class Room:
    """Arrays that are used again from one answer to the next; without them most time goes into getting memory."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, int]) -> Array:
        """Return the array called `name`, of this shape and with whatever values it has."""
        size = shape[0] * shape[1]
        held = self._arrays.get(name)
        if held is None or held.size < size:
            held = self._arrays[name] = np.empty(size, dtype=np.float32)
        return held[:size].reshape(shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class Support:
    """What is known of the R words of an answer beside a context.

    Parameters
    ----------
    values : array of float32, shape (R, len(FEATURES))
        See `FEATURES`.
    match : array of int, shape (R,)
        The most alike word of the context.
    evidence : array of int, shape (R,)
        The sentence of the context that supports the word's sentence best.
    """

    values: Array
    match: NDArray[np.intp]
    evidence: NDArray[np.intp]


def measure(answer: Words, context: Words, question: Words, room: Room) -> Support:
    """Compare every word of `answer` with the context.

    Parameters
    ----------
    answer, context : Words
        Neither empty.
    question : Words
        May be empty.
    room : Room
        Not shared between threads.
    """
    numbers: dict[str, int] = {}
    ours, theirs, asked = (
        np.fromiter((numbers.setdefault(stem, len(numbers)) for stem in text.stems), dtype=np.int64, count=len(text))
        for text in (answer, context, question)
    )
    shape = (len(answer), len(context))
    same, alike = room.take("equal", shape), room.take("alike_words", shape)
    np.equal(ours[:, None], theirs[None, :], out=same)
    np.matmul(answer.vectors, context.vectors.T, out=alike)
    np.minimum(alike, np.float32(0.95), out=alike)
    np.maximum(alike, same, out=alike)
    columns = _matches(answer, context, same, alike)
    columns |= _runs(answer, context, ours, theirs)
    diagonal = _diagonal(alike, room)
    columns["phrase"] = diagonal.max(axis=1)
    for reach in _WINDOWS:
        columns[f"window_{reach}"] = (_bag(answer, reach) @ _bag(context, reach).T).max(axis=1)
    covered, place, evidence = _coverage(answer, context, same, alike, room)
    columns |= covered
    diagonal *= np.float32(0.02)  # between equal matches, the one with like neighbours
    diagonal += alike
    match = diagonal.argmax(axis=1)
    jump = np.log1p(np.minimum(np.abs(np.diff(match, prepend=match[:1]) - 1), 50))
    columns |= {
        "jump": jump,
        "next_jump": np.append(jump[1:], 0),
        "match_place": match / len(context),
        "match_away": np.log1p(np.abs(match - place)),
        "in_question": _among(ours, asked),
        "question_cosine": (answer.vectors @ question.vectors.T).max(axis=1, initial=0),
        "context_length": np.full(len(answer), np.log1p(len(context)) / 6),
        "question_length": np.full(len(answer), np.log1p(len(question))),
    }
    columns |= form(answer)
    values = np.stack([np.asarray(columns[name], dtype=np.float32) for name in FEATURES], axis=1)
    return Support(values=values, match=match, evidence=evidence)


def _matches(answer: Words, context: Words, same: Array, alike: Array) -> dict[str, object]:
    exact = set(context.lower)
    content = alike[:, ~context.stop] if not context.stop.all() else alike
    count = same.sum(axis=1)
    return {
        "exact": [word in exact for word in answer.lower],
        "stem": count > 0,
        "cosine": content.max(axis=1),
        "n_matches": np.log1p(count),
    }


def _runs(answer: Words, context: Words, ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> dict[str, object]:
    """Return the longest run of words around each word that the context has too: of all, and of content words."""
    run = _longest_run(ours, theirs)
    content = np.zeros(len(answer))
    kept = np.flatnonzero(~answer.stop)
    if len(kept):
        content[kept] = _longest_run(ours[kept], theirs[~context.stop])
        after = np.clip(np.searchsorted(kept, np.arange(len(answer))), 0, len(kept) - 1)
        before = np.clip(after - 1, 0, len(kept) - 1)
        # a stop word is as well placed as the worse of the content words around it
        content = np.where(answer.stop, np.minimum(content[kept[before]], content[kept[after]]), content)
    return {"run": np.log1p(run), "run_of_3": run >= 3, "content_run": np.log1p(content)}


def _among(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `ours` are in `theirs`; for some hundred numbers faster than np.isin."""
    known = set(theirs.tolist())
    return np.array([number in known for number in ours.tolist()], dtype=bool)


def _longest_run(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.float64]:
    found = _among(ours, theirs).astype(np.float64)
    mine, other = ours + 1, theirs + 1
    for length in range(2, _LONGEST_RUN + 1):
        if len(ours) < length or len(theirs) < length:
            break
        # a run of `length` words as one number, made from the run that is one word shorter
        mine = mine[:-1] * 1_000_003 + ours[length - 1 :] + 1
        other = other[:-1] * 1_000_003 + theirs[length - 1 :] + 1
        starts = np.flatnonzero(_among(mine, other))
        if not len(starts):
            break
        for step in range(length):
            found[starts + step] = length
    return found


def _diagonal(alike: Array, room: Room) -> Array:
    """Return the mean likeness of five words in a row on both sides, centred at each pair."""
    rows, width = alike.shape
    total = room.take("diagonal", alike.shape)
    np.multiply(alike, np.float32(0.2), out=total)
    part = room.take("part", alike.shape)
    np.copyto(part, total)
    for step in (-2, -1, 1, 2):
        ours, theirs = slice(max(0, -step), rows - max(0, step)), slice(max(0, step), rows - max(0, -step))
        left, right = slice(max(0, -step), width - max(0, step)), slice(max(0, step), width - max(0, -step))
        total[ours, left] += part[theirs, right]
    return total


def _around(values: Array, reach: int, out: Array | None = None) -> Array:
    """Return the sums of the rows at most `reach` away."""
    n = len(values)
    if n <= _DENSE:
        found: Array = np.matmul(_band(n, reach), values, out=out)  # for short texts faster than cumulative sums
        return found
    sums = np.cumsum(np.pad(values, ((reach + 1, reach), (0, 0))), axis=0, dtype=np.float64)
    return (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]).astype(np.float32)


@lru_cache(maxsize=8)
def _band(n: int, reach: int) -> Array:
    places = np.arange(n)
    found: Array = (np.abs(places[:, None] - places[None, :]) <= reach).astype(np.float32)
    return found


def _bag(text: Words, reach: int) -> Array:
    """Return the unit vector of the words around each word."""
    summed = _around(text.vectors[:, :_BAG] * text.weight[:, None], reach)
    found: Array = summed / (np.linalg.norm(summed, axis=1, keepdims=True) + np.float32(EMPTY))
    return found


def _widened(values: Array, reach: int, room: Room, name: str) -> Array:
    """Return the largest value at most `reach` columns away."""
    rows, width = values.shape
    padded = width + 2 * reach
    current, other = room.take(name, (rows, padded)), room.take("other", (rows, padded))
    current[:, :reach] = 0
    current[:, reach : reach + width] = values
    current[:, reach + width :] = 0
    size, whole = 1, 2 * reach + 1
    while size < whole:
        step = min(size, whole - size)
        left = padded - size - step + 1
        np.maximum(current[:, :left], current[:, step : step + left], out=other[:, :left])
        current, other = other, current
        size += step
    if not np.shares_memory(current, room.take(name, (rows, padded))):
        np.copyto(other[:, :width], current[:, :width])
        current = other
    return current[:, :width]


def _coverage(
    answer: Words, context: Words, same: Array, alike: Array, room: Room
) -> tuple[dict[str, object], NDArray[np.intp], NDArray[np.intp]]:
    """Return how much of each word's surroundings one place of the context covers; and of its sentence, and where."""
    rows = np.arange(len(answer))
    weight = answer.weight[:, None]
    soft = room.take("soft", alike.shape)
    np.subtract(alike, np.float32(0.3), out=soft)
    np.maximum(soft, 0, out=soft)
    soft /= np.float32(0.7)
    columns: dict[str, object] = {}
    weighted, covered = room.take("weighted", alike.shape), room.take("covered", alike.shape)
    near: dict[str, Array] = {}
    for name, values, reach, width in (
        ("same", same, *_WIDE),
        ("alike_narrow", soft, *_NARROW),
        ("alike", soft, *_WIDE),
    ):
        near[name] = _widened(values, width, room, name)
        np.multiply(near[name], weight, out=weighted)
        share = _around(weighted, reach, out=covered)
        best = share.argmax(axis=1)
        around = _around(weight, reach)[:, 0] + np.float32(EMPTY)
        columns[f"covered_{name}"] = share[rows, best] / around
        columns[f"own_{name}"] = near[name][rows, best]
    found = {name: np.zeros(len(answer), dtype=np.float32) for name in ("soft", "own", "hard", "anywhere", "negation")}
    negated = [np.array([word in NEGATIONS for word in text.lower]) for text in (answer, context)]
    place, evidence = np.zeros((2, len(answer)), dtype=np.intp)
    best_anywhere = alike.max(axis=1)
    for sentence in np.unique(answer.sentence):
        mine = np.flatnonzero(answer.sentence == sentence)
        first, last = mine[0], mine[-1] + 1
        share = answer.weight[first:last] / (answer.weight[first:last].sum() + np.float32(EMPTY))
        of_places = share @ near["alike"][first:last]
        best = int(of_places.argmax())
        found["soft"][mine] = of_places[best]
        found["own"][mine] = near["alike"][mine, best]
        found["hard"][mine] = share @ near["same"][mine, best]
        found["anywhere"][mine] = share @ best_anywhere[mine]
        place[mine] = best
        left, right = max(0, best - _WIDE[1]), best + _WIDE[1] + 1
        nearby = alike[first:last, left:right]
        votes = np.bincount(context.sentence[left + nearby.argmax(axis=1)], weights=share * nearby.max(axis=1))
        evidence[mine] = votes.argmax()
        supporting = np.searchsorted(context.sentence, [evidence[first], evidence[first] + 1])
        found["negation"][mine] = negated[0][first:last].any() != negated[1][slice(*supporting)].any()
    columns |= {f"sentence_{name}": values for name, values in found.items()}
    return columns, place, evidence


FEATURES: Final = (
    # where the context has the word, or one alike
    *("exact", "stem", "cosine", "n_matches", "run", "run_of_3", "content_run", "phrase"),
    *(f"window_{reach}" for reach in _WINDOWS),
    *(f"{what}_{how}" for how in ("same", "alike_narrow", "alike") for what in ("covered", "own")),
    *("sentence_soft", "sentence_own", "sentence_hard", "sentence_anywhere", "sentence_negation"),
    *("jump", "next_jump", "match_place", "match_away"),
    # the question
    *("in_question", "question_cosine", "context_length", "question_length"),
    # the answer alone
    *("seen", "stop", "number", "capital", "weight", "rank", "pieces", "negation", "hedge", "about_context", "letters"),
    *("first", "comma", "colon", "stops", "new_line", "bracket", "quote", "position", "from_start", "to_end"),
    *("sentence", "sentences_left", "in_sentence", "sentence_length", "answer_length"),
)
"""Names of the columns of `Support.values`."""
