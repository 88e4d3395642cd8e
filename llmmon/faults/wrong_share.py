"""Answers become wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, check_share, faults
from llmmon.faults.planting import count_of, hit, scores_of, with_scores
from llmmon.store.frames import Frames


@faults.register("wrong_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class WrongShare:
    """A share of the answers that were compared with a reference answer disagrees with it.

    The texts stay: what is planted is what a scorer finds.

    Parameters
    ----------
    size : float
        Share of the answers that a scorer of type ``correctness`` gave a value; 0 changes nothing. An answer that was
        wrong already may be among them.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of answers"
    nothing: ClassVar[float] = 0.0
    sizes: ClassVar[tuple[float, ...]] = (0.02, 0.05, 0.1, 0.2, 0.5)

    size: float

    def __post_init__(self) -> None:
        check_share(self.size)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more wrong answers."""
        scores = shadow.frames.scores
        judged = scores_of(shadow, "correctness")
        keys = scores.loc[judged, "request_key"].unique().tolist()
        wrong = judged & scores["request_key"].isin(hit(shadow, keys, count_of(self.size, len(keys))))
        found = [(0.0, "wrong", None)] * int(wrong.sum())
        return dataclasses.replace(shadow.frames, scores=with_scores(scores, wrong, found))
