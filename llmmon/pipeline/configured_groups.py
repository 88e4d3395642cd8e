"""Group attributes that the log does not have, taken from what it has."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from llmmon.config import GroupConfig
from llmmon.model import RequestLog


def with_groups(request: RequestLog, configured: Mapping[str, GroupConfig]) -> RequestLog:
    """Return `request` with the configured group attributes; one that is logged by the same name stands as logged.

    Examples
    --------
    With ``{"plan": GroupConfig(field="tag.tier", values={"gold": "paying", "free": "free"})}`` a request whose tag
    ``tier`` is ``gold`` belongs to ``paying``; one whose tier is something else has no ``plan``.
    """
    found = {}
    for name, settings in configured.items():
        value = _value(request, settings.field)
        if value is not None and settings.values:
            value = settings.values.get(value, settings.otherwise)
        if value is not None:
            found[name] = value
    return msgspec.structs.replace(request, groups={**found, **request.groups}) if found else request


def _value(request: RequestLog, field: str) -> str | None:
    kind, dot, name = field.partition(".")
    if dot:
        return (request.tags if kind == "tag" else request.groups).get(name)
    value = getattr(request, field)
    return None if value is None else str(value)
