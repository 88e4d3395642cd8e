"""What a fault is: a change of known size in the rows of one window."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from llmmon.model import Scorable
from llmmon.registry import Registry
from llmmon.scorers.base import Scorer
from llmmon.store.frames import Frames


@dataclass(frozen=True, kw_only=True, slots=True)
class Shadow:
    """A copy of one stored window, in memory.

    Parameters
    ----------
    frames : Frames
        The window's rows; never changed in place.
    answers : mapping of int to Scorable
        What production answered, by request key; a request whose texts were erased is not among them.
    scorers : mapping of str to Scorer
        Those that judge logged answers, by the name that the deployment gives them.
    rng : numpy.random.Generator
        Which rows a fault hits. Drawn the same for every size, so that a larger fault hits the rows of a smaller one.
    """

    frames: Frames
    answers: Mapping[int, Scorable]
    scorers: Mapping[str, Scorer]
    rng: np.random.Generator


class Fault(Protocol):
    """Plants a change of known size.

    Attributes
    ----------
    unit : str
        Of the size.
    nothing : float
        The size that changes nothing.
    sizes : tuple of float
        What is tried unless told otherwise, the smallest change first.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str]
    nothing: ClassVar[float]
    sizes: ClassVar[tuple[float, ...]]

    @property
    def size(self) -> float:
        """How much changes."""
        ...

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window's rows as the fault would have left them; where it has nothing to hit, as they are."""
        ...


faults: Registry[Fault] = Registry("faults")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareFault:
    """A fault whose size is a share of what it can hit, from 0 to 1; see `llmmon.faults.refusal_share`."""

    plugin_name: ClassVar[str]
    nothing: ClassVar[float] = 0.0
    sizes: ClassVar[tuple[float, ...]] = (0.02, 0.05, 0.1, 0.2, 0.5)

    size: float

    def __post_init__(self) -> None:
        if not 0 <= self.size <= 1:
            raise ValueError(f"size: expected a share between 0 and 1, got {self.size}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FactorFault:
    """A fault whose size is a factor above 0, of which 1 changes nothing; see `llmmon.faults.volume_factor`."""

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "times"
    nothing: ClassVar[float] = 1.0

    size: float

    def __post_init__(self) -> None:
        if not (self.size > 0 and math.isfinite(self.size)):
            raise ValueError(f"size: expected a factor above 0, got {self.size}")
