"""Whether one text follows from another, by a natural-language-inference model from a folder or the hub."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from llmmon.errors import ConfigError

_LONGEST: Final = 512


@dataclass(frozen=True, slots=True)
class Entailment:
    """A sequence classifier with a label ``entailment``: safetensors only, no code from the model's folder.

    Parameters
    ----------
    model, tokenizer
        As transformers loads them.
    label : int
        Which of the model's labels is entailment.
    length : int
        Tokens of both texts together; the longer text is cut off.
    device : str
        Where the model runs.
    """

    model: Any
    tokenizer: Any
    label: int
    length: int
    device: str

    @classmethod
    def load(cls, model: str, revision: str | None, device: str) -> Entailment:
        """Return the classifier; loaded once in a process.

        Raises
        ------
        ConfigError
            When the model is not where the setting says, or tells no entailment; it is not replaced by another.
        """
        return _load(model, revision, device)

    def both_ways(self, first: str, second: str) -> bool:
        """Return whether each text entails the other: entailment is the likeliest label in both directions."""
        import torch

        encoded = self.tokenizer(
            [first, second],
            [second, first],
            truncation=True,
            max_length=self.length,
            padding=True,
            return_tensors="pt",
        ).to(self.device)
        with torch.inference_mode():
            likeliest = self.model(**encoded).logits.argmax(-1).tolist()
        return all(label == self.label for label in likeliest)


@cache
def _load(model: str, revision: str | None, device: str) -> Entailment:
    where = f"model = {model!r}" + (f", revision = {revision!r}" if revision else "")
    if revision is None and not any(Path(model).glob("*.safetensors")):
        raise ConfigError(
            f"{where}: no folder with *.safetensors; expected one saved with save_pretrained, or a hub id with "
            "revision = '<40-digit commit>'"
        )
    try:
        import transformers
        from safetensors import SafetensorError
    except ImportError as error:
        raise ConfigError(f"{where}: needs torch and transformers ({error}); install llmmon[gpu]") from error
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False, "local_files_only": revision is None}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, **options)
        loaded = transformers.AutoModelForSequenceClassification.from_pretrained(model, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"{where}: cannot be loaded: {first_line}; it is not replaced by another") from error
    labels = {str(name).lower(): int(index) for index, name in loaded.config.id2label.items()}
    if "entailment" not in labels:
        raise ConfigError(f"{where}: expected a label 'entailment'; the model has {', '.join(sorted(labels))}")
    limits = (tokenizer.model_max_length, getattr(loaded.config, "max_position_embeddings", _LONGEST), _LONGEST)
    return Entailment(loaded.eval().to(device), tokenizer, labels["entailment"], min(limits), device)
