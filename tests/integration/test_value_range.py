"""Intervals stay where values can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmmon.config import Config
from llmmon.model import Window
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.database import Database
from llmmon.store.measurement import latest_measurements
from tests.conftest import make_line

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
[deployments.assistant]
source = "logs"
[deployments.assistant.scorers]
words = {judge = "length"}
[deployments.assistant.monitors.answer-length]
metric = {type = "score_mean", scorer = "words"}
min_effect = 1
"""


def test_no_answer_has_fewer_than_no_words(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path]
) -> None:
    """Student's interval of answers of 1 and 9 words reaches from -45.8 to 55.8; the part below 0 is cut off."""
    settings = config(TOML)
    answers = ("One.", "one two three four five six seven eight nine")
    message = [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"} for text in answers]
    jsonl([make_line(index, response={"choices": [choice]}) for index, choice in enumerate(message)])
    window = Window.parse("2023-06-27T05:00:00", hours=1)
    ingest_source(database, settings, "logs")
    for step in (finish_ingest, score_responses, measure):
        step(database, settings, "assistant", window)

    with database.transaction() as connection:
        estimate = latest_measurements(connection, "assistant")[0].estimate

    assert (estimate.value, estimate.low) == (5.0, 0.0)
    assert estimate.high == pytest.approx(55.8, abs=0.05)
