"""The schema comes forward one file at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from llmmon.errors import SchemaVersionError, StoreUnavailableError
from llmmon.store.database import Database
from llmmon.store.migrate import check_schema, current_revision, scripts, upgrade
from llmmon.store.payload import replay_texts_of


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


def test_texts_of_older_replays_move_over_and_those_of_subjects_go(make_database):
    """SQL cannot seal: at 0009 a stranger's replay is kept as it was, and Ann's loses its texts, not its facts."""
    url = make_database(None)
    upgrade(url, "0009")
    database = Database(url)
    at = "'2023-06-27T05:00Z'"
    with database.transaction() as connection:
        for statement in (
            "SELECT llmmon.ensure_day_partition('2023-06-27')",
            "INSERT INTO llmmon.request_identity (source, request_id, occurred_at)"
            f" VALUES ('logs', 'ann', {at}), ('logs', 'stranger', {at})",
            "INSERT INTO llmmon.request_payload (request_key, occurred_at, key_id, content)"
            f" VALUES (1, {at}, 7, ''), (2, {at}, NULL, '{{}}')",
            "INSERT INTO llmmon.provenance (digest, kind, plugin, parameters, code_version, config_digest)"
            " VALUES ('', 'k', 'p', '{}', '', '')",
            "INSERT INTO llmmon.sample (request_key, deployment, window_start, window_end, stratum, probability, seed)"
            f" SELECT key, 'd', {at}, {at}, '', 1, 0 FROM generate_series(1, 2) AS key",
            "INSERT INTO llmmon.response (sample_id, request_key, deployment, window_start, lane, variant, repeat,"
            " state, messages, change, response_text, detail, provenance_id)"
            f" SELECT key, key, 'd', {at}, 'a', 'typo', 0, 'done', '[{{\"role\": \"user\", \"content\": \"hi\"}}]',"
            ' \'{"rule": "typo", "terms": [{"from": "hi"}]}\', \'ho\', \'{"told": "x", "n": 1}\', 1'
            " FROM generate_series(1, 2) AS key",
            "INSERT INTO llmmon.score (request_key, deployment, window_start, lane, variant, repeat, scorer, value,"
            f" evidence, provenance_id) SELECT key, 'd', {at}, 'a', 'typo', 0, 's', 1, '{{\"q\": \"ho\"}}', 1"
            " FROM generate_series(1, 2) AS key",
        ):
            connection.exec_driver_sql(statement)
    upgrade(url)
    with database.transaction() as connection:
        replays = connection.exec_driver_sql(
            "SELECT *, NULL AS wrapped_key, NULL AS user_ref FROM llmmon.response ORDER BY request_key"
        ).all()
        texts = [replay_texts_of(row.content, row) for row in replays]
        evidence = connection.exec_driver_sql("SELECT key_id, evidence FROM llmmon.score ORDER BY request_key").all()
    assert [(row.key_id, row.response_characters, row.change, row.detail) for row in replays] == [
        (7, 2, {"rule": "typo"}, {"n": 1}),
        (None, 2, {"rule": "typo"}, {"n": 1}),
    ]
    assert texts[0].is_gone
    assert (texts[1].messages[0].content, texts[1].response_text) == ("hi", "ho")
    assert (texts[1].terms, texts[1].told) == (({"from": "hi"},), "x")
    assert [(row.key_id, bytes(row.evidence)) for row in evidence] == [(7, b""), (None, b'{"q": "ho"}')]
    database.engine.dispose()


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
