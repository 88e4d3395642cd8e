"""Likelihoods of texts by a causal and by a masked model, against a plain forward pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from llmmon.backends.likelihood import ModelLikelihoods, likelihoods_of
from llmmon.backends.local_transformers import Transformers
from llmmon.demo.paths import model_folder
from llmmon.errors import ConfigError, ModelNotFoundError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "old", "young", "man", "woman", "is", "kind", "."]


@pytest.fixture(scope="module")
def causal() -> ModelLikelihoods:
    """Return the demo model."""
    return likelihoods_of(Transformers(model=str(model_folder()), device="cpu", threads=1, token_budget=200))


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> ModelLikelihoods:
    """Return a tiny BERT with random weights and a vocabulary of a few words."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS), "utf-8")
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **sizes)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return likelihoods_of(Transformers(model=str(folder), device="cpu", threads=1, token_budget=64))


def logprobs(model: ModelLikelihoods, tokens: list[int]) -> torch.Tensor:
    """Return the log-probabilities of every token at every place, without batches or padding."""
    with torch.inference_mode():
        return torch.log_softmax(model.loaded.model(torch.tensor([tokens])).logits[0].float(), dim=-1)


def test_an_answer_has_its_mean_log_probability(causal: ModelLikelihoods) -> None:
    """Of its tokens after the prompt as the model's chat template writes it, whatever else is in the batch."""
    pairs = [("Is 7 a prime number?", "Yes."), ("Is 7 a prime number? " * 9, "No, it is not."), ("", "Perhaps.")]
    found = causal.answers(pairs)
    for (prompt, answer), value in zip(pairs, found, strict=True):
        before = causal.loaded.prompt_tokens([{"role": "user", "content": prompt}])
        after = causal.loaded.text_tokens(answer)
        table = logprobs(causal, [*before, *after])
        expected = [float(table[len(before) - 1 + place, token]) for place, token in enumerate(after)]
        assert value == pytest.approx(sum(expected) / len(expected), abs=1e-3)


def test_a_sentence_has_the_sum_over_all_its_tokens(causal: ModelLikelihoods) -> None:
    """Begun with the token that the model knows as a beginning, so that the first word counts."""
    sentences = ("The man is kind.", "The woman was here before he came.")
    ((first, second),) = [pair for pair in causal.pairs([sentences]) if pair is not None]
    for sentence, value in zip(sentences, (first, second), strict=True):
        start = min(causal.loaded.eos)
        tokens = causal.loaded.text_tokens(sentence)
        table = logprobs(causal, [start, *tokens])
        assert value == pytest.approx(sum(float(table[place, token]) for place, token in enumerate(tokens)), abs=1e-2)


def test_a_masked_model_scores_the_shared_words_only(masked: ModelLikelihoods) -> None:
    """Each shared token masked in turn, given the rest of its own sentence; not the words that differ, nor [CLS]."""
    sentences = ("the old man is kind .", "the young woman is kind .")
    (found,) = masked.pairs([sentences])
    assert found is not None
    mask = masked.loaded.tokenizer.mask_token_id
    for sentence, value in zip(sentences, found, strict=True):
        tokens = masked.loaded.tokenizer(sentence).input_ids
        places = [place for place, token in enumerate(tokens) if WORDS[token] in ("the", "is", "kind", ".")]
        expected = 0.0
        for place in places:
            hidden = [*tokens[:place], mask, *tokens[place + 1 :]]
            expected += float(logprobs(masked, hidden)[place, tokens[place]])
        assert value == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_scored_has_no_likelihood(causal: ModelLikelihoods, masked: ModelLikelihoods) -> None:
    """Texts without tokens, without a shared word, or beyond the context are None, never 0; the others go on."""
    assert causal.answers([("Yes?", ""), ("Yes?", "Yes.")])[0] is None
    assert causal.pairs([("word " * 5000, "word")]) == [None]
    assert masked.pairs([("old", "young"), ("the " * 60, "the " * 60), ("the man", "the woman")])[:2] == [None, None]
    assert causal.pairs([]) == []


def test_a_masked_model_answers_no_questions(masked: ModelLikelihoods) -> None:
    """Its error says which kind of model does."""
    with pytest.raises(ConfigError, match="only causal ones"):
        masked.answers([("Who?", "me")])


def test_weights_without_a_head_are_refused(masked: ModelLikelihoods, tmp_path: Path) -> None:
    """An encoder would get a random head: refused, not guessed at."""
    encoder = masked.loaded.model.bert
    encoder.save_pretrained(tmp_path)
    masked.loaded.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match="BertModel, no causal or masked language model"):
        likelihoods_of(Transformers(model=str(tmp_path), device="cpu"))
