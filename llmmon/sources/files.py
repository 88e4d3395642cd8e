"""New lines of files that grow, rotate, are replaced, torn, gzipped or cut short.

The position remembers, for each generation of a file, the byte offset reached in the unpacked stream. A generation is
the file's inode (its path, where the system has none) and the digest of its first line: a rotated file keeps it under
its new name, a replaced one starts anew. Before reading on, the last row read is read again: when it is no longer
there, the file was truncated or rewritten and is read from the start. Rows that come twice count once in the store.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

import fsspec

from llmmon.errors import SourceUnavailableError
from llmmon.sources.base import Position, RawBatch, RawRow, told_cut
from llmmon.sources.json_text import MAX_LINE_BYTES, is_whole

_log = logging.getLogger(__name__)
_MAX_BATCH_BYTES: Final = 64 * 2**20
_FIRST_LINE_BYTES: Final = 2**16
_CHUNK_BYTES: Final = 2**20
_LONGEST: Final = MAX_LINE_BYTES + 2
_NOT_READ: Final = {"offset": 0, "stamp": ""}
_GZIP: Final = b"\x1f\x8b"
_BROKEN: Final = (EOFError, gzip.BadGzipFile, zlib.error)
_State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of any file system: where it lies, when it changed, and which file it is under any name."""

    path: str
    stamp: str
    inode: str
    system: Any

    def open(self) -> IO[bytes]:
        """Open the file, unpacked when it is gzip."""
        stream: IO[bytes] = self.system.open(self.path, "rb")
        magic = stream.read(2)
        stream.seek(0)
        if magic != _GZIP:
            return stream
        # no buffer around it: one would lose what was unpacked before a cut
        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[return-value]


def _one_row(line: RawRow) -> Iterable[RawRow]:
    return (line,)


def read_new_lines(
    path: str,
    position: Position | None,
    *,
    max_rows: int,
    is_whole: Callable[[bytes], bool] = is_whole,
    rows_of: Callable[[RawRow], Iterable[RawRow]] = _one_row,
) -> Iterator[RawBatch]:
    """Yield the lines after `position` of every file that `path` names, in order of file name.

    Blank lines are no rows. The last line of a file counts without its line end when it is whole, and waits for the
    rest otherwise. When a file cannot be read to its end, what comes before is yielded, the other files
    are read, and then the error is raised.

    Parameters
    ----------
    path : str
        File, glob or fsspec URL.
    position : mapping or None
        From the last batch loaded.
    max_rows : int
        Rows in a batch at most; a batch also ends after 64 MiB.
    is_whole : callable
        Whether a last line without its line end is complete, as a JSON object or list is and its beginning never is.
    rows_of : callable
        The rows that one line holds; they stay together in a batch.

    Raises
    ------
    SourceUnavailableError
        Naming the file, what is wrong and what to do.
    """
    before: dict[str, _State] = dict(position["files"]) if position else {}
    now: dict[str, _State] = {}
    problems: list[str] = []
    rows: list[RawRow] = []
    n_bytes = 0
    for file in find_files(path):
        try:
            generation = _generation(file)
            if generation is None:
                continue
            state = now[generation] = {**before.get(generation, _NOT_READ), "file": file.path}
            if state["stamp"] == file.stamp:
                continue
            last: tuple[RawRow, int] | None = None
            try:
                for last in _lines(file, state, is_whole):
                    for row in rows_of(last[0]):
                        rows.append(row)
                        n_bytes += len(row.raw)
                    if len(rows) >= max_rows or n_bytes >= _MAX_BATCH_BYTES:
                        _move(state, *last)
                        yield _batch(rows, {**before, **now})
                        rows, n_bytes = [], 0
            finally:
                if last is not None:
                    _move(state, *last)
            state["stamp"] = file.stamp
        except _BROKEN as error:
            problems.append(
                f"{file.path}: the gzip stream is broken or cut short ({first_words(error)}); the whole lines before "
                "that were read. Write the file again or let its writer finish, then ingest again"
            )
        except OSError as error:
            problems.append(f"{file.path}: cannot be read ({first_words(error)}); check that it exists and may be read")
    if rows:
        # every file was looked at: generations whose files are gone are forgotten
        yield _batch(rows, {**before, **now} if problems else now)
    if problems:
        raise SourceUnavailableError("\n".join(problems))


