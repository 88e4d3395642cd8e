"""The groundedness scorer with the model that comes with llmmon, on answers whose right judgement is plain."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from llmmon.errors import LlmmonError
from llmmon.model import Document, Message, Scorable
from llmmon.scorers.base import scorers
from llmmon.scorers.groundedness import LONGEST_ANSWER, Groundedness
from llmmon.scorers.grounding.shipped import SHIPPED

BRIDGE = (
    "The bridge was opened to traffic on 19 March 1932 after eight years of work. It was designed by Dorman Long and "
    "links the two shores of the harbour.\nTrains and cars cross it, and people on foot and on bicycles. The toll is 4 "
    "dollars for cars that drive south."
)
FERRY = "Ferries leave from the quay every 20 minutes until midnight. Children under four travel free."


def answer(text: str | None, *contents: str, prompt: str = "Tell me about the bridge.") -> Scorable:
    """Return a logged response whose documents have these texts."""
    return Scorable(
        request_key=1,
        lane="logged",
        variant="as_logged",
        repeat=0,
        messages=(Message(role="user", content=prompt),),
        documents=tuple(Document(content=each, document_id=name) for each, name in zip(contents, "abc", strict=False)),
        text=text,
    )


SUPPORTED = "The bridge was opened on 19 March 1932 after eight years of work. Trains and cars cross it."


@pytest.mark.parametrize(
    "made_up",
    [
        "The bridge was opened on 19 March 1932 after eight years of work. It has been painted purple by volunteers, "
        "and its restaurant on the top floor received two awards from critics.",
        "The bridge was opened on 27 June 1958 after eight years of work. Trains and cars cross it.",
        "The bridge was designed by Gustave Eiffel and his partners in Lyon. Trains and cars cross it.",
    ],
    ids=["facts", "date", "name"],
)
def test_what_is_made_up_is_less_supported_than_a_paraphrase(made_up: str) -> None:
    """An invented fact, date or name lowers the value below that of an answer that keeps to the context."""
    supported, invented = Groundedness().score_many([answer(text, BRIDGE, FERRY) for text in (SUPPORTED, made_up)])
    assert supported.value is not None
    assert invented.value is not None
    assert supported.label == "supported"
    assert not supported.spans
    assert invented.value < supported.value - 0.05


def test_spans_and_evidence_point_at_the_right_places() -> None:
    """The made-up sentence is inside a span; the other one's evidence is the sentence it came from."""
    made_up = "Elephants painted every wooden railing of it purple in a ceremony that the mayor of Chicago attended."
    text = f"Ferries leave from the quay every 20 minutes until midnight. {made_up}"
    score = Groundedness().score(answer(text, BRIDGE, FERRY, prompt="When do ferries leave?"))
    assert score.label == "unsupported"
    assert score.spans
    assert all(span.end > text.index(made_up) and span.label == "unsupported" for span in score.spans)
    first, second = score.evidence["sentences"]
    assert first["support"] > second["support"]
    assert first["document"] == "b"
    assert FERRY[first["evidence_start"] : first["evidence_end"]].startswith("Ferries leave from the quay")
    assert text[second["start"] : second["end"]] == made_up


def test_one_by_one_and_together_are_the_same() -> None:
    """A score does not depend on the other responses."""
    many = [
        answer(SUPPORTED, BRIDGE),
        answer("Ferries are free.", BRIDGE, FERRY),
        answer(None, BRIDGE),
        answer(SUPPORTED, BRIDGE),
    ]
    scorer = Groundedness()
    assert scorer.score_many(many) == [scorer.score(each) for each in many]


