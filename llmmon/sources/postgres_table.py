"""Request logs in a table or view of the team's own Postgres."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar, Final

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from llmmon.errors import SourceUnavailableError
from llmmon.model import RequestLog
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.flat_row import FIELDS, REQUIRED, request_of
from llmmon.sources.json_text import read_object

_MAX_BATCH_BYTES: Final = 64 * 2**20
# not under sql/: the table is another team's, and its names are parameters that only composition can quote
_SELECT: Final = sql.SQL(
    "SELECT row.key::text, to_jsonb(row)::text FROM (SELECT {key} AS key, {columns} FROM {table} "
    "WHERE %(after)s IS NULL OR {key} >= %(after)s ORDER BY {key}) AS row"
)


@sources.register("postgres_table")
@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresTable:
    """A table or view of any Postgres, read on in order of a key that grows.

    Parameters
    ----------
    table : str
        Name, with its schema if it has one: ``gateway.completions``. A query goes into a view.
    key : str
        Column by which rows are appended: a serial number or the time of insertion, indexed.
    columns : mapping of str to str
        From llmmon's field to this table's column. Needed are ``request_id``, ``occurred_at``, ``model``, one of
        ``messages`` (a JSON list of role and content) or ``prompt`` (text), and ``response_text`` or ``error_type``.
    url_env : str
        Environment variable that holds the URL, ``postgresql://user:password@host:port/name``.
    deployment : str or None
        Deployment of every row; without it the mapped column, else the model.
    overlap : int
        Rows before the end that are read again next time. A transaction that commits late adds rows behind the end
        that was seen; within the overlap they are found.

    Notes
    -----
    Only the mapped columns leave the table. Reading needs nothing but SELECT and runs in a read-only transaction.
    """

    plugin_name: ClassVar[str]

    table: str
    key: str
    columns: Mapping[str, str]
    url_env: str
    deployment: str | None = None
    overlap: int = 500

    def __post_init__(self) -> None:
        unknown = sorted(set(self.columns) - set(FIELDS))
        if unknown:
            raise ValueError(f"columns: no field {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
        for choice in (*((name,) for name in REQUIRED), ("messages", "prompt"), ("response_text", "error_type")):
            if not any(name in self.columns for name in choice):
                raise ValueError(f"columns: expected a column for {' or '.join(choice)}")
        if self.overlap < 1:
            raise ValueError(f"overlap: expected at least 1 row, got {self.overlap}")

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the rows whose key is at or behind the position and that were not read before."""
        begin = position or {"after": None, "seen": [], "n_read": 0}
        known, n_read = set(begin["seen"]), int(begin["n_read"])
        recent: deque[tuple[str, str]] = deque(maxlen=self.overlap)
        rows: list[RawRow] = []
        n_bytes = 0

        def batch() -> RawBatch:
            seen = [digest for _, digest in recent]
            return RawBatch(rows=tuple(rows), position={"after": recent[0][0], "seen": seen, "n_read": n_read})

        for key, content in self._rows(begin["after"]):
            raw = content.encode()
            digest = hashlib.sha256(raw).hexdigest()[:16]
            recent.append((key, digest))
            if digest in known:
                continue
            rows.append(RawRow(raw=raw, file=self.table, offset=n_read))
            n_read, n_bytes = n_read + 1, n_bytes + len(raw)
            if len(rows) == max_rows or n_bytes >= _MAX_BATCH_BYTES:
                yield batch()
                rows, n_bytes = [], 0
        if rows:
            yield batch()

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one row into a request log, or raise `BadRowError`."""
        found, cleaned = read_object(row.raw)
        return request_of(found, list(cleaned), source=source, deployment=self.deployment)

    def _rows(self, after: str | None) -> Iterator[tuple[str, str]]:
        query = _SELECT.format(
            key=sql.Identifier(self.key),
            table=sql.Identifier(*self.table.split(".")),
            columns=sql.SQL(", ").join(
                sql.SQL("{} AS {}").format(sql.Identifier(column), sql.Identifier(name))
                for name, column in self.columns.items()
            ),
        )
        try:
            with closing(psycopg2.connect(self._url(), options="-c timezone=UTC", connect_timeout=10)) as connection:
                connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
                with connection.cursor(name="llmmon_source") as cursor:
                    cursor.execute(query, {"after": after})
                    yield from cursor
        except psycopg2.Error as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise SourceUnavailableError(
                f"table {self.table}: {reason}; check table, key and columns of this source, the URL in {self.url_env} "
                "and that its user may SELECT"
            ) from error

    def _url(self) -> str:
        given = os.environ.get(self.url_env)
        if not given:
            raise SourceUnavailableError(
                f"table {self.table}: the environment variable {self.url_env} is not set; "
                "set it to postgresql://user:password@host:port/name"
            )
        try:
            return make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        except ArgumentError:
            raise SourceUnavailableError(
                f"table {self.table}: {self.url_env} is not a URL; expected postgresql://user:password@host:port/name"
            ) from None
