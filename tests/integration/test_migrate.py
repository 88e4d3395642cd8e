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


def test_batches_held_before_rows_were_kept_give_way_to_the_account(make_database):
    """Their rows are read again from the cursor; retried rows and the requests of each hour are counted anew."""
    url = make_database(None)
    upgrade(url, "0009")
    database = Database(url)
    with database.transaction() as connection:
        for state, n_new, n_bad in (("loaded", 2, 1), ("held", 4, 0), ("released", 4, 0), ("loaded", 1, 0)):
            connection.exec_driver_sql(
                "INSERT INTO llmmon.ingest_batch (source, state, to_position, n_in, n_new, n_dup, n_bad, raw_digest,"
                " code_version, config_digest) VALUES ('logs', %(state)s, '{}', %(n_new)s + %(n_bad)s, %(n_new)s, 0,"
                " %(n_bad)s, '', '0', '0')",
                {"state": state, "n_new": n_new, "n_bad": n_bad},
            )
        connection.exec_driver_sql(
            "INSERT INTO llmmon.quarantine (batch_id, source, file, byte_offset, code, reason, raw, raw_digest,"
            " resolved_batch_id, resolved_at) VALUES (1, 'logs', 'a', 0, 'c', 'r', '', '', 4, now())"
        )
        connection.exec_driver_sql("SELECT llmmon.ensure_day_partition('2023-06-27')")
        connection.exec_driver_sql(
            "INSERT INTO llmmon.request_log (request_key, occurred_at, source, request_id, batch_id, deployment, model,"
            " status, digest) SELECT i, '2023-06-27T05:40Z'::timestamptz + i * interval '10 minutes', 'logs', i::text,"
            " 1, 'a', 'm', 'ok', '' FROM generate_series(1, 3) AS i"
        )
    upgrade(url)
    with database.transaction() as connection:
        batches = "SELECT batch_id, state, n_held, n_from_quarantine FROM llmmon.ingest_batch ORDER BY 1"
        assert connection.exec_driver_sql(batches).all() == [(1, "loaded", 0, 0), (4, "loaded", 0, 1)]
        account = "SELECT n_in, n_new, n_loaded_from_quarantine, closes FROM compliance.traffic_accounted_for"
        assert connection.exec_driver_sql(account).all() == [(3, 2, 1, True)]
        hours = "SELECT hour::text, n_requests FROM llmmon.source_hour ORDER BY 1"
        assert connection.exec_driver_sql(hours).all() == [("2023-06-27 05:00:00+00", 1), ("2023-06-27 06:00:00+00", 2)]
    database.engine.dispose()
