"""The one way to Postgres: an engine, transactions, and its errors in llmmon's words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg2
import sqlalchemy
import tenacity
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from llmmon.errors import StoreError, StoreUnavailableError
from llmmon.store.statements import statement

T = TypeVar("T")
_log = logging.getLogger(__name__)
# a connection whose other side no longer answers is given up after a minute, by us and by Postgres, which then lets go
# of its locks: here by libpq's names, then by the server's
_KEEPALIVES: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SESSION: Final = (
    "-c timezone=UTC "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 -c tcp_user_timeout=60000"
)
_ATTEMPTS: Final = 5
_RECOVERY_SECONDS: Final = 60
_NEXT_STEPS: Final = {  # by SQLSTATE
    "42501": "; this login needs the role llmmon_writer, llmmon_analyst to read, or llmmon_eraser to erase",
    "53100": "; free space where Postgres keeps its data and run this again: nothing of this step was kept",
    "53300": "; raise max_connections of Postgres or run fewer steps at once, then run this again",
    "55P03": "; another step holds the lock, run this again",
    "40P01": "; another step was in the way, run this again",
}


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
            self.url,
            pool_pre_ping=True,
            connect_args={"options": _SESSION, "connect_timeout": 10, **_KEEPALIVES},
        )

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open one transaction: committed when the block ends, rolled back when it raises."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self._in_our_words(error.orig if isinstance(error.orig, psycopg2.Error) else None) from error
        except psycopg2.Error as error:  # COPY goes past SQLAlchemy
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: psycopg2.Error | None) -> StoreError:
        code = (error.pgcode if error else None) or ""
        # DETAIL lines, and the first line of a data exception (class 22), can carry a row's content: not for a log
        reason = (str(error or "").strip() or "the connection broke").splitlines()[0]
        reason = reason.partition(': "')[0] if code.startswith("22") else reason
        # during COPY the driver notices a lost connection only when the transaction is rolled back: an InterfaceError
        lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
        if lost and (not code or code.startswith(("08", "57P"))):
            where = self.url.render_as_string(hide_password=True)
            return StoreUnavailableError(
                f"{where}: {reason}; is Postgres running and the URL right? `llmmon init` checks both", transient=True
            )
        return StoreError(
            f"Postgres refused: {reason}{_NEXT_STEPS.get(code, '')}", transient=code.startswith("40") or code == "55P03"
        )


def in_one_transaction(work: Callable[[], T]) -> T:
    """Return `work()`, tried again when Postgres could not finish it for a passing reason.

    What another transaction caused (a deadlock, a lock that was not had) is tried five times. A lost connection is
    tried for a minute, in which Postgres can recover from a crash or a standby take over.

    Parameters
    ----------
    work : callable
        One transaction that may run twice: the answer to its COMMIT can be lost.

    Raises
    ------
    StoreError
        When the reason does not pass, or has not passed by then.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, StoreError) and error.transient),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=4),
        stop=_has_tried_enough,
        before_sleep=lambda state: _log.warning("trying again: %s", state.outcome and state.outcome.exception()),
        reraise=True,
    )
    return attempts(work)


def _has_tried_enough(state: tenacity.RetryCallState) -> bool:
    error = state.outcome and state.outcome.exception()
    if isinstance(error, StoreUnavailableError):
        return state.idle_for >= _RECOVERY_SECONDS  # an attempt may itself have waited for an answer that never came
    return state.attempt_number >= _ATTEMPTS


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
