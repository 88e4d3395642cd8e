"""Values of JSON into the types of a request log; what cannot be one is refused with a code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from llmmon.errors import BadRowError
from llmmon.model import Document, Message

_MAX_NAME: Final = 512  # names are indexed, and a Postgres index entry holds at most 2,704 bytes
_MAX_COUNT: Final = 2**31 - 1
_MAX_DEPTH: Final = 32
_YEARS: Final = range(2000, 2101)


def name(value: Any, field: str) -> str | None:
    """Return a short text that is grouped and indexed by; numbers become text, empty is absent."""
    if value is None or (type(value) is str and 0 < len(value) <= _MAX_NAME):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    found = text(value, field)
    if found is not None and len(found) > _MAX_NAME:
        raise BadRowError("text_too_long", f"{field}: {len(found)} characters; at most {_MAX_NAME} can be indexed")
    return found or None


def required(value: str | None, field: str) -> str:
    """Return `value`, refusing an absent one."""
    if value is None:
        raise BadRowError(f"missing_{field.rpartition('.')[2]}", f"{field}: missing; every request needs one")
    return value


def text(value: Any, field: str) -> str | None:
    """Return text or None."""
    if value is None or isinstance(value, str):
        return value
    raise _wrong(field, "text", value)


def number(value: Any, field: str, *, low: float = -math.inf) -> float | None:
    """Return a finite number of at least `low`, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(field, "a number", value)
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found) or found < low:
        raise BadRowError("number_out_of_range", f"{field}: expected a finite number" + _at_least(low))
    return found


def count(value: Any, field: str) -> int | None:
    """Return a whole number from 0 that fits an integer column, or None."""
    found = number(value, field, low=0)
    if found is None:
        return None
    if found != int(found):
        raise _wrong(field, "a whole number", value)
    if found > _MAX_COUNT:
        raise BadRowError("number_out_of_range", f"{field}: expected at most {_MAX_COUNT}")
    return int(found)


def moment(value: Any, field: str) -> datetime:
    """Return a UTC time from ISO 8601 text (without a zone it is UTC) or Unix seconds."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        elif value is None:
            raise BadRowError("missing_timestamp", f"{field}: missing; every request needs one")
        else:
            raise _wrong(field, "a time", value)
    except (ValueError, OverflowError, OSError) as error:
        out_of_range = not isinstance(value, str) or "out of range" in str(error)
        code = "time_out_of_range" if out_of_range else "malformed_time"
        raise BadRowError(code, f"{field}: expected ISO 8601 text or Unix seconds, such as 2023-06-27T05:00Z") from None
    if found.year not in _YEARS:
        raise BadRowError("time_out_of_range", f"{field}: the year {found.year} is not in {_YEARS[0]}..{_YEARS[-1]}")
    return found


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    """Return an object, empty when absent."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(field, "an object", value)
    return value


def feedback(value: Any, field: str) -> float | None:
    """Return a number; true is 1 and false is 0."""
    return float(value) if isinstance(value, bool) else number(value, field)


def labels(value: Any, field: str) -> dict[str, str]:
    """Return an object of short texts; numbers and truth values become text, absent ones are left out."""
    found = {}
    for key, item in mapping(value, field).items():
        if isinstance(item, (bool, int, float)):
            item = json.dumps(item)
        label = name(item, f"{field}.{key}")
        if label is not None:
            found[key] = label
    return found


def plain(value: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return `value` when every number in it fits 64 bits and it is not nested too deeply to be stored."""
    _refuse_extremes(value, field, 0)
    return value


def messages(value: Any, field: str) -> tuple[Message, ...]:
    """Return the turns of a conversation; there must be at least one."""
    if value is None or value == []:
        raise BadRowError("missing_messages", f"{field}: missing; every request needs a message")
    if not isinstance(value, list):
        raise _wrong(field, "a list", value)
    found = []
    for turn in value:
        if not isinstance(turn, dict):
            raise _wrong(field, "a list of objects", turn)
        role = required(name(turn.get("role"), f"{field}.role"), f"{field}.role")
        found.append(Message(role=role, content=content(turn.get("content"), f"{field}.content") or ""))
    return tuple(found)


def content(value: Any, field: str) -> str | None:
    """Return a message's text; text parts are joined, any other part stands as its type in brackets."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise _wrong(field, "text or a list of parts", value)
    parts = []
    for part in value:
        if not isinstance(part, dict):
            raise _wrong(field, "a list of parts", part)
        words = part.get("text")
        parts.append(words if isinstance(words, str) else f"[{part.get('type', 'part')}]")
    return "\n".join(parts)


def documents(value: Any, field: str) -> tuple[Document, ...]:
    """Return the pieces of context: a list of texts or of objects with ``content`` and, if known, ``id``."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong(field, "a list", value)
    found = []
    for item in value:
        if isinstance(item, str):
            found.append(Document(content=item))
            continue
        words = text(mapping(item, field).get("content"), f"{field}.content")
        if words is None:
            raise BadRowError("wrong_type", f"{field}: a piece of context without content")
        found.append(Document(content=words, document_id=name(item.get("id"), f"{field}.id")))
    return tuple(found)


def _wrong(field: str, expected: str, value: Any) -> BadRowError:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return BadRowError("wrong_type", f"{field}: expected {expected}, found {kinds.get(type(value), 'a number')}")


def _at_least(low: float) -> str:
    return f" of at least {low:g}" if low > -math.inf else ""


def _refuse_extremes(value: Any, field: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BadRowError("too_deep", f"{field}: nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_extremes(item, field, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _refuse_extremes(item, field, depth + 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise BadRowError("number_out_of_range", f"{field}: a whole number that does not fit 64 bits")
