"""Rows that stand inside one line, cut out byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from llmmon.sources.base import RawRow
from llmmon.sources.json_text import BOM, MAX_LINE_BYTES

T = TypeVar("T")

_MAX_BYTES: Final = 4 * MAX_LINE_BYTES
_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def enclosed_rows(
    line: RawRow,
    decode: Callable[[bytes], T],
    rows_of: Callable[[T], Iterable[tuple[bytes, bytes, bytes]] | None],
) -> list[RawRow]:
    """Return the rows of `line`, each at the offset of its own first byte.

    Parameters
    ----------
    decode : callable
        Finds the rows; raises `msgspec.MsgspecError` when the line has another shape.
    rows_of : callable
        From what `decode` gave, in the order of the line: what a row is prefixed with, the row as it stands in the
        line, and what follows it. The first and the last tell a row what it needs of its line, so that it can be read
        by itself. None when the line is a row itself.

    Returns
    -------
    list of RawRow
        The line itself when it cannot be cut, and when its rows would take more than 64 MiB: a large prefix times many
        rows fills any memory.
    """
    shaped = line.raw.replace(BOM, b"   ", 1) if line.raw.startswith(BOM) else line.raw
    try:
        try:
            found = decode(shaped)
        except msgspec.DecodeError:  # msgspec refuses lone surrogates, which real logs contain
            shaped = _LONE_SURROGATE.sub(rb"\\ufffd", shaped)
            found = decode(shaped)
    except (msgspec.MsgspecError, RecursionError):
        return [line]
    cuts = rows_of(found)
    if cuts is None:
        return [line]
    rows: list[RawRow] = []
    n_bytes = at = 0
    for before, row, after in cuts:
        start = shaped.index(row, at)
        at = start + len(row)
        raw = before + line.raw[start:at] + after
        n_bytes += len(raw)
        if n_bytes > _MAX_BYTES:
            return [line]
        rows.append(RawRow(raw, line.file, line.offset + start))
    return rows
