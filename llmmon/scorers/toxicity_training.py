"""Train the toxicity model that ships: ``python -m llmmon.scorers.toxicity_training DATA OUT``.

DATA is a folder with ``tox_hatecheck/hatecheck.jsonl.gz`` and ``safety_openai_moderation/samples.jsonl.gz``. Running it
twice gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from llmmon.encoder import static_encoder

PENALTY: Final = 1.0
"""Inverse strength of the L2 penalty: scikit-learn's default, not tuned."""
FOLDS: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Texts that people labelled, and which of them belong together."""

    vectors: NDArray[np.float32]
    hateful: NDArray[np.bool_]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_]


def read(data: Path) -> Rows:
    """Return HateCheck by template group, and the moderation prompts whose labels for hate or harassment are known."""
    texts, labels, groups, sources = [], [], [], []
    for row in _lines(data / "tox_hatecheck" / "hatecheck.jsonl.gz"):
        texts.append(row["test_case"])
        labels.append(row["label_gold"] == "hateful")
        groups.append(f"template {row['template_group']}")
        sources.append("HateCheck")
    for place, row in enumerate(_lines(data / "safety_openai_moderation" / "samples.jsonl.gz")):
        known = [row[name] for name in ("H", "H2", "HR") if row.get(name) is not None]
        if known:
            texts.append(row["prompt"])
            labels.append(any(known))
            groups.append(f"prompt {place}")
            sources.append("moderation")
    return Rows(
        vectors=static_encoder().encode(texts),
        hateful=np.array(labels),
        groups=np.array(groups),
        sources=np.array(sources),
    )


def out_of_fold(rows: Rows) -> NDArray[np.float64]:
    """Return each row's probability by a model that saw no row of its group."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.zeros(len(rows.hateful))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(rows.vectors, rows.hateful, rows.groups):
        found[test] = _fitted(rows, train).predict_proba(rows.vectors[test])[:, 1]
    return found


def figures(rows: Rows) -> dict[str, dict[str, float]]:
    """Return AUROC, balanced accuracy and F1 at 0.5, out of fold, by source."""
    from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

    probabilities = out_of_fold(rows)
    found = {}
    for source in np.unique(rows.sources):
        here = rows.sources == source
        true, guess = rows.hateful[here], probabilities[here]
        found[str(source)] = {
            "n": int(here.sum()),
            "hateful": float(true.mean()),
            "auroc": float(roc_auc_score(true, guess)),
            "balanced_accuracy": float(balanced_accuracy_score(true, guess >= 0.5)),
            "f1": float(f1_score(true, guess >= 0.5)),
        }
    return found


def write(rows: Rows, out: Path) -> None:
    """Fit on every row and write ``model.safetensors``."""
    from safetensors.numpy import save_file

    model = _fitted(rows, np.arange(len(rows.hateful)))
    tensors = {"weights": model.coef_[0].astype(np.float32), "bias": model.intercept_.astype(np.float32)}
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "model.safetensors", metadata={"encoder": static_encoder().version})


def _fitted(rows: Rows, chosen: NDArray[Any]) -> Any:
    """Fit a logistic regression in which both sources, and both labels, weigh alike."""
    from sklearn.linear_model import LogisticRegression

    cells = [f"{source} {label}" for source, label in zip(rows.sources, rows.hateful, strict=True)]
    names, place, counts = np.unique(np.array(cells)[chosen], return_inverse=True, return_counts=True)
    weights = len(chosen) / len(names) / counts[place]
    return LogisticRegression(C=PENALTY, max_iter=2000).fit(
        rows.vectors[chosen], rows.hateful[chosen], sample_weight=weights
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main(arguments: list[str]) -> int:
    """Train, print the cross-validated figures, and write the model; return the exit status."""
    if len(arguments) != 2:
        print("usage: python -m llmmon.scorers.toxicity_training DATA OUT", file=sys.stderr)  # noqa: T201
        return 2
    rows = read(Path(arguments[0]))
    print(json.dumps(figures(rows), indent=2))  # noqa: T201
    write(rows, Path(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
