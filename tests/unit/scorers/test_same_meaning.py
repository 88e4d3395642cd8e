"""Clusters by the shipped encoder and by a natural-language-inference model in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmmon.errors import ConfigError, ModelNotFoundError
from llmmon.scorers.semantic_entropy import SemanticEntropy
from tests.unit.scorers.test_uncertainty import replay

CAPITALS = ("Paris is the capital of France.", "The capital of France is Paris.", "France's capital city is Paris.")
OPEN = "What is the capital of France?"


@pytest.fixture(scope="module")
def nli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a BERT with random weights and the labels of an NLI model whose bias always says entailment."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("nli") / "model"
    tokens = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "Paris": 2, "France": 3}, unk_token="[UNK]"))
    tokens.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    settings = BertConfig(
        vocab_size=4,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        id2label={0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"},
        label2id={"CONTRADICTION": 0, "NEUTRAL": 1, "ENTAILMENT": 2},
    )
    model = BertForSequenceClassification(settings)
    with torch.no_grad():
        model.classifier.bias += torch.tensor([0.0, 0.0, 50.0])
    model.save_pretrained(folder)
    return folder


def test_paraphrases_are_one_meaning_and_another_name_is_another() -> None:
    """By the shipped encoder: three wordings of one fact, and one that names another city."""
    same = SemanticEntropy().score(replay(*CAPITALS, prompt=OPEN))
    assert same.value == 0
    assert same.evidence["cluster_sizes"] == [3]
    other = SemanticEntropy().score(replay(CAPITALS[0], CAPITALS[1], "The capital of France is Lyon.", prompt=OPEN))
    assert other.evidence["cluster_sizes"] == [2, 1]


def test_a_model_decides_in_place_of_the_encoder(nli: Path) -> None:
    """One that finds entailment everywhere puts all into one cluster, whatever they say."""
    score = SemanticEntropy(model=str(nli)).score(replay("Paris.", "Lyon, of course.", "I do not know.", prompt=OPEN))
    assert score.evidence["cluster_sizes"] == [3]


def test_a_model_that_is_missing_or_no_judge_of_entailment_is_an_error(nli: Path, tmp_path: Path) -> None:
    """It names the setting and is not replaced by another."""
    response = replay("Paris.", "Lyon, of course.", "I do not know.", prompt=OPEN)
    with pytest.raises(ModelNotFoundError, match=r"no \*\.safetensors file there"):
        SemanticEntropy(model=str(tmp_path)).score(response)
    config = nli / "config.json"
    changed = tmp_path / "model"
    changed.mkdir()
    for path in nli.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    (changed / "config.json").write_text(config.read_text("utf-8").replace("ENTAILMENT", "AGREES"), "utf-8")
    with pytest.raises(ConfigError, match=r"no label 'entailment'; it has: .*AGREES"):
        SemanticEntropy(model=str(changed)).score(response)
