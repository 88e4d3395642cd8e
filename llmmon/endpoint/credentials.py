"""The key of an endpoint, by the name of an Airflow connection; a key is never written to configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import unquote, urlsplit

from llmmon.errors import BackendUnavailableError

Resolve = Callable[[str], str | None]
"""Gives the key of a connection by its name; None where the connection has no password."""


def key_from_environment(name: str) -> str | None:
    """Return the password of the connection in ``AIRFLOW_CONN_<NAME>``, written as JSON or as a URI.

    Raises
    ------
    BackendUnavailableError
        When the variable is not set or cannot be read; its content is not repeated.
    """
    variable = f"AIRFLOW_CONN_{name.upper()}"
    text = os.environ.get(variable, "").strip()
    if not text:
        raise BackendUnavailableError(
            f"connection {name!r} is not known: set {variable}, add it in Airflow, or leave `connection` out"
        )
    try:
        if text.startswith("{"):
            password = json.loads(text).get("password")
            return str(password) if password else None
        found = urlsplit(text).password
    except ValueError as error:
        raise BackendUnavailableError(
            f"{variable} is neither a JSON object nor a URI such as http://:KEY@host; write it again"
        ) from error
    return unquote(found) if found else None


_resolve: ContextVar[Resolve] = ContextVar("resolve", default=key_from_environment)


def api_key(name: str) -> str | None:
    """Return the key of connection `name` by the resolver in force."""
    return _resolve.get()(name)


@contextmanager
def resolving(resolve: Resolve | None) -> Iterator[None]:
    """Let `resolve` give the keys inside the block; None keeps the resolver in force."""
    if resolve is None:
        yield
        return
    token = _resolve.set(resolve)
    try:
        yield
    finally:
        _resolve.reset(token)
