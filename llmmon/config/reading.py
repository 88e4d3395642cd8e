"""Read llmmon.toml and the anchorer's file.

``${NAME}`` is an environment variable, ``${NAME:-value}`` falls back, and ``${here}`` is the folder that the file lies
in.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from llmmon.config.anchorer import AnchorerConfig
from llmmon.config.counterfactual import with_counterfactuals
from llmmon.config.record import Record
from llmmon.config.records import Config
from llmmon.errors import ConfigError
from llmmon.model import digest_of

R = TypeVar("R", bound=Record)


def load_config(path: Path) -> Config:
    """Read and validate llmmon.toml.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was found and what was expected.
    """
    raw = _read(path, "`llmmon init` writes a commented one")
    expanded = with_counterfactuals(_expand(raw, path, ""))
    return _validated(Config, {**expanded, "digest": digest_of(_json_ready(raw)).hex()}, path)


def load_anchorer_config(path: Path) -> AnchorerConfig:
    """Read and validate the anchorer's file.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was found and what was expected.
    """
    return _validated(AnchorerConfig, _expand(_read(path, "docs/auditor.md shows one"), path, ""), path)


def _read(path: Path, help_text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {help_text}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _validated(record: type[R], raw: Mapping[str, Any], path: Path) -> R:
    try:
        return record.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{path}: " + f"\n{path}: ".join(lines)) from None


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; see docs/configuration.md for the keys of this table"
    if problem["type"] == "missing":
        return f"{key}: missing; this key is required"
    message = problem["msg"].removeprefix("Value error, ")
    found = problem.get("input")
    return f"{key}: {message}" + (f", got {found!r}" if isinstance(found, (str, int, float, bool)) else "")


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _expand(value: Any, path: Path, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _expand(item, path, f"{key}.{name}" if key else name) for name, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, path, f"{key}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, fallback = match.groups()
        if name == "here":
            return str(path.resolve().parent)
        found = os.environ.get(name, fallback)
        if found is None:
            raise ConfigError(
                f"{path}: {key}: the environment variable {name} is not set; set it or write ${{{name}:-value}}"
            )
        return found

    return _VARIABLE.sub(replace, value)


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
