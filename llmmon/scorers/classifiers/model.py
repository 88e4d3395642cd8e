"""A classifier of texts or of pairs of texts, loaded once in a process: safetensors only, no code of the model."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmmon.encoder import tokenizable
from llmmon.errors import ConfigError, ModelNotFoundError
from llmmon.pinned import Pinned, load_pinned

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
            f"the model has no label {label!r}; it has: {', '.join(self.labels)}. Name one of these in the scorer's "
            "parameters, or another model"
        )

    def probabilities_of(self, logits: Any) -> Any:
        """Return the probability of each label: along the last axis they sum to 1, unless several can hold at once."""
        several = len(self.labels) == 1 or self.model.config.problem_type == "multi_label_classification"
        return logits.sigmoid() if several else logits.softmax(dim=-1)

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
                found = self.probabilities_of(self.model(**inputs).logits.float())
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
    ModelNotFoundError, BackendUnavailableError
        As `llmmon.pinned.load_pinned` does; also when the tokenizer tells no offsets.
    """
    found = load_pinned(
        model,
        revision,
        CLASSES[task],
        where=f"a scorer's {task} model",
        expected=f"a model for {task}",
        device=device,
        dtype=lambda place: "float32" if place == "cpu" else "bfloat16",
    )
    return classifier_of(found, model)


def classifier_of(found: Pinned, model: str) -> Classifier:
    """Return what is asked of a model that was loaded; raises `ModelNotFoundError` where no offsets are told.

    Parameters
    ----------
    model : str
        Its folder or hub id, for the error.
    """
    tokenizer, config = found.tokenizer, found.model.config
    if not tokenizer.is_fast:
        raise ModelNotFoundError(f"model = {model!r}: its tokenizer tells no offsets; expected one with tokenizer.json")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Classifier(
        model=found.model,
        tokenizer=tokenizer,
        device=found.device,
        labels=tuple(str(config.id2label[index]) for index in range(config.num_labels)),
        revision=found.revision,
        size_bytes=sum(weight.numel() * weight.element_size() for weight in found.model.parameters()),
        longest=min(getattr(config, "max_position_embeddings", None) or sys.maxsize, tokenizer.model_max_length),
    )
