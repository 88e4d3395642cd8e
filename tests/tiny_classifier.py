"""A text classifier of some thousand weights, made here: random, so that only its plumbing can be tested."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

WORDS = ("[PAD]", "[UNK]", "good", "bad", "he", "she", "wrote", "it", "in", "london", ".")
LENGTH = 16


@cache
def tiny_classifier() -> str:
    """Return the folder of a model with the labels negative, neutral and positive that sees 16 tokens together."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = Path(tempfile.mkdtemp(prefix="llmmon-tiny-classifier-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", model_max_length=LENGTH
    )
    torch.manual_seed(3)
    network = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=LENGTH, num_labels=3, initializer_range=0.5,
            id2label={0: "negative", 1: "neutral", 2: "positive"},
            label2id={"negative": 0, "neutral": 1, "positive": 2},
        )
    )  # fmt: skip
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
