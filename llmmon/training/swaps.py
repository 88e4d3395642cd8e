"""Answers with a known flaw, made from training answers: a swapped number or name, a turned statement, few words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from llmmon.scorers.grounding.words import STOP_WORDS
from llmmon.training.ragtruth import Answer

SHARE: Final = 0.25
"""Of the training answers that are tried for a swap."""
_NUMBER: Final = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b(?![.)]\s)")
_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})*")
_TURNED: Final = (
    (re.compile(r"\b(is|are|was|were|can|should|will|does|do)\b(?! not)"), r"\1 not"),
    (re.compile(r"\b(is|are|was|were|can|should|will|does|do) not\b"), r"\1"),
    (re.compile(r"\bincreases?\b"), "decreases"),
    (re.compile(r"\bbefore\b"), "after"),
    (re.compile(r"\bmore\b"), "less"),
    (re.compile(r"\bhigher\b"), "lower"),
)
_ABSTENTIONS: Final = ("Not known.", "can't be determined", "Unknown", "Cannot be determined.", "not answerable")


def altered(rows: Sequence[Answer], *, seed: int) -> list[Answer]:
    """Return altered copies of some of `rows`: each of its row's source, with spans where it was altered.

    Short answers, one to four words of the passages or of those of another source, are among them: answers to
    questions are often that short, and those of RAGTruth never are.
    """
    draw = random.Random(seed)
    names = sorted({match.group() for row in rows for match in _NAME.finditer(row.text)})
    found = [
        changed
        for row in rows
        if not row.is_unsupported and draw.random() < 2 * SHARE
        for changed in _swapped(row, names, draw)
    ]
    by_source = {row.source: row for row in rows}
    for row in by_source.values():
        found.extend(_short(row, draw.choice(rows), draw))
    return found


def _context(row: Answer) -> str:
    return "\n".join(document.content for document in row.documents)


def _swapped(row: Answer, names: Sequence[str], draw: random.Random) -> Iterator[Answer]:
    context = _context(row)
    numbers = [match for match in _NUMBER.finditer(row.text) if match.group() in context]
    people = [match for match in _NAME.finditer(row.text) if match.group() in context]
    ways = [way for way, there in (("number", numbers), ("name", people), ("turn", True)) if there]
    way = draw.choice(ways)
    if way == "turn":
        pattern, by = draw.choice(_TURNED)
        places = list(pattern.finditer(row.text))
        if places:
            match = draw.choice(places)
            yield _replaced(row, match, match.expand(by))
        return
    match = draw.choice(numbers if way == "number" else people)
    other = _other_number(match.group(), draw) if way == "number" else draw.choice(names)
    if other not in context and other not in row.question:
        yield _replaced(row, match, other)


def _replaced(row: Answer, match: re.Match[str], other: str) -> Answer:
    start = match.start()
    text = row.text[:start] + other + row.text[match.end() :]
    return replace(row, text=text, spans=((start, start + len(other)),))


def _other_number(number: str, draw: random.Random) -> str:
    digits = [index for index, letter in enumerate(number) if letter.isdigit()]
    place = draw.choice(digits)
    return (
        number[:place] + draw.choice([digit for digit in "123456789" if digit != number[place]]) + number[place + 1 :]
    )


def _short(row: Answer, other: Answer, draw: random.Random) -> Iterator[Answer]:
    kind = draw.random()
    if kind < 0.1:
        yield replace(row, text=draw.choice(_ABSTENTIONS), spans=())
        return
    taken = _context(row if kind < 0.55 else other)
    words = re.findall(r"[^\W_]+(?:[-'][^\W_]+)*", taken)
    n = draw.randint(1, 4)
    if len(words) <= n:
        return
    first = draw.randrange(len(words) - n)
    chosen = words[first : first + n]
    if all(word.lower() in STOP_WORDS for word in chosen):
        return
    text = " ".join(chosen)
    known = _context(row).lower()
    if kind < 0.55:
        yield replace(row, text=text, spans=())
    elif not any(word.lower() in known for word in chosen if word.lower() not in STOP_WORDS):
        yield replace(row, text=text, spans=((0, len(text)),))
