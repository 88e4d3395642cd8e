"""The model card of the groundedness model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from llmmon.scorers.grounding.shipped import Settings
from llmmon.training.groundedness_figures import Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a training run found: on its training sources by cross-validation, and on the test sources."""

    settings: Settings
    n_training: int
    n_altered: int
    n_test: int
    cross_validated: Figures
    test: Figures


def write_card(folder: Path, trained: Trained) -> None:
    """Write ``README.md`` beside the weights in `folder`, whose SHA-256 it states."""
    import torch

    architecture = (
        "five members of three dilated convolutions over an answer's words; inputs: overlap of each word and its "
        "surroundings with the context, the form of the answer, leading parts of static vectors"
    )
    altered = (
        f"{trained.n_altered:,} copies altered by rule (a number or name swapped, a statement turned, short answers)"
    )
    rule = "best F1 in cross-validation by source, at a share of 0.29 unsupported answers"
    settings = trained.settings
    content = (folder / "model.safetensors").read_bytes()
    folder.joinpath("README.md").write_text(
        f"""---
license: apache-2.0
language: en
pipeline_tag: token-classification
---
# Groundedness of answers

Says which words of an answer its context does not support, and how probable it is that people would mark anything in
it. Read by llmmon's scorer `groundedness`, on CPU, with numpy.

| | |
|---|---|
| Architecture | {architecture} |
| Static vectors | llmmon's encoder `{settings.encoder}`, not in this folder |
| Training data | RAGTruth, questions, training sources: {trained.n_training:,} answers of four open models; {altered} |
| Never trained on | the {trained.n_test} answers to the test sources |
| Training command | `llmmon train groundedness --data DIR --out DIR` |
| Thresholds | answer {settings.threshold:.2f}, word {settings.word_threshold:.2f}: {rule} |
| Weights | `model.safetensors`, {len(content):,} bytes, SHA-256 `{hashlib.sha256(content).hexdigest()}` |
| Made with | torch {torch.__version__}, one thread |

## Figures

| | n | {" | ".join(name for name, _ in _ROWS)} |
|---|---|{"---|" * len(_ROWS)}
| training sources, cross-validated | {_cells(trained.cross_validated)} |
| test sources | {_cells(trained.test)} |

AUROC among the answers of one model: training sources {_by_writer(trained.cross_validated)}; test sources
{_by_writer(trained.test)}.

## Data and licence

RAGTruth (Niu et al., ACL 2024) is MIT; its questions and passages come from MS MARCO, whose terms say non-commercial
research. No row of it is in this folder, only weights. The weights are released under Apache-2.0.

## Limits

- English answers to questions over a few short passages. Other languages are judged by what matches literally.
- It weighs overlap and what kind of phrase stands where; it does not reason. A swapped number, name or
  negation in a good sentence is often missed: on SummEdits, made of such edits, it is at chance.
- Some of what it knows is style: closing advice, lists that go on after the passages end. Models differ in it and in
  how often they make things up, so the overall AUROC is above that among the answers of one model.
- Probabilities assume that 29% of answers are unsupported, as in the published corpus. Rates of other traffic need
  labels of that traffic: `llmmon review`.
""",
        encoding="utf-8",
    )


_ROWS = (
    ("AUROC", "auroc"),
    ("average precision", "average_precision"),
    ("F1", "f1"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("span F1", "span_f1"),
    ("ECE", "ece"),
)


def _cells(figures: Figures) -> str:
    return " | ".join([f"{figures.n:,}", *(figures.cell(name) for _, name in _ROWS)])


def _by_writer(figures: Figures) -> str:
    return ", ".join(f"{writer} {value:.3f}" for writer, value in figures.auroc_by_writer.items())
