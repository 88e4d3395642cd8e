"""Agreement with reference answers: words, vectors, numbers and negations, right and wrong ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmmon.model import Message, Scorable
from llmmon.scorers.answer_agreement import AnswerAgreement, References, references_of, word_f1

COOKIES = {"right": ["Fortune cookies come from San Francisco"], "wrong": ["Fortune cookies come from China"]}


def answer(text: str | None, reference: Any, prompt: str = "Where do fortune cookies come from?") -> Scorable:
    """Return a logged response with reference answers."""
    given = reference if reference is None or isinstance(reference, str) else json.dumps(reference)
    return Scorable(
        request_key=1,
        lane="logged",
        variant="as_logged",
        repeat=0,
        messages=(Message(role="user", content=prompt),),
        documents=(),
        text=text,
        reference_answer=given,
    )


def test_a_right_answer_is_nearer_to_the_right_reference() -> None:
    """The words that all answers share do not make a wrong one right."""
    right = AnswerAgreement().score(answer("They come from San Francisco.", COOKIES))
    wrong = AnswerAgreement().score(answer("They come from China.", COOKIES))
    assert right.value is not None
    assert wrong.value is not None
    assert right.value > 0.5 > wrong.value
    assert (right.label, wrong.label) == ("agrees", "differs")
    assert right.evidence["right"] == COOKIES["right"][0]
    assert wrong.evidence["closeness_to_wrong"] > wrong.evidence["closeness_to_right"]


def test_the_same_words_agree_fully() -> None:
    """F1 and cosine are 1; with a wrong reference of no shared word and no near vector the value nears 1."""
    same = AnswerAgreement().score(answer("It is 42.", "It is 42.", prompt="How many?"))
    assert same.value == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "reference"), [("It opened in 1998.", "It opened in 1997."), ("It is not safe.", "It is safe.")]
)
def test_a_number_or_a_negation_takes_a_fifth(text: str, reference: str) -> None:
    """Against the same pair without the contradiction the closeness is at least 0.2 lower."""
    agrees = AnswerAgreement().score(answer(reference, reference, prompt="Well?")).value
    differs = AnswerAgreement().score(answer(text, reference, prompt="Well?")).value
    assert agrees is not None
    assert differs is not None
    assert differs <= agrees - 0.2


def test_f1_of_words_is_squads() -> None:
    """Of three and four words two are shared: 2 x 2 / 7; the question's words count only where nothing else is left."""
    assert word_f1("Paris in spring", "Paris is lovely spring", without=set()) == pytest.approx(4 / 7)
    assert word_f1("the cookies", "cookies", without={"cookies"}) == 1


def test_references_are_plain_text_or_json() -> None:
    """A list is right answers; other JSON is taken as the text it is."""
    assert references_of('["a", "b"]') == References(("a", "b"), ())
    assert references_of("42") == References(("42",), ())
    assert references_of('{"right": "a"}') == References(('{"right": "a"}',), ())
    assert AnswerAgreement().score(answer("x", {"right": [], "wrong": ["y"]})).reason == "no right reference answer"
