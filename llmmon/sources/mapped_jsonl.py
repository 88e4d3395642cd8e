"""JSON lines of a house-made format, mapped in llmmon.toml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from llmmon.model import RequestLog
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.files import read_new_lines
from llmmon.sources.json_text import read_object
from llmmon.sources.mapped_files import MappedFile


@sources.register("mapped_jsonl")
@dataclass(frozen=True, kw_only=True, slots=True)
class MappedJsonl(MappedFile):
    """JSON lines of any shape, plain or gzipped, on disk or at any fsspec URL, mapped without code.

    Parameters
    ----------
    path : str
        A file, a glob such as ``logs/*.jsonl.gz``, or a URL such as ``s3://bucket/logs/*.jsonl``.
    fields : mapping
        Where a line keeps each field: a path, or a table as docs/logs.md explains. ``occurred_at`` and ``model`` are
        needed; without ``request_id`` a request is known by the digest of its line.
    deployment : str or None
        Deployment of every line; without it the mapped one, else the model.
    """

    plugin_name: ClassVar[str]

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the lines that were not read before."""
        return read_new_lines(self.path, position, max_rows=max_rows)

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one line into a request log, or raise `BadRowError`."""
        line, cleaned = read_object(row.raw)
        return self.request(line, row.raw, list(cleaned), source)
