"""Models of published shapes with random weights: as fast as the real ones, for where no weights can be had.

What they say means nothing; only times, memory and whether two ways agree are measured on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from llmmon import encoder
from llmmon.demo.paths import model_folder

CAUSAL: Final[dict[str, dict[str, Any]]] = {
    # the shapes of Llama 3.2 1B and Llama 3.1 8B
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": True,
    },
    "8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
}
_VOCABULARY: Final = 128_256
LABELS: Final = ("supported", "unsupported")


def write_causal(shape: str, folder: Path) -> Path:
    """Write a bfloat16 Llama of a published shape, with the tokenizer of the demo's model, and return its folder."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    if shape not in CAUSAL:
        raise SystemExit(f"benchmarks: shape={shape}: expected one of {', '.join(CAUSAL)}")
    tokenizer = AutoTokenizer.from_pretrained(model_folder(), local_files_only=True)
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        max_position_embeddings=8192,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="bfloat16",
        **CAUSAL[shape],
    )
    _write(LlamaForCausalLM, config, folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_token_classifier(folder: Path) -> Path:
    """Write a large bfloat16 ModernBERT that labels tokens, with the encoder's word pieces, and return its folder."""
    from transformers import ModernBertConfig, ModernBertForTokenClassification, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(Path(encoder.__file__).with_name("weights") / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=8192,
    )
    config = ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=1024,
        intermediate_size=2624,
        num_hidden_layers=28,
        num_attention_heads=16,
        max_position_embeddings=8192,
        pad_token_id=tokenizer.pad_token_id,
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        bos_token_id=None,
        eos_token_id=None,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        dtype="bfloat16",
    )
    _write(ModernBertForTokenClassification, config, folder)
    tokenizer.save_pretrained(folder)
    return folder


def device_name(device: str) -> str:
    """Return what the card is called, or ``cpu``."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else device


def _write(kind: Any, config: Any, folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = kind(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    del model
    torch.cuda.empty_cache()  # what is measured next needs the card
