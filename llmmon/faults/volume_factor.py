"""More or fewer requests come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import FactorFault, Shadow, faults
from llmmon.faults.planting import count_of, hit, with_copies, without
from llmmon.store.frames import Frames


@faults.register("volume_factor")
@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeFactor(FactorFault):
    """So many times as many requests come: some are left out, or come once more (twice more, where it takes that).

    Parameters
    ----------
    size : float
        Factor; 1 changes nothing.
    """

    plugin_name: ClassVar[str]
    sizes: ClassVar[tuple[float, ...]] = (0.9, 0.75, 0.5, 0.25)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more or fewer requests."""
        keys = shadow.frames.requests["request_key"].tolist()
        n = count_of(self.size, len(keys))
        order = hit(shadow, keys, len(keys))
        if n <= len(keys):
            return without(shadow.frames, order[: len(keys) - n])
        return with_copies(shadow.frames, [order[place % len(order)] for place in range(n - len(keys))])
