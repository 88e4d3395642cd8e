"""Names found by a model: a tiny one, trained here to know six of them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from llmmon.config import NamesConfig, PrivacyConfig
from llmmon.errors import BadRowError, ConfigError
from llmmon.privacy.names import NameFinder
from llmmon.privacy.redaction import Redactor

FIRST, LAST = ("Ada", "Grace", "Alan"), ("Lovelace", "Hopper", "Turing")
OTHER = (
    "please",
    "ask",
    "whether",
    "is",
    "there",
    "today",
    "and",
    "the",
    "prime",
    "number",
    "word",
    "PERSON",
    "<",
    ">",
)
LENGTH = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return the folder of a token classifier with the labels O, B-PER and I-PER that sees 24 tokens together."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("names")
    words = ["[PAD]", "[UNK]", *OTHER, *FIRST, *LAST]
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", model_max_length=LENGTH
    )
    labels = [1 if word in FIRST else 2 if word in LAST else 0 for word in words]
    torch.manual_seed(3)
    network = BertForTokenClassification(
        BertConfig(
            vocab_size=len(words), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=LENGTH, hidden_dropout_prob=0.0, num_labels=3,
            id2label={0: "O", 1: "B-PER", 2: "I-PER"}, label2id={"O": 0, "B-PER": 1, "I-PER": 2},
        )
    )  # fmt: skip
    known = torch.tensor(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(150):
        batch = torch.randint(0, len(words), (32, LENGTH))
        loss = network(input_ids=batch, labels=known[batch]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def redactor(model, monkeypatch):
    """Return a redactor of names and e-mail addresses."""
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", "a key for tests, long enough")
    names = NamesConfig(model=str(model))
    return Redactor(PrivacyConfig(redact=("EMAIL_ADDRESS",), names=names))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("ask Ada Lovelace and Grace", "ask <PERSON> and <PERSON>"),
        ("Alan-Turing, ada@example.com", "<PERSON>, <EMAIL_ADDRESS>"),
        ("is there a <PERSON> today", "is there a <PERSON> today"),
        ("Gra\u00adce is there", "<PERSON> is there"),
        ("  ", "  "),
        ("", ""),
    ],
)
def test_names_are_replaced_whole(redactor, request_log, text, clean):
    """First and last name are one; what redaction left is no name; an invisible letter hides none."""
    assert redactor.redact(request_log(response_text=text)).response_text == clean


def test_a_name_is_found_however_far_in_the_text_it_stands(redactor, request_log):
    """The model sees 24 tokens; a text of hundreds is looked through in stretches that overlap."""
    for n in (5, 23, 24, 25, 47, 200, 333):
        found = redactor.redact(request_log(response_text="word " * n + "Grace Hopper" + " word" * 40))
        assert found.redacted == {"PERSON": 1}
        assert "Grace" not in found.response_text
        assert "Hopper" not in found.response_text


def test_a_model_that_fails_lets_no_row_past(redactor, request_log, monkeypatch):
    """The row is refused and quarantined, not stored as it is."""
    monkeypatch.setattr(redactor._names.model, "forward", lambda **_: 1 / 0)
    with pytest.raises(BadRowError) as caught:
        redactor.redact(request_log(response_text="Ada"))
    assert caught.value.code == "redaction_failed"


def test_a_model_that_cannot_be_used_stops_before_a_row_is_read(model, tmp_path):
    """Missing, not safetensors, a hub id that can move, without a label that is looked for."""
    import torch

    (tmp_path / "pickled").mkdir()
    torch.save({}, tmp_path / "pickled" / "pytorch_model.bin")
    for name in (str(tmp_path / "nowhere"), str(tmp_path / "pickled"), "org/name"):
        with pytest.raises(ConfigError, match=r"privacy.names: model = .*: no \*.safetensors file there"):
            NameFinder.load(NamesConfig(model=name))
    with pytest.raises(ConfigError, match="none of LOC; the model has O, PER"):
        NameFinder.load(NamesConfig(model=str(model), labels={"LOC": "PLACE"}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"\0" * 9)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        NameFinder.load(NamesConfig(model=str(tmp_path / "broken")))
    with pytest.raises(ValidationError, match="revision"):
        NamesConfig(model="org/name", revision="main")
