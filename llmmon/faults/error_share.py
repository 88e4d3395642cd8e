"""Requests fail."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import count_of, hit
from llmmon.model import LOGGED
from llmmon.store.frames import Frames


@faults.register("error_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorShare(ShareFault):
    """So many of a window's requests fail that would have been answered: no answer, no time, no score.

    Parameters
    ----------
    size : float
        Share of all requests of the window that fail beyond those that do; 0 changes nothing.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    sizes: ClassVar[tuple[float, ...]] = (0.01, 0.02, 0.05, 0.1, 0.25)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more failures."""
        frames = shadow.frames
        rows = frames.requests.copy()
        keys = hit(shadow, rows.loc[rows["status"] == "ok", "request_key"].tolist(), count_of(self.size, len(rows)))
        failed = rows["request_key"].isin(keys)
        rows.loc[failed, "status"] = "error"
        rows.loc[failed, "error_type"] = "planted"
        rows.loc[failed, ["response_text", "finish_reason"]] = None
        rows.loc[failed, ["n_output_tokens", "ttft_ms", "latency_ms"]] = math.nan
        judged = frames.scores["request_key"].isin(keys) & (frames.scores["lane"] == LOGGED)
        return dataclasses.replace(frames, requests=rows, scores=frames.scores[~judged])
