"""One registry per kind of plug-in: a name leads to a class.

llmmon's own modules are imported first, then entry points of the group ``llmmon.<kind>``, so that another package adds
a plug-in without touching this one. A plug-in is a frozen, keyword-only dataclass whose fields are its parameters.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from llmmon.errors import ConfigError, DuplicatePluginError, UnknownPluginError

T = TypeVar("T")
C = TypeVar("C", bound=type)


class Registry(Generic[T]):
    """Names and classes of one kind of plug-in.

    Parameters
    ----------
    kind : str
        Plural noun, such as ``scorers``: the package under ``llmmon`` and the last part of the entry-point group.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type[T]] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[C], C]:
        """Return a class decorator that gives a class its name in the configuration."""

        def add(cls: C) -> C:
            other = self._classes.get(name)
            if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise DuplicatePluginError(
                    f"{self.kind}: {name!r} is claimed by {other.__module__}.{other.__qualname__} "
                    f"and by {cls.__module__}.{cls.__qualname__}; rename one of them"
                )
            self._classes[name] = cls
            cls.plugin_name = name  # type: ignore[attr-defined]
            return cls

        return add

    def load(self) -> None:
        """Import llmmon's own modules of this kind, then installed entry points; a second call does nothing."""
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(f"llmmon.{self.kind}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
        for point in entry_points(group=f"llmmon.{self.kind}"):
            self.register(point.name)(point.load())

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        self.load()
        return tuple(sorted(self._classes))

    def get(self, name: str) -> type[T]:
        """Return the class called `name`, or raise `UnknownPluginError` listing the names there are."""
        self.load()
        try:
            return self._classes[name]
        except KeyError:
            raise UnknownPluginError(f"{self.kind}: no {name!r}; there are: {', '.join(self.names())}") from None

    def required(self, name: str) -> tuple[str, ...]:
        """Return the parameters without a default of the class called `name`."""
        return tuple(
            field.name
            for field in dataclasses.fields(self.get(name))  # type: ignore[arg-type]
            if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )

    def create(self, name: str, parameters: Mapping[str, Any], *, where: str) -> T:
        """Build a plug-in from its name and parameters.

        Parameters
        ----------
        name : str
            Registered name.
        parameters : mapping
            Values for the plug-in's fields.
        where : str
            Place in the configuration, for error messages.

        Raises
        ------
        UnknownPluginError
            When the name is not registered.
        ConfigError
            When a parameter is unknown, missing, or refused by the plug-in.
        """
        try:
            cls = self.get(name)
        except UnknownPluginError as error:
            raise UnknownPluginError(f"{where}: {error}") from None
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
        unknown = sorted(set(parameters) - set(fields))
        if unknown:
            raise ConfigError(
                f"{where}: {name!r} has no parameter {', '.join(map(repr, unknown))}; "
                f"it takes: {', '.join(fields) or 'none'}"
            )
        missing = [key for key in self.required(name) if key not in parameters]
        if missing:
            raise ConfigError(f"{where}: {name!r} needs {', '.join(map(repr, missing))}")
        try:
            return cls(**parameters)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {name!r} refuses its parameters: {error}") from error


def parameters_of(plugin: object) -> dict[str, Any]:
    """Return a plug-in's parameters as plain JSON values, in field order."""
    return {
        field.name: _plain(getattr(plugin, field.name))
        for field in dataclasses.fields(plugin)  # type: ignore[arg-type]
        if field.init
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_plain(item) for item in value]
        return sorted(items) if isinstance(value, (set, frozenset)) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
