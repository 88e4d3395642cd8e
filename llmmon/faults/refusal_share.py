"""Answers become refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import answer_anew, answered_keys, count_of, hit
from llmmon.store.frames import Frames

REFUSAL: Final = "I'm sorry, but I can't help with that."


@faults.register("refusal_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalShare(ShareFault):
    """A share of the answers is replaced by "I'm sorry, but I can't help with that.", and judged anew.

    Parameters
    ----------
    size : float
        Share of the answers; 0 changes nothing. An answer that was a refusal already may be among them.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of answers"

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more refusals."""
        keys = answered_keys(shadow)
        return answer_anew(shadow, dict.fromkeys(hit(shadow, keys, count_of(self.size, len(keys))), REFUSAL))
