"""Compare a scorer with labels that people gave."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmmon.model import Json, Scorable, Score, Span
from llmmon.pipeline.agreement import Intervals, Judged, agreement
from llmmon.pipeline.labels import LabelledRow, labelled_rows
from llmmon.pipeline.score_batch import score_batch
from llmmon.scorers.base import Scorer

_TOGETHER: Final = 1000
"""Rows given to a scorer at a time, as in the score stage."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """How well a scorer agrees with the labels of some rows.

    Parameters
    ----------
    n, n_absent, n_absent_positive : int
        Labelled rows; those for which the scorer gave a reason instead of a value; those of the latter with label 1.
        No figure counts an absent value as a judgement, neither way: figures are over the rows that have one.
    coverage : float or None
        Share of the rows that have a value; None without rows.
    prevalence : float or None
        Share of label 1 among all rows.
    figures, intervals : mapping
        See `llmmon.pipeline.agreement.agreement`.
    """

    n: int
    n_absent: int
    n_absent_positive: int
    coverage: float | None
    prevalence: float | None
    figures: Mapping[str, float | None]
    intervals: Intervals

    def as_json(self) -> Json:
        """Return the fields as one flat object, the intervals under a key of their own."""
        return {
            "n": self.n,
            "n_absent": self.n_absent,
            "n_absent_positive": self.n_absent_positive,
            "coverage": self.coverage,
            "prevalence": self.prevalence,
            **self.figures,
            "intervals": {name: list(bounds) for name, bounds in self.intervals.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a scorer agrees with labels.

    Parameters
    ----------
    threshold : float or None
        Risk from which a row counts as found; None where neither the scorer nor the caller says one.
    absent_reasons : mapping of str to int
        Why values are absent, and how often.
    rows_per_s : float or None
        Wall time of scoring alone, after a first row that loaded what the scorer needs; None with fewer than two rows.
    model_size_bytes : int or None
        As the scorer tells it; None where it has no model.
    groups : mapping of str to Part
        The same for the rows of each group.
    """

    scorer: str
    version: int
    threshold: float | None
    overall: Part
    absent_reasons: Mapping[str, int]
    rows_per_s: float | None
    model_size_bytes: int | None
    groups: Mapping[str, Part]

    def as_json(self) -> Json:
        """Return one flat object: figures over all rows at the top."""
        return {
            "scorer": self.scorer,
            "version": self.version,
            "threshold": self.threshold,
            **self.overall.as_json(),
            "absent_reasons": dict(self.absent_reasons),
            "rows_per_s": self.rows_per_s,
            "model_size_bytes": self.model_size_bytes,
            "groups": {name: part.as_json() for name, part in self.groups.items()},
        }


