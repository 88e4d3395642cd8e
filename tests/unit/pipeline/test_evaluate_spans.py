"""Recall and precision of spans, against figures worked out by hand."""

from __future__ import annotations

import json

import pytest

from llmmon.errors import SourceUnavailableError
from llmmon.pipeline.evaluate_spans import evaluate_spans, is_by_type
from llmmon.scorers.pii import Pii


@pytest.fixture
def labels(tmp_path):
    """Write rows as labels; returns the path."""

    def write(*rows):
        path = tmp_path / "labels.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


def marked(text, *items):
    return {
        "response": text,
        "spans": [{"label": kind, "start": text.index(x), "end": text.index(x) + len(x)} for kind, x in items],
    }


def test_figures_are_those_worked_out_by_hand(labels):
    """Of three marked addresses one is covered only in part; of four finds one is a card that is not marked."""
    path = labels(
        marked("a@example.com, b@example.com", ("EMAIL_ADDRESS", "a@example.com"), ("EMAIL_ADDRESS", "b@example.com")),
        marked("Ada <c@example.com>", ("EMAIL_ADDRESS", "Ada <c@example.com>"), ("PERSON", "Ada")),
        marked("4111 1111 1111 1111 is not marked"),
        {"full_text": "nothing", "spans": []},
    )
    result = evaluate_spans(Pii(types=("EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN")), path)
    mail, card = result.types["EMAIL_ADDRESS"], result.types["CREDIT_CARD"]
    assert (result.n, result.n_absent, result.not_looked_for) == (4, 0, {"PERSON": 1})
    assert (mail.n, mail.n_found, mail.n_finds, mail.n_right) == (3, 2, 3, 3)
    assert (mail.recall, mail.precision) == (2 / 3, 1.0)
    # Wilson, by hand: (2/3 + 1.96^2/6 +- 1.96 sqrt(2/27 + 1.96^2/36)) / (1 + 1.96^2/3)
    assert mail.intervals["recall"] == pytest.approx((0.2077, 0.9385), abs=5e-4)
    assert (card.n, card.n_finds, card.n_right, card.recall, card.precision) == (0, 1, 0, None, 0.0)
    assert "recall" not in card.intervals
    assert "US_SSN" not in result.types
    assert (result.overall.recall, result.overall.precision) == (2 / 3, 3 / 4)


def test_the_names_of_presidio_research_are_read(labels):
    """Its rows name text, type and places otherwise."""
    span = {"entity_type": "EMAIL_ADDRESS", "entity_value": "x", "start_position": 3, "end_position": 16}
    path = labels({"full_text": "To a@example.com", "spans": [span]})
    assert is_by_type(path)
    assert evaluate_spans(Pii(), path).overall.recall == 1.0


@pytest.mark.parametrize(
    "span", [{"label": "X", "start": 3, "end": 3}, {"label": "X", "start": 0, "end": 99}, {"start": 0}]
)
def test_a_span_that_is_none_names_its_line(labels, span):
    """Also one that reaches beyond the text."""
    path = labels(marked("fine"), {"response": "text", "spans": [span]})
    with pytest.raises(SourceUnavailableError, match="line 2: "):
        evaluate_spans(Pii(), path)
