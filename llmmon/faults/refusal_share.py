"""Answers become refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from llmmon.faults.base import Shadow, check_share, faults
from llmmon.faults.planting import answer_anew, answered_keys, count_of, hit
from llmmon.store.frames import Frames

REFUSAL: Final = "I'm sorry, but I can't help with that."


@faults.register("refusal_share")
@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalShare:
    """A share of the answers is replaced by "I'm sorry, but I can't help with that.", and judged anew.

    Parameters
    ----------
    size : float
        Share of the answers; 0 changes nothing. An answer that was a refusal already may be among them.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of answers"
    nothing: ClassVar[float] = 0.0
    sizes: ClassVar[tuple[float, ...]] = (0.02, 0.05, 0.1, 0.2, 0.5)

    size: float

    def __post_init__(self) -> None:
        check_share(self.size)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with more refusals."""
        keys = answered_keys(shadow)
        return answer_anew(shadow, dict.fromkeys(hit(shadow, keys, count_of(self.size, len(keys))), REFUSAL))
