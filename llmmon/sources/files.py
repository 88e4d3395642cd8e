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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

import fsspec

from llmmon.errors import SourceUnavailableError
from llmmon.sources.base import Position, RawBatch, RawRow
from llmmon.sources.json_text import MAX_LINE_BYTES, is_object

_log = logging.getLogger(__name__)
_MAX_BATCH_BYTES: Final = 64 * 2**20
_FIRST_LINE_BYTES: Final = 2**16
_LONGEST: Final = MAX_LINE_BYTES + 2
_NOT_READ: Final = {"offset": 0, "stamp": ""}
_GZIP: Final = b"\x1f\x8b"
_BROKEN: Final = (EOFError, gzip.BadGzipFile, zlib.error)
_State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    stamp: str
    inode: str
    system: Any

    def open(self) -> IO[bytes]:
        stream: IO[bytes] = self.system.open(self.path, "rb")
        magic = stream.read(2)
        stream.seek(0)
        if magic != _GZIP:
            return stream
        # no buffer around it: one would lose what was unpacked before a cut
        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[return-value]


def read_new_lines(path: str, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
    """Yield the lines after `position` of every file that `path` names, in order of file name.

    Blank lines are no rows. The last line of a file counts without its line end when it is a whole JSON object, and
    waits for the rest otherwise. When a file cannot be read to its end, what comes before is yielded, the other files
    are read, and then the error is raised.

    Parameters
    ----------
    path : str
        File, glob or fsspec URL.
    position : mapping or None
        From the last batch loaded.
    max_rows : int
        Rows in a batch at most; a batch also ends after 64 MiB.

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
    for file in _find(path):
        try:
            generation = _generation(file)
            if generation is None:
                continue
            state = now[generation] = {**before.get(generation, _NOT_READ), "file": file.path}
            if state["stamp"] == file.stamp:
                continue
            for row, offset in _lines(file, state):
                state.update(offset=offset, row_at=row.offset, row_digest=_short(row.raw))
                rows.append(row)
                n_bytes += len(row.raw)
                if len(rows) == max_rows or n_bytes >= _MAX_BATCH_BYTES:
                    yield _batch(rows, {**before, **now})
                    rows, n_bytes = [], 0
            state["stamp"] = file.stamp
        except _BROKEN as error:
            problems.append(
                f"{file.path}: the gzip stream is broken or cut short ({_say(error)}); the whole lines before that "
                "were read. Write the file again or let its writer finish, then ingest again"
            )
        except OSError as error:
            problems.append(f"{file.path}: cannot be read ({_say(error)}); check that it exists and may be read")
    if rows:
        # every file was looked at: generations whose files are gone are forgotten
        yield _batch(rows, {**before, **now} if problems else now)
    if problems:
        raise SourceUnavailableError("\n".join(problems))


def _batch(rows: list[RawRow], files: dict[str, _State]) -> RawBatch:
    return RawBatch(rows=tuple(rows), position={"files": {key: dict(state) for key, state in files.items()}})


def _find(path: str) -> list[_File]:
    try:
        system, root = fsspec.core.url_to_fs(path)
        system.invalidate_cache()
        names = [root] if system.exists(root) else sorted(system.glob(root))
        details = [(name, system.info(name)) for name in names]
    except (ImportError, ValueError) as error:
        raise SourceUnavailableError(f"{path}: cannot be opened ({_say(error)}); expected a path or a URL") from error
    except OSError as error:
        raise SourceUnavailableError(
            f"{path}: cannot be read ({_say(error)}); check the path and its rights"
        ) from error
    files = [
        _File(path=name, stamp=_stamp(info), inode=str(info.get("ino", name)), system=system)
        for name, info in details
        if info.get("type") != "directory"
    ]
    if files:
        return files
    if details:
        raise SourceUnavailableError(f"{path}: is a directory; expected a file or a glob such as {path}/*.jsonl")
    raise SourceUnavailableError(f"{path}: no such file; check `path` of this source, or wait for the first log")


def _generation(file: _File) -> str | None:
    with file.open() as stream:
        first = stream.readline(_FIRST_LINE_BYTES)
    if not first.strip():
        return None
    return f"{file.inode}:{_short(first.rstrip())}"


def _lines(file: _File, state: _State) -> Iterator[tuple[RawRow, int]]:
    """Yield each row behind the state with the offset behind it."""
    with file.open() as stream:
        offset = int(state["offset"])
        if offset:
            stream.seek(state["row_at"])
            if _short(stream.readline(_LONGEST).rstrip(b"\r\n")) != state["row_digest"]:
                _log.warning("%s: truncated or rewritten since it was last read; it is read from the start", file.path)
                offset = 0
        stream.seek(offset)
        while line := stream.readline(_LONGEST):
            here, offset = offset, offset + len(line)
            whole = line.endswith(b"\n")
            if not whole and len(line) > MAX_LINE_BYTES:
                while rest := stream.readline(MAX_LINE_BYTES):
                    offset += len(rest)
                    if rest.endswith(b"\n"):
                        break
            elif not whole and not is_object(line):
                _log.warning("%s: the last line, at byte %d, is not finished; it waits for its end", file.path, here)
                return
            raw = line.rstrip(b"\r\n")
            if raw.strip():
                yield RawRow(raw=raw, file=file.path, offset=here), offset


def _stamp(info: Mapping[str, Any]) -> str:
    changed = info.get("mtime") or info.get("ETag") or info.get("LastModified") or ""
    return f"{info.get('size')}:{changed}"


def _short(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _say(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
