"""Values as Postgres reads them: JSON as a parameter, fields of COPY's text format, lines onto the wire."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from llmmon.store.statements import statement

_LINES_PER_WRITE: Final = 64
_CHUNKS_PER_READ: Final = 16
_encode = msgspec.json.Encoder().encode


def copy_lines(connection: Connection, name: str, lines: Iterator[str]) -> None:
    """Run the named COPY statement over `lines`, each with its line end, while they are made."""
    # a few lines at a time: each write is a way through psycopg2
    chunks = iter(lambda: "".join(itertools.islice(lines, _LINES_PER_WRITE)).encode(), b"")
    copy_binary(connection, name, chunks)


def copy_binary(connection: Connection, name: str, chunks: Iterator[bytes]) -> None:
    """Run the named COPY statement over bytes while they are made."""
    cursor = connection.connection.cursor()
    try:
        cursor.copy_expert(statement(name), _Stream(chunks))
    finally:
        cursor.close()


def text(value: str | None) -> str:
    """Return a field of text; only these four characters mean something to COPY."""
    if value is None:
        return "\\N"
    if value.isalnum():
        return value
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def number(value: float | None) -> str:
    """Return a field of a number, exactly."""
    return "\\N" if value is None else repr(value)


def jsonb(value: Mapping[str, object]) -> str:
    """Return a field of a JSON object."""
    return _encode(value).decode().replace("\\", "\\\\") if value else "{}"


def json_text(value: Mapping[str, object]) -> str:
    """Return a JSON object as a statement's parameter."""
    return _encode(value).decode()


def array(values: Sequence[str]) -> str:
    """Return a field of an array of text."""
    if not values:
        return "{}"
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return text("{" + ",".join(f'"{value}"' for value in quoted) + "}")


def binary(value: bytes) -> str:
    """Return a field of bytes."""
    return f"\\\\x{value.hex()}"


class _Stream:
    """A file that is written while it is read, so that client and server work at the same time."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, size: int) -> bytes:  # noqa: ARG002  a chunk may be longer than what psycopg2 asks for
        return b"".join(itertools.islice(self._chunks, _CHUNKS_PER_READ))
