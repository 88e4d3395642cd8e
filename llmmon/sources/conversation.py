"""What a log calls input and output, in any of the common shapes, into turns and an answer.

The shapes are those of OpenAI's chat, completions and Responses APIs, of the parts of OpenTelemetry and Gemini, plain
text, and any of these as JSON in a text. What has none of these shapes is kept as its JSON text: a model that answers
in JSON has answered so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from llmmon.errors import BadRowError
from llmmon.sources.json_text import unpacked

_INPUTS: Final = ("messages", "contents", "input")
_OUTPUTS: Final = ("choices", "candidates", "output", "messages")
_WORDS: Final = ("text", "content", "refusal")
_FINISH_REASONS: Final = ("finish_reason", "finishReason", "stop_reason")


def read_exchange(found: Mapping[str, Any], cleaned: list[str]) -> dict[str, Any]:
    """Return `found` with ``messages`` as a list of role and content, and ``response_text`` as a text.

    An absent or empty input or output is absent. A finish reason that only the answer tells is taken from there.

    Parameters
    ----------
    found : mapping
        Values by llmmon's field names.
    cleaned : list of str
        Paths at which text was changed because Postgres refuses it; those found here are added.

    Raises
    ------
    BadRowError
        When input or output is nested too deeply to be read.
    """
    shaped = dict(found)
    shaped["messages"] = turns(_unpacked(found.get("messages"), "messages", cleaned))
    output = _unpacked(found.get("response_text"), "response_text", cleaned)
    choice = _first_answer(output)
    shaped["response_text"] = _text(choice) if choice is not None else _plain(output)
    if found.get("finish_reason") is None and choice is not None:
        told = [choice.get(key) for key in _FINISH_REASONS]
        shaped["finish_reason"] = next((reason for reason in told if isinstance(reason, str)), None)
    return shaped


def turns(value: Any, *, role: str = "user") -> list[dict[str, str]] | None:
    """Return a conversation as dicts of role and content, oldest turn first; None when there is no turn.

    What is no message is one turn of `role`.

    Examples
    --------
    >>> turns({"messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]})
    [{'role': 'user', 'content': 'Hi'}]
    >>> turns("Hi")
    [{'role': 'user', 'content': 'Hi'}]
    """
    listed = _listed(value, _INPUTS)
    if listed is not None:
        return [{"role": _role(turn), "content": _text(turn) or ""} for turn in listed]
    words = _plain(value)
    return None if words is None else [{"role": role, "content": words}]


def _first_answer(output: Any) -> Mapping[str, Any] | None:
    """Return the first of the messages in `output` that says something; None when there are no messages."""
    listed = _listed(output, _OUTPUTS)
    if listed is None:
        return None
    # the question may stand before the answer, and so may a step of reasoning
    answers = [one for one in listed if _role(one) not in {"user", "system"} or "role" not in _message(one)]
    return next((one for one in answers if _text(one)), (answers or listed)[0])


def _listed(value: Any, envelopes: tuple[str, ...]) -> list[Mapping[str, Any]] | None:
    """Return the messages of a message, a list of them or an envelope around one; None when `value` is neither."""
    if isinstance(value, Mapping):
        if _is_message(value):
            return [value]
        inside = (value[key] for key in envelopes if isinstance(value.get(key), list) and value[key])
        return next((found for found in inside if all(isinstance(one, Mapping) for one in found)), None)
    if isinstance(value, list) and value and all(_is_message(one) for one in value):
        return value
    return None


def _is_message(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return isinstance(value.get("role"), str) or isinstance(value.get("message"), Mapping) or "parts" in value


def _message(value: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("message", "content"):  # as a choice of OpenAI, as a candidate of Gemini
        if isinstance(value.get(key), Mapping) and _is_message(value[key]):
            return value[key]  # type: ignore[no-any-return]
    return value


def _role(value: Mapping[str, Any]) -> str:
    role = _message(value).get("role")
    return role if isinstance(role, str) and role else "user"


def _text(value: Mapping[str, Any]) -> str | None:
    """Return the words of a message; a part without words stands as its type in brackets."""
    message = _message(value)
    for key in (*_WORDS, "parts"):
        inside = message.get(key)
        if isinstance(inside, list):
            words = [_part(part) for part in inside]
            if words:
                return "\n".join(words)
        elif inside is not None and inside != "":
            return inside if isinstance(inside, str) else _part(inside)
    return "[tool_call]" if message.get("tool_calls") or message.get("function_call") else None


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return _json(part)
    words = next((part[key] for key in _WORDS if isinstance(part.get(key), str)), None)
    return words if words is not None else f"[{part.get('type', 'part')}]"


def _plain(value: Any) -> str | None:
    if value is None or value in ("", [], {}):
        return None
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise BadRowError("too_deep", "the input or output is nested too deeply to be read") from None


def _unpacked(value: Any, field: str, cleaned: list[str]) -> Any:
    """Return the messages that a text holds as JSON, else the value as it is."""
    changed: list[str] = []
    found = unpacked(value, field, changed)
    if found is value or (_listed(found, (*_INPUTS, *_OUTPUTS)) is None and found not in ([], {})):
        return value
    cleaned += changed
    return found
