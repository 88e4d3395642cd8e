"""Answers belong to other questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import answer_anew, answered_keys, count_of, hit
from llmmon.store.frames import Frames


@faults.register("answer_swap")
@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerSwap(ShareFault):
    """A share of the answers is replaced by answers to other requests of the window, and judged anew.

    Where there are several routes, the answers of the busiest one come on the others, so that the mix of texts drifts;
    on a single route, any answer comes to another question and only what depends on the question changes.

    Parameters
    ----------
    size : float
        Share of all answers; 0 changes nothing. At most all answers of the other routes are replaced.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of answers"
    sizes: ClassVar[tuple[float, ...]] = (0.05, 0.1, 0.2, 0.5)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with answers to other questions."""
        keys = answered_keys(shadow)
        rows = shadow.frames.requests.set_index("request_key").loc[keys]
        counts = rows["route"].value_counts().sort_index()
        if len(counts) > 1:
            given = rows["route"] == counts.idxmax()
            givers, takers = rows.index[given].tolist(), rows.index[~given].tolist()
        else:
            givers = takers = keys
        chosen = hit(shadow, takers, count_of(self.size, len(keys)))
        drawn = shadow.rng.permutation(sorted(givers)).tolist()
        texts = {}
        for place, key in enumerate(chosen):
            giver = int(drawn[place % len(drawn)])
            if giver == key:  # its own answer is no swap
                giver = int(drawn[(place + 1) % len(drawn)])
            texts[key] = shadow.answers[giver].text or ""
        return answer_anew(shadow, texts)
