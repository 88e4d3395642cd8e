"""Words, their support and the way back from a context to its documents."""

from __future__ import annotations

import numpy as np
import pytest

from llmmon.model import Document
from llmmon.scorers.grounding.context import LONGEST, gather
from llmmon.scorers.grounding.spans import unsupported_spans
from llmmon.scorers.grounding.support import FEATURES, Room, measure
from llmmon.scorers.grounding.words import read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 1,000.5 km, isn't it?", ("it's", "1,000.5", "km", "isn't", "it")),
        ("二つの橋", ("二", "つ", "の", "橋")),
        ("खोला गया", ("खोला", "गया")),
        ("snake_case x2", ("snake", "case", "x", "2")),
        ("?!", ()),
        ("", ()),
    ],
)
def test_words_of_any_script(text: str, words: tuple[str, ...]) -> None:
    """Marks stay with their letters, scripts without spaces are read by character, places point into the text."""
    found = read(text)
    assert found.lower == words
    assert tuple(text[start:end].lower() for start, end in zip(found.start, found.end, strict=True)) == words
    assert found.vectors.shape == (len(words), 256)


def column(answer: str, context: str, name: str, question: str = "") -> list[float]:
    """Return one feature of every word of `answer`."""
    values = measure(read(answer), read(context), read(question), Room()).values
    return [round(float(value), 3) for value in values[:, FEATURES.index(name)]]


def test_features_worked_by_hand() -> None:
    """Matches, runs and negation of a sentence of four words."""
    context = "The old bridge opened in 1932. Boats pass."
    assert column("The bridge opened yesterday", context, "exact") == [1, 1, 1, 0]
    assert column("Bridges open in 1932", context, "stem") == [1, 1, 1, 1]
    runs = column("bridge opened in 1950", context, "run")
    assert runs == [round(float(np.log1p(n)), 3) for n in (3, 3, 3, 0)]
    assert column("It opened in 1932", context, "sentence_negation") == [0] * 4
    assert column("It never opened in 1932", context, "sentence_negation") == [1] * 5
    assert column("It opened", context, "in_question", question="Was it open?") == [1, 1]


def test_buffers_keep_nothing_of_the_answer_before() -> None:
    """Features are the same whatever was measured in the same room before."""
    room, first = Room(), (read("Elephants paint."), read("The old bridge opened in 1932. " * 40), read(""))
    second = (read("The bridge is new and painted red."), read("A red bridge."), read("colour"))
    measure(*first, room)
    again = measure(*second, room).values
    assert np.array_equal(again, measure(*second, Room()).values)


def test_a_sentence_of_the_context_leads_back_to_its_document() -> None:
    """Whole documents and chosen passages of long ones are found again at their place."""
    documents = [
        Document(content="One. Two."),
        Document(content=""),
        Document(content="Rain fell. " * 3000 + "Zebras ran."),
    ]
    for chosen in (documents[:2], documents):
        context = gather(chosen, "Zebras ran, one and two.")
        assert len(context.words.text) <= LONGEST + 100
        for number, (start, end) in enumerate(context.words.sentences):
            document, first, last = context.find(number)
            assert chosen[document].content[first:last] == context.words.text[start:end]
    assert "Zebras ran." in context.words.text
    assert context.n_left_out > 10_000


def test_spans_run_over_single_gaps() -> None:
    """Risky words with one word between them are one span; without a risky word the riskiest sentence is it."""
    words = read("a b c d e f. g h.")
    risks = np.array([0.9, 0.1, 0.9, 0.1, 0.1, 0.9, 0.2, 0.1])
    assert [(span.start, span.end) for span in unsupported_spans(words, risks, 0.5)] == [(0, 5), (10, 11)]
    assert [(span.start, span.end) for span in unsupported_spans(words, risks[::-1] / 3, 0.5)] == [(0, 12)]
