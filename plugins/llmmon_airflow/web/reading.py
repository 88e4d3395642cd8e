"""How a page reads: one bounded read-only transaction, and the configuration for names and descriptions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from llmmon.config import Config, load_config
from llmmon.errors import StoreUnavailableError
from llmmon.store.database import Database, fetch

TIMEOUT_MS = 10_000


@cache
def database() -> Database:
    """Return the database that ``LLMMON_DATABASE_URL`` names."""
    url = os.environ.get("LLMMON_DATABASE_URL")
    if not url:
        raise StoreUnavailableError("no database: set LLMMON_DATABASE_URL for Airflow's API server")
    return Database(url)


@contextmanager
def reading() -> Iterator[Connection]:
    """Open a transaction that cannot write and in which no statement runs longer than ten seconds."""
    with database().transaction() as connection:
        fetch(connection, "ui/read_only", {"timeout_ms": str(TIMEOUT_MS)})
        yield connection


def configuration() -> Config | None:
    """Return llmmon.toml as it is now, None when ``LLMMON_CONFIG`` names no file: the store alone fills the pages."""
    path = os.environ.get("LLMMON_CONFIG")
    if not path or not Path(path).is_file():
        return None
    return _load(Path(path), Path(path).stat().st_mtime_ns)


@cache
def _load(path: Path, _changed_ns: int) -> Config:
    return load_config(path)
