"""The hub scorer on tiny random models: which pair of texts each number comes from, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmmon.errors import ConfigError, ModelNotFoundError
from llmmon.model import Document, Message, Scorable
from llmmon.registry import parameters_of
from llmmon.scorers.classifiers.model import load, without_spaces
from llmmon.scorers.classifiers.windows import windows_of
from llmmon.scorers.groundedness_transformers import GroundednessTransformers
from tests.devices import DEVICES
from tests.tiny_models import tiny_classifier

NLI = ("contradiction", "neutral", "ENTAILMENT")
TASKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "nli": (NLI, {}),
    "pair_classification": (("LABEL_0",), {"support_label": "LABEL_0"}),
    "token_classification": (("supported", "made_up"), {"unsupported_label": "made_up"}),
}
ANSWER = "The tower is 324 m tall. It opened in 1889, say the books."
RESPONSE = Scorable(
    request_key=1, lane="logged", variant="as_logged", repeat=0, text=ANSWER,
    messages=(Message(role="user", content="How tall is it?"),),
    documents=(
        Document(content="Paris has a tower.", document_id="a"),
        Document(content="It is 324 m. Built in 1889."),
    ),
)  # fmt: skip


def scorer(task: str, **changes: Any) -> GroundednessTransformers:
    labels, given = TASKS[task]
    settings = {"device": "cpu", "max_tokens": 256, **given, **changes}
    return GroundednessTransformers(model=str(tiny_classifier(task, labels)), task=task, **settings)


def asked(plugin: GroundednessTransformers, first: str, second: str) -> Any:
    """What the model itself says of a pair, run alone."""
    import torch

    model = load(plugin.model, None, plugin.task, "cpu")
    inputs = model.tokenizer(first, second, return_tensors="pt")
    with torch.inference_mode():
        logits = model.model(**inputs).logits[0].double()
    if plugin.task == "token_classification":
        ours = [place for place, side in enumerate(inputs.sequence_ids(0)) if side == 1]
        return logits.softmax(-1)[ours, 1].numpy()
    return float(logits.sigmoid()[0] if plugin.task == "pair_classification" else logits.softmax(-1)[2])


CONTEXT = "Paris has a tower.\n\nIt is 324 m. Built in 1889."


@pytest.mark.parametrize("task", ["nli", "pair_classification"])
def test_each_sentence_is_asked_beside_the_context(task: str) -> None:
    """Its support is what the model says of the pair; the value is the least of them."""
    plugin = scorer(task)
    sentences = ["The tower is 324 m tall.", "It opened in 1889, say the books."]
    supports = [asked(plugin, CONTEXT, sentence) for sentence in sentences]
    score = plugin.score(RESPONSE)
    assert [item["support"] for item in score.evidence["sentences"]] == pytest.approx(supports, abs=2e-6)
    assert score.value == pytest.approx(min(supports), abs=2e-6)
    cut = 1 - sorted(supports)[0] if supports[0] != supports[1] else 0.5
    flagged = scorer(task, threshold=round(cut, 6) - 1e-5).score(RESPONSE)
    assert [ANSWER[span.start : span.end] for span in flagged.spans] == [sentences[int(np.argmin(supports))]]
    assert flagged.label == "unsupported"


def test_evidence_is_the_most_alike_sentence_of_the_context() -> None:
    """With its document by id or, without one, by place, and its offsets there."""
    found = scorer("nli").score(RESPONSE).evidence["sentences"]
    assert [(item["document"], item["evidence_start"], item["evidence_end"]) for item in found] == [
        (1, 0, 12), (1, 13, 27),
    ]  # fmt: skip


def test_a_token_classifier_marks_tokens_of_the_answer() -> None:
    """Read behind question and context; spans are runs of its tokens, and a sentence is as good as its worst."""
    plugin = scorer("token_classification")
    risks = asked(plugin, f"How tall is it?\n{CONTEXT}", ANSWER)
    score = plugin.score(RESPONSE)
    assert score.value == pytest.approx(1 - risks.max(), abs=2e-6)
    ranked = np.sort(risks)
    cut = float(ranked[-5] + ranked[-6]) / 2
    marked = sum(span.end - span.start for span in scorer("token_classification", threshold=cut).score(RESPONSE).spans)
    n_letters = len(ANSWER.replace(" ", ""))
    assert len(risks) == n_letters  # one token a letter, so that characters count tokens
    assert 5 <= marked <= 5 + ANSWER.count(" ")


@pytest.mark.parametrize("task", TASKS)
def test_a_long_context_is_read_in_windows(task: str) -> None:
    """The support is the largest over the windows: the passage that says it is found among thousands of others."""
    plugin = scorer(task, max_windows=2)
    noise = " ".join(f"Number {index} is a prime." for index in range(3000))
    document = Document(content=f"{noise} The tower is 324 m tall. {noise}")
    evidence = plugin.score(
        dataclasses.replace(RESPONSE, documents=(document,), text="The tower is 324 m tall.")
    ).evidence
    found = evidence["sentences"][0]
    assert document.content[found["evidence_start"] : found["evidence_end"]] == "The tower is 324 m tall."
    assert evidence["n_windows"] > 500
    assert evidence["n_windows_read"] == 2


def test_a_token_begins_behind_its_space() -> None:
    """Where a tokenizer counts the space to the word, as sentencepiece does."""
    assert without_spaces("a  cat \n", [(0, 1), (1, 6), (6, 8)]).tolist() == [[0, 1], [3, 6], [8, 8]]
    assert without_spaces("", []).shape == (0, 2)


def test_windows_hold_every_sentence_beside_its_neighbour() -> None:
    """None is larger than its budget, none is lost, and an endless sentence is cut."""
    model = load(scorer("nli").model, None, "nli", "cpu")
    texts = ["One two three. Four five six seven. Eight.", "x" * 25 + " y" * 300, "", "Nine ten eleven twelve."]
    documents = [Document(content=text) for text in texts]
    windows = windows_of(documents, [model.tokens(text) for text in texts], 40)
    sizes = [sum(piece.n_tokens for piece in windows.pieces[first:last]) for first, last in windows.spans]
    assert max(sizes) <= 40
    assert windows.spans[0][0] == 0
    assert windows.spans[-1][1] == len(windows.pieces)
    assert all(after[0] == before[1] - 1 for before, after in zip(windows.spans, windows.spans[1:], strict=False))
    assert sum(piece.n_tokens for piece in windows.pieces) == sum(len(model.tokens(text)) for text in texts)
    assert windows.text(0).startswith("One two three. Four five")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("task", TASKS)
def test_together_is_as_alone(task: str, device: str) -> None:
    """A batch of answers of any length, empty and strange ones among them, gives each the score it has alone."""
    texts = [ANSWER, "", "Yes.", "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002", "\U0001f9a5",
             "def f(x):\n    return x", "| a | b |\n|---|---|\n| 1 | 2 |", "word " * 400, "a" * 3000,
             "One. " + "= " * 900 + "\nTwo.", "half \ud83d of \ud83d\ude00 it", None]  # fmt: skip
    responses = [dataclasses.replace(RESPONSE, text=text) for text in texts]
    plugin = scorer(task, token_budget=300, device=device)
    together = plugin.score_many(responses)
    rounding = 5e-6 if device == "cpu" else 0.02  # a GPU computes in bfloat16, which has three digits
    for response, score in zip(responses, together, strict=True):
        alone = plugin.score(response)
        assert score.reason == alone.reason
        assert score.value == (None if alone.value is None else pytest.approx(alone.value, abs=rounding))
        assert all(0 <= span.start < span.end <= len(response.text or "") for span in score.spans)
    assert [score.value is None for score in together][:5] == [False, True, False, False, True]


def test_what_claims_nothing_is_absent() -> None:
    """No text, no documents, documents without a word, an answer that abstains or only says what is missing."""
    plugin = scorer("nli")
    for changes, reason in (
        ({"text": None}, "no response text"),
        ({"documents": ()}, "no documents"),
        ({"documents": (Document(content="\U0001f9a5 \u2014"),)}, "no word in the documents"),
        ({"text": "Unable to answer based on the passages."}, "the answer abstains"),
        ({"text": "The passages do not mention it."}, "no sentence that claims something"),
    ):
        score = plugin.score(dataclasses.replace(RESPONSE, **changes))
        assert score.value is None
        assert reason in (score.reason or "")


def test_what_it_knows_of_its_model() -> None:
    """The weights' digest stands in the evidence; size and parameters can be read."""
    plugin = scorer("nli")
    assert str(plugin.score(RESPONSE).evidence["revision"]).startswith("sha256:")
    assert plugin.size_bytes > 10_000
    assert parameters_of(plugin)["support_label"] == "entailment"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": "org/name"}, "needs revision = '<40-digit commit>'"),
        ({"model": "org/name", "revision": "main"}, "40 hex digits"),
        ({"model": "/a/folder", "revision": "0" * 40}, "expected a hub id"),
        ({"model": "/a/folder", "task": "poetry"}, "expected one of nli"),
        ({"model": "/a/folder", "task": "pair_classification"}, "one of support_label and unsupported_label"),
        ({"model": "/a/folder", "threshold": 0.0}, "threshold"),
        ({"model": "/a/folder", "max_tokens": 10}, "max_tokens"),
    ],
)
def test_refused_parameters(given: dict[str, Any], says: str) -> None:
    """Named, with what was expected."""
    with pytest.raises(ValueError, match=says):
        GroundednessTransformers(**given)


def test_refused_models(tmp_path: Path) -> None:
    """No folder, a pickle in place of safetensors, a label or a length that the model has not."""
    with pytest.raises(ModelNotFoundError, match="no such folder"):
        GroundednessTransformers(model=str(tmp_path / "none")).score(RESPONSE)
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_classifier("nli", NLI), folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelNotFoundError, match=r"a scorer.s nli model: .*no \*.safetensors file"):
        GroundednessTransformers(model=str(folder)).score(RESPONSE)
    with pytest.raises(ConfigError, match="no label 'true'; it has: contradiction, neutral, ENTAILMENT"):
        scorer("nli", support_label="true").score(RESPONSE)
    with pytest.raises(ConfigError, match="reads at most 256 tokens"):
        scorer("nli", max_tokens=257).score(RESPONSE)
