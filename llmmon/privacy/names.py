"""Names of people, which follow no pattern: found by a token-classification model of one's own choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from llmmon.config import NamesConfig
from llmmon.errors import ConfigError, ReplayError
from llmmon.pinned import load_pinned
from llmmon.privacy.recognizers import Find

_LONGEST: Final = 512
_OVERLAP: Final = 32
"""Tokens looked at together where the model states no limit, and how many of them the next stretch repeats."""
_JOINERS: Final = frozenset(" \t\u00a0-'\u2019.")


@dataclass(frozen=True, slots=True)
class NameFinder:
    """Finds names with a transformers model: safetensors only, no code from the model's folder, on the CPU.

    Parameters
    ----------
    settings : NamesConfig
        Which model, and what its labels are called here.
    model, tokenizer
        As transformers loads them.
    length : int
        Tokens that the model can look at together.
    """

    settings: NamesConfig
    model: Any
    tokenizer: Any
    length: int

    @classmethod
    def load(cls, settings: NamesConfig) -> NameFinder:
        """Return the finder of `settings`; loaded once in a process.

        Raises
        ------
        ConfigError
            When the model is not where the setting says, or cannot find what is looked for.
        """
        return _load(settings.model, settings.revision, settings.model_dump_json())

    def find(self, text: str) -> list[Find]:
        """Return the names in `text`, however long it is."""
        import torch

        if not text.strip():
            return []
        encoded = self.tokenizer(
            text,
            truncation=True,
            max_length=self.length,
            stride=min(_OVERLAP, self.length // 4),
            padding=True,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            surest, labels = self.model(**inputs).logits.softmax(-1).max(-1)
        found = []
        for row in range(len(labels)):
            offsets, special = encoded["offset_mapping"][row].tolist(), encoded["special_tokens_mask"][row].tolist()
            for (start, end), is_special, label, confidence in zip(
                offsets, special, labels[row].tolist(), surest[row].tolist(), strict=True
            ):
                kind = self.settings.labels.get(_bare(self.model.config.id2label[label]))
                if kind is not None and not is_special and confidence >= self.settings.min_confidence and start < end:
                    found.append(Find(start, end, kind, confidence))
        return list(_joined(sorted(found), text))


@cache
def _load(model: str, revision: str | None, settings_json: str) -> NameFinder:
    settings = NamesConfig.model_validate_json(settings_json)
    where = f"privacy.names: model = {model!r}" + (f", revision = {revision!r}" if revision else "")
    try:
        found = load_pinned(
            model,
            revision,
            "AutoModelForTokenClassification",
            where="privacy.names",
            expected="a token-classification model",
        )
    except ReplayError as error:
        raise ConfigError(str(error)) from error
    tokenizer, config = found.tokenizer, found.model.config
    if not tokenizer.is_fast:
        raise ConfigError(f"{where}: its tokenizer tells no places; expected one with a tokenizer.json")
    known = {_bare(label) for label in config.id2label.values()}
    if not known & set(settings.labels):
        raise ConfigError(
            f"{where}: labels: none of {', '.join(settings.labels)}; the model has {', '.join(sorted(known))}"
        )
    limits = (tokenizer.model_max_length, getattr(config, "max_position_embeddings", _LONGEST), _LONGEST)
    return NameFinder(settings, found.model, tokenizer, min(limits))


def _bare(label: str) -> str:
    return label[2:] if label[:2] in {"B-", "I-", "E-", "S-", "L-", "U-"} else label


def _joined(found: list[Find], text: str) -> Iterator[Find]:
    """Yield tokens of one kind that touch, or have only spaces and joiners between them, as one name."""
    name: Find | None = None
    for item in found:
        if name is not None and item.kind == name.kind and set(text[name.end : item.start]) <= _JOINERS:
            name = name._replace(end=max(name.end, item.end), confidence=max(name.confidence, item.confidence))
            continue
        if name is not None:
            yield name
        name = item
    if name is not None:
        yield name
