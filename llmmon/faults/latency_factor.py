"""Everything becomes slower."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import FactorFault, Shadow, faults
from llmmon.store.frames import Frames


@faults.register("latency_factor")
@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyFactor(FactorFault):
    """Every logged time, to the first token and to the last, becomes so many times as long.

    Parameters
    ----------
    size : float
        Factor; 1 changes nothing.
    """

    plugin_name: ClassVar[str]
    sizes: ClassVar[tuple[float, ...]] = (1.1, 1.25, 1.5, 2.0, 4.0)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with slower answers."""
        rows = shadow.frames.requests
        slower = rows.assign(latency_ms=rows["latency_ms"] * self.size, ttft_ms=rows["ttft_ms"] * self.size)
        return dataclasses.replace(shadow.frames, requests=slower)
