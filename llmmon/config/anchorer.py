"""What the anchorer's own file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from llmmon.config.record import Name, PluginConfig, Record, must_exist


class AnchorerConfig(Record):
    """Where the anchorer sends signed heads of the audit ledger; a file of its own, which only the anchorer reads.

    Parameters
    ----------
    deliver : mapping of str to float
        For each channel the fewest minutes between two heads. At least two, better in different hands.
    silence_minutes : float
        Without a new event, or with one that is not sealed, for so long, the channels are told.
    recheck_hours : float
        How often every event is read again, from the first on.
    """

    channels: Mapping[Name, PluginConfig]
    deliver: Annotated[Mapping[Name, float], Field(min_length=2)]
    silence_minutes: float = Field(5, gt=0)
    recheck_hours: float = Field(24, gt=0)

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        for name, minutes in self.deliver.items():
            must_exist("deliver", name, self.channels)
            if minutes < 0:
                raise ValueError(f"deliver.{name}: expected minutes, 0 for every head, got {minutes:g}")
        return self
