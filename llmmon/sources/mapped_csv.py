"""CSV of a house-made format, mapped in llmmon.toml."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from llmmon.errors import BadRowError
from llmmon.model import RequestLog
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.files import first_line, read_new_lines
from llmmon.sources.json_text import MAX_LINE_BYTES
from llmmon.sources.mapped_files import MappedFile

csv.field_size_limit(MAX_LINE_BYTES)  # the module's own limit of 128 KiB refuses long prompts


@sources.register("mapped_csv")
@dataclass(frozen=True, kw_only=True, slots=True)
class MappedCsv(MappedFile):
    """CSV with a header line, plain or gzipped, on disk or at any fsspec URL, mapped without code.

    A record is one line. What is kept of a row that cannot be read is the header and the row, so that it can be read
    again later without its file.

    Parameters
    ----------
    path : str
        A file, a glob such as ``logs/*.csv.gz``, or a URL such as ``s3://bucket/logs/*.csv``.
    fields : mapping
        Which column holds each field: its name, or a table as docs/logs.md explains. ``occurred_at`` and ``model`` are
        needed; without ``request_id`` a request is known by the digest of header and row.
    deployment : str or None
        Deployment of every row; without it the mapped one, else the model.
    delimiter : str
        One character.
    """

    plugin_name: ClassVar[str]

    delimiter: str = ","

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1:
            raise ValueError(f"delimiter: expected one character, got {self.delimiter!r}")
        MappedFile.__post_init__(self)

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the rows that were not read before, each behind the header of its file."""
        headers: dict[str, bytes] = {}
        for batch in read_new_lines(self.path, position, max_rows=max_rows, is_whole=_is_whole):
            for path in {row.file for row in batch.rows} - set(headers):
                headers[path] = first_line(path, near=self.path)
            rows = tuple(row._replace(raw=headers[row.file] + b"\n" + row.raw) for row in batch.rows if row.offset > 0)
            if rows:
                yield RawBatch(rows=rows, position=batch.position)

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one row into a request log, or raise `BadRowError`."""
        if len(row.raw) > MAX_LINE_BYTES:  # a row that was cut could look like a whole one
            raise BadRowError("line_too_long", f"longer than {MAX_LINE_BYTES} bytes")
        try:
            # splitlines would also break values at U+2028 and its like
            header, *records = csv.reader(
                row.raw.decode("utf-8-sig").split("\n"), delimiter=self.delimiter, strict=True
            )
        except UnicodeDecodeError as error:
            raise BadRowError("invalid_utf8", f"byte {error.start} of header and row is not UTF-8") from None
        except csv.Error as error:
            raise BadRowError("malformed_csv", f"{error}; expected one record on one line") from None
        if len(records) != 1 or len(records[0]) != len(header):
            n = len(records[0]) if len(records) == 1 else 0
            raise BadRowError("malformed_csv", f"{n} values for the {len(header)} columns of the header")
        if "\0" in "".join(records[0]):
            raise BadRowError("malformed_csv", "a value holds NUL, which is not text")
        return self.request(dict(zip(header, records[0], strict=True)), row.raw, [], source)


def _is_whole(line: bytes) -> bool:  # noqa: ARG001
    # nothing in a row says that it is whole, so one without its line end waits for it
    return False
