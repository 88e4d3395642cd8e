"""Several responses at once: each has its own score, also beside a strange one."""

from __future__ import annotations

from typing import Any

import pytest

from llmmon.errors import PluginError
from llmmon.model import Score
from llmmon.pipeline.labels import to_judge
from llmmon.pipeline.score_batch import score_batch


class Batched:
    """Scores by length, in batches; an "x" is too strange for it, and "lost" loses one."""

    plugin_name = "batched"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def score(self, response: Any) -> Score:
        return self.score_many([response])[0]

    def score_many(self, responses: Any) -> list[Score]:
        self.calls.append(len(responses))
        if any(item.text == "x" for item in responses):
            raise ValueError("x")
        return [Score(value=float(len(item.text))) for item in responses if item.text != "lost"]


def scored(*texts: str) -> tuple[list[Any], list[int]]:
    scorer: Any = Batched()
    found = score_batch(scorer, [to_judge(number, text) for number, text in enumerate(texts)])
    return [item.value if isinstance(item, Score) else type(item).__name__ for item in found], scorer.calls


def test_all_are_judged_in_one_call() -> None:
    """In their order."""
    assert scored("a", "bbb", "cc") == ([1.0, 3.0, 2.0], [3])
    assert scored() == ([], [])


def test_a_strange_response_does_not_take_the_others_along() -> None:
    """They are judged again one by one."""
    assert scored("a", "x", "cc") == ([1.0, "ValueError", 2.0], [3, 1, 1, 1])


def test_a_lost_score_is_a_bug_of_the_scorer() -> None:
    """Scores that cannot be told apart are not kept."""
    with pytest.raises(PluginError, match="batched: score_many gave 1 scores for 2 responses"):
        scored("a", "lost")
