"""The logged input, unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from llmmon.model import RequestLog
from llmmon.variants.base import Derived, variants


@variants.register("as_logged")
@dataclass(frozen=True, kw_only=True, slots=True)
class AsLogged:
    """Replay what was asked, word for word; every other variant is compared with this one."""

    def derive(self, request: RequestLog, random: Random) -> Iterator[Derived]:  # noqa: ARG002
        """Yield the logged messages and documents."""
        yield Derived(messages=request.messages, documents=request.documents)
