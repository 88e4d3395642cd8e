"""The pages as Airflow mounts them: its own auth manager and tokens, over a real Postgres."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from llmmon.store.database import Database

# Airflow reads these when it is first imported, and would otherwise write into the home folder
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="llmmon-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__API_AUTH__JWT_SECRET", "only-for-these-tests-" * 4)
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "of these tests only, and long enough for the signatures of Airflow, which want 64 bytes",
)

ORIGIN = "http://testserver"


@dataclass(frozen=True)
class Site:
    """A store filled for the pages, and the first alert in it."""

    database: Database
    alert_id: int


@pytest.fixture(scope="session")
def tokens() -> dict[str, str]:
    """Return a signed Airflow token per role."""
    from airflow import settings
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.revoked_token import RevokedToken

    settings.configure_orm()
    RevokedToken.__table__.create(settings.engine, checkfirst=True)  # each request asks whether its token was revoked
    manager = create_auth_manager()
    return {
        role: manager.generate_jwt(SimpleAuthManagerUser(username=f"{role}-person", role=role))
        for role in ("viewer", "user")
    }


@pytest.fixture
def connect(database: Database, monkeypatch: pytest.MonkeyPatch, tokens: dict[str, str]) -> Iterator[Callable]:
    """Yield a factory: ``connect(role)`` is a client signed in with that role, ``connect(None)`` a stranger."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from llmmon_airflow.web import reading
    from llmmon_airflow.web.app import app

    monkeypatch.setenv("LLMMON_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.delenv("LLMMON_CONFIG", raising=False)
    reading.database.cache_clear()
    host = FastAPI(openapi_url=None)
    host.mount("/llmmon", app)

    def make(role: str | None = "user") -> TestClient:
        cookies = {} if role is None else {"_token": tokens[role]}
        return TestClient(host, cookies=cookies, follow_redirects=False)

    yield make
    reading.database().engine.dispose()
    reading.database.cache_clear()


@pytest.fixture
def site(database: Database) -> Site:
    """Fill the store and return it."""
    from tests.integration.web.seed import fill

    return Site(database=database, alert_id=fill(database))
