"""Without a context: answers of four model versions to one prompt, reference answers, and a small model's surprise.

No language model runs here, so each instrument is measured on answers and labels that others published.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.result import Grid
from llmmon.model import LOGGED, Message, ReplayItem, Scorable
from llmmon.pipeline.agreement import expected_calibration_error
from llmmon.scorers.answer_agreement import AnswerAgreement, word_f1
from llmmon.scorers.correctness import Correctness
from llmmon.scorers.final_answer import normalise
from llmmon.scorers.hallucination_risk import HallucinationRisk
from llmmon.scorers.self_consistency import SelfConsistency, rouge_l
from llmmon.scorers.semantic_entropy import SemanticEntropy

_SEED = 0
_DRAWS = 400


class _Figures(NamedTuple):
    n: int
    auroc: float
    low: float
    high: float


def grids(*, rounds: int) -> list[Grid]:
    """Return the tables, of which none is timed; stops where LLMMON_DATA does not name the data."""
    data = Path(os.environ.get("LLMMON_DATA", "."))
    for folder in ("drift_llmdrift_2023", "halluc_truthfulqa", "halluc_halueval_general"):
        if not (data / folder).is_dir():
            raise SystemExit(f"benchmarks: no {data / folder}: LLMMON_DATA must name the folder that holds {folder}")
    return [*_replays(data / "drift_llmdrift_2023"), _references(data / "halluc_truthfulqa"), _tokens(data)]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _is_for_training(key: str) -> bool:
    """Split by prompt or question: all answers to one are on one side."""
    return hashlib.sha256(key.encode()).digest()[-1] % 2 == 0


def _auroc(truth: Sequence[bool], risks: Sequence[float], groups: Sequence[str]) -> _Figures:
    """Return AUROC with a 95% percentile bootstrap over groups, 400 draws."""
    from sklearn.metrics import roc_auc_score

    labels, values = np.array(truth), np.array(risks)
    places = defaultdict(list)
    for place, group in enumerate(groups):
        places[group].append(place)
    parts = [np.array(part) for part in places.values()]
    random = np.random.default_rng(_SEED)
    draws = []
    for _ in range(_DRAWS):
        rows = np.concatenate([parts[k] for k in random.integers(0, len(parts), len(parts))])
        if 0 < labels[rows].sum() < len(rows):
            draws.append(roc_auc_score(labels[rows], values[rows]))
    low, high = np.quantile(draws, (0.025, 0.975))
    return _Figures(len(labels), float(roc_auc_score(labels, values)), float(low), float(high))


def _shown(figures: _Figures) -> str:
    return f"{figures.auroc:.3f} ({figures.low:.3f} to {figures.high:.3f})"


def _answer(prompt: str, text: str, **fields: Any) -> Scorable:
    shape: dict[str, Any] = {"request_key": 1, "lane": LOGGED, "variant": "repeat", "repeat": 0, "documents": ()}
    return Scorable(messages=(Message(role="user", content=prompt),), text=text, **{**shape, **fields})


def _replays(folder: Path) -> list[Grid]:
    """Tell wrong answers from right ones by the other three versions' answers to the same prompt."""
    ways: dict[str, Callable[[Scorable], float]] = {
        "self_consistency": lambda item: -float(SelfConsistency().score(item).value or 0),
        "semantic_entropy": lambda item: float(SemanticEntropy().score(item).value or 0),
        "disagreement": lambda item: 1 - float(SemanticEntropy().score(item).evidence["agreement"]),
    }
    table = []
    risk_rows = []
    for task in ("prime", "happynumber"):
        answers: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in _lines(folder / f"{task}.jsonl.gz"):
            answers[row["query"]].append(row)
        items = []
        for prompt, rows in answers.items():
            for row in rows:
                others = tuple(other["answer"] for other in rows if other is not row)
                item = _answer(prompt, row["answer"], siblings=others, reference_answer=row["ref_answer"])
                items.append((row["model"], item, Correctness().score(item).value == 0))
        values = {name: [way(item) for _, item, _ in items] for name, way in ways.items()}
        for model in (*sorted({model for model, _, _ in items}), "all four"):
            mine = [place for place, (name, _, _) in enumerate(items) if model in (name, "all four")]
            truth = [items[place][2] for place in mine]
            groups = [items[place][1].prompt for place in mine]
            cells = [_shown(_auroc(truth, [values[name][place] for place in mine], groups)) for name in ways]
            table.append([task, model.removeprefix("openaichat/"), f"{np.mean(truth):.1%}", str(len(mine)), *cells])
        risk_rows += _risk(task, [(item, wrong) for _, item, wrong in items])
    return [
        Grid(
            title="LLMDrift: AUROC of wrong answers among all, the other three versions' answers standing for replays; "
            f"95% bootstrap over prompts, seed {_SEED}",
            columns=("task", "answers of", "wrong", "n", *ways),
            rows=table,
        ),
        Grid(
            title="hallucination_risk fitted on one half of the prompts, measured on the other",
            columns=("task", "parts", "n fitted", "n measured", "AUROC", "ECE", "ECE of the shipped order"),
            rows=risk_rows,
        ),
    ]


