"""A labels file against a scorer, and what is said of bad lines."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from llmmon.errors import SourceUnavailableError
from llmmon.model import Score, Span
from llmmon.pipeline.evaluate import evaluate
from llmmon.pipeline.evaluate_spans import is_by_type


@dataclass(frozen=True, kw_only=True)
class Told:
    """A scorer that says the number its response begins with; absent without one; marks the word "wrong"."""

    plugin_name: ClassVar[str] = "told"
    unit: ClassVar[str] = "share"
    direction: ClassVar[str] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 7
    risk_threshold: ClassVar[float] = 0.6
    threshold: ClassVar[float] = 0.1  # of something else
    size_bytes: ClassVar[int] = 1234

    def score(self, response):
        if response.text is None:
            return Score(reason="no response text")
        number = response.text.split(" ")[0]
        if number == "?":
            return Score(reason="says nothing")
        start = response.text.find("wrong")
        spans = (Span(start=start, end=start + 5, label="unsupported"),) if start >= 0 else ()
        return Score(value=float(number), spans=spans)


@pytest.fixture
def labels(tmp_path):
    """Write rows as labels; returns the path."""

    def write(*rows, name="labels.jsonl"):
        path = tmp_path / name
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


ROWS = (
    {"id": 1, "prompt": "p", "context": ["c"], "response": "0.1 wrong", "label": 1, "spans": [[4, 7]], "group": "a"},
    {"id": "b", "prompt": "p", "context": [], "response": "0.3 right", "label": 1, "spans": [[0, 3]], "group": "a"},
    {"prompt": "p", "response": "0.9 right", "label": 0, "group": "b"},
    {"prompt": "p", "response": "0.45 wrong", "label": 0},
    {"prompt": "p", "response": "? ", "label": 1, "spans": [[0, 1]]},
    {"prompt": "p", "response": "oops", "label": 0, "unknown": {"to": "us"}},
    {"prompt": "p", "response": None, "label": 0},
)


@pytest.mark.parametrize("name", ["labels.jsonl", "labels.jsonl.gz"])
def test_figures_are_those_worked_out_by_hand(labels, name) -> None:
    """Risks 0.9, 0.7, 0.1 and 0.55 against 0.6: two found, both rightly; the scorer says nothing of three rows."""
    result = evaluate(Told(), labels(*ROWS, name=name)).as_json()
    assert (result["n"], result["n_absent"], result["n_absent_positive"]) == (7, 3, 1)
    assert (result["coverage"], result["prevalence"], result["threshold"]) == (4 / 7, 3 / 7, 0.6)
    assert (result["auroc"], result["f1"], result["precision"], result["recall"]) == (1.0, 1.0, 1.0, 1.0)
    assert result["absent_reasons"] == {
        "says nothing": 1, "the scorer failed: ValueError": 1, "no response text": 1,
    }  # fmt: skip
    # characters: found 5 + 5, marked 3 + 3, both 3
    assert (result["span_precision"], result["span_recall"], result["span_f1"]) == (0.3, 0.5, 6 / 16)
    assert (result["scorer"], result["version"], result["model_size_bytes"]) == ("told", 7, 1234)
    assert {name: (part["n"], part["auroc"]) for name, part in result["groups"].items()} == {
        "a": (2, None), "b": (1, None),
    }  # fmt: skip
    json.dumps(result, allow_nan=False)


def test_without_spans_nothing_is_said_of_them(labels) -> None:
    """And a threshold of the caller's stands for the scorer's."""
    result = evaluate(Told(), labels({"response": "0.9", "label": 0}, {"response": "0.8", "label": 1}), threshold=0.1)
    assert "span_f1" not in result.as_json()
    assert result.overall.figures["recall"] == 1.0
    assert result.threshold == 0.1


def test_an_empty_file_has_figures_of_nothing(labels) -> None:
    """No row: n is 0 and nothing else is known."""
    result = evaluate(Told(), labels("")).as_json()
    assert result["n"] == 0
    assert result["coverage"] is result["prevalence"] is result["auroc"] is result["rows_per_s"] is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"response": "x"}', "label"),
        ('{"response": "x", "label": 2}', "2.*label"),
        ('{"response": 3, "label": 1}', r"str \| null.*response"),
        ('{"response": "abc", "label": 1, "spans": [[1, 9]]}', "from 1 to 9 of a response of 3"),
        ('{"response": "abc", "label": 1, "context": "c"}', "array.*context"),
        ('["response"]', "object"),
        ("{", "JSONDecodeError"),
        ("\udcff", "UnicodeDecodeError"),
    ],
)
def test_a_bad_line_is_named(labels, tmp_path, line, says) -> None:
    """With its number, its field and what was expected."""
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"response": "0.5", "label": 1}\n\n' + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(SourceUnavailableError, match=f"(?s)labels.jsonl: line 3: .*{says}.*expected JSON lines"):
        evaluate(Told(), path)


def test_a_cut_off_archive_and_a_missing_file_are_errors(labels, tmp_path) -> None:
    """Neither is an empty set of labels."""
    whole = labels(*ROWS, name="whole.jsonl.gz")
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole.read_bytes()[:-20])
    for path in (cut, tmp_path / "none.jsonl"):
        with pytest.raises(SourceUnavailableError, match=path.name):
            evaluate(Told(), path)


def test_rows_with_a_label_are_not_compared_by_type(labels) -> None:
    """Typed spans stand without a label."""
    assert not is_by_type(labels(ROWS[0]))
    assert is_by_type(labels({"response": "x", "spans": []}))
