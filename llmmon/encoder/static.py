"""Static sentence encoder: the vector of a text is the sum of its tokens' vectors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmmon.errors import ModelNotFoundError

SHIPPED: Final = Path(__file__).with_name("weights")
"""Folder of the encoder that comes with llmmon: ``model.safetensors``, ``tokenizer.json`` and its model card."""

_BATCH_CHARACTERS: Final = 1 << 20
"""Texts tokenised together."""
_TOKENS_AT_A_TIME: Final = 1 << 14
"""Of one text, whose vectors then take 16 MiB."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Vectors = NDArray[np.float32]


class TokenVectors(NamedTuple):
    """The tokens of one text: ids of shape (t,), offsets ``[start, end)`` into it (t, 2), weighted vectors (t, d)."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int32]
    vectors: Vectors


@dataclass(frozen=True, kw_only=True, slots=True)
class StaticEncoder:
    """Texts as unit vectors whose inner product says how alike their subjects are.

    A token has one vector wherever it stands, so that word order and negation leave no trace: a text costs what its
    tokenizer costs, some hundred times less than the transformer that it was distilled from. Get one by
    `static_encoder`.

    Parameters
    ----------
    version : str
        Name and beginning of the SHA-256 of the weights: changes whenever a vector can.
    table : array of float32, shape (vocabulary, d)
        A weighted vector for each token; zeros for tokens that carry nothing, such as the unknown one.

    References
    ----------
    S. Tulkens, T. van Dongen, "Model2Vec", 2024. S. Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence
    Embeddings", ICLR 2017 (weights by frequency). J. Mu, P. Viswanath, "All-but-the-Top", ICLR 2018.
    """

    version: str
    table: Vectors
    tokenizer: Any

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.table.shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text.

        Parameters
        ----------
        texts : sequence of str
            Of any length; nothing is cut off.

        Returns
        -------
        array of float32, shape (n, d)
            A text without a known token (empty, or of emoji alone) has no direction: its row is zeros, the one kind of
            row that is not of unit length. A row does not depend on the other texts.

        Examples
        --------
        >>> first, second, other, empty = static_encoder().encode(["a cat sat", "the cats sit", "tax law", ""])
        >>> bool(first @ second > first @ other), float(empty @ empty)
        (True, 0.0)
        """
        sums = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for part in _batches(texts):
            batch = [tokenizable(text) for text in texts[part]]
            encodings = self.tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            for row, encoding in enumerate(encodings, part.start):
                ids = encoding.ids
                for first in range(0, len(ids), _TOKENS_AT_A_TIME):
                    sums[row] += self.table[ids[first : first + _TOKENS_AT_A_TIME]].sum(axis=0)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        np.divide(sums, norms, out=sums, where=norms > 0)
        return sums

    def token_vectors(self, text: str) -> TokenVectors:
        """Return the tokens of `text` with their places and vectors, whose sum has the direction of `encode`."""
        encoding = self.tokenizer.encode(tokenizable(text), add_special_tokens=False)
        ids = np.array(encoding.ids, dtype=np.int32)
        offsets = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)
        return TokenVectors(ids, offsets, self.table[ids])


@cache
def static_encoder(folder: Path = SHIPPED) -> StaticEncoder:
    """Return the encoder in `folder`, loaded once in a process.

    Parameters
    ----------
    folder : Path
        Holds ``model.safetensors`` (``vectors``: int8, shape (vocabulary, d); ``scales``: float32, shape (vocabulary,))
        and ``tokenizer.json``, as `llmmon.encoder.distil` writes them.

    Raises
    ------
    ModelNotFoundError
        When a file is missing or is not what its name says; nothing else is tried in its place.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load
    from tokenizers import Tokenizer

    expected = "expected model.safetensors and tokenizer.json as python -m llmmon.encoder.distil writes them"
    try:
        content = (folder / "model.safetensors").read_bytes()
        tensors = load(content)
        vectors, scales = tensors["vectors"], tensors["scales"]
        tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelNotFoundError(f"{folder}: no encoder there: {type(error).__name__}: {error}; {expected}") from error
    except Exception as error:  # what tokenizers raises over a file that is not a tokenizer
        raise ModelNotFoundError(f"{folder}/tokenizer.json: not a tokenizer: {error}; {expected}") from error
    if vectors.ndim != 2 or not len(vectors) == len(scales) == tokenizer.get_vocab_size():
        raise ModelNotFoundError(
            f"{folder}: vectors of shape {vectors.shape} and {len(scales)} scales for "
            f"{tokenizer.get_vocab_size()} tokens; {expected}"
        )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    table = vectors.astype(np.float32) * scales.astype(np.float32)[:, None]
    table.flags.writeable = False  # shared by all callers of the process
    return StaticEncoder(
        version=f"{folder.name if folder != SHIPPED else 'static'}-{hashlib.sha256(content).hexdigest()[:12]}",
        table=table,
        tokenizer=tokenizer,
    )


def _batches(texts: Sequence[str]) -> Iterator[slice]:
    start = characters = 0
    for index, text in enumerate(texts):
        characters += len(text)
        if characters >= _BATCH_CHARACTERS:
            yield slice(start, index + 1)
            start, characters = index + 1, 0
    if start < len(texts):
        yield slice(start, len(texts))


def tokenizable(text: str) -> str:
    """Return `text` as a tokenizer takes it: each half of a surrogate pair becomes U+FFFD, so that places stay."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
