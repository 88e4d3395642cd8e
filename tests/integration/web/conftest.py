"""Clients of the pages, signed in or not, over a real Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmmon.store.database import Database
from tests.integration.web.mounting import mount, sign_tokens
from tests.integration.web.seed import fill


@dataclass(frozen=True)
class Site:
    """A store filled for the pages, and the first alert in it."""

    database: Database
    alert_id: int = 1


@pytest.fixture(scope="session")
def tokens() -> dict[str, str]:
    """Return a signed Airflow token per role."""
    return sign_tokens()


@pytest.fixture(scope="session")
def filled_url(make_database: Callable[[str | None], str], template_url: str) -> str:
    """Return a database that was filled once; tests read it, and copy it to write."""
    filled = Database(make_database(template_url))
    assert fill(filled) == 1
    filled.engine.dispose()
    return filled.url.render_as_string(hide_password=False)


@pytest.fixture
def site(filled_url: str) -> Iterator[Site]:
    """Yield the filled store, to be read."""
    opened = Database(filled_url)
    yield Site(database=opened)
    opened.engine.dispose()


@pytest.fixture
def own_site(make_database: Callable[[str | None], str], filled_url: str) -> Iterator[Site]:
    """Yield a filled store that this test may change."""
    opened = Database(make_database(filled_url))
    yield Site(database=opened)
    opened.engine.dispose()


@pytest.fixture
def connect_own(own_site: Site, served: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield the factory of `connect` over the test's own store."""
    with served(own_site.database) as make:
        yield make


@pytest.fixture
def connect(site: Site, served: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield a factory: ``connect(role)`` is a client signed in with that role, ``connect(None)`` a stranger."""
    with served(site.database) as make:
        yield make


@pytest.fixture
def connect_empty(database: Database, served: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield the same factory over a store with nothing in it."""
    with served(database) as make:
        yield make


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tokens: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """Return a context manager that points the pages at a database and yields a factory of clients."""
    from fastapi.testclient import TestClient

    from llmmon_airflow import settings

    @contextmanager
    def serve(database: Database) -> Iterator[Callable[..., TestClient]]:
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

    return serve
