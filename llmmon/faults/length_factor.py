"""Answers become shorter or longer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from llmmon.faults.base import FactorFault, Shadow, faults
from llmmon.faults.planting import answer_anew, answered_keys, count_of
from llmmon.store.frames import Frames

_PIECE: Final = re.compile(r"\S+\s*")


@faults.register("length_factor")
@dataclass(frozen=True, kw_only=True, slots=True)
class LengthFactor(FactorFault):
    """Every answer becomes so many times as long: cut after its first words, or begun again; and judged anew.

    Parameters
    ----------
    size : float
        Factor on the words between spaces, of which at least one stays; 1 changes nothing. Costs and times stay.
    """

    plugin_name: ClassVar[str]
    sizes: ClassVar[tuple[float, ...]] = (0.9, 0.75, 0.5, 0.25)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with shorter or longer answers."""
        changed = {}
        for key in answered_keys(shadow):
            text = shadow.answers[key].text or ""
            pieces = _PIECE.findall(text)
            n = max(1, count_of(self.size, len(pieces)))
            if pieces and n != len(pieces):
                rounds, rest = divmod(n, len(pieces))
                whole = text if text[-1].isspace() else f"{text} "
                changed[key] = (whole * rounds + "".join(pieces[:rest])).rstrip()
        return answer_anew(shadow, changed)
