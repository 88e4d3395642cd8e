"""Rows that stand inside one line, cut out byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from llmmon.sources.base import RawRow
from llmmon.sources.json_text import MAX_LINE_BYTES

_MAX_BYTES: Final = 4 * MAX_LINE_BYTES


def enclosed_rows(line: RawRow, found: Iterable[tuple[bytes, bytes, bytes]]) -> list[RawRow]:
    """Return the rows of `line`, each at the offset of its own first byte.

    Parameters
    ----------
    found : iterable of (bytes, bytes, bytes)
        In the order of the line: what a row is prefixed with, the row as it stands in the line, and what follows it.
        The first and the last tell a row what it needs of its line, so that it can be read by itself.

    Returns
    -------
    list of RawRow
        The line itself when its rows would take more than 64 MiB: a large prefix times many rows fills any memory.
    """
    rows: list[RawRow] = []
    n_bytes = at = 0
    for before, row, after in found:
        at = line.raw.index(row, at)
        raw = before + row + after
        n_bytes += len(raw)
        if n_bytes > _MAX_BYTES:
            return [line]
        rows.append(RawRow(raw, line.file, line.offset + at))
        at += len(row)
    return rows
