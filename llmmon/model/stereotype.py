"""What a stereotype probe finds out about a model."""

from __future__ import annotations

from dataclasses import dataclass

from llmmon.model.measurement import Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class StereotypeFigure:
    """One figure of one category of a probe.

    Parameters
    ----------
    category : str
        As the data set names it; ``all`` is every category together.
    figure : str
        Such as ``s_amb`` or ``stereotype_preferred``.
    neutral : float or None
        Value of a model without preference, in `unit`.
    """

    probe: str
    category: str
    figure: str
    unit: str
    neutral: float | None
    estimate: Estimate
