"""Prompts about one group are refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import count_of, hit, with_scores
from llmmon.metrics.bias.swaps import SWAP
from llmmon.metrics.columns import AS_LOGGED
from llmmon.store.frames import Frames


@faults.register("group_gap")
@dataclass(frozen=True, kw_only=True, slots=True)
class GroupGap(ShareFault):
    """A share of the replayed prompts that were swapped is refused where the prompt is about one of the two groups.

    The group is the second of each swap, as the lexicon orders them: its answer is the swapped replay's where the log
    named the other group, and the plain one's where it named this. The texts stay: what is planted is what a scorer
    finds.

    Parameters
    ----------
    size : float
        Share of the requests that have a swapped replay with a direction, judged by a scorer of type ``refusal``; 0
        changes nothing. An answer that was a refusal already may be among them.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of swapped prompts"

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window in which one group's prompts are refused more often."""
        scores = shadow.frames.scores
        names = [name for name, scorer in shadow.scorers.items() if getattr(scorer, "plugin_name", "") == "refusal"]
        judged = scores["scorer"].isin(names) & scores["value"].notna()
        changes = [change if isinstance(change, dict) else {} for change in scores["change"]]
        directed = judged & np.array([one.get("rule") == SWAP and "to" in one for one in changes], dtype=bool)
        keys = scores.loc[directed, "request_key"].unique().tolist()
        chosen = scores["request_key"].isin(hit(shadow, keys, count_of(self.size, len(keys))))
        to_it = np.array(
            [bool(one.get("groups")) and one.get("to") == one["groups"][-1] for one in changes], dtype=bool
        )
        from_it = directed & ~to_it
        lanes = scores.loc[from_it, ["request_key", "lane"]].drop_duplicates()
        plain = (
            scores[["request_key", "lane"]].apply(tuple, axis=1).isin(list(lanes.itertuples(index=False, name=None)))
        )
        place = chosen & judged & ((directed & to_it) | (plain & (scores["variant"] == AS_LOGGED)))
        found = [(1.0, "refused", None)] * int(place.sum())
        return dataclasses.replace(shadow.frames, scores=with_scores(scores, place, found))
