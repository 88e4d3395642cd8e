"""Every scorer: absent is a reason, the same response gets the same judgement, spans lie in the text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from llmmon.model import Document, Message, Scorable
from llmmon.scorers.base import scorers
from tests.conformance.examples import build
from tests.judge_endpoint import honest, judging

EMPTY = Scorable(request_key=1, lane="reference", variant="as_logged", repeat=0, messages=(), documents=(), text=None)
FULL = dataclasses.replace(
    EMPTY,
    messages=(Message(role="user", content="Who wrote it, and where can I reach her?"),),
    documents=(Document(content="Ada Lovelace wrote the first program in London.", document_id="d1"),),
    text="Ada Lovelace wrote it in London. Write to ada@example.com, she lives on the moon.",
    reference_answer="Ada Lovelace",
    siblings=("Ada Lovelace wrote it.", "Charles Babbage wrote it."),
    mean_logprob=-1.25,
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Yield the address of an endpoint whose model always says no."""
    with judging(honest("no")) as served:
        yield served.url


@pytest.fixture
def scorer(name: str, endpoint: str) -> Any:
    """Return the scorer called `name`; one that asks an endpoint asks the fixture's."""
    return build("scorers", name, **({"base_url": endpoint} if name == "llm_judge" else {}))


STRANGE = ("", " \n ", "\u202e\ud83d\ude00\U0001f600", "[" * 3000, "a" * 20_000, "\x1b[31m\u0000", "[Yes] [No] boxed{")


@pytest.mark.parametrize("name", scorers.names())
def test_nothing_to_judge_gives_a_reason(scorer: Any) -> None:
    """A response without text, documents, reference or log-probability has no value and says why."""
    score = scorer.score(EMPTY)
    assert score.value is None
    assert score.reason


@pytest.mark.parametrize("name", scorers.names())
def test_the_same_response_gets_the_same_judgement(scorer: Any) -> None:
    """A scorer is a function of the response: two instances agree, and the judgement is JSON."""
    first, second = (instance.score(FULL) for instance in (scorer, dataclasses.replace(scorer)))
    assert first == second
    assert first.value is not None, first.reason
    json.dumps(dict(first.evidence), allow_nan=False)


@pytest.mark.parametrize("name", scorers.names())
def test_spans_lie_in_the_text(scorer: Any) -> None:
    """A span names a stretch of the response."""
    for span in scorer.score(FULL).spans:
        assert 0 <= span.start < span.end <= len(FULL.text or "")
        assert span.label


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("name", scorers.names())
def test_strange_text_is_judged_or_declined(scorer: Any, text: str) -> None:
    """Empty, endless, unpaired and invisible text raises nothing."""
    score = scorer.score(dataclasses.replace(FULL, text=text, siblings=(text, text)))
    assert (score.value is None) == (score.reason is not None)
