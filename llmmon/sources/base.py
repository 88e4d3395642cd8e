"""What a source of request logs is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from llmmon.model import RequestLog
from llmmon.registry import Registry

Position = Mapping[str, Any]
"""Where reading stopped, as JSON: file generations and byte offsets, or the last key of a table."""


class RawRow(NamedTuple):
    """One line or row, byte for byte as it was found.

    Parameters
    ----------
    raw : bytes
        The line without its line end, or a table row as JSON.
    file : str
        File or table it was found in.
    offset : int
        Byte offset in the (unpacked) file, or ordinal in the file of rows or the table.
    cut : str
        When the line is too long to be held and `raw` is only its beginning: its size and digest, in words.
    """

    raw: bytes
    file: str
    offset: int
    cut: str = ""


def told_cut(n_bytes: int, n_kept: int, sha256: str) -> str:
    """Return the words for a row of which only the beginning is kept."""
    return f"the row has {n_bytes} bytes, of which the first {n_kept} are kept; SHA-256 {sha256}"


@dataclass(frozen=True, slots=True)
class RawBatch:
    """A bounded number of rows and the position to store once they are loaded."""

    rows: tuple[RawRow, ...]
    position: Position


class Source(Protocol):
    """Reads request logs incrementally; the loader owns the position."""

    plugin_name: ClassVar[str]

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield what came after `position` (None: from the beginning), at most `max_rows` rows in a batch.

        Where one line holds many rows, a batch ends with the line that reaches `max_rows`.

        Raises
        ------
        SourceUnavailableError
            When the file, bucket or table cannot be read.
        """
        ...

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one row into a request log.

        Raises
        ------
        NotARequestError
            When the row records something else; it is counted by kind and passed over.
        BadRowError
            When the row cannot be one; it is quarantined with the reason.
        """
        ...


sources: Registry[Source] = Registry("sources")
