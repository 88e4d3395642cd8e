"""Every registered class keeps the rules of its kind: add one, and it is tested here without a further line."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from typing import Any

import pytest

from llmmon.errors import ConfigError
from llmmon.registry import parameters_of
from tests.conformance.examples import ALL, REFUSED, REGISTRIES, build, parameters

JUDGING = [(kind, name) for kind, name in ALL if kind in {"scorers", "metrics"}]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_is_a_frozen_keyword_only_dataclass(kind: str, name: str) -> None:
    """A plug-in is a frozen dataclass with keyword-only fields, and knows its own name."""
    cls = REGISTRIES[kind].get(name)
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(cls))
    assert cls.plugin_name == name


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_parameters_round_trip(kind: str, name: str) -> None:
    """Parameters read from a plug-in are JSON and build an equal plug-in."""
    plugin = build(kind, name)
    read = json.loads(json.dumps(parameters_of(plugin), allow_nan=False))
    again = REGISTRIES[kind].create(name, read, where="here")
    assert parameters_of(again) == parameters_of(plugin)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_docstring_says_what_and_names_every_parameter(kind: str, name: str) -> None:
    """The docstring has a summary line and, where there are fields, a numpydoc section that names each of them."""
    cls = REGISTRIES[kind].get(name)
    text = inspect.getdoc(cls) or ""
    assert text.splitlines()[0].endswith((".", ":")) or "." in text.split("\n\n")[0]
    assert not text.startswith(f"{cls.__name__}(")
    described: set[str] = set()
    if "Parameters\n----------\n" in text:
        section = re.split(r"\n\n\w[^\n]*\n-{3,}\n", text.split("Parameters\n----------\n")[1])[0]
        for line in re.findall(r"^(\w[\w, ]*) : ", section, re.MULTILINE):
            described |= {part.strip() for part in line.split(",")}
    assert {field.name for field in dataclasses.fields(cls) if field.init} == described


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_an_unknown_parameter_is_a_configuration_error(kind: str, name: str) -> None:
    """A misspelt parameter is refused with its place, its name and the names there are."""
    with pytest.raises(ConfigError, match=r"^here: .*'no_such_parameter'"):
        build(kind, name, no_such_parameter=1)


@pytest.mark.parametrize(("kind", "name"), sorted(REFUSED))
def test_a_bad_value_is_a_configuration_error(kind: str, name: str) -> None:
    """A value outside what the docstring allows is refused, naming the parameter."""
    (parameter, _), *_ = REFUSED[kind, name].items()
    with pytest.raises(ConfigError, match=rf"^here: '{name}' refuses its parameters: .*{parameter}"):
        build(kind, name, **REFUSED[kind, name])


@pytest.mark.parametrize(("kind", "name"), JUDGING)
def test_every_checked_parameter_has_a_refused_example(kind: str, name: str) -> None:
    """A scorer or metric that checks its parameters has an example of what it refuses."""
    cls: Any = REGISTRIES[kind].get(name)
    assert not hasattr(cls, "__post_init__") or (kind, name) in REFUSED


@pytest.mark.parametrize(("kind", "name"), JUDGING)
def test_unit_and_direction_are_declared(kind: str, name: str) -> None:
    """Scorers and metrics say their unit and which way is better."""
    cls: Any = REGISTRIES[kind].get(name)
    assert cls.unit
    assert cls.direction in {"lower_is_better", "higher_is_better", "neither"}
    if kind == "scorers":
        assert isinstance(cls.version, int)
    else:
        assert isinstance(cls.needs_reference, bool)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_missing_parameter_is_named(kind: str, name: str) -> None:
    """Every parameter without a default is asked for by name."""
    cls = REGISTRIES[kind].get(name)
    required = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if required:
        with pytest.raises(ConfigError, match=f"needs '{required[0]}'"):
            REGISTRIES[kind].create(name, {}, where="here")
    else:
        assert parameters(kind, name) is not None
        REGISTRIES[kind].create(name, {}, where="here")
