"""House-made formats without code: where a row keeps each of llmmon's fields, written in llmmon.toml.

A field is a path (``"response.choices[0].text"``, ``'attributes["gen_ai.request.model"]'``) or a table of

- one of ``path`` (or a list of paths, of which the first that leads to a value counts), ``value`` (a constant) and
  ``template`` (``"{dataset}-{id}"``, paths in braces);
- ``scale``: a number is multiplied by it, so that ``{path = "ttft_s", scale = 1000}`` gives milliseconds;
- ``since``: the path of an earlier time; the field is the milliseconds from there to the time at ``path``;
- ``values``: what a value is called here; one that is not listed stays;
- ``format``: of a time, as ``strptime`` reads it; ``unit``: ``s``, ``ms``, ``us`` or ``ns`` since 1970;
- ``start`` and ``step_s``: for a log without a clock, the time is `start` plus so many seconds times the number found;
- ``when = "ok"``: absent on rows that failed.

``groups`` and ``tags`` are tables of fields, or the path of an object. Times without a zone are UTC.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from llmmon.privacy.keys import master_key
from llmmon.sources.flat_row import FIELDS
from llmmon.sources.mapped_values import Getter, Row, elapsed, moment, number

_OPTIONS: Final = ("path", "value", "template", "scale", "since", "values", "format", "unit", "start", "step_s", "when")
_ORIGINS: Final = ("path", "value", "template")
_KINDS: Final = (
    ("template", str, "text with paths in braces"),
    ("scale", (int, float), "a number"),
    ("since", (str, list), "a path"),
    ("values", Mapping, "a table of names"),
    ("format", str, "text as strptime reads it"),
    ("start", str, "ISO 8601 text"),
    ("step_s", (int, float), "seconds"),
)
_NUMBERS: Final = ("n_input_tokens", "n_output_tokens", "ttft_ms", "latency_ms", "cost_usd", "feedback")
# a name, an index in brackets, or a name that holds dots in brackets and quotes
_STEP: Final = re.compile(r"""(?:^|\.)(?P<name>[^.\[\]"]+)|\[(?P<index>\d+)\]|\["(?P<quoted>[^"]+)"\]""")
_IN_BRACES: Final = re.compile(r"\{([^{}]+)\}")


def compile_mapping(fields: Mapping[str, Any]) -> Callable[[Row, bytes], dict[str, Any]]:
    """Return the function that turns a row and its bytes into llmmon's fields.

    Without ``request_id`` a request is known by the digest of its bytes, keyed when there is a privacy key: the same
    bytes twice are one request.

    Raises
    ------
    ValueError
        Naming the field that is unknown, missing or written wrongly.
    """
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise ValueError(f"fields: no {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
    for name in ("occurred_at", "model"):
        if name not in fields:
            raise ValueError(f"fields: {name} is missing; every request needs one")
    plain: list[tuple[str, Getter]] = []
    when_ok: list[tuple[str, Getter]] = []
    for name, spec in fields.items():
        if name in {"groups", "tags"}:
            plain.append((name, _nested(spec, name)))
            continue
        (when_ok if _waits_for_success(spec, name) else plain).append((name, _getter(spec, name)))

    def apply(row: Row, raw: bytes) -> dict[str, Any]:
        found = {name: get(row) for name, get in plain}
        if found.get("error_type") is None:
            found.update((name, get(row)) for name, get in when_ok)
        if "request_id" not in found:
            master = master_key()
            if master is None:
                found["request_id"] = f"sha256:{hashlib.sha256(raw).hexdigest()[:32]}"
            else:
                found["request_id"] = f"hmac-sha256:{master.identity(raw)}"
        return found

    return apply


def roots(fields: Mapping[str, Any]) -> list[str]:
    """Return the names with which the paths of a mapping begin: all that it reads of a row.

    Examples
    --------
    >>> roots({"model": "model", "tags": {"team": {"path": ["meta.team", "team"]}}, "route": {"value": "help"}})
    ['meta', 'model', 'team']
    """
    found: set[str] = set()
    for name, spec in fields.items():
        if name in {"groups", "tags"} and isinstance(spec, Mapping):
            found.update(roots({f"{name} {key}": item for key, item in spec.items()}))
            continue
        options = {"path": spec} if isinstance(spec, str) else spec
        paths = _IN_BRACES.findall(options.get("template", ""))
        for option in ("path", "since"):
            given = options.get(option, [])
            paths += [given] if isinstance(given, str) else given
        found.update(str(_steps(path, name)[0]) for path in paths)
    return sorted(found)


def _nested(spec: Any, name: str) -> Getter:
    if isinstance(spec, str):
        return _path(spec, name)
    if not isinstance(spec, Mapping):
        raise ValueError(f"fields.{name}: expected a table of fields, such as {{provider = 'provider'}}")
    getters = {key: _getter(item, f"{name}.{key}") for key, item in spec.items()}
    return lambda row: {key: get(row) for key, get in getters.items()}


def _waits_for_success(spec: Any, name: str) -> bool:
    when = spec.get("when") if isinstance(spec, Mapping) else None
    if when not in (None, "ok"):
        raise ValueError(f"fields.{name}.when: expected 'ok', got {when!r}")
    return when == "ok"


def _getter(spec: Any, name: str) -> Getter:
    options: Any = {"path": spec} if isinstance(spec, str) else spec
    if not isinstance(options, Mapping):
        raise ValueError(f"fields.{name}: expected a path or a table, got {spec!r}")
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise ValueError(f"fields.{name}: no option {', '.join(unknown)}; there are: {', '.join(_OPTIONS)}")
    if sum(origin in options for origin in _ORIGINS) != 1:
        raise ValueError(f"fields.{name}: expected one of {', '.join(_ORIGINS)}")
    for option, kind, words in _KINDS:
        if option in options and not isinstance(options[option], kind):
            raise ValueError(f"fields.{name}.{option}: expected {words}, got {options[option]!r}")
    get = _origin(options, name)
    if "values" in options:
        get = _renamed(get, options["values"])
    if "since" in options:
        if name not in _NUMBERS:
            raise ValueError(f"fields.{name}.since: expected at one of {', '.join(_NUMBERS)}")
        get = elapsed(_path(options["since"], name), get, options, name)
    if name == "occurred_at":
        return moment(get, options, name)
    return number(get, float(options.get("scale", 1)), name) if name in _NUMBERS or "scale" in options else get


def _origin(options: Mapping[str, Any], name: str) -> Getter:
    if "value" in options:
        constant = options["value"]
        return lambda _: constant
    if "template" in options:
        parts = _IN_BRACES.split(options["template"])
        paths = [_path(path, name) for path in parts[1::2]]

        def fill(row: Row) -> str | None:
            words = [get(row) for get in paths]
            if any(word is None for word in words):
                return None
            return "".join(
                text + (str(words[index]) if index < len(words) else "") for index, text in enumerate(parts[::2])
            )

        return fill
    return _path(options["path"], name)


def _path(path: Any, name: str) -> Getter:
    if isinstance(path, list):
        getters = [_path(item, name) for item in path]
        return lambda row: next((value for get in getters if (value := get(row)) is not None), None)
    steps = _steps(path, name)
    if len(steps) == 1 and isinstance(steps[0], str):
        key = steps[0]
        return lambda row: _absent_if_empty(row.get(key))

    def walk(row: Row) -> Any:
        value: Any = row
        for step in steps:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else None
            else:
                value = value.get(step) if isinstance(value, Mapping) else None
        return _absent_if_empty(value)

    return walk


def _steps(path: Any, name: str) -> list[str | int]:
    text = path.removeprefix("$").removeprefix(".") if isinstance(path, str) else ""
    steps: list[str | int] = []
    end = 0
    while end < len(text) and (found := _STEP.match(text, end)):
        steps.append(int(found["index"]) if found["index"] else found["name"] or found["quoted"])
        end = found.end()
    if not steps or end < len(text):
        raise ValueError(f"fields.{name}: {path!r} is no path; expected one such as response.choices[0].text")
    return steps


def _absent_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value else value


def _renamed(get: Getter, names: Mapping[str, Any]) -> Getter:
    def rename(row: Row) -> Any:
        value = get(row)
        return None if value is None else names.get(str(value), value)

    return rename
