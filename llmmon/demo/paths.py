"""Where the demo's files stand, in a checkout and in an installed package alike."""

from __future__ import annotations

from pathlib import Path


def logs_folder() -> Path:
    """Folder of the demo's request logs: ``<deployment>/<hour>.jsonl.gz``."""
    return Path(__file__).with_name("logs")


def model_folder() -> Path:
    """Folder of the demo's replay model: safetensors weights, tokenizer, model card."""
    return Path(__file__).with_name("model")
