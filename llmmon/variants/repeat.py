"""The logged input several times, sampled with different seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from llmmon.model import RequestLog
from llmmon.variants.base import Derived, variants


@variants.register("repeat")
@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """Ask the same again, so that the answers can be compared with each other.

    Parameters
    ----------
    k : int
        Copies, each with a seed of its own.
    temperature : float or "as_logged"
        Sampling temperature of the copies, instead of the backend's: at 0 all copies would be one. ``"as_logged"``
        leaves it at the backend's: the copies then differ from the plain replay by the model's own noise, which is
        what differences between other variants are compared with (an A/A lane).

    References
    ----------
    P. Manakul, A. Liusie and M. Gales, "SelfCheckGPT: Zero-Resource Black-Box Hallucination Detection for Generative
    Large Language Models", EMNLP 2023.
    """

    k: int = 2
    temperature: float | Literal["as_logged"] = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 100:
            raise ValueError(f"k is {self.k}; expected 1 to 100")
        if self.temperature != "as_logged" and not 0 < self.temperature <= 2:
            raise ValueError(f"temperature is {self.temperature}; expected more than 0 and at most 2, or as_logged")

    def derive(self, request: RequestLog, random: Random) -> Iterator[Derived]:  # noqa: ARG002
        """Yield `k` equal inputs."""
        hotter = {} if self.temperature == "as_logged" else {"temperature": self.temperature}
        for _ in range(self.k):
            yield Derived(messages=request.messages, documents=request.documents, change={"rule": "repeat", **hotter})
