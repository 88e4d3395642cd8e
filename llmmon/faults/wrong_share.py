"""Answers become wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import with_zeroed
from llmmon.store.frames import Frames


@faults.register("wrong_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class WrongShare(ShareFault):
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

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more wrong answers."""
        return with_zeroed(shadow, "correctness", self.size, "wrong")
