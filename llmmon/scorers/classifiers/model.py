"""Load a classifier of pairs of texts once in a process: safetensors only, no code from the model's folder."""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmmon.encoder import tokenizable
from llmmon.errors import BackendUnavailableError, ConfigError, ModelNotFoundError

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
CLASSES: Final = {
    "nli": "AutoModelForSequenceClassification",
    "pair_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
}
"""What a model can be asked, and the transformers class that loads it."""


class Answer(NamedTuple):
    """What a model says of one pair.

    ``probabilities`` has a row for the pair or, from a token classifier, for each token of the second text, and a
    column for each label; ``offsets`` are the places ``[start, end)`` of these tokens in the second text.
    """

    probabilities: Floats
    offsets: NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Classifier:
    """A model on its device, with its tokenizer.

    Parameters
    ----------
    labels : tuple of str
        Names of its outputs, as its configuration has them.
    revision : str
        The pinned commit, or ``sha256:<hex>`` over the weights of a folder.
    size_bytes : int
        Of its parameters in memory.
    longest : int
        Tokens that it can read at once.
    """

    model: Any
    tokenizer: Any
    device: str
    labels: tuple[str, ...]
    revision: str
    size_bytes: int
    longest: int

    def column_of(self, label: str) -> int:
        """Return the output called `label`, in any case; raises `ConfigError` naming those there are."""
        for index, name in enumerate(self.labels):
            if name.lower() == label.lower():
                return index
        raise ConfigError(
            f"the model has no label {label!r}; it has: {', '.join(self.labels)}. Set support_label or "
            "unsupported_label to the one that says so"
        )

    def tokens(self, text: str) -> NDArray[np.intp]:
        """Return the places ``[start, end)`` of the tokens of `text`, of shape (t, 2), without spaces before them."""
        offsets = self.tokenizer(
            tokenizable(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return without_spaces(text, offsets["offset_mapping"])

    def ask(self, pairs: Sequence[tuple[str, str]], *, max_tokens: int, token_budget: int) -> list[Answer]:
        """Return what the model says of each pair.

        Pairs of like length run together, as many as fit the budget with their padding.

        Parameters
        ----------
        max_tokens : int
            Of a pair with its special tokens; of a longer one the end of the first text is cut off.
        token_budget : int
            Tokens in one batch, padding included.
        """
        import torch

        if not pairs:
            return []
        first, second = ([tokenizable(text) for text in side] for side in zip(*pairs, strict=True))
        encoded = self.tokenizer(
            first, second, truncation="only_first", max_length=max_tokens, return_offsets_mapping=True
        )
        offsets = encoded.pop("offset_mapping")
        order = sorted(range(len(pairs)), key=lambda index: len(encoded["input_ids"][index]))
        answers: dict[int, Answer] = {}
        for batch in _batches(order, [len(ids) for ids in encoded["input_ids"]], token_budget):
            rows = [{name: values[index] for name, values in encoded.items()} for index in batch]
            inputs = self.tokenizer.pad(rows, return_tensors="pt").to(self.device)
            with torch.inference_mode():
                logits = self.model(**inputs).logits.float()
            # one output alone is the log-odds of its label
            found = logits.sigmoid() if len(self.labels) == 1 else logits.softmax(dim=-1)
            for index, row in zip(batch, found.cpu().numpy().astype(float), strict=True):
                if row.ndim == 1:
                    answers[index] = Answer(row[None, :], np.empty((0, 2), dtype=np.intp))
                    continue
                ours = [place for place, side in enumerate(encoded.sequence_ids(index)) if side == 1]
                places = without_spaces(second[index], [offsets[index][place] for place in ours])
                start = len(inputs["input_ids"][0]) - len(offsets[index]) if self._pads_left else 0
                answers[index] = Answer(row[[start + place for place in ours]], places)
        return [answers[index] for index in range(len(pairs))]

    @property
    def _pads_left(self) -> bool:
        return bool(self.tokenizer.padding_side == "left")


def without_spaces(text: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """Return the places of tokens, of shape (t, 2), without the space that some tokenizers count to the word behind it.

    Examples
    --------
    >>> without_spaces("a  cat", [(0, 1), (1, 6)]).tolist()
    [[0, 1], [3, 6]]
    """
    places = [(end - len(text[start:end].lstrip()), end) for start, end in offsets]
    return np.array(places, dtype=np.intp).reshape(-1, 2)


def _batches(order: Sequence[int], lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Yield rows in order of length, each batch within the budget, a row that alone is larger by itself."""
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * lengths[index] > token_budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@cache
def load(model: str, revision: str | None, task: str, device: str) -> Classifier:
    """Load `model`, once in a process; see `llmmon.scorers.groundedness_transformers` for the parameters.

    Raises
    ------
    ModelNotFoundError
        When weights or tokenizer are not where the setting says, or are not safetensors.
    BackendUnavailableError
        When the device is not there or the packages are not installed.
    """
    try:
        import torch
        import transformers
        from safetensors import SafetensorError
    except ImportError as error:
        raise BackendUnavailableError(
            f"groundedness_transformers needs torch and transformers ({error}); install llmmon[gpu]"
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailableError(
            "device = 'cuda' but torch sees no GPU; set device = 'auto' or run on a GPU worker"
        )
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    known_as = revision or _weights_digest(model)
    options: dict[str, Any] = {
        "revision": revision,
        "trust_remote_code": False,
        "local_files_only": revision is None,
    }
    started = time.perf_counter()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, use_fast=True, **options)
        loaded = getattr(transformers, CLASSES[task]).from_pretrained(
            model, dtype=torch.bfloat16 if place == "cuda" else torch.float32, use_safetensors=True, **options
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        at = f", revision = {revision!r}" if revision else ""
        raise ModelNotFoundError(
            f"model = {model!r}{at}: cannot be loaded: {first_line}; expected a model for {task} with tokenizer and "
            "safetensors weights; it is not replaced by another"
        ) from error
    if not tokenizer.is_fast:
        raise ModelNotFoundError(f"model = {model!r}: its tokenizer tells no offsets; expected one with tokenizer.json")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    loaded.to(place).eval()
    names = loaded.config.id2label
    log.info("loaded %s on %s (%s) in %.1f s", model, place, loaded.dtype, time.perf_counter() - started)
    return Classifier(
        model=loaded,
        tokenizer=tokenizer,
        device=place,
        labels=tuple(str(names[index]) for index in range(loaded.config.num_labels)),
        revision=known_as,
        size_bytes=sum(weight.numel() * weight.element_size() for weight in loaded.parameters()),
        longest=min(getattr(loaded.config, "max_position_embeddings", None) or sys.maxsize, tokenizer.model_max_length),
    )


def _weights_digest(folder: str) -> str:
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise ModelNotFoundError(
            f"model = {folder!r}: no *.safetensors file there; expected a folder saved with save_pretrained, "
            "or a hub id with revision = '<40-digit commit>'"
        )
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"
