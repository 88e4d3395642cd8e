"""Read a team's reference texts: files of a folder, or rows of a Postgres query."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from llmmon.config import FactsConfig
from llmmon.errors import BadRowError, SourceUnavailableError
from llmmon.sources.json_text import read_object

_KINDS: Final = (".txt", ".md", ".jsonl")
_AT_A_TIME: Final = 500


class FactDocument(NamedTuple):
    """One reference text: what it is called, and what it says."""

    name: str
    content: str


def fact_documents(settings: FactsConfig, *, facts: str) -> Iterator[FactDocument]:
    """Yield the texts that `settings` names, in the order of their names.

    A ``.txt`` or ``.md`` file is one document, called by its path below the folder; a line of a ``.jsonl`` file is one,
    ``{"id": .., "text": ..}``, called ``path#id``. Of a query the first column is the name and the second the text.

    Raises
    ------
    SourceUnavailableError
        When the folder, a file, a line or the query cannot be read, or two documents have one name: facts are indexed
        whole or not at all.
    """
    seen: set[str] = set()
    for document in _of_folder(settings.path, facts) if settings.path is not None else _of_query(settings, facts):
        if document.name in seen:
            raise SourceUnavailableError(f"facts {facts}: two documents are called {document.name!r}; give each its id")
        seen.add(document.name)
        yield document._replace(content=document.content.replace("\0", "\ufffd"))


def _of_folder(path: str, facts: str) -> Iterator[FactDocument]:
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(path)
        system.invalidate_cache()
        names = sorted(name for name in system.find(root) if PurePosixPath(name).suffix in _KINDS)
    except (ImportError, ValueError, OSError) as error:
        raise SourceUnavailableError(f"facts {facts}: {path} cannot be read: {error}") from error
    if not names:
        raise SourceUnavailableError(f"facts {facts}: {path} has no {', '.join(_KINDS)} file; check `path`")
    for name in names:
        below = name.removeprefix(root).lstrip("/") or PurePosixPath(name).name
        try:
            raw: bytes = system.cat_file(name)
            if name.endswith(".jsonl"):
                yield from _of_lines(raw, below)
            else:
                yield FactDocument(below, raw.decode("utf-8-sig"))
        except (OSError, UnicodeDecodeError, BadRowError) as error:
            raise SourceUnavailableError(f"facts {facts}: {below}: {error}") from error


def _of_lines(raw: bytes, name: str) -> Iterator[FactDocument]:
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        found, _ = read_object(line)
        if not isinstance(found.get("text"), str):
            raise BadRowError("no_text", f"line {number} has no text; expected {{'id': .., 'text': '..'}}")
        yield FactDocument(f"{name}#{found.get('id', number)}", found["text"])


def _of_query(settings: FactsConfig, facts: str) -> Iterator[FactDocument]:
    import psycopg2

    url = os.environ.get(settings.url_env or "")
    if not url:
        raise SourceUnavailableError(
            f"facts {facts}: the environment variable {settings.url_env} is not set; "
            "set it to postgresql://user:password@host:port/name"
        )
    try:
        with closing(psycopg2.connect(url, connect_timeout=10)) as connection:
            connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
            with connection.cursor(name="llmmon_facts") as cursor:
                cursor.itersize = _AT_A_TIME
                cursor.execute(settings.query)
                rows: Iterator[tuple[Any, ...]] = iter(cursor)
                for row in rows:
                    if len(row) != 2 or None in row:
                        raise SourceUnavailableError(
                            f"facts {facts}: the query gave {row!r:.80}; expected two columns, name and text, not null"
                        )
                    yield FactDocument(str(row[0]), str(row[1]))
    except psycopg2.Error as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceUnavailableError(
            f"facts {facts}: {reason}; check the query, the URL in {settings.url_env} and that its user may SELECT"
        ) from error
