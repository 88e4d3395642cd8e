"""What a variant is: a way to derive replays from a logged request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Protocol

from llmmon.model import Document, Json, Message, RequestLog
from llmmon.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Derived:
    """One derived input and what was changed, by which rule."""

    messages: tuple[Message, ...]
    documents: tuple[Document, ...]
    change: Json = field(default_factory=dict)


class Variant(Protocol):
    """Derives the inputs of a replay from a logged request."""

    plugin_name: ClassVar[str]

    def derive(self, request: RequestLog, random: Random) -> Iterator[Derived]:
        """Yield the inputs to replay; none when the variant does not apply to this request."""
        ...


variants: Registry[Variant] = Registry("variants")
