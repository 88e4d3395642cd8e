"""Another team's table is read once, in order of its key, and only where it was mapped."""

from __future__ import annotations

import json
import re

import psycopg2
import pytest

from llmmon.errors import BadRowError, SourceUnavailableError
from llmmon.sources.postgres_table import PostgresTable

COLUMNS = {
    "request_id": "id",
    "occurred_at": "created at",
    "model": "model",
    "prompt": "question",
    "response_text": "answer",
    "tags": "extra",
}


@pytest.fixture
def gateway(make_database, monkeypatch):
    """Return a function that runs SQL in another team's database, with names that need quotes."""
    url = make_database(None)
    monkeypatch.setenv("GATEWAY_URL", url)

    def run(query, *parameters):
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
        connection.close()

    run('CREATE TABLE "Chat; log" (id int PRIMARY KEY, "created at" timestamptz, model text, question text, '
        "answer text, extra jsonb, secret text)")  # fmt: skip
    return run


def add(gateway, *ids, answer="No."):
    """Insert rows with these ids."""
    row = """INSERT INTO "Chat; log" VALUES (%s, '2023-06-27 07:00:01+02', 'gpt-4', 'Is it?', %s, '{"a": 1}', 'key')"""
    for number in ids:
        gateway(row, number, answer)


def table(**changes):
    """Return the source under test."""
    settings = {"table": "Chat; log", "key": "id", "columns": COLUMNS, "url_env": "GATEWAY_URL", **changes}
    return PostgresTable(**settings)


def read(source, position=None, *, max_rows=100):
    """Return the ids behind `position`, the rows and the new position."""
    rows = []
    for batch in source.read(position, max_rows=max_rows):
        rows += batch.rows
        position = json.loads(json.dumps(batch.position))
    return [json.loads(row.raw)["id"] for row in rows], rows, position


def test_a_row_becomes_a_request_log(gateway):
    """Mapped columns arrive in UTC, and columns that were not mapped never leave the table."""
    add(gateway, 1)
    source = table()
    _, (row,), _ = read(source)
    found = source.parse(row, source="gateway")
    assert (found.request_id, found.model, found.prompt, found.response_text) == ("1", "gpt-4", "Is it?", "No.")
    assert found.occurred_at.isoformat() == "2023-06-27T05:00:01+00:00"
    assert found.tags == {"a": "1"}
    assert b"secret" not in row.raw
    assert row.file == "Chat; log"


def test_reading_goes_on_behind_the_last_key(gateway):
    """Each row comes once, in batches of any size."""
    source = table()
    add(gateway, *range(1, 8))
    found, rows, position = read(source, max_rows=3)
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert [row.offset for row in rows] == list(range(7))
    assert read(source, position)[0] == []
    add(gateway, 8)
    assert read(source, position)[0] == [8]


def test_a_row_that_is_committed_late_is_found(gateway):
    """A key below the last one seen is read while it lies within the overlap."""
    source = table(overlap=3)
    add(gateway, 1, 2, 4, 6, 8)
    _, _, position = read(source)
    add(gateway, 5)
    found, _, position = read(source, position)
    assert found == [5]
    add(gateway, 3)
    assert read(source, position)[0] == []


