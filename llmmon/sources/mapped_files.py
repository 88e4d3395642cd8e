"""What sources share whose fields are mapped: all of them in llmmon.toml, or those that a known format lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from llmmon.model import RequestLog
from llmmon.sources.flat_row import request_of
from llmmon.sources.mapping import compile_mapping

Apply = Callable[[Mapping[str, Any], bytes], dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedFile:
    """Files of a house-made format; see `llmmon.sources.mapped_jsonl` for the parameters."""

    plugin_name: ClassVar[str]

    path: str
    fields: Mapping[str, Any]
    deployment: str | None = None
    _apply: Apply = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_apply", compile_mapping(self.fields))

    def request(self, found: Mapping[str, Any], raw: bytes, cleaned: list[str], source: str) -> RequestLog:
        """Return the request log of a row whose raw bytes and values are given, or raise `BadRowError`."""
        return request_of(
            self._apply(found, raw),
            cleaned,
            source=source,
            deployment=self.deployment,
            has_prompts=not {"prompt", "messages"}.isdisjoint(self.fields),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedFile:
    """Files in the known format of some tool; see `llmmon.sources.litellm_jsonl` for the parameters.

    Attributes
    ----------
    known : mapping
        Where the format keeps each field; `fields` comes before it.
    """

    plugin_name: ClassVar[str]
    known: ClassVar[Mapping[str, Any]]

    path: str
    deployment: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    _apply: Apply = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_apply", compile_mapping({**self.known, **self.fields}))
