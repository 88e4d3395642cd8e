"""Groundedness in a context: RAGTruth's test sources and SummEdits, beside what others published on them."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import Grid
from llmmon.model import Document
from llmmon.scorers.groundedness import Groundedness
from llmmon.scorers.lexical_support import LexicalSupport
from llmmon.training.groundedness_figures import Figures, compare, scorable, score_all
from llmmon.training.ragtruth import Answer, answers

_PUBLISHED = (
    # whole official test set of 900 answers, response level: precision, recall, F1 (where given to us)
    ("GPT-3.5-turbo, prompted [1]", 0.188, 0.844, 0.308),
    ("SelfCheckGPT with GPT-3.5 [1]", 0.350, 0.580, 0.437),
    ("GPT-4-turbo, prompted [1]", 0.332, 0.906, 0.456),
    ("Luna, DeBERTa-large [2]", None, None, 0.513),
    ("Llama-2-13B, fine-tuned [1]", 0.616, 0.763, 0.682),
    ("LettuceDetect-large, ModernBERT [3]", None, None, 0.70),
    ("RAG-HAT, Llama-3-8B [4]", None, None, 0.748),
)
_SUMMEDITS = {
    # balanced accuracy of the whole sets, in percent (Laban et al., 2023)
    "SummaC-Conv": {"news": 61.9, "scitldr": 59.7, "qmsumm": 53.5, "ectsum": 57.9},
    "QAFactEval": {"news": 74.4, "scitldr": 72.5, "qmsumm": 62.4, "ectsum": 72.6},
    "ChatGPT": {"news": 74.4, "scitldr": 75.6, "qmsumm": 69.2, "ectsum": 78.6},
}


def grids(*, rounds: int) -> list[Grid]:
    """Return the tables; stops where LLMMON_DATA does not name the data."""
    data = Path(os.environ.get("LLMMON_DATA", "."))
    for folder in ("halluc_ragtruth_qa", "halluc_summedits"):
        if not (data / folder).is_dir():
            raise SystemExit(f"benchmarks: no {data / folder}: LLMMON_DATA must name the folder that holds {folder}")
    rows = [row for row in answers(data) if row.split == "test"]
    ours, lexical = Groundedness(), LexicalSupport()
    assert ours.threshold is not None
    found = {
        "llmmon groundedness": compare(rows, score_all(ours, rows), threshold=ours.threshold),
        "llmmon lexical_support": compare(rows, score_all(lexical, rows), threshold=0.5),
    }
    return [
        _ragtruth(rows, found),
        _by_writer(rows, found),
        _speed(rows, rounds=rounds),
        _summedits(_summaries(data), ours),
    ]


def _ragtruth(rows: Sequence[Answer], found: dict[str, Figures]) -> Grid:
    prevalence = sum(row.is_unsupported for row in rows) / len(rows)
    always = 2 * prevalence / (1 + prevalence)
    table = [
        [
            name,
            *map(figures.cell, ("auroc", "average_precision", "precision", "recall", "f1", "span_f1", "ece")),
        ]
        for name, figures in found.items()
    ]
    table.append(
        ["always unsupported", "0.500", f"{prevalence:.3f}", f"{prevalence:.3f}", "1.000", f"{always:.3f}", "-", "-"]
    )
    table += [
        [name, "-", "-", *("-" if value is None else f"{value:.3f}" for value in values), "-", "-"]
        for name, *values in _PUBLISHED
    ]
    return Grid(
        title=f"RAGTruth question answering, {len(rows)} answers to test sources, {prevalence:.1%} unsupported; "
        "published figures are of the whole test set of 900. [1] Niu et al. 2024 [2] Belyi et al. 2024 "
        "[3] Kovács and Recski 2025 [4] Song et al. 2024",
        columns=("detector", "AUROC", "average precision", "precision", "recall", "F1", "span F1", "ECE"),
        rows=table,
    )


def _by_writer(rows: Sequence[Answer], found: dict[str, Figures]) -> Grid:
    writers = sorted({row.writer for row in rows})
    table = []
    for writer in writers:
        mine = [row for row in rows if row.writer == writer]
        cells = (figures.auroc_by_writer.get(writer) for figures in found.values())
        table.append(
            [
                writer,
                str(len(mine)),
                str(sum(row.is_unsupported for row in mine)),
                *("-" if value is None else f"{value:.3f}" for value in cells),
            ]
        )
    return Grid(
        title="AUROC among the answers of one model",
        columns=("model", "answers", "unsupported", *found),
        rows=table,
    )


def _speed(rows: Sequence[Answer], *, rounds: int) -> Grid:
    scorer = Groundedness()
    responses = [scorable(row) for row in rows]
    halves = [responses[::2], responses[1::2]]
    alone = [[response] for response in responses]

    def in_threads() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(scorer.score_many, halves))

    ways: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("one thread, one at a time", lambda: [scorer.score_many(each) for each in alone]),
        ("one thread, together (contexts read once)", lambda: scorer.score_many(responses)),
        ("two threads, a half each", in_threads),
    )
    table = []
    for name, work in ways:
        best = float("inf")
        for _ in range(rounds):
            started = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - started)
        table.append([name, f"{len(responses) / best:,.0f}"])
    return Grid(
        title=f"answers judged per second ({os.cpu_count()} CPUs, best of {rounds}; {scorer.size_bytes:,} bytes)",
        columns=("way", "answers/s"),
        rows=table,
    )


def _summaries(data: Path) -> dict[str, list[tuple[Answer, str]]]:
    found = {}
    for path in sorted((data / "halluc_summedits").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found[path.name.split(".")[0]] = [_summary(json.loads(line)) for line in lines]
    return found


def _summary(row: dict[str, Any]) -> tuple[Answer, str]:
    spans = () if row["label"] else ((0, len(row["summary"])),)
    answer = Answer(
        source=row["id"],
        writer=row["domain"],
        split="test",
        question="",
        documents=(Document(content=row["doc"]),),
        text=row["summary"],
        spans=spans,
    )
    return answer, row["split"]


def _summedits(domains: dict[str, list[tuple[Answer, str]]], scorer: Groundedness) -> Grid:
    assert scorer.threshold is not None
    columns: dict[str, dict[str, str]] = {"AUROC": {}, "zero-shot": {}, "own threshold": {}}
    for domain, pairs in domains.items():
        rows = [row for row, _ in pairs]
        risks = np.array([1 - (score.value or 0.0) for score in score_all(scorer, rows)])
        truth = np.array([row.is_unsupported for row in rows])
        tuning = np.array([split == "evaluation" for _, split in pairs])
        columns["AUROC"][domain] = f"{_auroc(truth, risks):.3f}"
        columns["zero-shot"][domain] = f"{100 * _balanced(truth, risks >= scorer.threshold):.1f}"
        cuts = np.unique(risks[tuning])
        best = max(cuts, key=lambda cut: _balanced(truth[tuning], risks[tuning] >= cut))
        columns["own threshold"][domain] = f"{100 * _balanced(truth[~tuning], risks[~tuning] >= best):.1f}"
    names = list(domains)
    return Grid(
        title="SummEdits, balanced accuracy in percent: zero-shot at the shipped threshold (all rows), and, on the "
        "publisher's test split, at the best threshold of its evaluation split; published ones are of the whole sets",
        columns=("detector", *names),
        rows=[
            ["llmmon groundedness, zero-shot", *(columns["zero-shot"][name] for name in names)],
            ["llmmon groundedness, threshold of the domain", *(columns["own threshold"][name] for name in names)],
            *([way, *(str(published[name]) for name in names)] for way, published in _SUMMEDITS.items()),
            ["llmmon groundedness, AUROC", *(columns["AUROC"][name] for name in names)],
        ],
    )


def _balanced(truth: np.ndarray, found: np.ndarray) -> float:
    return float((found[truth].mean() + (~found[~truth]).mean()) / 2)


def _auroc(truth: np.ndarray, risks: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, risks))
