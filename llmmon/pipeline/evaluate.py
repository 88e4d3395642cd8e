"""Compare a scorer with labels that people gave."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llmmon.errors import SourceUnavailableError
from llmmon.model import LOGGED, Document, Message, Scorable
from llmmon.scorers.base import Scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Metric = Callable[[NDArray[Any], NDArray[Any]], float]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a scorer agrees with labels.

    Parameters
    ----------
    n, n_absent : int
        Labelled responses, and those that the scorer gave a reason for instead of a value (left out of the rates).
    figures : mapping of str to float or None
        auroc, average_precision, f1, precision, recall, balanced_accuracy, ece; None where one class is missing.
    intervals : mapping of str to pair of float
        95% percentile bootstrap, 400 resamples, seed 0.
    """

    scorer: str
    n: int
    n_absent: int
    prevalence: float | None
    threshold: float
    figures: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float]]
    rows_per_s: float


def evaluate(scorer: Scorer, labels: Path, *, threshold: float | None = None) -> Evaluation:
    """Score every labelled response and compare.

    Label 1 marks what the scorer is there to find: the refusal, the unsupported answer. A scorer whose higher values
    are better is turned round (1 - value) before comparing.

    Parameters
    ----------
    labels : Path
        JSON lines, plain or gzip: ``{"id", "prompt", "context": [..], "response", "label": 0|1}``; for scorers over
        replays also ``siblings``, the other replays' texts, ``mean_logprob`` and ``sibling_logprobs``.
    threshold : float or None
        Risk from which a response counts as found; the scorer's own ``threshold`` when it ships one, else 0.5.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or a row lacks a field; names the line.
    """
    import numpy as np

    risks: list[float] = []
    truth: list[int] = []
    n = 0
    started = time.perf_counter()
    for label, response in labelled_rows(labels, labelled_answer, expected="prompt, response and label (0 or 1)"):
        n += 1
        score = scorer.score(response)
        if score.value is not None:
            risks.append(score.value if scorer.direction != "higher_is_better" else 1 - score.value)
            truth.append(label)
    elapsed = time.perf_counter() - started
    cut = threshold if threshold is not None else float(getattr(scorer, "threshold", 0.5))
    figures, intervals = _compare(np.array(truth, dtype=int), np.array(risks), cut)
    return Evaluation(
        scorer=scorer.plugin_name,
        n=n,
        n_absent=n - len(risks),
        prevalence=float(np.mean(truth)) if truth else None,
        threshold=cut,
        figures=figures,
        intervals=intervals,
        rows_per_s=n / elapsed if elapsed else 0.0,
    )


def _compare(
    truth: NDArray[Any], risks: NDArray[Any], cut: float
) -> tuple[dict[str, float | None], dict[str, tuple[float, float]]]:
    import numpy as np
    from sklearn import metrics

    def thresholded(measure: Callable[..., float], **options: Any) -> Metric:
        return lambda labels, values: float(measure(labels, values >= cut, **options))

    measures: dict[str, Metric] = {
        "auroc": lambda labels, values: float(metrics.roc_auc_score(labels, values)),
        "average_precision": lambda labels, values: float(metrics.average_precision_score(labels, values)),
        "f1": thresholded(metrics.f1_score, zero_division=0),
        "precision": thresholded(metrics.precision_score, zero_division=0),
        "recall": thresholded(metrics.recall_score, zero_division=0),
        "balanced_accuracy": thresholded(metrics.balanced_accuracy_score),
        "ece": expected_calibration_error,
    }
    if len(set(truth.tolist())) < 2:
        return dict.fromkeys(measures), {}
    figures: dict[str, float | None] = {name: measure(truth, risks) for name, measure in measures.items()}
    random = np.random.default_rng(0)
    draws: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(400):
        rows = random.integers(0, len(truth), len(truth))
        if 0 < truth[rows].sum() < len(rows):
            for name, measure in measures.items():
                draws[name].append(measure(truth[rows], risks[rows]))
    intervals = {
        name: (float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))) for name, values in draws.items()
    }
    return figures, intervals


def expected_calibration_error(truth: NDArray[Any], risks: NDArray[Any], bins: int = 10) -> float:
    """Return how far the share of label 1 lies from the mean risk, over `bins` bins of equal width."""
    import numpy as np

    which = np.minimum((np.clip(risks, 0, 1) * bins).astype(int), bins - 1)
    parts = [
        abs(truth[which == index].mean() - risks[which == index].mean()) * (which == index).mean()
        for index in range(bins)
        if (which == index).any()
    ]
    return float(sum(parts))


def labelled_rows(path: Path, parse: Callable[[Mapping[str, Any], int], T], *, expected: str) -> Iterator[T]:
    """Yield what `parse` makes of each line of `path`, given with its number.

    Parameters
    ----------
    path : Path
        JSON lines, plain or gzip.
    expected : str
        What a line must hold, for the error.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or a line lacks something; names the line.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield parse(json.loads(line), number)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise SourceUnavailableError(
            f"{path}: line {number}: {type(error).__name__}: {error}; expected JSON lines with {expected}"
        ) from error


def to_judge(number: int, text: str, **context: Any) -> Scorable:
    """Return a labelled text as scorers see a logged response."""
    given: dict[str, Any] = {"messages": (), "documents": (), **context}
    return Scorable(request_key=number, lane=LOGGED, variant="as_logged", repeat=0, text=text, **given)


def labelled_answer(row: Mapping[str, Any], number: int) -> tuple[int, Scorable]:
    """Return the label of a row and its answer as scorers see it, for `labelled_rows`."""
    label = row["label"]
    if label not in (0, 1):
        raise ValueError(f"label is {label!r}, expected 0 or 1")
    return int(label), to_judge(
        number,
        row["response"],
        messages=(Message(role="user", content=row["prompt"]),),
        documents=tuple(Document(content=text) for text in row.get("context") or ()),
        reference_answer=row.get("reference_answer"),
        siblings=tuple(row.get("siblings") or ()),
        sibling_logprobs=tuple(row.get("sibling_logprobs") or ()),
        mean_logprob=row.get("mean_logprob"),
    )
