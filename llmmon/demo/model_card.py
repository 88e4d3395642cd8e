"""The model card of the demo's replay model."""

from __future__ import annotations

import hashlib
from pathlib import Path


def write_card(
    folder: Path,
    *,
    n_parameters: int,
    n_training: int,
    n_held_out: int,
    n_epochs: int,
    seed: int,
    perplexity: float,
    trained_context: int,
) -> None:
    """Write ``README.md`` beside the weights.

    Parameters
    ----------
    folder : Path
        Holds ``model.safetensors``, whose SHA-256 the card states.
    n_training, n_held_out : int
        Conversations in each part.
    perplexity : float
        Of the held-out answers, in tokens of the model's own tokenizer.
    """
    import tokenizers
    import torch
    import transformers

    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    folder.joinpath("README.md").write_text(
        f"""---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# The demo's replay model

**A demo model. It knows nothing; it only makes replay real.** It imitates the form of the answers in the demo's request
logs. Its arithmetic, its opinions and its answers about people are noise and must not be used for anything.

| | |
|---|---|
| Architecture | Llama, {n_parameters:,} parameters, float16 safetensors; byte-level BPE, chat template |
| Context | trained on {trained_context} tokens; the configuration allows 2,048 |
| Training data | the demo's logs from before 12:00Z: {n_training:,} conversations; {n_held_out:,} more held out |
| Training command | `python -m llmmon.demo.train_model` (seed {seed}, {n_epochs} epochs, one CPU thread) |
| Held-out perplexity | {perplexity:.2f} per token of the answers, on prompts that were never trained on |
| Weights | `model.safetensors`, SHA-256 `{digest}` |
| Made with | torch {torch.__version__}, transformers {transformers.__version__}, tokenizers {tokenizers.__version__} |

Running the command again on the same kind of processor with the same package versions gives the same weights; other
processors sum in another order and give slightly different ones.

## Data and licence

Trained on answers of GPT-4 and GPT-3.5 published by LLMDrift (Apache-2.0) and on answers of UnifiedQA published
with BBQ (CC BY 4.0). `../logs/NOTICE.md` names the sources, commits and citations. The weights are released under
Apache-2.0 with that attribution. OpenAI's terms of use restrict training models that compete with its own on its
outputs. This model competes with nothing; do not take it as a starting point for one that would.

## Limits

It repeats stereotypes that BBQ was made to expose, mixes up tasks, and ends answers early or late. Prompts longer than
{trained_context} tokens are outside what it was trained on.
""",
        encoding="utf-8",
    )