def test_a_row_without_a_model_is_refused(gateway):
    """A row that cannot be a request log says which column is missing."""
    gateway("""INSERT INTO "Chat; log" VALUES (1, now(), NULL, 'q', 'a', NULL, NULL)""")
    source = table()
    _, (row,), _ = read(source)
    with pytest.raises(BadRowError, match="model: missing"):
        source.parse(row, source="gateway")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"table": "nowhere"}, 'relation "nowhere" does not exist.*its user may SELECT'),
        ({"key": "serial"}, "column logged.serial does not exist"),
        ({"url_env": "NOT_SET"}, "environment variable NOT_SET is not set; set it to postgresql://"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_next_step(gateway, changes, words):
    """A wrong table, key or variable says what is wrong and what to check."""
    with pytest.raises(SourceUnavailableError, match=words):
        read(table(**changes))


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch):
    """The error names the variable and hides what it holds."""
    monkeypatch.setenv("GATEWAY_URL", "postgresql://someone:secret@127.0.0.1:1/gateway")
    with pytest.raises(SourceUnavailableError, match="the URL in GATEWAY_URL") as caught:
        read(table())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": {"request_id": "id", "occurred_at": "at"}}, "columns: expected a column for model"),
        ({"columns": {**COLUMNS, "colour": "c"}}, "^columns: no colour; there are"),
        ({"columns": {**COLUMNS, "route": "a..b"}}, "^columns.route: 'a..b' is no path"),
        ({"query": "SELECT 1"}, "either a table or a query"),
        ({"table": ""}, "either a table or a query"),
        ({"key": []}, "key: expected a column"),
        ({"behind_s": -1}, "behind_s: expected 0 or more"),
        ({"overlap": 0}, "overlap: expected at least 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes, words):
    """The error names the setting and what was expected."""
    with pytest.raises(ValueError, match=words):
        table(**changes)


def test_a_query_is_read_on_like_a_table(gateway):
    """Percent signs, a semicolon and a comment at its end are the query's own; columns of JSON are mapped by path."""
    query = """SELECT *, jsonb_build_object('who', 'ann') AS meta FROM "Chat; log"
               WHERE question LIKE 'Is%' AND answer <> '%s'; -- 100% of it"""
    columns = {**COLUMNS, "route": {"value": "help"}, "tenant": "meta.who", "latency_ms": {"path": "id", "scale": 1000}}
    source = table(table="", query=query.replace("; --", " --"), columns=columns)
    add(gateway, 1, 2, 3)
    found, rows, position = read(source, max_rows=2)
    assert found == [1, 2, 3]
    request = source.parse(rows[0], source="gateway")
    assert (request.tenant, request.route, request.latency_ms, rows[0].file) == ("ann", "help", 1000.0, "query")
    add(gateway, 4)
    assert read(source, position)[0] == [4]
    assert read(table(table="", query='SELECT * FROM "Chat; log" ;\n'), None)[0] == [1, 2, 3, 4]


def test_rows_of_one_moment_are_told_apart_by_a_second_column(gateway):
    """More rows than the overlap share a key, and yet each is read once."""
    source = table(key=["created at", "id"], overlap=2)
    add(gateway, *range(20))
    found, _, position = read(source, max_rows=7)
    assert found == list(range(20))
    assert read(source, position)[0] == []
    add(gateway, 20, 21)
    assert read(source, position)[0] == [20, 21]


def test_young_rows_wait_until_the_time_for_late_commits_is_over(gateway):
    """A transaction that began earlier and commits later is read in its place."""
    now = """INSERT INTO "Chat; log" VALUES (%s, now() - make_interval(secs => %s), 'm', 'q', 'a', NULL, NULL)"""
    source = table(key=["created at", "id"], overlap=1, behind_s=60)
    gateway(now, 1, 100)
    gateway(now, 3, 50)
    found, _, position = read(source)
    assert found == [1]
    gateway(now, 2, 70)  # committed after a younger row was there
    found, _, position = read(source, position)
    assert found == [2]
    assert read(table(key=["created at", "id"], overlap=1), position)[0] == [3]


def test_a_key_that_is_null_is_told(gateway):
    """Such a row would never be reached again."""
    add(gateway, 1)
    gateway("""INSERT INTO "Chat; log" VALUES (2, NULL, 'm', 'q', 'a', NULL, NULL)""")
    with pytest.raises(SourceUnavailableError, match="a row whose created at or id is null has no place in the order"):
        read(table(key=["created at", "id"]))


def test_a_huge_row_is_kept_by_its_beginning(gateway):
    """A row of 20 MiB is refused with its size and digest, and its neighbour is read."""
    add(gateway, 1, answer="x" * (20 * 2**20))
    add(gateway, 2)
    source = table()
    huge, small = [row for batch in source.read(None, max_rows=10) for row in batch.rows]
    assert re.fullmatch(
        r"the row has 20971\d+ bytes, of which the first 16777217 are kept; SHA-256 [0-9a-f]{64}", huge.cut
    )
    with pytest.raises(BadRowError) as caught:
        source.parse(huge, source="gateway")
    assert caught.value.code == "line_too_long"
    assert source.parse(small, source="gateway").request_id == "2"


@pytest.mark.parametrize(
    ("field", "value", "fate"),
    [
        ("n_input_tokens", "'NaN'::float8", "number_out_of_range"),
        ("n_input_tokens", "'-Infinity'::float8", "number_out_of_range"),
        ("n_input_tokens", "1e400::numeric", "number_out_of_range"),
        ("n_input_tokens", "-1", "number_out_of_range"),
        ("n_input_tokens", "1.5", "wrong_type"),
        ("n_input_tokens", "true", "wrong_type"),
        ("n_input_tokens", "NULL::int", "loaded"),
        ("occurred_at", "'infinity'::timestamptz", "malformed_time"),
        ("occurred_at", "'0044-03-15 BC'::timestamptz", "malformed_time"),
        ("occurred_at", "'294276-12-31'::timestamptz", "malformed_time"),
        ("occurred_at", "NULL::timestamptz", "missing_timestamp"),
        ("messages", "'{'", "malformed_json"),
        ("messages", "repeat('[', 50000)", "too_deep"),
        ("messages", "'[]'::jsonb", "missing_messages"),
        ("messages", "'[3]'::jsonb", "wrong_type"),
        ("messages", 'E\'[{"role": "user", "content": "\\\\ud800"}]\'', "loaded"),
        ("request_id", "''", "missing_request_id"),
        ("request_id", "repeat('x', 600)", "text_too_long"),
    ],
)
def test_a_hostile_value_of_a_column_is_refused_with_its_code(gateway, field, value, fate):
    """Whatever Postgres can hold; the row before it and the row behind it are read."""
    usual = {"request_id": "n::text", "occurred_at": "now()", "model": "'m'", "messages": "NULL::text"}
    good = ", ".join(f"{word} AS {name}" for name, word in {**usual, "n_input_tokens": "1"}.items())
    hostile = ", ".join(f"{word} AS {name}" for name, word in {**usual, "n_input_tokens": "1", field: value}.items())
    query = (
        f"SELECT n AS key, to_jsonb(a) AS a FROM generate_series(1, 3) AS n, LATERAL (SELECT {good}) AS a WHERE n <> 2"
    )
    query += f" UNION ALL SELECT 2, to_jsonb(a) FROM (SELECT 2 AS n) AS two, LATERAL (SELECT {hostile}) AS a"
    columns = {name: f"a.{name}" for name in (*usual, "n_input_tokens")}
    source = table(table="", query=query, key="key", columns=columns)
    fates = []
    for batch in source.read(None, max_rows=10):
        for row in batch.rows:
            try:
                source.parse(row, source="gateway")
            except BadRowError as error:
                fates.append(error.code)
            else:
                fates.append("loaded")
    assert fates == ["loaded", fate, "loaded"]