def _risk(task: str, items: Sequence[tuple[Scorable, bool]]) -> list[list[str]]:
    from sklearn.linear_model import LogisticRegression

    table = []
    shipped = HallucinationRisk()
    for parts in (("disagreement",), ("self_consistency", "semantic_entropy", "disagreement")):
        scorer = HallucinationRisk(coefficients=dict.fromkeys(parts, 1.0))
        values = np.array([[scorer.parts(item)[part].value for part in parts] for item, _ in items])
        truth = np.array([wrong for _, wrong in items])
        fitted_on = np.array([_is_for_training(item.prompt) for item, _ in items])
        model = LogisticRegression().fit(values[fitted_on], truth[fitted_on])
        risks = model.predict_proba(values[~fitted_on])[:, 1]
        groups = [item.prompt for (item, _), used in zip(items, fitted_on, strict=True) if not used]
        given = np.array([shipped.score(item).value for item, _ in items])[~fitted_on]
        table.append(
            [
                task,
                " + ".join(parts),
                str(fitted_on.sum()),
                str((~fitted_on).sum()),
                _shown(_auroc(truth[~fitted_on].tolist(), risks.tolist(), groups)),
                f"{expected_calibration_error(truth[~fitted_on], risks):.3f}",
                f"{expected_calibration_error(truth[~fitted_on], given):.3f}",
            ]
        )
    return table


def _references(folder: Path) -> Grid:
    """Tell false answers from true ones by reference answers."""
    with gzip.open(folder / "questions.csv.gz", "rb") as packed:
        questions = {row["Question"].strip(): _sides(row) for row in csv.DictReader(io.TextIOWrapper(packed, "utf-8"))}
    rows = [row for row in _lines(folder / "judged_answers.jsonl.gz") if row["answer"].strip()]
    rows = [row for row in rows if not _is_for_training(row["question"].strip())]
    known = [{normalise(text) for side in questions[row["question"].strip()].values() for text in side} for row in rows]
    new = [row for row, texts in zip(rows, known, strict=True) if normalise(row["answer"]) not in texts]

    def difference(closeness: Callable[[str, str], float]) -> Callable[[dict[str, Any]], float]:
        def value(row: dict[str, Any]) -> float:
            sides = questions[row["question"].strip()]
            right, wrong = (max(closeness(row["answer"], text) for text in sides[side]) for side in ("right", "wrong"))
            return (1 + right - wrong) / 2

        return value

    def agreement(row: dict[str, Any]) -> float:
        question = row["question"].strip()
        item = _answer(question, row["answer"], reference_answer=json.dumps(questions[question]))
        return float(AnswerAgreement().score(item).value or 0)

    ways: dict[str, Callable[[dict[str, Any]], float]] = {
        "answer_agreement": agreement,
        "ROUGE-L, true less false": difference(lambda a, b: rouge_l(normalise(a).split(), normalise(b).split())),
        "word F1, true less false": difference(lambda a, b: word_f1(a, b, without=set())),
    }
    table = []
    for name, way in ways.items():
        for what, part in (("answers that are no reference", new), ("all judged answers", rows)):
            values = np.array([way(row) for row in part])
            truth = np.array([not row["truthful"] for row in part])
            found = values < 0.5
            balanced = (found[truth].mean() + (~found)[~truth].mean()) / 2
            figures = _auroc(truth.tolist(), (-values).tolist(), [row["question"] for row in part])
            table.append([name, what, str(len(part)), f"{truth.mean():.1%}", _shown(figures), f"{balanced:.3f}"])
    table.append(["GPT-judge, published", "fine-tuned on these labels", "-", "-", "-", "accuracy 0.90 to 0.96"])
    return Grid(
        title="TruthfulQA: judged answers to the half of the questions that nothing was chosen on; AUROC of false ones",
        columns=("by", "of", "n", "false", "AUROC", "balanced accuracy at 0.5"),
        rows=table,
    )


def _sides(row: dict[str, str]) -> dict[str, list[str]]:
    right = [text.strip() for text in (*row["Correct Answers"].split(";"), row["Best Answer"]) if text.strip()]
    return {"right": right, "wrong": [text.strip() for text in row["Incorrect Answers"].split(";") if text.strip()]}


def _tokens(data: Path, n: int = 1000) -> Grid:
    """Surprise of the demo's replay model, 3.4 million parameters, at ChatGPT's answers: the least there can be."""
    from llmmon.backends.local_transformers import Transformers
    from llmmon.demo.paths import model_folder

    rows = list(_lines(data / "halluc_halueval_general" / "general.jsonl.gz"))
    chosen = [rows[place] for place in sorted(np.random.default_rng(_SEED).permutation(len(rows))[:n].tolist())]
    item = ReplayItem(
        sample_id=0, request_key=0, lane="reference", variant="as_logged", repeat=0, messages=(), documents=(),
        parameters={}, seed=_SEED,
    )  # fmt: skip
    items = [
        replace(
            item,
            sample_id=place,
            messages=(Message(role="user", content=row["user_query"]),),
            logged_response=row["chatgpt_response"],
        )
        for place, row in enumerate(chosen)
    ]
    backend = Transformers(model=str(model_folder()), max_new_tokens=1, threads=1)
    surprise = {
        answer.item.sample_id: -answer.logged_mean_logprob
        for answer in backend.generate(items)
        if answer.logged_mean_logprob is not None
    }
    told = [(row, surprise[place]) for place, row in enumerate(chosen) if place in surprise]
    truth = [row["hallucination"] == "yes" for row, _ in told]
    ids = [str(row["ID"]) for row, _ in told]
    lengths = [float(len(row["chatgpt_response"])) for row, _ in told]
    ways = {"token_uncertainty, demo model": [value for _, value in told], "length of the answer": lengths}
    return Grid(
        title=f"HaluEval general: {len(told)} of {n} answers drawn with seed {_SEED}, {np.mean(truth):.1%} made up",
        columns=("by", "AUROC"),
        rows=[[name, _shown(_auroc(truth, values, ids))] for name, values in ways.items()],
    )
