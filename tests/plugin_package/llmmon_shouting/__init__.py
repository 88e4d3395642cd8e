"""A scorer that another package brings along, to prove that plug-ins need no change in llmmon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.model import Direction, Scorable, Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Shouting:
    """Take the share of a response's letters that are capitals.

    Parameters
    ----------
    min_letters : int
        Letters that a response needs.
    """

    plugin_name: ClassVar[str] = "shouting"
    unit: ClassVar[str] = "share of letters"
    direction: ClassVar[Direction] = "lower_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1

    min_letters: int = 1

    def __post_init__(self) -> None:
        if self.min_letters < 1:
            raise ValueError(f"min_letters: expected at least 1, got {self.min_letters}")

    def score(self, response: Scorable) -> Score:
        """Return the share of capitals, or a reason when there are too few letters."""
        letters = [letter for letter in response.text or "" if letter.isalpha()]
        if len(letters) < self.min_letters:
            return Score(reason=f"fewer than {self.min_letters} letters")
        return Score(value=sum(letter.isupper() for letter in letters) / len(letters))