@pytest.mark.parametrize(
    ("text", "contents", "reason"),
    [
        (None, (BRIDGE,), "no response text"),
        ("  \n", (BRIDGE,), "no response text"),
        ("?!", (BRIDGE,), "no word in the answer"),
        ("Yes.", (), "no documents"),
        ("Yes.", ("", " "), "no documents"),
        ("Yes.", ("...",), "no word in the documents"),
    ],
)
def test_nothing_to_judge_is_a_reason(text: str | None, contents: tuple[str, ...], reason: str) -> None:
    """An empty answer or context has no value."""
    assert Groundedness().score(answer(text, *contents)).reason == reason


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("桥于1932年开放。", "这座桥于1932年3月19日开放通车。"),
        ("สะพานเปิดในปี 1932", "สะพานแห่งนี้เปิดใช้งานเมื่อปี 1932"),
        ("पुल 1932 में खुला।", "यह पुल 19 मार्च 1932 को खोला गया।"),
        ("def f(x):\n    return x_1 + 2", "```python\ndef f(x):\n    return x_1 + 2\n```"),
        ("| year | toll |\n|---|---|\n| 1932 | 4 |", "year,toll\n1932,4\n"),
        ("\ud800 \x00 é \U0001f600 ok", "ok \ud800"),
        (BRIDGE, BRIDGE),
    ],
    ids=["chinese", "thai", "hindi", "code", "table", "broken", "quote"],
)
def test_any_text_gets_a_value_with_places_inside_it(text: str, context: str) -> None:
    """Scripts, code, tables, broken characters and a quotation of the context are judged; places are in the texts."""
    score = Groundedness().score(answer(text, context))
    assert score.value is not None
    assert 0 <= score.value <= 1
    for sentence in score.evidence["sentences"]:
        assert 0 <= sentence["start"] < sentence["end"] <= len(text)
        assert 0 <= sentence["evidence_start"] < sentence["evidence_end"] <= len(context)


def test_a_quotation_is_supported() -> None:
    """An answer that quotes its context is supported."""
    assert Groundedness().score(answer(BRIDGE, BRIDGE)).label == "supported"


def test_evidence_is_found_in_a_context_of_200_000_words() -> None:
    """Of a long context the passages that matter are compared, and the score says how much was left out."""
    filler = "Rain fell on the northern hills while farmers stored their hay in barns near the river. " * 12_500
    score = Groundedness().score(answer(SUPPORTED, filler, BRIDGE))
    assert score.label == "supported"
    assert {sentence["document"] for sentence in score.evidence["sentences"]} == {"b"}
    assert score.evidence["context_left_out_characters"] > 1_000_000


def test_a_long_answer_is_judged_in_parts() -> None:
    """One made-up sentence at the end of a long answer is still found, with its place."""
    made_up = "Elephants painted every wooden railing of it purple in a ceremony that the mayor of Chicago attended."
    long = "Trains and cars cross it. " * (LONGEST_ANSWER // 4)
    score = Groundedness().score(answer(long + made_up, BRIDGE))
    *_, last = score.evidence["sentences"]
    assert last["support"] == score.evidence["min_support"]
    assert (long + made_up)[last["start"] : last["end"]] == made_up


def test_the_shipped_threshold_is_the_default_and_another_one_changes_the_label() -> None:
    """None takes the model's threshold; the value does not depend on it."""
    response = answer("The bridge was opened on 27 June 1958 by the mayor of Chicago.", BRIDGE)
    shipped, strict = Groundedness(), Groundedness(threshold=0.001)
    assert shipped.threshold is not None
    assert 0 < shipped.threshold < 1
    assert strict.score(response).label == "unsupported"
    assert strict.score(response).value == shipped.score(response).value
    assert shipped.size_bytes == (SHIPPED / "model.safetensors").stat().st_size


def _score_with(model: Path) -> None:
    scorers.create("groundedness", {"model": str(model)}, where="scorers.g").score(answer(SUPPORTED, BRIDGE))


def test_only_safetensors_are_read(tmp_path: Path) -> None:
    """A folder without safetensors, with a pickle, with other bytes or another version is refused with what to do."""

    def told() -> str:
        with pytest.raises(LlmmonError) as refused:
            _score_with(tmp_path)
        return str(refused.value)

    assert "llmmon train groundedness" in told()
    shutil.copy(SHIPPED / "config.json", tmp_path)
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    assert "model.pkl is not read" in told()
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04.")
    assert "not a safetensors file" in told()
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"static-', '"other-'))
    assert "made with encoder other-" in told()
    (tmp_path / "config.json").write_text(config.replace('"exact"', '"colour"'))
    assert "train anew" in told()


@pytest.mark.skipif("LLMMON_DATA" not in os.environ, reason="LLMMON_DATA names no folder of public data")
def test_the_shipped_model_holds_its_bars_on_ragtruth() -> None:
    """On the test sources, which it never saw: AUROC, F1 at the shipped threshold, and calibration."""
    from llmmon.training.groundedness_figures import figures_of
    from llmmon.training.ragtruth import answers

    rows = [row for row in answers(Path(os.environ["LLMMON_DATA"])) if row.split == "test"]
    figures = figures_of(SHIPPED, rows)
    values = {name: value or 0.0 for name, value in figures.values.items()}
    assert values["auroc"] >= 0.88
    assert values["f1"] >= 0.58
    assert 0 < values["ece"] <= 0.1
