"""The schema comes forward one file at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from llmmon.errors import SchemaVersionError, StoreUnavailableError
from llmmon.store.database import Database
from llmmon.store.migrate import check_schema, current_revision, scripts, upgrade


def test_a_migrated_database_has_the_schema_that_the_code_expects(database):
    """The head of the migration files is what the database says it is at."""
    check_schema(database)
    assert current_revision(database) == scripts().get_current_head()


def test_migrating_twice_and_at_the_same_time_is_migrating_once(make_database):
    """Four processes migrate an empty database together and none fails."""
    url = make_database(None)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [url] * 4))
    check_schema(Database(url))


def test_an_older_schema_is_named_with_the_next_step(make_database):
    """A database that stopped at migration 0002 says what it is, what is needed and which command helps."""
    url = make_database(None)
    upgrade(url, "0002")
    with pytest.raises(SchemaVersionError, match=r"is 0002, this code needs \d{4}; `llmmon init`"):
        check_schema(Database(url))


def test_an_empty_database_is_named_with_the_next_step(make_database):
    """A database without llmmon says so."""
    with pytest.raises(SchemaVersionError, match="no llmmon schema"):
        check_schema(Database(make_database(None)))


def test_a_newer_schema_is_refused(database):
    """A database that a later version migrated is not touched by this code."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE llmmon_alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaVersionError, match="newer than this code"):
        check_schema(database)


def test_an_unreachable_server_is_named_without_its_password():
    """The error names host and port and hides the password."""
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1/") as caught:
        upgrade("postgresql://someone:secret@127.0.0.1:1/llmmon")
    assert "secret" not in str(caught.value)
