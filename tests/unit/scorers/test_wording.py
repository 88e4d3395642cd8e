"""Sentiment, toxicity and a classifier of one's own: how an answer is worded."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from llmmon.errors import ConfigError, ModelNotFoundError
from llmmon.model import Scorable
from llmmon.scorers.sentiment import Sentiment
from llmmon.scorers.text_classification import TextClassification
from llmmon.scorers.toxicity import SHIPPED, Toxicity, _head
from tests.tiny_models import tiny_word_classifier


def answer(text):
    """Return a response with this text."""
    return Scorable(
        request_key=1, lane="reference", variant="as_logged", repeat=0, messages=(), documents=(), text=text
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # published with VADER: github.com/cjhutto/vaderSentiment, "Code Examples"
        ("VADER is smart, handsome, and funny.", 0.8316),
        ("VADER is not smart, handsome, nor funny.", -0.7424),
        ("The book was good.", 0.4404),
        ("The table has four legs.", 0.0),
        ("The book was good. VADER is smart, handsome, and funny.", (0.4404 + 0.8316) / 2),
    ],
)
def test_sentiment_is_the_mean_of_the_published_scores(text, expected) -> None:
    """One sentence has VADER's compound score, two have the mean."""
    assert Sentiment().score(answer(text)).value == pytest.approx(expected, abs=1e-4)


def test_sentiment_of_another_script_is_absent() -> None:
    """The list is English: what it cannot read is not neutral."""
    assert "Latin" in Sentiment().score(answer("Это очень хорошо")).reason
    long = Sentiment().score(answer("This is good. " * 3000))
    assert long.evidence["n_characters_read"] == 20_000


def test_toxicity_points_at_the_sentence() -> None:
    """The most hateful of three sentences is told, and a plain answer has no span."""
    text = "Seven is a prime number. I hate you, you are disgusting vermin. It rains."
    found = Toxicity().score(answer(text))
    assert found.label == "hateful"
    (span,) = found.spans
    assert text[span.start : span.end] == "I hate you, you are disgusting vermin."
    assert Toxicity().score(answer("Seven is a prime number.")).spans == ()
    assert Toxicity().score(answer("\U0001f600")).reason == "no word that the encoder knows"


def test_a_head_of_another_encoder_is_refused(tmp_path) -> None:
    """Weights mean nothing over other vectors; a missing file says how to make it."""
    import numpy as np
    from safetensors.numpy import save_file

    save_file(
        {"weights": np.zeros(256, np.float32), "bias": np.zeros(1, np.float32)},
        tmp_path / "model.safetensors",
        metadata={"encoder": "another"},
    )
    with pytest.raises(ModelNotFoundError, match="trained on encoder another"):
        _head(tmp_path)
    with pytest.raises(ModelNotFoundError, match="toxicity_training"):
        _head(tmp_path / "nowhere")


@pytest.mark.skipif("LLMMON_DATA" not in os.environ, reason="LLMMON_DATA names no folder of public data")
def test_training_again_gives_the_shipped_model_and_the_figures_of_its_card(tmp_path) -> None:
    """The same bytes, and the AUROC that the card tells."""
    from llmmon.scorers.toxicity_training import figures, read, write

    rows = read(Path(os.environ["LLMMON_DATA"]))
    write(rows, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == (SHIPPED / "model.safetensors").read_bytes()
    found, card = figures(rows), (SHIPPED / "README.md").read_text("utf-8")
    for source in ("HateCheck", "moderation"):
        assert f"| {found[source]['auroc']:.3f} | {found[source]['balanced_accuracy']:.3f} |" in card


def test_a_label_of_a_model_of_ones_own() -> None:
    """Probabilities of the labels sum to 1; a difference of two is theirs; long answers are read in stretches."""
    model = tiny_word_classifier()
    found = {
        label: TextClassification(model=model, label=label).score(answer("She wrote it in London.")).value
        for label in ("negative", "neutral", "positive")
    }
    assert sum(found.values()) == pytest.approx(1)
    difference = TextClassification(model=model, label="positive", minus="negative")
    assert difference.score(answer("She wrote it in London.")).value == pytest.approx(
        found["positive"] - found["negative"]
    )
    long = difference.score(answer("good bad " * 4000))
    assert long.evidence["stretches_read"].startswith("64 of ")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"model": "/nowhere"}, r"no \*\.safetensors file there"),
        ({"model": "org/name"}, "hub id with revision"),
    ],
)
def test_a_model_that_is_not_there_is_named(parameters, expected) -> None:
    """The error says which model and what was expected; nothing else is tried."""
    scorer = TextClassification(**{"model": tiny_word_classifier(), "label": "positive", **parameters})
    with pytest.raises(ModelNotFoundError, match=expected):
        scorer.score(answer("good"))


def test_a_label_that_the_model_lacks_is_an_error_of_the_configuration() -> None:
    """It names the labels that there are."""
    scorer = TextClassification(model=tiny_word_classifier(), label="toxic")
    with pytest.raises(ConfigError, match="no label 'toxic'; it has: negative, neutral, positive"):
        scorer.score(answer("good"))


def test_half_a_character_is_read_as_the_replacement_character() -> None:
    """A tokenizer refuses a lone surrogate."""
    scorer = TextClassification(model=tiny_word_classifier(), label="positive")
    assert scorer.score(answer("good \ud83d bad")) == scorer.score(answer("good \ufffd bad"))


def test_weights_that_are_no_safetensors_are_refused(tmp_path) -> None:
    """A pickle beside a renamed file is not loaded."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_word_classifier(), folder)
    (folder / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        TextClassification(model=str(folder), label="positive").score(answer("good"))
    assert json.loads((folder / "config.json").read_text())["id2label"]["0"] == "negative"
