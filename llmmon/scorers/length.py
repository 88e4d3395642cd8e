"""Length of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.text import NO_TEXT, words


@scorers.register("length")
@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """Count the words of a response.

    A word is a run of letters and digits; a hyphen, apostrophe, point or comma inside it does not split it. Text
    without spaces between words (Chinese, Japanese) counts one word per run.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "words"
    direction: ClassVar[Direction] = "neither"
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    version: ClassVar[int] = 1
    is_judge: ClassVar[bool] = False

    def score(self, response: Scorable) -> Score:
        """Return the number of words; an empty answer has none, an absent one gives a reason."""
        if response.text is None:
            return Score(reason=NO_TEXT)
        return Score(value=float(sum(1 for _ in words(response.text))))
