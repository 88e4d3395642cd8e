"""What every record of llmmon.toml is made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from llmmon.registry import Registry

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


def _require_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("expected a time with a zone, such as 2023-06-01T06:00:00Z")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_require_utc)]


class Record(BaseModel):
    """Base of every record: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginConfig(Record):
    """Name of a plug-in and its parameters."""

    type: str
    parameters: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"type": value}
        if isinstance(value, Mapping) and "parameters" not in value:
            return {"type": value.get("type"), "parameters": {k: v for k, v in value.items() if k != "type"}}
        return value

    def create(self, registry: Registry[T], *, where: str) -> T:
        """Build the plug-in this names; `where` is its place in llmmon.toml."""
        return registry.create(self.type, self.parameters, where=where)


def must_exist(where: str, name: str, known: Any) -> None:
    """Raise `ValueError` unless `name` is one of `known`; `where` is its place."""
    if name not in known:
        raise ValueError(f"{where}: no {name!r} is defined; there are: {', '.join(sorted(known)) or 'none'}")
