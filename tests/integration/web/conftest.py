"""Clients of the pages, signed in or not, over a real Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmmon.store.database import Database
from tests.integration.web.mounting import mount, sign_tokens
from tests.integration.web.seed import fill


@dataclass(frozen=True)
class Site:
    """A store filled for the pages, and the first alert in it."""

    database: Database
    alert_id: int


@pytest.fixture(scope="session")
def tokens() -> dict[str, str]:
    """Return a signed Airflow token per role."""
    return sign_tokens()


@pytest.fixture
def connect(
    database: Database, monkeypatch: pytest.MonkeyPatch, tokens: dict[str, str], tmp_path: Path
) -> Iterator[Callable]:
    """Yield a factory: ``connect(role)`` is a client signed in with that role, ``connect(None)`` a stranger."""
    from fastapi.testclient import TestClient

    from llmmon_airflow import settings

    monkeypatch.setenv("LLMMON_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "bare.toml"))
    (tmp_path / "bare.toml").write_text("[sources]\n[deployments]\n")
    settings.database.cache_clear()
    host = mount()

    def make(role: str | None = "user") -> TestClient:
        cookies = {} if role is None else {"_token": tokens[role]}
        return TestClient(host, cookies=cookies, follow_redirects=False)

    yield make
    settings.database().engine.dispose()
    settings.database.cache_clear()


@pytest.fixture
def site(database: Database) -> Site:
    """Fill the store and return it."""
    return Site(database=database, alert_id=fill(database))
