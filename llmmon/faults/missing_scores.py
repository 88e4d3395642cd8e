"""Scores go missing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import count_of, hit, with_scores
from llmmon.model import LOGGED
from llmmon.store.frames import Frames


@faults.register("missing_scores")
@dataclass(frozen=True, kw_only=True, slots=True)
class MissingScores(ShareFault):
    """A share of the logged answers loses its scores, as when a scorer breaks.

    Parameters
    ----------
    size : float
        Share of the answers that have a score; 0 changes nothing.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of answers"
    sizes: ClassVar[tuple[float, ...]] = (0.25, 0.5, 0.75, 1.0)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with fewer scores."""
        scores = shadow.frames.scores
        judged = (scores["lane"] == LOGGED) & scores["value"].notna()
        keys = scores.loc[judged, "request_key"].unique().tolist()
        gone = judged & scores["request_key"].isin(hit(shadow, keys, count_of(self.size, len(keys))))
        found = [(None, None, "planted: the score is missing")] * int(gone.sum())
        return dataclasses.replace(shadow.frames, scores=with_scores(scores, gone, found))
