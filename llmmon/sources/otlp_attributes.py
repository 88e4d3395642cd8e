"""The attributes of an OpenTelemetry span as one flat dict, whatever convention wrote its messages there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from llmmon.errors import BadRowError
from llmmon.sources import values
from llmmon.sources.json_text import unpacked

Attributes = dict[str, Any]

_MAX_DEPTH: Final = 32
# lists that OpenInference and OpenLLMetry write as one attribute for each item and key
_NUMBERED: Final = re.compile(
    r"(llm\.(?:input|output)_messages|gen_ai\.(?:prompt|completion)|retrieval\.documents)\.(\d{1,6})\."
    r"(?:message\.|document\.)?(.+)"
)
_TEXT_PART: Final = re.compile(r"contents\.(\d{1,6})\.message_content\.text")


def span_attributes(span: Mapping[str, Any], cleaned: list[str]) -> Attributes:
    """Return the attributes of `span`, what its own events say of input and output, and numbered lists put together.

    What an attribute says comes before what an event says.

    Raises
    ------
    BadRowError
        When attributes are not OTLP's lists of keys and typed values, or are nested too deeply.
    """
    found = attributes_of(span.get("attributes"))
    _add_events(found, span.get("events"), cleaned)
    _add_lists(found)
    return found


def attributes_of(listed: Any, depth: int = 0) -> Attributes:
    """Return OTLP's list of keys and typed values as a dict; of a key that occurs twice the last value counts."""
    if listed is None:
        return {}
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and isinstance(one.get("key"), str) for one in listed
    ):
        raise BadRowError("malformed_otlp", "attributes: expected a list of key and value")
    return {one["key"]: _value(one.get("value"), depth) for one in listed}


def _value(typed: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise BadRowError("too_deep", f"attributes: nested more than {_MAX_DEPTH} levels deep")
    if typed is None:
        return None
    kind, found = next(iter(values.mapping(typed, "attributes").items()), (None, None))
    if kind == "intValue" and isinstance(found, str):
        return int(found) if re.fullmatch(r"-?\d{1,20}", found) else found
    if kind == "arrayValue":
        listed = values.mapping(found, "attributes").get("values") or []
        return [_value(one, depth + 1) for one in listed] if isinstance(listed, list) else None
    if kind == "kvlistValue":
        return attributes_of(values.mapping(found, "attributes").get("values"), depth + 1)
    return found


def _add_events(attributes: Attributes, events: Any, cleaned: list[str]) -> None:
    asked, answered = [], []
    for event in events if isinstance(events, list) else ():
        name = values.mapping(event, "events").get("name")
        if not isinstance(name, str) or not (name.startswith("gen_ai.") or name == "exception"):
            continue
        found = attributes_of(event.get("attributes"))
        # some write the body of an event as JSON into one attribute
        content = unpacked(found.get("gen_ai.event.content"), "events", cleaned)
        said = content if isinstance(content, dict) else found
        if name.endswith(".message"):
            asked.append({"role": name.split(".")[1], **said})
        elif name == "gen_ai.choice":
            answered.append({**said, "message": unpacked(said.get("message"), "events", cleaned)})
        else:
            for key, value in found.items():
                attributes.setdefault(key, value)
    if asked:
        attributes.setdefault("gen_ai.input.messages", asked)
    if answered:
        attributes.setdefault("gen_ai.output.messages", {"choices": answered})


def _add_lists(attributes: Attributes) -> None:
    """Put lists that are written as numbered attributes together, each under its own name."""
    listed: dict[str, dict[int, Attributes]] = {}
    for key in [key for key in attributes if key.startswith(("llm.", "gen_ai.", "retrieval."))]:
        found = _NUMBERED.fullmatch(key)
        if found:
            item = listed.setdefault(found[1], {}).setdefault(int(found[2]), {})
            item[found[3]] = attributes[key]
    for name, items in listed.items():
        attributes.setdefault(name, [_item(items[index]) for index in sorted(items)])


def _item(item: Attributes) -> Attributes:
    if "content" in item:
        return item
    parts = sorted((int(found[1]), found[0]) for key in item if (found := _TEXT_PART.fullmatch(key)))
    if parts:
        return {**item, "content": [{"text": item[key]} for _, key in parts]}
    return {**item, "tool_calls": True} if any(key.startswith("tool_calls.") for key in item) else item
