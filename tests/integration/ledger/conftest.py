"""A ledger with events, and an anchorer whose heads lie outside the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmmon.audit.checkpoint import SigningKey
from llmmon.audit.event import body
from llmmon.channels.base import Connection
from llmmon.config import load_anchorer_config
from llmmon.pipeline.anchor import Anchorer
from llmmon.pipeline.seal import seal
from llmmon.store import audit
from llmmon.store.database import Database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = SigningKey.generate("example.com/llmmon")
TWO_FOLDERS = """
[channels.vault]
type = "folder"
path = "${here}/vault"
[channels.auditor]
type = "folder"
path = "${here}/auditor"
[deliver]
vault = 0
auditor = 60
"""


def append(database: Database, n: int, first: int = 0) -> None:
    """Append `n` events, each in a transaction of its own place in the count."""
    with database.transaction() as connection:
        for number in range(first, first + n):
            audit.append(connection, body("test.happened", f"thing {number}", {"n": number}, config_digest="0" * 64))


def no_connection(name: str) -> Connection:
    """Refuse: folders need none."""
    raise AssertionError(name)


@pytest.fixture
def make_anchorer(tmp_path: Path) -> Callable[..., Anchorer]:
    """Return a factory of anchorers that share one state file; heads go to two folders."""

    def make(database: Database, *, text: str = TWO_FOLDERS, key: SigningKey = KEY, resolve=no_connection) -> Anchorer:
        path = tmp_path / "anchorer.toml"
        path.write_text(text, "utf-8")
        return Anchorer(database, load_anchorer_config(path), key, tmp_path / "state.json", resolve)

    return make


@pytest.fixture
def heads(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Return what the vault has received: each head by its file's name."""
    return lambda: {path.name: path.read_text("utf-8") for path in sorted((tmp_path / "vault").glob("*.checkpoint"))}


@pytest.fixture
def anchored(database: Database, make_anchorer: Callable[..., Anchorer]) -> Database:
    """Return a database with fifty sealed events, whose heads at 20, 41 and 50 events were signed and sent away."""
    anchorer = make_anchorer(database)
    for step, n in enumerate((20, 21, 9)):
        append(database, n, first=100 * step)
        seal(database)
        anchorer.look(NOW + timedelta(minutes=step))
    return database
