"""How well the groundedness model agrees with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmmon.model import Message, Scorable, Score
from llmmon.pipeline.agreement import Intervals, Judged, agreement
from llmmon.pipeline.labels import to_judge
from llmmon.scorers.base import Scorer
from llmmon.scorers.groundedness import Groundedness
from llmmon.scorers.grounding.shipped import Settings
from llmmon.scorers.grounding.spans import unsupported_spans
from llmmon.scorers.grounding.words import Words
from llmmon.training.ragtruth import Answer

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Agreement at one threshold.

    Parameters
    ----------
    values, intervals : mapping
        See `llmmon.pipeline.agreement.agreement`.
    auroc_by_writer : mapping of str to float
        Among the answers of one model, for those models that have both kinds.
    """

    n: int
    prevalence: float
    threshold: float
    values: Mapping[str, float | None]
    intervals: Intervals
    auroc_by_writer: Mapping[str, float]

    def line(self) -> str:
        """Return the figures in one line."""
        told = ", ".join(f"{name} {self.cell(name)}" for name in self.values)
        return f"n {self.n}, unsupported {self.prevalence:.3f}, threshold {self.threshold:.2f}: {told}"

    def cell(self, name: str) -> str:
        """Return one figure in words."""
        value = self.values[name]
        return "-" if value is None else f"{value:.3f}"


def figures_of(model: Path, rows: Sequence[Answer]) -> Figures:
    """Return how well the model in the folder `model` judges `rows`."""
    scorer = Groundedness(model=str(model))
    assert scorer.threshold is not None
    return compare(rows, scorer.score_many([scorable(row) for row in rows]), threshold=scorer.threshold)


def scorable(row: Answer) -> Scorable:
    """Return `row` as scorers see a logged response."""
    messages = (Message(role="user", content=row.question),)
    return to_judge(0, row.text, messages=messages, documents=row.documents)


def score_all(scorer: Scorer, rows: Sequence[Answer]) -> list[Score]:
    """Return the scores of `rows` by any scorer."""
    responses = [scorable(row) for row in rows]
    return scorer.score_many(responses) if isinstance(scorer, Groundedness) else [*map(scorer.score, responses)]


def compare(rows: Sequence[Answer], scores: Sequence[Score], *, threshold: float) -> Figures:
    """Return the figures of `scores`, whose higher values are better; rows without a value are left out."""
    kept = [(row, score) for row, score in zip(rows, scores, strict=True) if score.value is not None]
    return _figures(
        [row for row, _ in kept],
        np.array([1 - score.value for _, score in kept if score.value is not None]),
        [[(span.start, span.end) for span in score.spans] for _, score in kept],
        threshold,
    )


def of_predictions(
    texts: Sequence[tuple[Answer, Words]], judged: Sequence[tuple[NDArray[np.float32], float]], settings: Settings
) -> Figures:
    """Return the figures of log-odds, as the scorer would turn them into values and spans."""
    risks = settings.answer(np.array([whole for _, whole in judged]))
    spans = [
        [
            (span.start, span.end)
            for span in unsupported_spans(words, settings.word(odds), settings.word_threshold)
            if risk >= settings.threshold
        ]
        for (_, words), (odds, _), risk in zip(texts, judged, risks, strict=True)
    ]
    return _figures([answer for answer, _ in texts], risks, spans, settings.threshold)


def _figures(rows: Sequence[Answer], risks: NDArray[Any], spans: Sequence[Spans], threshold: float) -> Figures:
    truth = np.array([row.is_unsupported for row in rows])
    counts = [_characters(row.spans, found) for row, found in zip(rows, spans, strict=True)]
    overlap, found, marked = np.array(counts, dtype=float).reshape(-1, 3).T
    judged = Judged(truth=truth, risks=risks, overlap=overlap, found=found, marked=marked)
    values, intervals = agreement(judged, threshold, probability=True, spans=True)
    writers = np.array([row.writer for row in rows])
    by_writer = {}
    for writer in np.unique(writers):
        own, _ = agreement(judged.where(writers == writer), threshold, probability=True, spans=False)
        if own["auroc"] is not None:
            by_writer[str(writer)] = round(own["auroc"], 4)
    return Figures(
        n=len(rows),
        prevalence=float(truth.mean()),
        threshold=threshold,
        values=values,
        intervals=intervals,
        auroc_by_writer=by_writer,
    )


def _characters(marked: Spans, found: Spans) -> tuple[int, int, int]:
    ours, theirs = ({place for start, end in spans for place in range(start, end)} for spans in (found, marked))
    return len(ours & theirs), len(ours), len(theirs)
