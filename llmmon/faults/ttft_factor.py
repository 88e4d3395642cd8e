"""Answers begin later."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import FactorFault, Shadow, faults
from llmmon.store.frames import Frames


@faults.register("ttft_factor")
@dataclass(frozen=True, kw_only=True, slots=True)
class TtftFactor(FactorFault):
    """Every logged time to the first token becomes so many times as long, and what is added delays the end as much.

    As queueing does. A log without TTFT is left as it is.

    Parameters
    ----------
    size : float
        Factor; 1 changes nothing.
    """

    plugin_name: ClassVar[str]
    sizes: ClassVar[tuple[float, ...]] = (1.25, 1.5, 2.0, 4.0)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with answers that begin later."""
        rows = shadow.frames.requests
        added = rows["ttft_ms"] * (self.size - 1)
        later = rows.assign(ttft_ms=rows["ttft_ms"] + added, latency_ms=rows["latency_ms"] + added.fillna(0.0))
        return dataclasses.replace(shadow.frames, requests=later)
