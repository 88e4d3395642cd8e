"""The one way to Postgres: an engine, transactions, and its errors in llmmon's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from llmmon.errors import StoreError, StoreUnavailableError
from llmmon.store.statements import statement


class Database:
    """A Postgres database that holds llmmon's schemas.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/name``; psycopg2 is the driver.
    """

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.engine: Engine = sqlalchemy.create_engine(
            self.url, pool_pre_ping=True, connect_args={"options": "-c timezone=UTC", "connect_timeout": 10}
        )

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open one transaction: committed when the block ends, rolled back when it raises."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            where = self.url.render_as_string(hide_password=True)
            raise StoreUnavailableError(
                f"{where}: {_first_line(error)}; is Postgres running and the URL right? `llmmon init` checks both"
            ) from error
        except DBAPIError as error:
            raise StoreError(f"Postgres refused: {_first_line(error)}") from error


def fetch(connection: Connection, name: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
    """Run the named statement and return all its rows."""
    return connection.exec_driver_sql(statement(name), dict(parameters or {})).all()


def execute(
    connection: Connection, name: str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
) -> int:
    """Run the named statement, once or for each of many parameter sets, and return the number of rows it touched."""
    given = dict(parameters or {}) if parameters is None or isinstance(parameters, Mapping) else list(parameters)
    if given == []:
        return 0
    return connection.exec_driver_sql(statement(name), given).rowcount


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnavailableError(
            "the database URL cannot be read; expected postgresql://user:password@host:port/name"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise StoreUnavailableError(f"the database URL names {parsed.get_backend_name()!r}; llmmon needs postgresql")
    return parsed.set(drivername="postgresql+psycopg2")


def _first_line(error: DBAPIError) -> str:
    # the driver's DETAIL lines can carry a row's content, which must not reach a log
    return str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
