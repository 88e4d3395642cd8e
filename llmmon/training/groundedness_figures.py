"""How well the groundedness model agrees with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmmon.model import LOGGED, Message, Scorable, Score
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
    span_f1 : float or None
        Over characters of all answers: those inside spans that people marked and those inside the scorer's.
    ece : float
        Expected calibration error, ten bins of equal width.
    auroc_by_writer : mapping of str to float
        Among the answers of one model, for those models that have both kinds.
    """

    n: int
    prevalence: float
    threshold: float
    auroc: float
    average_precision: float
    f1: float
    precision: float
    recall: float
    balanced_accuracy: float
    span_f1: float | None
    ece: float
    auroc_by_writer: Mapping[str, float]

    def line(self) -> str:
        """Return the figures in one line."""
        spans = "-" if self.span_f1 is None else f"{self.span_f1:.3f}"
        return (
            f"n {self.n}, unsupported {self.prevalence:.3f}; AUROC {self.auroc:.3f}, average precision "
            f"{self.average_precision:.3f}; at {self.threshold:.2f}: F1 {self.f1:.3f}, precision {self.precision:.3f}, "
            f"recall {self.recall:.3f}, balanced accuracy {self.balanced_accuracy:.3f}; span F1 {spans}; "
            f"ECE {self.ece:.3f}"
        )


def figures_of(model: Path, rows: Sequence[Answer]) -> Figures:
    """Return how well the model in the folder `model` judges `rows`."""
    scorer = Groundedness(model=str(model))
    assert scorer.threshold is not None
    return compare(rows, scorer.score_many([scorable(row) for row in rows]), threshold=scorer.threshold)


def scorable(row: Answer) -> Scorable:
    """Return `row` as scorers see a logged response."""
    return Scorable(
        request_key=0,
        lane=LOGGED,
        variant="as_logged",
        repeat=0,
        messages=(Message(role="user", content=row.question),),
        documents=row.documents,
        text=row.text,
    )


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
    from sklearn import metrics

    truth = np.array([row.is_unsupported for row in rows])
    found = risks >= threshold
    writers = np.array([row.writer for row in rows])
    by_writer = {
        str(writer): round(float(metrics.roc_auc_score(truth[writers == writer], risks[writers == writer])), 4)
        for writer in np.unique(writers)
        if 0 < truth[writers == writer].mean() < 1
    }
    return Figures(
        n=len(rows),
        prevalence=float(truth.mean()),
        threshold=threshold,
        auroc=float(metrics.roc_auc_score(truth, risks)),
        average_precision=float(metrics.average_precision_score(truth, risks)),
        f1=float(metrics.f1_score(truth, found)),
        precision=float(metrics.precision_score(truth, found, zero_division=0)),
        recall=float(metrics.recall_score(truth, found)),
        balanced_accuracy=float(metrics.balanced_accuracy_score(truth, found)),
        span_f1=span_f1([row.spans for row in rows], spans),
        ece=_calibration_error(truth, risks),
        auroc_by_writer=by_writer,
    )


def span_f1(marked: Sequence[Spans], found: Sequence[Spans]) -> float | None:
    """Return F1 over characters, or None where neither side has any.

    Examples
    --------
    >>> span_f1([[(0, 4)]], [[(2, 6)]])
    0.5
    """
    n_both = n_marked = n_found = 0
    for ours, theirs in zip(marked, found, strict=True):
        one, other = ({place for start, end in spans for place in range(start, end)} for spans in (ours, theirs))
        n_both, n_marked, n_found = n_both + len(one & other), n_marked + len(one), n_found + len(other)
    return 2 * n_both / (n_marked + n_found) if n_marked + n_found else None


def _calibration_error(truth: NDArray[Any], risks: NDArray[Any], n_bins: int = 10) -> float:
    bins = np.minimum((risks * n_bins).astype(int), n_bins - 1)
    gaps = [
        abs(truth[bins == which].mean() - risks[bins == which].mean()) * (bins == which).mean()
        for which in np.unique(bins)
    ]
    return float(sum(gaps))
