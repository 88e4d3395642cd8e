"""Compare the spans of a scorer with spans that people marked, type by type."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmmon.metrics.intervals import wilson
from llmmon.model import Span
from llmmon.pipeline.labels import json_lines, to_judge
from llmmon.scorers.base import Scorer


@dataclass(frozen=True, kw_only=True)
class SpanFigures:
    """How well one type is found.

    Parameters
    ----------
    n, n_found : int
        Spans that people marked, and those that finds of the same type cover from end to end.
    n_finds, n_right : int
        Finds, and those that overlap a marked span of the same type.
    recall, precision : float or None
        ``n_found / n`` and ``n_right / n_finds``; None where there is nothing to divide by.
    intervals : mapping of str to pair of float
        95% Wilson intervals of both.
    """

    n: int
    n_found: int
    n_finds: int
    n_right: int
    recall: float | None
    precision: float | None
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class SpanEvaluation:
    """How well the spans of a scorer agree with labels.

    Parameters
    ----------
    n, n_absent : int
        Labelled texts, and those that the scorer gave a reason for instead of a value.
    overall : SpanFigures
        Over all types that the scorer looks for.
    types : mapping of str to SpanFigures
        By type.
    not_looked_for : mapping of str to int
        Marked spans of types that the scorer does not look for; they are in no other figure.
    """

    scorer: str
    n: int
    n_absent: int
    overall: SpanFigures
    types: Mapping[str, SpanFigures]
    not_looked_for: Mapping[str, int]
    rows_per_s: float


@dataclass(slots=True)
class _Counts:
    marked: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    finds: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    def add(self, marked: Sequence[Span], found: Sequence[Span]) -> None:
        for span in marked:
            self.marked[span.label] += 1
            inside = {
                place
                for item in found
                if item.label == span.label
                for place in range(max(item.start, span.start), min(item.end, span.end))
            }
            self.covered[span.label] += len(inside) == span.end - span.start
        for item in found:
            self.finds[item.label] += 1
            self.right[item.label] += any(
                item.label == span.label and item.start < span.end and span.start < item.end for span in marked
            )

    def figures(self, types: Sequence[str]) -> SpanFigures:
        n, n_found, n_finds, n_right = (
            sum(counter[name] for name in types) for counter in (self.marked, self.covered, self.finds, self.right)
        )
        shares = (("recall", n_found, n), ("precision", n_right, n_finds))
        rates = {name: (part / whole, whole) for name, part, whole in shares if whole}
        return SpanFigures(
            n=n,
            n_found=n_found,
            n_finds=n_finds,
            n_right=n_right,
            recall=rates["recall"][0] if n else None,
            precision=rates["precision"][0] if n_finds else None,
            intervals={name: wilson(rate, whole) for name, (rate, whole) in rates.items()},
        )


def evaluate_spans(scorer: Scorer, labels: Path) -> SpanEvaluation:
    """Score every labelled text and compare the spans.

    Parameters
    ----------
    scorer : Scorer
        One that gives spans; the types it looks for are its ``types``, else those it found.
    labels : Path
        JSON lines, plain or gzip: ``{"response", "spans": [{"label", "start", "end"}]}``, or with the names of
        presidio-research: ``{"full_text", "spans": [{"entity_type", "start_position", "end_position"}]}``. Ends are
        exclusive.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or a row lacks a field; names the line.
    """
    counts = _Counts()
    n = n_absent = 0
    started = time.perf_counter()
    for text, marked in json_lines(labels, _marked, expected="response or full_text, and spans"):
        n += 1
        score = scorer.score(to_judge(n, text))
        n_absent += score.value is None
        counts.add(marked, score.spans)
    elapsed = time.perf_counter() - started
    looked_for = sorted(getattr(scorer, "types", None) or counts.finds)
    seen = [name for name in looked_for if counts.marked[name] or counts.finds[name]]
    return SpanEvaluation(
        scorer=scorer.plugin_name,
        n=n,
        n_absent=n_absent,
        overall=counts.figures(seen),
        types={name: counts.figures([name]) for name in seen},
        not_looked_for={name: counts.marked[name] for name in sorted(set(counts.marked) - set(looked_for))},
        rows_per_s=n / elapsed if elapsed else 0.0,
    )


def is_by_type(labels: Path) -> bool:
    """Return whether the rows of `labels` mark spans by type instead of the whole response by 0 or 1.

    Raises
    ------
    SourceUnavailableError
        When the first line cannot be read.
    """
    return next(
        json_lines(labels, lambda row, _: "spans" in row and "label" not in row, expected="one object a line"), False
    )


def _marked(row: Mapping[str, Any], _: int) -> tuple[str, list[Span]]:
    text = row["full_text"] if "full_text" in row else row["response"]
    return text, [_span(item, text) for item in row["spans"]]


def _span(item: Mapping[str, Any], text: str) -> Span:
    if "entity_type" in item:
        span = Span(start=item["start_position"], end=item["end_position"], label=item["entity_type"])
    else:
        span = Span(start=item["start"], end=item["end"], label=item["label"])
    if not 0 <= span.start < span.end <= len(text):
        raise ValueError(f"a span from {span.start} to {span.end} of a text of {len(text)} characters")
    return span
