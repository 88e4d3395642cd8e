"""Parquet files of a house-made format, mapped in llmmon.toml.

The position is a number of rows for each file. A file is its inode (its path, where the system has none), when it
changed, and its footer: one that was written anew is another file, one that was renamed is the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Final

from llmmon.errors import SourceUnavailableError
from llmmon.model import RequestLog
from llmmon.sources.base import Position, RawBatch, RawRow, sources, told_cut
from llmmon.sources.files import LogFile, find_files, first_words
from llmmon.sources.json_text import MAX_LINE_BYTES, read_object
from llmmon.sources.mapped_files import MappedFile
from llmmon.sources.mapping import roots

_MAX_BATCH_BYTES: Final = 64 * 2**20
_ROWS_AT_A_TIME: Final = 256
_BUFFER_BYTES: Final = 2**20  # of each column; without it a whole row group would be held
_TAIL_BYTES: Final = 8  # length of the footer and the magic word


@sources.register("mapped_parquet")
@dataclass(frozen=True, kw_only=True, slots=True)
class MappedParquet(MappedFile):
    """Parquet files on disk or at any fsspec URL, mapped without code and read a few hundred rows at a time.

    Only the mapped columns are read. What is kept of a row that cannot be read is these columns as JSON, and its number
    in the file.

    Parameters
    ----------
    path : str
        A file, a glob such as ``logs/*.parquet``, or a URL such as ``s3://bucket/logs/**/*.parquet``.
    fields : mapping
        Which column holds each field: its name, or a table as docs/logs.md explains, with paths into structs and lists.
        ``occurred_at`` and ``model`` are needed; without ``request_id`` a request is known by the digest of its row.
    deployment : str or None
        Deployment of every row; without it the mapped one, else the model.

    Notes
    -----
    NaN is absent, as pandas writes it. Times without a zone are UTC.
    """

    plugin_name: ClassVar[str]

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the rows that were not read before; a file that cannot be read does not keep back the others."""
        before: dict[str, dict[str, Any]] = dict(position["files"]) if position else {}
        now: dict[str, dict[str, Any]] = {}
        problems: list[str] = []
        rows: list[RawRow] = []
        n_bytes = 0

        def batch() -> RawBatch:
            # once every file was looked at, those that are gone are forgotten
            kept = now if done and not problems else {**before, **now}
            return RawBatch(rows=tuple(rows), position={"files": {key: dict(state) for key, state in kept.items()}})

        done = False
        for file in find_files(self.path):
            try:
                with file.open() as stream:
                    key = f"{file.inode}:{file.stamp}:{_footer_digest(stream)}"
                    state = now[key] = {**before.get(key, {"rows": 0}), "file": file.path}
                    for row in _rows(file, stream, roots(self.fields), after=state["rows"]):
                        rows.append(row)
                        state["rows"], n_bytes = row.offset + 1, n_bytes + len(row.raw)
                        if len(rows) == max_rows or n_bytes >= _MAX_BATCH_BYTES:
                            yield batch()
                            rows, n_bytes = [], 0
            except _broken() as error:
                problems.append(
                    f"{file.path}: cannot be read as Parquet ({first_words(error)}); the rows before that were read. "
                    "Check that it may be read, write it again or let its writer finish, then ingest again"
                )
        done = True
        if rows:
            yield batch()
        if problems:
            raise SourceUnavailableError("\n".join(problems))

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one row into a request log, or raise `BadRowError`."""
        found, cleaned = read_object(row.raw)
        return self.request(found, row.raw, list(cleaned), source)


def _broken() -> tuple[type[Exception], ...]:
    import pyarrow

    return (OSError, EOFError, pyarrow.ArrowException)


def _footer_digest(stream: IO[bytes]) -> str:
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL_BYTES))
    tail = stream.read()
    if not tail.endswith(b"PAR1") or len(tail) < _TAIL_BYTES:
        raise OSError("it does not end as a whole Parquet file does")
    stream.seek(max(0, size - _TAIL_BYTES - int.from_bytes(tail[:4], "little")))
    digest = hashlib.sha256(stream.read()).hexdigest()[:16]
    stream.seek(0)
    return digest


def _rows(file: LogFile, stream: IO[bytes], columns: list[str], *, after: int) -> Iterator[RawRow]:
    """Yield the rows from number `after` on, without decoding the row groups before it."""
    from pyarrow import parquet

    opened = parquet.ParquetFile(stream, buffer_size=_BUFFER_BYTES)
    number = 0
    for group in range(opened.num_row_groups):
        n_rows = opened.metadata.row_group(group).num_rows
        if number + n_rows <= after:
            number += n_rows
            continue
        for batch in opened.iter_batches(_ROWS_AT_A_TIME, row_groups=[group], columns=columns):
            skipped = min(max(after - number, 0), batch.num_rows)
            readable = [_readable(column).to_pylist() for column in batch.columns]
            for index in range(skipped, batch.num_rows):
                row = {name: column[index] for name, column in zip(batch.schema.names, readable, strict=True)}
                yield _raw_row(row, file, number + index)
            number += batch.num_rows


def _raw_row(row: dict[str, Any], file: LogFile, number: int) -> RawRow:
    # bytes that are not UTF-8 come out as they went in, and are refused as those of a line of JSON would be
    raw = json.dumps(_json_ready(row), ensure_ascii=False, default=str).encode("utf-8", "surrogateescape")
    if len(raw) <= MAX_LINE_BYTES:
        return RawRow(raw, file.path, number)
    kept = raw[: MAX_LINE_BYTES + 1]
    return RawRow(kept, file.path, number, told_cut(len(raw), len(kept), hashlib.sha256(raw).hexdigest()))


def _json_ready(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(item) for item in value]
    return value


def _readable(column: Any) -> Any:
    """Return a column whose values Python can hold: any bytes in texts, any time in words."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(_readable_type(column.type), safe=False)


def _readable_type(kind: Any) -> Any:
    import pyarrow
    from pyarrow import types

    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pyarrow.large_binary()
    if types.is_temporal(kind) or types.is_decimal(kind):
        return pyarrow.string()
    if types.is_map(kind):
        return pyarrow.map_(_readable_type(kind.key_type), _readable_type(kind.item_type))
    if types.is_list(kind) or types.is_large_list(kind):
        return pyarrow.large_list(_readable_type(kind.value_type))
    if types.is_struct(kind):
        return pyarrow.struct([(part.name, _readable_type(part.type)) for part in kind])
    return kind
