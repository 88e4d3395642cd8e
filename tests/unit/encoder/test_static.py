"""The encoder that ships with llmmon, and what it refuses to load."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llmmon.encoder import static_encoder
from llmmon.encoder.distil import COMMON, DIMENSION, SIF, reduce
from llmmon.encoder.static import SHIPPED
from llmmon.errors import ModelNotFoundError

TEXTS = ["The cat sat on the mat.", "", "A kitten lay on the rug.", "Tax law changed in 2019.", "\U0001f9a5"]


def test_like_texts_are_nearer_than_others() -> None:
    """Rows are unit vectors, and a paraphrase is nearer than another subject."""
    vectors = static_encoder().encode(TEXTS)
    assert vectors.shape == (5, static_encoder().dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors[[0, 2, 3]], axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[3] + 0.2


def test_a_text_without_a_known_token_is_zeros() -> None:
    """Empty, spaces, emoji: no direction, and no NaN."""
    assert not static_encoder().encode(["", " \n", TEXTS[4]]).any()
    assert static_encoder().encode([]).shape == (0, static_encoder().dimension)


def test_a_row_does_not_depend_on_the_others() -> None:
    """Alone, in another order, beside a text that fills a batch by itself: bit by bit the same."""
    long = "word " * 200_000
    encoder = static_encoder()
    together = encoder.encode([*TEXTS, long, *reversed(TEXTS)])
    assert np.array_equal(together[:5], together[:5:-1])
    assert np.array_equal(together[:5], np.concatenate([encoder.encode([text]) for text in TEXTS]))
    assert together[5] @ encoder.encode(["word"])[0] == pytest.approx(1, abs=1e-4)


def test_tokens_have_places_and_sum_to_the_text() -> None:
    """Offsets count characters of the text as given, whatever its script."""
    text = "Zoë's \U0001f9a5 naïve café: 東京 2019"
    found = static_encoder().token_vectors(text)
    assert [text[start:end] for start, end in found.offsets] == [
        "Zoë", "'", "s", "\U0001f9a5", "naïve", "café", ":", "東", "京", "2019",
    ]  # fmt: skip
    total = found.vectors.sum(axis=0)
    assert np.allclose(total / np.linalg.norm(total), static_encoder().encode([text])[0], atol=1e-5)
    assert static_encoder().token_vectors("").vectors.shape == (0, static_encoder().dimension)


def test_a_lone_surrogate_is_an_unknown_character() -> None:
    """Half of a pair, as a log can hold, neither stops the others nor moves their places."""
    for text in ("cat \ud83d sat", "cat \ud83d\ude00 sat"):
        start, end = static_encoder().token_vectors(text).offsets[-1]
        assert text[start:end] == "sat"
    assert np.array_equal(static_encoder().encode(["cat \ud83d sat"]), static_encoder().encode(["cat \ufffd sat"]))


def test_is_loaded_once_and_cannot_be_changed() -> None:
    """All callers of a process share one table."""
    encoder = static_encoder()
    assert encoder is static_encoder()
    with pytest.raises(ValueError, match="read-only"):
        encoder.table[0] = 0


def test_loads_without_anything_heavy() -> None:
    """Neither torch nor transformers, scipy or sklearn."""
    code = (
        "import sys; from llmmon.encoder import static_encoder; static_encoder().encode(['a']);"
        "sys.exit(str({'torch', 'transformers', 'scipy', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.safetensors", None, "FileNotFoundError"),
        ("model.safetensors", b"\x80\x04pickle", "SafetensorError"),
        ("tokenizer.json", None, "FileNotFoundError"),
        ("tokenizer.json", b"{}", "not a tokenizer"),
    ],
)
def test_refuses_what_is_not_an_encoder(tmp_path: Path, file: str, content: bytes | None, says: str) -> None:
    """A missing file or one of another kind is an error that names the folder and how to make the file."""
    folder = tmp_path / "encoder"
    shutil.copytree(SHIPPED, folder)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ModelNotFoundError, match=f"(?s){folder}.*{says}.*python -m llmmon.encoder.distil"):
        static_encoder(folder)


def test_the_reduction_drops_what_is_common_and_weighs_by_rank() -> None:
    """Rows lie in the components after the first two; special tokens are zeros; later tokens weigh more."""
    random = np.random.default_rng(0)
    outputs = random.standard_normal((2000, 300)).astype(np.float32)
    outputs[:, :COMMON] *= 100
    tokens = ["[PAD]", "[", "]", *(f"t{index}" for index in range(1997))]
    table = reduce(outputs, tokens)
    assert table.shape == (2000, DIMENSION)
    assert not table[0].any()
    assert table[1].any()
    norms = np.linalg.norm(table, axis=1)
    frequency = 1 / np.arange(2, 2001) / (1 / np.arange(2, 2001)).sum()
    weight = SIF / (SIF + frequency)
    centred = outputs[1:].astype(float) - outputs[1:].mean(axis=0)
    assert (norms[1:] / weight <= np.linalg.norm(centred[:, COMMON:], axis=1) * 1.2).all()
    assert np.median(norms[1001:]) > 2 * np.median(norms[1:501])
