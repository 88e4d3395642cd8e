"""Answers judged per second by a pretrained token classifier: one pair at a time, and in llmmon's batches."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.random_models import device_name, write_token_classifier
from benchmarks.result import Result, Row, best_seconds
from llmmon.model import Scorable
from llmmon.scorers.classifiers.model import Classifier, load
from llmmon.scorers.groundedness_transformers import GroundednessTransformers
from llmmon.training.groundedness_figures import scorable
from llmmon.training.ragtruth import answers

SUMMARY = (
    "answers/s of groundedness_transformers on this machine's device: one at a time, llmmon's token-budget batches"
)


def run(
    n_answers: int = 435, max_tokens: int = 4096, rounds: int = 2, budgets: str = "16384", model: str = ""
) -> Result:
    """Judge RAGTruth's answers to test questions, below ``LLMMON_DATA``, with the same model in every way.

    Parameters
    ----------
    n_answers : int
        How many of the 435.
    max_tokens : int
        That the model reads at once.
    rounds : int
        Runs of each way; the best counts. Loading the model is not timed.
    budgets : str
        Token budgets of llmmon's batches, with commas between them.
    model : str
        Folder of a token classifier whose labels are ``supported`` and ``unsupported``; empty: a large ModernBERT with
        random weights, which takes as long as a trained one.
    """
    responses = [scorable(row) for row in answers(Path(os.environ.get("LLMMON_DATA", "."))) if row.split == "test"]
    with tempfile.TemporaryDirectory() as place:
        folder = model or str(write_token_classifier(Path(place)))
        return _compare(
            folder,
            responses[:n_answers],
            max_tokens=max_tokens,
            rounds=rounds,
            budgets=[int(budget) for budget in budgets.split(",")],
        )


def _compare(
    folder: str, responses: Sequence[Scorable], *, max_tokens: int, rounds: int, budgets: Sequence[int]
) -> Result:
    loaded = load(folder, None, "token_classification", "auto")
    ways: list[tuple[str, Callable[[], list[float]], str]] = [
        (
            "one pair at a time",
            lambda: [_alone(loaded, response, max_tokens) for response in responses],
            "tokenise, run, read back: what a loop over a pipeline does",
        )
    ]
    for budget in budgets:
        scorer = GroundednessTransformers(
            model=folder,
            task="token_classification",
            unsupported_label="unsupported",
            max_tokens=max_tokens,
            token_budget=budget,
        )
        work = lambda scorer=scorer: _supports(scorer, responses)  # noqa: E731
        ways.append((f"llmmon, {budget:,} tokens a batch", work, "windows, spans and evidence included"))
    rows = []
    expected: Any = None
    for way, work, note in ways:
        found: list[float] = []
        seconds = best_seconds(lambda work=work, found=found: found.__setitem__(slice(None), work()), rounds=rounds)  # type: ignore[misc]
        expected = np.array(found) if expected is None else expected
        apart = float(np.abs(np.array(found) - expected).max())
        rows.append(
            Row(way=way, value=len(responses) / seconds, note=f"{note}; supports differ by at most {apart:.2g}")
        )
    settings = {
        "n_answers": len(responses),
        "max_tokens": max_tokens,
        "rounds": rounds,
        "device": device_name(loaded.device),
        "parameters": f"{loaded.model.num_parameters() / 1e6:.0f}M",
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
    }
    return Result(unit="answers/s", rows=rows, reference=ways[0][0], settings=settings)


def _alone(loaded: Classifier, response: Scorable, max_tokens: int) -> float:
    context = response.prompt + "\n" + "\n\n".join(document.content for document in response.documents)
    (answer,) = loaded.ask([(context, response.text or "")], max_tokens=max_tokens, token_budget=1)
    return 1 - float(answer.probabilities[:, loaded.column_of("unsupported")].max(initial=0.0))


def _supports(scorer: GroundednessTransformers, responses: Sequence[Scorable]) -> list[float]:
    return [np.nan if score.value is None else score.value for score in scorer.score_many(responses)]
