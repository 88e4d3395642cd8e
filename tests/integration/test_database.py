"""Every way Postgres says no comes out as one of llmmon's errors, in one line, with the next step."""

from __future__ import annotations

import io

import pytest

from llmmon.errors import StoreError, StoreUnavailableError
from llmmon.store.database import Database

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '{}'; END $$"


def run(database, query):
    """Run one statement in a transaction of its own."""
    with database.transaction() as connection:
        connection.exec_driver_sql(query)


@pytest.mark.parametrize(
    ("code", "next_step"),
    [("53100", "free space where Postgres keeps its data"), ("40P01", "run this again"), ("42501", "llmmon_writer")],
)
def test_what_postgres_refuses_says_what_to_do(database, code, next_step):
    """A full disk, a deadlock and a missing right are not taken for a server that is down."""
    with pytest.raises(StoreError, match=f"Postgres refused: could not extend file.*{next_step}") as caught:
        run(database, RAISE.format(code))
    assert not isinstance(caught.value, StoreUnavailableError)


def test_a_connection_that_breaks_is_a_store_that_cannot_be_reached(database):
    """A server that goes down in a transaction is named with its address."""
    with pytest.raises(StoreUnavailableError, match="is Postgres running"):
        run(database, "SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_refused_copy_is_a_store_error_without_the_row(database):
    """COPY goes past SQLAlchemy, and its errors do not; the row's content stays out of the message."""
    refused = pytest.raises(StoreError, match="Postgres refused: invalid input syntax for type bigint")
    with refused as caught, database.transaction() as connection:
        cursor = connection.connection.cursor()
        cursor.copy_expert("COPY llmmon.quarantine (batch_id) FROM STDIN", io.StringIO("secret\n"))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_or_host_hides_the_password():
    """The URL in the message is without its password."""
    with pytest.raises(StoreUnavailableError, match=r"someone:\*\*\*@127\.0\.0\.1:1/llmmon") as caught:
        run(Database("postgresql://someone:secret@127.0.0.1:1/llmmon"), "SELECT 1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://u@h/d", "not a url"])
def test_a_url_of_something_else_is_refused(url):
    """Only Postgres URLs are taken."""
    with pytest.raises(StoreUnavailableError, match="postgresql"):
        Database(url)