def first_line(path: str, *, near: str) -> bytes:
    """Return the first line of a file that `read_new_lines` found for the path `near`, without its line end."""
    system, _ = fsspec.core.url_to_fs(near)
    with LogFile(path=path, stamp="", inode="", system=system).open() as stream:
        return stream.readline(_FIRST_LINE_BYTES).rstrip(b"\r\n")


def _move(state: _State, row: RawRow, offset: int) -> None:
    state.update(offset=offset, row_at=row.offset, row_digest=_short(row.raw))


def _batch(rows: list[RawRow], files: dict[str, _State]) -> RawBatch:
    return RawBatch(rows=tuple(rows), position={"files": {key: dict(state) for key, state in files.items()}})


def find_files(path: str) -> list[LogFile]:
    """Return the files that `path` names, in order of their names.

    Raises
    ------
    SourceUnavailableError
        When there is none, or `path` cannot be looked up.
    """
    try:
        system, root = fsspec.core.url_to_fs(path)
        system.invalidate_cache()
        names = [root] if system.exists(root) else sorted(system.glob(root))
        details = [(name, system.info(name)) for name in names]
    except (ImportError, ValueError) as error:
        raise SourceUnavailableError(
            f"{path}: cannot be opened ({first_words(error)}); expected a path or a URL"
        ) from error
    except OSError as error:
        raise SourceUnavailableError(
            f"{path}: cannot be read ({first_words(error)}); check the path and its rights"
        ) from error
    files = [
        LogFile(path=name, stamp=_stamp(info), inode=str(info.get("ino", name)), system=system)
        for name, info in details
        if info.get("type") != "directory"
    ]
    if files:
        return files
    if details:
        raise SourceUnavailableError(f"{path}: is a directory; expected a file or a glob such as {path}/*.jsonl")
    raise SourceUnavailableError(f"{path}: no such file; check `path` of this source, or wait for the first log")


def _generation(file: LogFile) -> str | None:
    with file.open() as stream:
        first = stream.readline(_FIRST_LINE_BYTES)
    if not first.strip():
        return None
    return f"{file.inode}:{_short(first.rstrip())}"


def _lines(file: LogFile, state: _State, is_whole: Callable[[bytes], bool]) -> Iterator[tuple[RawRow, int]]:
    """Yield each row behind the state with the offset behind it."""
    with file.open() as stream:
        offset = int(state["offset"])
        if offset:
            stream.seek(state["row_at"])
            if _short(stream.readline(_LONGEST).rstrip(b"\r\n")) != state["row_digest"]:
                _log.warning("%s: truncated or rewritten since it was last read; it is read from the start", file.path)
                offset = 0
        stream.seek(offset)
        # of a gzip file that breaks off, read1 gives what was unpacked before the cut
        read = stream.read1 if isinstance(stream, gzip.GzipFile) else stream.read
        rest, chunk = b"", read(_CHUNK_BYTES)
        while chunk:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                here, offset = offset, offset + len(line) + 1
                raw = line.rstrip(b"\r")
                if raw and not raw.isspace():
                    yield RawRow(raw, file.path, here), offset
            if len(rest) > MAX_LINE_BYTES:
                row, chunk, offset = _too_long(read, file, rest, offset)
                rest = b""
                yield row, offset
            else:
                chunk = b""
            chunk = chunk or read(_CHUNK_BYTES)
        if not rest or rest.isspace():
            return
        if is_whole(rest):
            yield RawRow(rest.rstrip(b"\r"), file.path, offset), offset + len(rest)
        else:
            _log.warning("%s: the last line, at byte %d, is not finished; it waits for its end", file.path, offset)


def _too_long(read: Callable[[int], bytes], file: LogFile, start: bytes, offset: int) -> tuple[RawRow, bytes, int]:
    """Return the beginning of a line that is too long to be held, what follows it, and the offset of that."""
    digest, n_bytes, end, rest = hashlib.sha256(start), len(start), b"", b""
    while not end and (chunk := read(_CHUNK_BYTES)):
        head, end, rest = chunk.partition(b"\n")
        digest.update(head)
        n_bytes += len(head)
    cut = told_cut(n_bytes, len(start), digest.hexdigest())
    return RawRow(start, file.path, offset, cut), rest, offset + n_bytes + len(end)


def _stamp(info: Mapping[str, Any]) -> str:
    changed = info.get("mtime") or info.get("ETag") or info.get("LastModified") or ""
    return f"{info.get('size')}:{changed}"


def _short(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def first_words(error: BaseException) -> str:
    """Return the first line of what an error says, else its kind."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
