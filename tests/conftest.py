"""What the tests share: a real Postgres, a migrated database for each test, configurations and request logs."""

from __future__ import annotations

import itertools
import json
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.engine import make_url

from llmmon.config import Config, load_config
from llmmon.model import Message, RequestLog
from llmmon.store.database import Database
from llmmon.store.migrate import upgrade
from llmmon.store.scratch import scratch_server

EPOCH = datetime(2023, 6, 27, 5, tzinfo=UTC)


PRIVACY_KEY = "a key for tests, long enough"


@pytest.fixture(autouse=True)
def _privacy_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a key in place of the one that the shell may have; a test that wants none takes it away."""
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", PRIVACY_KEY)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the URL of a throw-away server, or of ``LLMMON_TEST_DSN``, whose role may create databases."""
    given = os.environ.get("LLMMON_TEST_DSN")
    if given:
        yield given
        return
    with scratch_server() as url:
        yield url


@pytest.fixture(scope="session")
def make_database(postgres: str) -> Iterator[Callable[[str | None], str]]:
    """Yield a factory of databases, empty or copied from a template; they do not outlive the session."""
    engine = sqlalchemy.create_engine(Database(postgres).url, isolation_level="AUTOCOMMIT")
    names: list[str] = []

    def make(template: str | None = None) -> str:
        name = f"llmmon_test_{uuid.uuid4().hex[:12]}"
        source = make_url(template).database if template else "template0"
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY wal_log')
        names.append(name)
        return make_url(postgres).set(database=name).render_as_string(hide_password=False)

    yield make
    if os.environ.get("LLMMON_TEST_DSN"):  # a scratch server goes as a whole, which is quicker by a second a database
        with engine.connect() as connection:
            for name in names:
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    engine.dispose()


@pytest.fixture(scope="session")
def template_url(make_database: Callable[[str | None], str]) -> str:
    """Return a database that was migrated once; tests copy it and never write to it."""
    url = make_database(None)
    upgrade(url)
    return url


@pytest.fixture
def database_url(make_database: Callable[[str | None], str], template_url: str) -> str:
    """Return the URL of a fresh migrated database."""
    return make_database(template_url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield a fresh migrated database."""
    opened = Database(database_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    """Return a factory: ``config(text)`` writes text as llmmon.toml and loads it.

    Without text: one source ``logs`` reading ``${here}/*.jsonl`` and one deployment ``assistant``.
    """

    def make(text: str | None = None, *, extra: str = "") -> Config:
        path = tmp_path / "llmmon.toml"
        path.write_text((SMALL_TOML if text is None else text) + extra, "utf-8")
        return load_config(path)

    return make


SMALL_TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[sources.logs.gate]
max_bad_fraction = 1.0
[deployments.assistant]
source = "logs"
"""


def make_line(index: int = 0, **changes: Any) -> dict[str, Any]:
    """Return one line of an OpenAI-style log as a dict; `changes` replace its top-level keys."""
    moment = EPOCH + timedelta(seconds=index)
    line: dict[str, Any] = {
        "id": f"req-{index}",
        "timestamp": moment.isoformat().replace("+00:00", "Z"),
        "deployment": "assistant",
        "route": "primes",
        "request": {"model": "gpt-4", "messages": [{"role": "user", "content": f"Is {index} a prime number?"}]},
        "response": {
            "model": "gpt-4",
            "choices": [{"message": {"role": "assistant", "content": f"No, {index} is not."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 8, "completion_tokens": 5},
        },
        "latency_ms": 100.0 + index,
    }
    line.update(changes)
    return line


@pytest.fixture
def line() -> Callable[..., dict[str, Any]]:
    """Return `make_line`: ``line(3, latency_ms=None)`` is one line of an OpenAI-style log as a dict."""
    return make_line


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Return a factory: ``jsonl(lines, name="logs.jsonl")`` writes dicts, text or bytes as lines; returns the path."""

    def write(lines: list[dict[str, Any] | str | bytes] | int = 3, name: str = "logs.jsonl") -> Path:
        rows = [make_line(index) for index in range(lines)] if isinstance(lines, int) else lines
        path = tmp_path / name
        path.write_bytes(b"".join(as_bytes(row) + b"\n" for row in rows))
        return path

    return write


def as_bytes(row: dict[str, Any] | str | bytes) -> bytes:
    """Return one line's bytes."""
    if isinstance(row, bytes):
        return row
    return (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)).encode("utf-8", "surrogatepass")


@pytest.fixture
def request_log() -> Callable[..., RequestLog]:
    """Return a factory of request logs, one second apart; keyword arguments replace fields."""
    numbers = itertools.count()

    def make(**changes: Any) -> RequestLog:
        index = next(numbers)
        fields: dict[str, Any] = {
            "source": "logs",
            "request_id": f"req-{index}",
            "occurred_at": EPOCH + timedelta(seconds=index),
            "deployment": "assistant",
            "model": "gpt-4",
            "messages": (Message(role="user", content=f"Is {index} a prime number?"),),
            "response_text": f"No, {index} is not.",
            "latency_ms": 100.0 + index,
            "n_input_tokens": 8,
            "n_output_tokens": 5,
            "route": "primes",
        }
        fields.update(changes)
        return RequestLog(**fields)

    return make
