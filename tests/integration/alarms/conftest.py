"""Databases with a planted change, made once and copied for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from llmmon.config import Config
from llmmon.store.database import Database
from tests.conftest import PRIVACY_KEY
from tests.integration.alarms.changed import Fault, changed


@pytest.fixture(scope="session")
def changed_once(
    make_database: Callable[[str | None], str], template_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Fault], tuple[str, Config]]:
    """Return a factory that plants each change once; tests copy the database."""

    @cache
    def make(fault: Fault) -> tuple[str, Config]:
        opened = Database(make_database(template_url))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LLMMON_PRIVACY_KEY", PRIVACY_KEY)
            config = changed(opened, tmp_path_factory.mktemp("changed"), fault)
        opened.engine.dispose()
        return opened.url.render_as_string(hide_password=False), config

    return make


@pytest.fixture
def after_change(
    make_database: Callable[[str | None], str], changed_once: Callable[[Fault], tuple[str, Config]]
) -> Iterator[Callable[[Fault], tuple[Database, Config]]]:
    """Yield a factory: ``after_change("model")`` is a database of the test's own with that change, and its settings."""
    opened: list[Database] = []

    def make(fault: Fault) -> tuple[Database, Config]:
        url, config = changed_once(fault)
        opened.append(Database(make_database(url)))
        return opened[-1], config

    yield make
    for database in opened:
        database.engine.dispose()
