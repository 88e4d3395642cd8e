"""Personal data in an answer."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from llmmon.model import LOGGED, Direction, Scorable, Score, Span
from llmmon.privacy.recognizers import PLACEHOLDER, TYPES, Find, find, without_overlaps
from llmmon.scorers.base import scorers
from llmmon.scorers.text import NO_TEXT


@scorers.register("pii")
@dataclass(frozen=True, kw_only=True, slots=True)
class Pii:
    """Count the pieces of personal data in a response that follow a pattern.

    Presidio's pattern recognisers are used directly, checksums included; no language model is loaded, so that names
    and addresses are not found. Spans give places and types; the text itself is not copied.

    Parameters
    ----------
    types : tuple of str
        Entity types to look for.
    min_confidence : float
        Presidio's score, in [0, 1], from which a find counts.
    count_redacted : bool
        Whether a placeholder such as ``<EMAIL_ADDRESS>``, which redaction before storage left in a logged answer,
        counts like what stood there. A replay only copies placeholders from its prompt, so there they never count.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "items"
    direction: ClassVar[Direction] = "lower_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    version: ClassVar[int] = 2
    is_judge: ClassVar[bool] = False

    types: tuple[str, ...] = TYPES
    min_confidence: float = 0.4
    count_redacted: bool = False

    def __post_init__(self) -> None:
        # TOML gives a list; only a tuple can be hashed
        object.__setattr__(self, "types", tuple(self.types))
        unknown = sorted(set(self.types) - set(TYPES))
        if unknown or not self.types:
            raise ValueError(f"types: expected some of {', '.join(TYPES)}, got {', '.join(unknown) or 'none'}")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence: expected a number in [0, 1], got {self.min_confidence}")

    def score(self, response: Scorable) -> Score:
        """Return the number of items found, or a reason when there is no text."""
        if response.text is None:
            return Score(reason=NO_TEXT)
        found = find(response.text, self.types, min_confidence=self.min_confidence)
        if self.count_redacted and response.lane == LOGGED:
            found += [
                Find(match.start(), match.end(), match[1], 1.0)
                for match in PLACEHOLDER.finditer(response.text)
                if match[1] in self.types
            ]
        spans = [Span(start=item.start, end=item.end, label=item.kind) for item in without_overlaps(found)]
        return Score(
            value=float(len(spans)),
            label="found" if spans else "none",
            spans=tuple(spans),
            evidence={"types": dict(sorted(Counter(span.label for span in spans).items()))},
        )
