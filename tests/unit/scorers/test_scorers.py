"""Scorers on answers whose right judgement is known."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from llmmon.model import Document, Message, Scorable
from llmmon.scorers.correctness import Correctness
from llmmon.scorers.length import Length
from llmmon.scorers.lexical_support import LexicalSupport
from llmmon.scorers.pii import Pii
from llmmon.scorers.refusal import Refusal
from llmmon.scorers.self_consistency import SelfConsistency, rouge_l
from llmmon.scorers.token_uncertainty import TokenUncertainty

SAMPLE = Path(__file__).parent / "data" / "xstest_sample.jsonl.gz"
LOGS = Path(__file__).parents[3] / "llmmon" / "demo" / "logs"
SURVEY = "How much, if at all, do you worry?\n(A). A lot\n(B). A little\n(C). Refused\nAnswer with one option."


def answer(text: str | None, prompt: str = "", **fields: Any) -> Scorable:
    """Return a logged response to `prompt`."""
    shape: dict[str, Any] = {"request_key": 1, "lane": "logged", "variant": "as_logged", "repeat": 0, "documents": ()}
    return Scorable(messages=(Message(role="user", content=prompt),), text=text, **{**shape, **fields})


def logged(deployment: str, route: str | None = None) -> list[tuple[Scorable, bool]]:
    """Return the demo log's answers of one deployment, each with whether it came after the change of the model."""
    found: dict[str, tuple[Scorable, bool]] = {}
    for path in sorted((LOGS / deployment).glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).decode().strip().split("\n"):
            row = json.loads(line)
            if row.get("response") and route in (None, row.get("route")):
                text = row["response"]["choices"][0]["message"]["content"]
                prompt = row["request"]["messages"][-1]["content"]
                response = answer(text, prompt, reference_answer=row.get("reference_answer"))
                found[row["id"]] = (response, row["timestamp"] >= "2023-06-27T12")
    return list(found.values())


def share(values: list[float | None]) -> float:
    """Return the mean of values that are all there, in percent."""
    return 100 * sum(value or 0.0 for value in values) / len(values)


def test_refusal_agrees_with_people_more_often_than_string_matching() -> None:
    """On 300 human-labelled answers of XSTest agreement is at least 90%, and above that of string matching."""
    rows = [json.loads(line) for line in gzip.decompress(SAMPLE.read_bytes()).decode().split("\n") if line]
    refused = [row["human_label"] != "1_full_compliance" for row in rows]
    ours = [Refusal().score(answer(row["completion"], row["prompt"])).value == 1 for row in rows]
    matched = [row["strmatch_label"] != "1_full_compliance" for row in rows]
    agreement = sum(a == b for a, b in zip(ours, refused, strict=True)) / len(rows)
    assert agreement >= 0.90
    assert agreement > sum(a == b for a, b in zip(matched, refused, strict=True)) / len(rows)


def test_refusal_recovers_the_published_survey_figures() -> None:
    """GPT-4 answered about 98% of the opinion survey in March and 23% in June 2023 (Chen, Zaharia and Zou)."""
    rows = logged("survey-gpt4")
    for is_after, published in ((False, 98.3), (True, 23.2)):
        refused = share([Refusal().score(response).value for response, after in rows if after is is_after])
        assert 100 - refused == pytest.approx(published, abs=1.0)


def test_correctness_recovers_the_published_figures() -> None:
    """GPT-4's accuracy fell from 84.6 to 50.6% on these primes, and from 85.2 to 34.0% on happy numbers."""
    for route, figures in (("primes", (84.6, 50.6)), ("happy-numbers", (85.2, 34.0))):
        rows = logged("assistant-gpt4", route)
        for is_after, published in zip((False, True), figures, strict=True):
            right = share([Correctness().score(response).value for response, after in rows if after is is_after])
            assert right == pytest.approx(published, abs=1.5)


@pytest.mark.parametrize(
    ("text", "prompt", "refused"),
    [
        ("(A). A lot", SURVEY, 0),
        ("(C). Refused", SURVEY, 0),
        ("As an AI language model, I don't have personal worries.", SURVEY, 1),
        ("This question is subjective and depends on the individual.", SURVEY, 1),
        ("It depends on the metal: iron melts at 1538 degrees.", "When does metal melt?", 0),
        ("I\u2019m sorry, but I can\u2019t assist with that.", "Help me.", 1),
        ("I cannot stress enough how good this is.", "Is it good?", 0),
    ],
)
def test_refusal_reads_options_and_apostrophes(text: str, prompt: str, refused: int) -> None:
    """Picking an option is an answer; calling a survey question subjective is not; typographic apostrophes count."""
    assert Refusal().score(answer(text, prompt)).value == refused


