"""Training from a few answers: the same twice, measured on others; and altered copies that say where."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from llmmon.errors import SourceUnavailableError
from llmmon.model import Document
from llmmon.scorers.groundedness import Groundedness
from llmmon.training.groundedness_figures import score_all
from llmmon.training.ragtruth import Answer, answers
from llmmon.training.swaps import altered

CITIES = ("Oslo", "Lima", "Quito", "Cairo", "Delhi", "Seoul", "Paris", "Tunis", "Perth", "Leeds", "Turin", "Osaka")


def write(folder: Path) -> None:
    """Write twelve training sources and two test sources, each with a right answer and a made-up one."""
    sources, responses = [], []
    for number, city in enumerate(CITIES * 2):
        bridge, ferry = f"{city} has a bridge of {number + 20} metres.", f"Ferries leave at {number} o'clock."
        passages = f"passage 1:{bridge}\n\npassage 2:{ferry}\n\n"
        source = str(number)
        sources.append({"source_id": source, "source_info": {"question": f"bridge in {city}", "passages": passages}})
        made_up = "Elephants guard its golden towers."
        for text, spans in (
            (f"The bridge in {city} has {number + 20} metres.", []),
            (f"The bridge is in {city}. {made_up}", [{"start": 21 + len(city), "end": 21 + len(city) + len(made_up)}]),
        ):
            split = "test" if number >= 20 else "train"
            responses.append({"source_id": source, "model": "m", "split": split, "labels": spans, "response": text})
    folder.mkdir()
    for name, rows in (("sources", sources), ("responses", responses)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)


def test_training_twice_gives_one_model_that_tells_right_from_made_up(tmp_path: Path) -> None:
    """Weights, settings and card are the same byte by byte, and the scorer reads them."""
    pytest.importorskip("torch")
    from llmmon.training.groundedness import train

    write(tmp_path / "halluc_ragtruth_qa")
    first, second = (train(tmp_path, tmp_path / name, say=lambda _: None) for name in ("one", "two"))
    assert first == second
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"model.safetensors", "config.json", "README.md"}
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert first.n_training == 40
    assert first.test.n == 8
    assert (first.test.values["auroc"] or 0) > 0.9
    right, made_up = score_all(Groundedness(model=str(tmp_path / "one")), answers(tmp_path)[-2:])
    assert right.value is not None
    assert made_up.value is not None
    assert right.value > made_up.value


def test_a_row_without_its_fields_is_named(tmp_path: Path) -> None:
    """The error says file, line and what was expected."""
    write(tmp_path / "halluc_ragtruth_qa")
    with gzip.open(tmp_path / "halluc_ragtruth_qa" / "responses.jsonl.gz", "at") as lines:
        lines.write('{"source_id": "0"}\n')
    with pytest.raises(SourceUnavailableError, match=r"responses.jsonl.gz: line 49: .*expected .*labels"):
        answers(tmp_path)


def test_altered_answers_say_where_they_are_wrong() -> None:
    """What stands in a span is not in the source; the rest of a swapped answer is that of its row."""
    context = "In Oslo the Long Bridge has 240 metres and is open. It was built before Lima had one."
    row = Answer(
        source="1",
        writer="m",
        split="train",
        question="how long",
        documents=(Document(content=context),),
        text="The bridge in Oslo has 240 metres and is open. It was built before Lima had one.",
        spans=(),
    )
    other = replace(
        row, source="2", documents=(Document(content="Quito lies high, says Cairo."),), text="So says Cairo, not Delhi."
    )
    found = [each for seed in range(30) for each in altered([row, other], seed=seed)]
    assert found == [each for seed in range(30) for each in altered([row, other], seed=seed)]
    swapped = [each for each in found if each.source == "1" and len(each.text) > 40]
    assert swapped
    for each in swapped:
        ((start, end),) = each.spans
        assert each.text[:start] == row.text[:start]
        assert row.text.endswith(each.text[end:])
        assert each.text != row.text
    short = Counter(each.is_unsupported for each in found if len(each.text) < 40 and each.source == "1")
    assert short[True]
    assert short[False]