@dataclass(slots=True)
class _Table:
    """One entry per row: label, group, and of the rows with a value also risk and characters."""

    truth: list[bool] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    valued: list[bool] = field(default_factory=list)
    risks: list[float] = field(default_factory=list)
    characters: list[tuple[int, int, int]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    has_spans: bool = False

    def add(self, row: LabelledRow, risk: float | None, found: Sequence[Span], reason: str | None) -> None:
        self.truth.append(row.label == 1)
        # half of a surrogate pair in a name could not be printed
        self.groups.append(None if row.group is None else str(row.group).encode("utf-8", "replace").decode())
        self.valued.append(risk is not None)
        self.has_spans |= row.spans is not None
        self.risks.append(math.nan if risk is None else risk)
        is_marked = row.spans is not None or row.label == 0
        self.characters.append(_characters(row, found) if is_marked and risk is not None else (0, 0, 0))
        if reason is not None:
            self.reasons[reason] += 1

    def parts(self, cut: float | None, *, probability: bool) -> tuple[Part, dict[str, Part]]:
        overlap, found, marked = np.array(self.characters, dtype=float).reshape(-1, 3).T
        truth, valued = np.array(self.truth, dtype=bool), np.array(self.valued, dtype=bool)
        rows = Judged(truth=truth, risks=np.array(self.risks), overlap=overlap, found=found, marked=marked)

        def part(chosen: NDArray[np.bool_]) -> Part:
            n, n_absent = int(chosen.sum()), int((chosen & ~valued).sum())
            figures, intervals = agreement(
                rows.where(chosen & valued), cut, probability=probability, spans=self.has_spans
            )
            return Part(
                n=n,
                n_absent=n_absent,
                n_absent_positive=int((chosen & ~valued & truth).sum()),
                coverage=(n - n_absent) / n if n else None,
                prevalence=float(truth[chosen].mean()) if n else None,
                figures=figures,
                intervals=intervals,
            )

        names = sorted({name for name in self.groups if name is not None})
        of = np.array(self.groups, dtype=object)
        return part(np.ones(len(truth), dtype=bool)), {name: part(of == name) for name in names}


def evaluate(scorer: Scorer, labels: Path, *, threshold: float | None = None) -> Evaluation:
    """Score every labelled response and compare.

    Label 1 marks what the scorer is there to find: the refusal, the unsupported answer. A scorer whose higher values
    are better is turned round (its largest possible value minus the value) before comparing.

    An absent score is no judgement: it is neither "found" nor "not found", and figures are over the rows that have a
    value. How many have none, how many of these carry label 1, and why, stands beside them (`Part`). A row of label 1
    without ``spans`` is left out of the span figures, where others have them; one of label 0 has none marked.

    Parameters
    ----------
    labels : Path
        JSON lines, plain or gzip: see `llmmon.pipeline.labels.LabelledRow`.
    threshold : float or None
        Risk from which a response counts as found. None: the scorer's own ``risk_threshold``, else its ``threshold``,
        else 0.5 where its values lie in [0, 1].

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or a row is not what is expected; names the line.
    """
    low, high = scorer.value_range
    probability = low >= 0 and high <= 1
    shipped = getattr(scorer, "risk_threshold", getattr(scorer, "threshold", 0.5 if probability else None))
    cut = shipped if threshold is None else threshold
    top = high if math.isfinite(high) else 0.0
    table, seconds, n_timed = _Table(), 0.0, 0
    for rows, is_timed in _portions(labelled_rows(labels)):
        started = time.perf_counter()
        scores = score_batch(scorer, [response for _, response in rows])
        if is_timed:
            seconds, n_timed = seconds + time.perf_counter() - started, n_timed + len(rows)
        for (row, _), score in zip(rows, scores, strict=True):
            if not isinstance(score, Score):
                table.add(row, None, (), f"the scorer failed: {type(score).__name__}")
            elif score.value is None:
                table.add(row, None, (), score.reason)
            else:
                risk = top - score.value if scorer.direction == "higher_is_better" else score.value
                table.add(row, risk, score.spans, None)
    overall, groups = table.parts(cut, probability=probability)
    size = getattr(scorer, "size_bytes", None)
    return Evaluation(
        scorer=scorer.plugin_name,
        version=scorer.version,
        threshold=cut,
        overall=overall,
        absent_reasons=dict(table.reasons.most_common()),
        rows_per_s=n_timed / seconds if seconds else None,
        model_size_bytes=None if size is None else int(size),
        groups=groups,
    )


def _portions(
    rows: Iterator[tuple[LabelledRow, Scorable]],
) -> Iterator[tuple[list[tuple[LabelledRow, Scorable]], bool]]:
    """Yield the first row, untimed, then the others in portions to be timed."""
    yield list(itertools.islice(rows, 1)), False
    while portion := list(itertools.islice(rows, _TOGETHER)):
        yield portion, True


def _characters(row: LabelledRow, found: Sequence[Span]) -> tuple[int, int, int]:
    """Return how many characters are in the spans of both, of the scorer, and of people."""
    ours, theirs = (np.zeros(len(row.response or ""), dtype=bool) for _ in range(2))
    for span in found:
        ours[span.start : span.end] = True
    for start, end in row.spans or ():
        theirs[start:end] = True
    return int((ours & theirs).sum()), int(ours.sum()), int(theirs.sum())
