"""Request logs in a table, a view or a query of the team's own Postgres."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from llmmon.errors import SourceUnavailableError
from llmmon.model import RequestLog
from llmmon.sources.base import Position, RawBatch, RawRow, sources, told_cut
from llmmon.sources.flat_row import REQUIRED, request_of
from llmmon.sources.json_text import MAX_LINE_BYTES, read_object
from llmmon.sources.mapping import compile_mapping, roots

_MAX_BATCH_BYTES: Final = 64 * 2**20
_ROWS_AT_A_TIME: Final = 100
# not under sql/: the table is another team's, and its names are parameters that only composition can quote
_SELECT: Final = sql.SQL(
    "SELECT {keys}, left(json.content, %(longest)s + 1), octet_length(json.content), "
    "CASE WHEN octet_length(json.content) > %(longest)s "
    "THEN encode(sha256(convert_to(json.content, 'UTF8')), 'hex') END "
    "FROM {logged} AS logged "
    "CROSS JOIN LATERAL (SELECT to_jsonb(found)::text AS content FROM (SELECT {columns}) AS found OFFSET 0) AS json "
    "WHERE {reached} ORDER BY {order}"
)


@sources.register("postgres_table")
@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresTable:
    """A table, a view or a query of any Postgres, read on in order of a key that grows.

    Parameters
    ----------
    url_env : str
        Environment variable that holds the URL, ``postgresql://user:password@host:port/name``.
    key : str or list of str
        Column by which rows are appended: a serial number or the time of insertion, indexed and never null. Where
        several rows may share a value, a list with a second column that tells them apart: ``["created_at", "id"]``.
    columns : mapping
        Which column holds each of llmmon's fields: its name, or a table as docs/logs.md explains, with paths into
        columns of JSON. Needed are ``request_id``, ``occurred_at`` and ``model``.
    table : str
        Name, with its schema if it has one: ``gateway.completions``.
    query : str
        A SELECT in place of the table; the names of its columns are those of `key` and `columns`.
    deployment : str or None
        Deployment of every row; without it the mapped column, else the model.
    overlap : int
        Rows before the end that are read again next time. A transaction that commits late adds rows behind the end
        that was seen; within the overlap they are found.
    behind_s : float
        Rows whose key, which is then a time, is younger than so many seconds wait for the next time: as long as a
        transaction, or a request whose start is the key, may take to be committed. 0 reads up to the end.

    Notes
    -----
    Of a table only the mapped columns are read. Reading needs nothing but SELECT and runs in a read-only transaction.
    A row without messages or prompt is a request without texts.
    """

    plugin_name: ClassVar[str]

    url_env: str
    key: str | Sequence[str]
    columns: Mapping[str, Any]
    table: str = ""
    query: str = ""
    deployment: str | None = None
    overlap: int = 500
    behind_s: float = 0
    _apply: Callable[[Mapping[str, Any], bytes], dict[str, Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if bool(self.table) == bool(self.query):
            raise ValueError("table: expected either a table or a query")
        if not self._keys():
            raise ValueError("key: expected a column or a list of columns")
        for name in REQUIRED:
            if name not in self.columns:
                raise ValueError(f"columns: expected a column for {name}")
        if self.overlap < 1:
            raise ValueError(f"overlap: expected at least 1 row, got {self.overlap}")
        if self.behind_s < 0:
            raise ValueError(f"behind_s: expected 0 or more seconds, got {self.behind_s}")
        try:
            object.__setattr__(self, "_apply", compile_mapping(self.columns))
        except ValueError as error:
            raise ValueError(f"columns{str(error).removeprefix('fields')}") from None

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the rows whose key is at or behind the position and that were not read before."""
        begin = position or {"after": None, "seen": [], "n_read": 0}
        known, n_read = set(begin["seen"]), int(begin["n_read"])
        recent: deque[tuple[list[str], str]] = deque(maxlen=self.overlap)
        rows: list[RawRow] = []
        n_bytes = 0

        def batch() -> RawBatch:
            seen = [digest for _, digest in recent]
            return RawBatch(rows=tuple(rows), position={"after": recent[0][0], "seen": seen, "n_read": n_read})

        for key, raw, cut in self._rows(begin["after"]):
            digest = hashlib.sha256(raw).hexdigest()[:16]
            recent.append((key, digest))
            if digest in known:
                continue
            rows.append(RawRow(raw=raw, file=self.table or "query", offset=n_read, cut=cut))
            n_read, n_bytes = n_read + 1, n_bytes + len(raw)
            if len(rows) == max_rows or n_bytes >= _MAX_BATCH_BYTES:
                yield batch()
                rows, n_bytes = [], 0
        if rows:
            yield batch()

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one row into a request log, or raise `BadRowError`."""
        found, cleaned = read_object(row.raw)
        return request_of(
            self._apply(found, row.raw), list(cleaned), source=source, deployment=self.deployment, has_prompts=False
        )

    def _keys(self) -> list[str]:
        return [self.key] if isinstance(self.key, str) else list(self.key)

    def _rows(self, after: list[str] | None) -> Iterator[tuple[list[str], bytes, str]]:
        """Yield key, JSON and, of a row that is too long to be held, how it was cut."""
        n_keys = len(self._keys())
        try:
            with closing(psycopg2.connect(self._url(), options="-c timezone=UTC", connect_timeout=10)) as connection:
                connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
                with connection.cursor(name="llmmon_source") as cursor:
                    cursor.itersize = _ROWS_AT_A_TIME
                    cursor.execute(self._select(after), {"longest": MAX_LINE_BYTES, "behind_s": self.behind_s})
                    for *key, content, n_bytes, digest in cursor:
                        if None in key[:n_keys]:
                            raise SourceUnavailableError(
                                f"{self._named()}: a row whose {' or '.join(self._keys())} is null has no place in the "
                                "order; take another key, or leave such rows out by a query"
                            )
                        raw = content.encode()
                        yield key, raw, told_cut(n_bytes, len(raw), digest) if digest else ""
        except psycopg2.Error as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise SourceUnavailableError(
                f"{self._named()}: {reason}; check table or query, key and columns of this source, the URL in "
                f"{self.url_env} and that its user may SELECT"
            ) from error

    def _select(self, after: list[str] | None) -> sql.Composed:
        keys = [sql.Identifier("logged", name) for name in self._keys()]
        reached = [sql.SQL("true")]
        if after is not None:
            place = sql.SQL(", ").join(map(sql.Literal, after))
            reached.append(sql.SQL("({}) >= ({})").format(sql.SQL(", ").join(keys), place))
        if self.behind_s:
            reached.append(sql.SQL("{} < now() - make_interval(secs => %(behind_s)s)").format(keys[0]))
        if self.query:  # its percent signs are not parameters
            logged = sql.SQL("({}\n)").format(sql.SQL(self.query.strip().rstrip(";").replace("%", "%%")))
            columns: sql.Composable = sql.SQL("logged.*")
        else:
            logged = sql.Identifier(*self.table.split("."))
            columns = sql.SQL(", ").join(sql.Identifier("logged", name) for name in roots(self.columns))
        return _SELECT.format(
            keys=sql.SQL(", ").join(sql.SQL("{}::text").format(key) for key in keys),
            logged=logged,
            columns=columns,
            reached=sql.SQL(" AND ").join(reached),
            order=sql.SQL(", ").join(keys),
        )

    def _named(self) -> str:
        return f"table {self.table}" if self.table else "query"

    def _url(self) -> str:
        given = os.environ.get(self.url_env)
        if not given:
            raise SourceUnavailableError(
                f"{self._named()}: the environment variable {self.url_env} is not set; "
                "set it to postgresql://user:password@host:port/name"
            )
        try:
            return make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        except ArgumentError:
            raise SourceUnavailableError(
                f"{self._named()}: {self.url_env} is not a URL; expected postgresql://user:password@host:port/name"
            ) from None
