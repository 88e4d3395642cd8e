"""Load a causal language model once in a process: safetensors only, no code from the model's folder."""

from __future__ import annotations

import hashlib
import inspect
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from llmmon.backends.prompt import plain_text
from llmmon.errors import BackendUnavailableError, ModelNotFoundError

log = logging.getLogger(__name__)

HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
DTYPES: Final = ("auto", "float32", "bfloat16", "float16")
DEVICES: Final = ("auto", "cpu", "cuda")


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
def weights_revision(folder: str) -> str:
    """Return ``sha256:<hex>`` over the safetensors files of `folder`, in the order of their names.

    Raises
    ------
    ModelNotFoundError
        When there is no such folder or no safetensors file in it.
    """
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


@cache
def load(model: str, revision: str | None, device: str, dtype: str, *, may_be_masked: bool = False) -> LoadedModel:
    """Load `model`, once in a process; see `llmmon.backends.local_transformers` for the parameters.

    Parameters
    ----------
    may_be_masked : bool
        Whether a masked language model is taken, too, and loaded as one.

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
            f"the transformers backend needs torch and transformers ({error}); install llmmon[gpu]"
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailableError(
            "device = 'cuda' but torch sees no GPU; set device = 'auto' or run on a GPU worker"
        )
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    kind = ("float32" if place == "cpu" else "auto") if dtype == "auto" else dtype
    is_folder = revision is None
    if is_folder:
        weights_revision(model)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False, "local_files_only": is_folder}
    started = time.perf_counter()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, **options)
        is_masked = may_be_masked and _is_masked(transformers.AutoConfig.from_pretrained(model, **options))
        head = transformers.AutoModelForMaskedLM if is_masked else transformers.AutoModelForCausalLM
        loaded = head.from_pretrained(model, dtype=kind, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        at = f", revision = {revision!r}" if revision else ""
        raise ModelNotFoundError(
            f"model = {model!r}{at}: cannot be loaded: {first_line}; "
            f"expected a causal {'or masked ' if may_be_masked else ''}language model with tokenizer and safetensors "
            "weights; it is not replaced by another"
        ) from error
    loaded.to(place).eval()
    generation = None if is_masked else loaded.generation_config.eos_token_id
    known = generation if isinstance(generation, list) else [generation]
    eos = frozenset(token for token in [*known, tokenizer.eos_token_id] if token is not None)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else next(iter(sorted(eos)), 0)
    log.info("loaded %s on %s (%s) in %.1f s", model, place, loaded.dtype, time.perf_counter() - started)
    return LoadedModel(
        model=loaded,
        tokenizer=tokenizer,
        device=place,
        context=getattr(loaded.config, "max_position_embeddings", None),
        eos=eos,
        pad=pad,
        is_masked=is_masked,
    )


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
