"""Answers claim what their context does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import with_zeroed
from llmmon.store.frames import Frames


@faults.register("unsupported_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class UnsupportedShare(ShareFault):
    """A share of the answers that were judged for support loses all of it, as if the model had made them up.

    The texts stay: what is planted is what a scorer finds, not how it finds it. How well it finds it is what
    ``llmmon evaluate`` tells.

    Parameters
    ----------
    size : float
        Share of the answers that a scorer of type ``groundedness`` gave a value; 0 changes nothing.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of answers"

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more unsupported answers."""
        return with_zeroed(shadow, "groundedness", self.size, "unsupported")
