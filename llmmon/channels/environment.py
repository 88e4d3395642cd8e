"""Connections from the environment: ``AIRFLOW_CONN_<NAME>``, the same variable that Airflow reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from llmmon.channels.base import Connection
from llmmon.errors import ConfigError


def connection_from_environment(name: str) -> Connection:
    """Return the connection called `name` from ``AIRFLOW_CONN_<NAME>``, written as JSON or as a URI.

    Raises
    ------
    ConfigError
        When the variable is not set or is neither; the message never repeats its value, which holds a secret.
    """
    variable = f"AIRFLOW_CONN_{name.upper()}"
    text = os.environ.get(variable, "").strip()
    if not text:
        raise ConfigError(
            f"connection {name!r}: the environment variable {variable} is not set; set it to JSON such as "
            '{"conn_type": "smtp", "host": "mail.example.com", "port": 587} or to a URI'
        )
    try:
        fields = _from_json(text) if text.startswith("{") else _from_uri(text)
        return Connection(**fields)
    except (ValueError, TypeError, AttributeError):
        # the cause would quote the secret
        raise ConfigError(
            f"connection {name!r}: {variable} cannot be read; expected a JSON object with host, port, schema, login, "
            "password and extra, or a URI type://login:password@host:port/schema?key=value"
        ) from None


def _from_json(text: str) -> dict[str, Any]:
    given = json.loads(text)
    port, extra = given.get("port"), given.get("extra") or {}
    return {
        **{key: _text(given.get(key)) for key in ("host", "schema", "login", "password")},
        "port": None if port in (None, "") else int(port),
        "extra": _mapping(json.loads(extra) if isinstance(extra, str) else extra),
    }


def _from_uri(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if not parts.scheme or "://" not in text:
        raise ValueError("not a URI")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra = query.pop("__extra__", None)
    return {
        "host": None if parts.hostname is None else unquote(parts.hostname),
        "port": parts.port,
        "schema": unquote(parts.path.removeprefix("/")) or None,
        "login": None if parts.username is None else unquote(parts.username),
        "password": None if parts.password is None else unquote(parts.password),
        "extra": _mapping(json.loads(extra)) if extra else query,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("extra is not a mapping")
    return value
