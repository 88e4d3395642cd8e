"""Load a causal language model once in a process: safetensors only, no code from the model's folder."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from llmmon.backends.prompt import plain_text
from llmmon.pinned import load_pinned

DTYPES: Final = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedModel:
    """A model on its device, with its tokenizer.

    Parameters
    ----------
    context : int or None
        Tokens that prompt and answer may have together; None where the model states no limit.
    eos : frozenset of int
        Tokens that end an answer.
    is_masked : bool
        Whether it fills in masked tokens instead of continuing a text.
    """

    model: Any
    tokenizer: Any
    device: str
    context: int | None
    eos: frozenset[int]
    pad: int
    is_masked: bool = False

    @property
    def forward_arguments(self) -> frozenset[str]:
        """Names that the model's forward pass takes."""
        return frozenset(inspect.signature(self.model.forward).parameters)

    def prompt_tokens(self, turns: Sequence[dict[str, str]]) -> list[int]:
        """Return the tokens of a chat up to where the answer begins, by the model's own chat template if it has one."""
        if not self.tokenizer.chat_template:
            return list(self.tokenizer(plain_text(turns)).input_ids)
        text = self.tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def text_tokens(self, text: str) -> list[int]:
        """Return the tokens of a bare text."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)


@cache
def load(model: str, revision: str | None, device: str, dtype: str, *, may_be_masked: bool = False) -> LoadedModel:
    """Load `model`, once in a process; see `llmmon.backends.local_transformers` for the parameters.

    Parameters
    ----------
    may_be_masked : bool
        Whether a masked language model is taken, too, and loaded as one.

    Raises
    ------
    ModelNotFoundError, BackendUnavailableError
        As `llmmon.pinned.load_pinned` does.
    """
    found = load_pinned(
        model,
        revision,
        _head if may_be_masked else "AutoModelForCausalLM",
        where="the transformers backend",
        expected=f"a causal {'or masked ' if may_be_masked else ''}language model",
        device=device,
        dtype=lambda place: ("float32" if place == "cpu" else "auto") if dtype == "auto" else dtype,
    )
    is_masked = may_be_masked and _is_masked(found.model.config)
    generation = None if is_masked else found.model.generation_config.eos_token_id
    known = generation if isinstance(generation, list) else [generation]
    tokenizer = found.tokenizer
    eos = frozenset(token for token in [*known, tokenizer.eos_token_id] if token is not None)
    return LoadedModel(
        model=found.model,
        tokenizer=tokenizer,
        device=found.device,
        context=getattr(found.model.config, "max_position_embeddings", None),
        eos=eos,
        pad=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else next(iter(sorted(eos)), 0),
        is_masked=is_masked,
    )


def _head(config: Any) -> str:
    return "AutoModelForMaskedLM" if _is_masked(config) else "AutoModelForCausalLM"


def _is_masked(config: Any) -> bool:
    """Return whether the weights are those of a masked language model; a head that is not stored would be random."""
    names = config.architectures or []
    if any(name.endswith("ForMaskedLM") for name in names):
        return True
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        return False
    raise ValueError(
        f"its weights are of {' and '.join(names) or 'no architecture'}, no causal or masked language model"
    )


def use_threads(n: int) -> None:
    """Let torch use `n` CPU threads in this process."""
    import torch

    torch.set_num_threads(n)
