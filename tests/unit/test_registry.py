"""Registries: names lead to classes, and mistakes are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from llmmon.errors import ConfigError, DuplicatePluginError, UnknownPluginError
from llmmon.registry import Registry, parameters_of


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A plug-in for the tests."""

    size: int
    names: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size is negative, expected 0 or more")


@pytest.fixture
def registry() -> Registry[Knob]:
    """Return a registry of a kind that exists, with one plug-in of the test's own."""
    registry: Registry[Knob] = Registry("detectors")
    registry.register("knob")(Knob)
    return registry


def test_create_builds_what_parameters_of_describes(registry: Registry[Knob]) -> None:
    """Parameters survive the way to JSON and back."""
    knob = registry.create("knob", {"size": 3, "names": ("a", "b")}, where="here")

    assert parameters_of(knob) == {"size": 3, "names": ["a", "b"], "extra": {}}


def test_an_unknown_name_lists_what_there_is(registry: Registry[Knob]) -> None:
    """The error of a misspelt name shows the right ones."""
    with pytest.raises(UnknownPluginError, match=r"no 'knop'; there are: .*knob"):
        registry.get("knop")


def test_two_classes_cannot_share_a_name(registry: Registry[Knob]) -> None:
    """A second class of the same name is refused."""

    class Other:
        """Claims a name that is taken."""

    with pytest.raises(DuplicatePluginError, match="'knob' is claimed by"):
        registry.register("knob")(Other)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"size": 1, "colour": 2}, "here: 'knob' has no parameter 'colour'; it takes: size, names, extra"),
        ({}, "here: 'knob' needs 'size'"),
        ({"size": -1}, "here: 'knob' refuses its parameters: size is negative"),
    ],
)
def test_wrong_parameters_name_the_place(registry: Registry[Knob], parameters: dict[str, Any], expected: str) -> None:
    """Unknown, missing and refused parameters are configuration errors that name their place."""
    with pytest.raises(ConfigError, match=expected):
        registry.create("knob", parameters, where="here")