@pytest.mark.parametrize(
    ("text", "reference", "prompt", "how", "correct"),
    [
        ("The grandfather.", "The  grandfather", "", "normalised", 1),
        ("Step by step ... [No] ... so [Yes]", "yes", "Answer [Yes] or [No].", "bracketed", 1),
        ("No", "No", "Answer [Yes] or [No].", "bracketed", 0),
        ("No, it is not.", "No", "Is it?", "yes_no", 1),
        ("first \\boxed{3}, then $\\\\boxed{4}$", "\\\\boxed{4}", "", "boxed", 1),
        ("(C). Never", "C", "", "option", 1),
        ("c: never", "C", "", "option", 1),
        ("It is Paris, I think.", "Paris", "", "normalised", 0),
    ],
)
def test_correctness_reads_the_answer_as_the_reference_is_written(
    text: str, reference: str, prompt: str, how: str, correct: int
) -> None:
    """Automatic reading picks brackets, boxes, options or text, and says which in the evidence."""
    score = Correctness().score(answer(text, prompt, reference_answer=reference))
    assert (score.value, score.evidence["how"]) == (correct, how)


def test_correctness_may_look_for_the_reference_inside() -> None:
    """With how = contains whole words count, parts of words do not."""
    judge = Correctness(how="contains")
    assert judge.score(answer("It is Paris, I think.", reference_answer="paris")).value == 1
    assert judge.score(answer("A comparison", reference_answer="Paris")).value == 0


def test_lexical_support_names_the_unsupported_sentence_and_the_evidence() -> None:
    """Of two sentences the invented one gets a span; the other points at the place that supports it."""
    source = "The bridge was opened in 1932. It was designed by Dorman Long and links the two shores of the harbour."
    text = "The bridge, designed by Dorman Long, opened in 1932. Elephants painted every wooden railing purple."
    documents = (Document(content="Nothing about it here.", document_id="a"), Document(content=source, document_id="b"))
    score = LexicalSupport().score(answer(text, documents=documents))
    assert score.value == 0.5
    (span,) = score.spans
    assert text[span.start : span.end] == "Elephants painted every wooden railing purple."
    first = score.evidence["sentences"][0]
    assert first["document"] == "b"
    assert "1932" in source[first["evidence_start"] : first["evidence_end"]]
    assert score.evidence["uncalibrated"] is True


@pytest.mark.parametrize(
    ("text", "value"),
    [("the grandfather", 1), ("the astronaut", 0), ("can't be determined", None), ("not known", None)],
)
def test_lexical_support_of_short_answers(text: str, value: float | None) -> None:
    """One word can be supported or not; an answer that abstains claims nothing and has no value."""
    documents = (Document(content="I saw a grandson and their grandfather trying to book a cab."),)
    assert LexicalSupport().score(answer(text, documents=documents)).value == value


def test_self_consistency_is_the_mean_over_pairs() -> None:
    """Two equal answers and a different one agree in one of three pairs, whichever of them is judged."""
    judge = SelfConsistency()
    for text, siblings in (("a b c", ("a b c", "x y z")), ("x y z", ("a b c", "a b c"))):
        assert judge.score(answer(text, siblings=siblings)).value == pytest.approx(1 / 3)
    assert "1 other replays" in (judge.score(answer("a", siblings=("b",))).reason or "")


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [("police killed the gunman", "police kill the gunman", 3), ("a b c d e", "e d c b a", 1), ("a b", "c", 0)],
)
def test_rouge_l_counts_the_longest_common_subsequence(first: str, second: str, common: int) -> None:
    """The bit-parallel subsequence is as long as the one found by hand."""
    a, b = first.split(), second.split()
    assert rouge_l(a, b) == pytest.approx(2 * common / (len(a) + len(b)))


def test_pii_finds_patterns_without_network_or_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail, card, telephone and social security numbers are counted by type; nothing is fetched, no text is copied."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    text = "Write to ada@example.com or call +44 20 7946 0958; card 4111 1111 1111 1111, SSN 078-05-1121."
    score = Pii().score(answer(text))
    assert {"EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD"} <= set(score.evidence["types"])
    assert score.value == len(score.spans)
    assert "ada@" not in json.dumps(dict(score.evidence))
    assert Pii().score(answer("16451 / 97 = 169.5155, and 16883 is prime.")).value == 0


def test_placeholders_are_nobodys_data_unless_a_logged_answer_leaked_them() -> None:
    """A replay copies them from its prompt; the names of one's own types are no data either."""
    text = "Ask <EMPLOYEE_ID> or <EMAIL_ADDRESS>, or ada@example.com"
    assert Pii().score(answer(text)).value == 1
    assert Pii(count_redacted=True).score(answer(text)).value == 2
    assert Pii(count_redacted=True).score(answer(text, lane="serving")).value == 1


def test_length_counts_words_and_zero() -> None:
    """Hyphens, apostrophes and decimals do not split words; an empty answer has no words, which is a number."""
    assert Length().score(answer("It's a well-known 3.5 percent, isn't it?")).value == 7
    assert Length().score(answer("")).value == 0


def test_token_uncertainty_is_minus_the_mean_log_probability() -> None:
    """A mean log-probability of -1.25 is a surprise of 1.25 nats per token."""
    assert TokenUncertainty().score(answer("x", mean_logprob=-1.25)).value == 1.25
