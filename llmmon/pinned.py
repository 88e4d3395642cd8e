"""Load a model of the hub or of a folder, pinned: safetensors only, no code of the model, and no other in its place."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from llmmon.errors import BackendUnavailableError, ModelNotFoundError

log = logging.getLogger(__name__)

HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
DEVICES: Final = ("auto", "cpu", "cuda")


def check_pin(model: str, revision: str | None) -> None:
    """Raise `ValueError` unless `model` is a folder here or a hub id with the commit that pins it."""
    if revision is not None and not COMMIT.fullmatch(revision):
        raise ValueError(f"revision is {revision!r}; expected a commit of 40 hex digits, which cannot move")
    if revision is not None and not HUB_ID.fullmatch(model):
        raise ValueError(f"model is {model!r} with a revision; expected a hub id such as org/name")
    if revision is None and HUB_ID.fullmatch(model) and not Path(model).is_dir():
        raise ValueError(f"model is {model!r}, which is no folder here; a hub id needs revision = '<40-digit commit>'")


class Pinned(NamedTuple):
    """A model on its device and its tokenizer, as transformers loads them.

    ``revision`` is the pinned commit, or ``sha256:<hex>`` over the weights of a folder.
    """

    model: Any
    tokenizer: Any
    device: str
    revision: str


def load_pinned(
    model: str,
    revision: str | None,
    head: str | Callable[[Any], str],
    *,
    where: str,
    expected: str,
    device: str = "cpu",
    dtype: Callable[[str], str] = lambda device: "float32" if device == "cpu" else "auto",
) -> Pinned:
    """Load `model`, ready to be asked.

    Parameters
    ----------
    model : str
        A folder saved with ``save_pretrained``, or a hub id.
    revision : str or None
        Commit of the hub id; None for a folder.
    head : str or callable
        Name of the transformers class that loads it, or what gives the name for the model's configuration and raises
        `ValueError` for one that does not fit.
    where : str
        What asks for the model, for errors: ``privacy.names``.
    expected : str
        What kind of model it must be, for errors: ``a causal language model``.
    device : {"cpu", "cuda", "auto"}
        ``auto`` takes a GPU where there is one.
    dtype : callable
        Gives the type of the weights on a device.

    Raises
    ------
    ModelNotFoundError
        When weights or tokenizer are not where the setting says, are not safetensors, or are of another kind.
    BackendUnavailableError
        When the device is not there or the packages are not installed.
    """
    try:
        import torch
        import transformers
        from safetensors import SafetensorError
    except ImportError as error:
        raise BackendUnavailableError(f"{where} needs torch and transformers ({error}); install llmmon[gpu]") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailableError(
            "device = 'cuda' but torch sees no GPU; set device = 'auto' or run on a GPU worker"
        )
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    known_as = weights_revision(model, where) if revision is None else revision
    options: dict[str, Any] = {
        "revision": revision,
        "trust_remote_code": False,
        "local_files_only": revision is None,
    }
    started = time.perf_counter()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, **options)
        name = head if isinstance(head, str) else head(transformers.AutoConfig.from_pretrained(model, **options))
        loaded = getattr(transformers, name).from_pretrained(model, dtype=dtype(place), use_safetensors=True, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        at = f", revision = {revision!r}" if revision else ""
        raise ModelNotFoundError(
            f"{where}: model = {model!r}{at}: cannot be loaded: {first_line}; expected {expected} with tokenizer and "
            "safetensors weights; it is not replaced by another"
        ) from error
    loaded.to(place).eval()
    log.info("loaded %s on %s (%s) in %.1f s", model, place, loaded.dtype, time.perf_counter() - started)
    return Pinned(loaded, tokenizer, place, known_as)


@cache
def weights_revision(folder: str, where: str = "weights") -> str:
    """Return ``sha256:<hex>`` over the safetensors files of `folder`, in the order of their names.

    Raises
    ------
    ModelNotFoundError
        When there is no such folder or no safetensors file in it.
    """
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise ModelNotFoundError(
            f"{where}: model = {folder!r}: no *.safetensors file there; expected a folder saved with save_pretrained, "
            "or a hub id with revision = '<40-digit commit>'"
        )
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"
